/** For tests: backups as they compare. */
import { readFileSync } from 'node:fs';

/** The rows of a backup but for those by which ledgers say that one was restored. */
export function backupWithoutLedgers(file: string): string {
  let isKept = true;
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => {
      if (line.startsWith('{"table":')) isKept = !/"ledger_(heads|entries)"/.test(line);
      return isKept && !line.startsWith('{"tables":');
    });
  return lines.join('\n');
}
