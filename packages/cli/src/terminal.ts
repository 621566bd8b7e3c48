/**
 * Colour, tables and units for people. Width is counted in characters: names and addresses are
 * ASCII.
 */

/** Marks text; the identity where there is no colour. */
export interface Palette {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warning: (text: string) => string;
}

const mark = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;
const plain = (text: string): string => text;

/** Colours on a terminal that wants them (https://no-color.org). */
export function choosePalette(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): Palette {
  const hasColour = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  if (!hasColour) return { bold: plain, dim: plain, good: plain, bad: plain, warning: plain };
  return { bold: mark(1), dim: mark(2), good: mark(32), bad: mark(31), warning: mark(33) };
}

/** A cell: its text, and how it is marked once its column's width is known. */
export interface Cell {
  readonly text: string;
  readonly mark?: (text: string) => string;
}

/** Columns aligned left, numbers right (their names start with ">"); two blanks between. */
export function renderTable(
  columns: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  palette: Palette,
): string {
  const isRight = columns.map((name) => name.startsWith('>'));
  const names = columns.map((name) => name.replace(/^>/, ''));
  const cells = rows.map((row) => row.map(toCell));
  const widths = names.map((name, i) =>
    Math.max(name.length, ...cells.map((row) => row[i]?.text.length ?? 0)),
  );
  const line = (row: readonly Cell[]): string =>
    row
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        const isLast = i === names.length - 1;
        const padded = isRight[i]
          ? cell.text.padStart(width)
          : isLast
            ? cell.text
            : cell.text.padEnd(width);
        return cell.mark ? cell.mark(padded) : padded;
      })
      .join('  ')
      .trimEnd();
  const head = names.map((text) => ({ text, mark: palette.dim }));
  return [line(head), ...cells.map(line)].join('\n');
}

/** Names and values below each other, values aligned. */
export function renderFields(
  fields: readonly (readonly [string, string])[],
  palette: Palette,
): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${palette.dim(name.padEnd(width))}  ${value}`).join('\n');
}

function toCell(value: string | Cell): Cell {
  return typeof value === 'string' ? { text: value } : value;
}

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

/** 1536 -> "1.5 KB"; steps of 1000, as network people count. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** 0.1234 -> "0.123 ms"; three digits that count. */
export function formatLatency(latencyMs: number | null): string {
  if (latencyMs === null) return '-';
  return `${latencyMs.toFixed(latencyMs < 10 ? 3 : latencyMs < 100 ? 2 : 1)} ms`;
}

/** 90061000 -> "1d 1h"; the two largest units. */
export function formatDuration(durationMs: number | null): string {
  if (durationMs === null) return '-';
  const seconds = Math.max(0, Math.floor(durationMs / 1_000));
  if (seconds < 1) return `${Math.max(0, Math.round(durationMs))} ms`;
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** "1 node", "2 nodes". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
