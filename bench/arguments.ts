/** Arguments of the benchmark, checked before anything is made. */
import { parseArgs } from 'node:util';

/** Contenders in the order of the table. */
export const CONTENDER_NAMES = ['veth', 'vxlan', 'etherloom', 'datapath', 'wireguard-go'] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** Those that are measured when nothing is said; `datapath` is for work on the data path alone. */
const DEFAULT_NAMES: readonly ContenderName[] = ['veth', 'vxlan', 'etherloom', 'wireguard-go'];
/** More rounds than this are a mistake. */
const ROUNDS_MAX = 1_000;
/** Longest single measurement, seconds. */
const SECONDS_MAX = 600;

export interface BenchArguments {
  readonly json: string | null;
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly ContenderName[];
}

/** Thrown for arguments that make no sense; the message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `usage: npm run bench -- [--json FILE] [--runs N] [--seconds N] [--only NAME,NAME...]
  --json FILE    also write the result there
  --runs N       rounds over all contenders; the table has their medians (default 3)
  --seconds N    length of one measurement (default 2)
  --only NAMES   of ${CONTENDER_NAMES.join(', ')} (default: all but datapath)`;

/** Reads the command line. */
export function parseArguments(args: readonly string[]): BenchArguments {
  const { values } = parse(args);
  return {
    json: values.json ?? null,
    rounds: wholeNumber('--runs', values.runs ?? '3', ROUNDS_MAX),
    seconds: wholeNumber('--seconds', values.seconds ?? '2', SECONDS_MAX),
    only: values.only === undefined ? DEFAULT_NAMES : namesOf(values.only),
  };
}

function parse(args: readonly string[]): {
  values: { json?: string; runs?: string; seconds?: string; only?: string };
} {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { json: text, runs: text, seconds: text, only: text },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(option: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
  throw new UsageError(`${option} takes a whole number from 1 to ${most}, given "${text}"`);
}

function namesOf(text: string): ContenderName[] {
  const given = text.split(',');
  const unknown = given.filter((name) => !CONTENDER_NAMES.some((known) => known === name));
  if (unknown.length > 0)
    throw new UsageError(
      `--only knows ${CONTENDER_NAMES.join(', ')}; given "${unknown.join(',')}"`,
    );
  return CONTENDER_NAMES.filter((name) => given.includes(name));
}
