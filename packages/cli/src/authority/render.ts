/** Shows what waits for signatures. */
import type { PendingStatement } from '@etherloom/api';
import type { Context } from '../context.ts';
import { count } from '../terminal.ts';
import type { Described } from './describe.ts';

/** What waits, in words; what is signed again unchanged in one line. */
export function renderPending(described: readonly Described[], context: Context): string {
  const again = described.filter(({ isAgain }) => isAgain);
  const blocks = described
    .filter(({ isAgain, warnings }) => !isAgain || warnings.length > 0)
    .map(({ title, lines, warnings, item }) =>
      [
        context.palette.bold(title),
        ...lines.map((line) => `  ${line}`),
        ...warnings.map((text) => `  ${context.palette.bad(`warning: ${text}`)}`),
        `  ${context.palette.dim(waitText(item))}`,
      ].join('\n'),
    );
  if (again.length > 0)
    blocks.push(
      `${count(again.length, 'statement')} in force, to be signed again by the keys of the newest version, unchanged`,
    );
  return blocks.join('\n');
}

function waitText({ missing, createdAt }: PendingStatement): string {
  return `lacks ${count(missing, 'signature')}, waits since ${createdAt}`;
}
