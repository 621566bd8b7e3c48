/**
 * Checks the tree for what a linter does not see: lengths, banned calls, names, words, the
 * changelog. The rules are in check-tidy-rules.ts. Exit status 1 when something is found.
 */
import { fileURLToPath } from 'node:url';
import { readTree, report } from './check-files.ts';
import { checkFile, datapathTotal, tidyFile } from './check-tidy-rules.ts';

const files = readTree(fileURLToPath(new URL('..', import.meta.url)))
  .filter(({ path }) => path !== 'package-lock.json')
  .map(tidyFile);
const findings = [...files.flatMap(checkFile), ...datapathTotal(files)];
process.exitCode = report('check-tidy', findings, files.length);
