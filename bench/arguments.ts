/** Arguments of the benchmark, checked before anything is made. */
import { parseArgs } from 'node:util';

/** Contenders in the order of the table. */
export const CONTENDER_NAMES = [
  'veth',
  'vxlan',
  'etherloom',
  'datapath',
  'wireguard-go',
  'zerotier',
] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** Those that are measured when nothing is said; `datapath` is for work on the data path alone. */
const DEFAULT_NAMES: readonly ContenderName[] = CONTENDER_NAMES.filter(
  (name) => name !== 'datapath',
);

/** Scenarios that need a setting of their own, in the order in which they run. */
export const SCENARIO_GROUPS = ['jumbo', 'loss', 'tables', 'idle'] as const;
export type ScenarioGroup = (typeof SCENARIO_GROUPS)[number];

const SUITES = ['all', 'main', ...SCENARIO_GROUPS] as const;
type Suite = (typeof SUITES)[number];

/** More rounds than this are a mistake. */
const ROUNDS_MAX = 1_000;
/** Longest single measurement, seconds. */
const SECONDS_MAX = 600;
/** Five rounds: a median that one disturbed round, or two, cannot move far. */
const ROUNDS_DEFAULT = '5';
const SECONDS_DEFAULT = '2';
/** Some thousand samples. */
const FLAME_SECONDS_DEFAULT = '10';

export interface BenchArguments {
  readonly json: string | null;
  readonly rounds: number;
  readonly seconds: number;
  /** Contenders of the main table. */
  readonly only: readonly ContenderName[];
  readonly isMain: boolean;
  readonly groups: readonly ScenarioGroup[];
  /** Baseline to compare with. */
  readonly compare: string | null;
  /** Where the flame graph goes; nothing else is done then. */
  readonly flame: string | null;
  readonly isHelp: boolean;
}

/** Thrown for arguments that make no sense; the message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `usage: npm run bench -- [--json FILE] [--compare BASE] [--runs N] [--seconds N]
                        [--suite NAME,NAME...] [--only NAME,NAME...]
       npm run bench -- --flame FILE.svg [--seconds N]
  --json FILE     also write the result there
  --compare BASE  compare the ratios of this run with those of a result written by --json;
                  exit status 1 when one is worse by more than the runs themselves vary
  --runs N        rounds; each measures everything once, medians are shown (default ${ROUNDS_DEFAULT})
  --seconds N     length of one measurement (default ${SECONDS_DEFAULT};
                  of a flame graph ${FLAME_SECONDS_DEFAULT})
  --suite NAMES   of ${SUITES.join(', ')} (default: all)
                    main    the table: all contenders over one veth at MTU 1500
                    jumbo   one stream over an underlay with MTU 9000
                    loss    one stream over an underlay that loses datagrams
                    tables  one stream and memory with 1,000 peers and 100,000 FDB entries
                    idle    processor time of a host without traffic
  --only NAMES    contenders of the main table, of
                  ${CONTENDER_NAMES.join(', ')} (default: all but datapath)
  --flame FILE    write a flame graph of the data path under load, and nothing else (needs perf)
Everything takes about eight minutes on two processors.`;

type Values = Partial<Record<'json' | 'compare' | 'flame' | 'runs' | 'seconds', string>> &
  Partial<Record<'suite' | 'only', string>> & { readonly help?: boolean };

/** Reads the command line. */
export function parseArguments(args: readonly string[]): BenchArguments {
  const values = parse(args);
  const suites = values.suite === undefined ? ['all'] : namesOf('--suite', SUITES, values.suite);
  const isAll = suites.includes('all');
  const seconds = values.flame === undefined ? SECONDS_DEFAULT : FLAME_SECONDS_DEFAULT;
  return {
    json: values.json ?? null,
    rounds: wholeNumber('--runs', values.runs ?? ROUNDS_DEFAULT, ROUNDS_MAX),
    seconds: wholeNumber('--seconds', values.seconds ?? seconds, SECONDS_MAX),
    only:
      values.only === undefined ? DEFAULT_NAMES : namesOf('--only', CONTENDER_NAMES, values.only),
    isMain: isAll || suites.includes('main'),
    groups: SCENARIO_GROUPS.filter((group) => isAll || suites.includes(group satisfies Suite)),
    compare: values.compare ?? null,
    flame: values.flame ?? null,
    isHelp: values.help ?? false,
  };
}

function parse(args: readonly string[]): Values {
  const text = { type: 'string' } as const;
  const options = { json: text, compare: text, flame: text, runs: text, seconds: text } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { ...options, suite: text, only: text, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(option: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
  throw new UsageError(`${option} takes a whole number from 1 to ${most}, given "${text}"`);
}

/** In the order of `known`, whatever the order given. */
function namesOf<N extends string>(option: string, known: readonly N[], text: string): N[] {
  const given = text.split(',');
  const unknown = given.filter((name) => !known.some((candidate) => candidate === name));
  if (unknown.length > 0)
    throw new UsageError(`${option} knows ${known.join(', ')}; given "${unknown.join(',')}"`);
  return known.filter((name) => given.includes(name));
}
