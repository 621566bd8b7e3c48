/** The command line as a package: it is a program, so nothing is exported but how to run it. */
export { runProgram } from './program.ts';
