/**
 * Entry of `loom`. The two long-running programs replace this process (execve: the same pid, so
 * signals, exit status and a
 * supervisor's view need no passing on); every other word is a command of program.ts, which is
 * loaded only then.
 */
import { execve } from 'node:process';
import { fileURLToPath } from 'node:url';

const PROGRAMS: Readonly<Record<string, string>> = {
  controller: '../../controller/src/main.ts',
  agent: '../../agent/src/main.ts',
};

const [word, ...args] = process.argv.slice(2);
const program = word === undefined ? undefined : PROGRAMS[word];
if (program === undefined) {
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(process.argv.slice(2));
} else {
  const path = fileURLToPath(new URL(program, import.meta.url));
  if (execve === undefined) throw new Error('etherloom runs on Linux alone');
  execve(process.execPath, [process.execPath, path, ...args], process.env);
}
