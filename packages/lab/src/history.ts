/**
 * Judges a history of what clients asked of controllers and were answered, against what the
 * database holds in the end: a pure function. What was acknowledged must be there, what was refused
 * must not, and whatever got no answer may be either, but nothing may be given twice.
 *
 * Times are numbers that rise: an operation that began before another one ended may have happened
 * after it.
 */

/** How an operation ended; `unknown`: no answer came, or one that says nothing of the outcome. */
export type Outcome<T> =
  | { readonly kind: 'acknowledged'; readonly value: T }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown' };

interface Timed {
  readonly beganAt: number;
  /** Infinity: it never ended. */
  readonly endedAt: number;
}

/** A network was asked for; its name is asked for once in a history. */
export interface NetworkCreation extends Timed {
  readonly what: 'create';
  readonly name: string;
  readonly outcome: Outcome<{ readonly id: string; readonly vni: number }>;
}

export interface NetworkDeletion extends Timed {
  readonly what: 'delete';
  readonly name: string;
  readonly outcome: Outcome<null>;
}

/** A node asked to be let into a network. */
export interface Joining extends Timed {
  readonly what: 'join';
  readonly nodeId: string;
  readonly network: string;
  /** null: they were not read. */
  readonly outcome: Outcome<{ readonly addresses: readonly string[] | null }>;
}

export interface Leaving extends Timed {
  readonly what: 'leave';
  readonly nodeId: string;
  readonly network: string;
  readonly outcome: Outcome<null>;
}

export type Operation = NetworkCreation | NetworkDeletion | Joining | Leaving;

/** What a controller shows in the end. */
export interface FinalState {
  readonly networks: readonly {
    readonly id: string;
    readonly name: string;
    readonly vni: number;
  }[];
  readonly members: readonly {
    readonly network: string;
    readonly nodeId: string;
    readonly addresses: readonly string[];
  }[];
}

/** What is wrong; empty: nothing. */
export function judgeHistory(history: readonly Operation[], end: FinalState): string[] {
  return [
    ...judgeNetworks(history, end),
    ...judgeMembers(history, end),
    ...judgeVnis(history, end),
    ...judgeAddresses(history, end),
  ];
}

function judgeNetworks(history: readonly Operation[], end: FinalState): string[] {
  const problems: string[] = [];
  const there = new Map(end.networks.map((network) => [network.name, network]));
  const creations = history.filter((operation) => operation.what === 'create');
  const deletions = history.filter((operation) => operation.what === 'delete');
  for (const { name, outcome } of creations) {
    const ends = deletions.filter((one) => one.name === name);
    const found = there.get(name);
    const mayBeGone = ends.some((one) => one.outcome.kind !== 'refused');
    const mustBeGone = ends.some((one) => one.outcome.kind === 'acknowledged');
    if (outcome.kind === 'refused' && found !== undefined)
      problems.push(`network ${name} was refused and is there`);
    if (mustBeGone && found !== undefined)
      problems.push(`network ${name} was deleted and is there`);
    if (outcome.kind !== 'acknowledged') continue;
    if (found === undefined && !mayBeGone)
      problems.push(`network ${name} was acknowledged and is not there`);
    if (found !== undefined && (found.id !== outcome.value.id || found.vni !== outcome.value.vni))
      problems.push(`network ${name} is another one than was acknowledged`);
  }
  const asked = new Set(creations.map(({ name }) => name));
  for (const { name } of end.networks)
    if (!asked.has(name)) problems.push(`network ${name} is there and nobody asked for it`);
  return problems;
}

function judgeMembers(history: readonly Operation[], end: FinalState): string[] {
  const problems: string[] = [];
  const keyOf = (one: { readonly network: string; readonly nodeId: string }): string =>
    `${one.nodeId} in ${one.network}`;
  const there = new Map(end.members.map((member) => [keyOf(member), member]));
  const joins = Map.groupBy(
    history.filter((operation) => operation.what === 'join'),
    keyOf,
  );
  for (const [key, asked] of joins) {
    const found = there.get(key);
    const last = asked.findLast(({ outcome }) => outcome.kind === 'acknowledged');
    const ends = history.filter((one) => one.what === 'leave' && keyOf(one) === key);
    const mayBeGone =
      isDeleted(history, asked[0]?.network ?? '') ||
      ends.some((one) => one.outcome.kind !== 'refused' && one.endedAt > (last?.beganAt ?? 0));
    if (last !== undefined && found === undefined && !mayBeGone)
      problems.push(`${key} was acknowledged and is not there`);
    if (found !== undefined && asked.every(({ outcome }) => outcome.kind === 'refused'))
      problems.push(`${key} was refused and is there`);
    const addresses = last?.outcome.kind === 'acknowledged' ? last.outcome.value.addresses : null;
    if (addresses !== null && found !== undefined && ends.length === 0) {
      const given = addresses.toSorted().join(' ');
      const held = found.addresses.toSorted().join(' ');
      if (given !== held) problems.push(`${key} was given ${given} and has ${held}`);
    }
  }
  for (const key of there.keys())
    if (!joins.has(key)) problems.push(`${key} is there and never asked to be`);
  return problems;
}

function isDeleted(history: readonly Operation[], network: string): boolean {
  return history.some(
    (one) => one.what === 'delete' && one.name === network && one.outcome.kind !== 'refused',
  );
}

/** Something that has one holder at a time. */
interface Holding extends Timed {
  readonly holder: string;
  readonly thing: string;
}

const STILL = { beganAt: Number.POSITIVE_INFINITY, endedAt: Number.POSITIVE_INFINITY };

/** A VNI has one network, until that one may have been deleted. */
function judgeVnis(history: readonly Operation[], end: FinalState): string[] {
  const given = history.flatMap((one): Holding[] =>
    one.what === 'create' && one.outcome.kind === 'acknowledged'
      ? [{ ...one, holder: one.name, thing: `VNI ${one.outcome.value.vni}` }]
      : [],
  );
  const held = end.networks.map(({ name, vni }) => ({
    ...STILL,
    holder: name,
    thing: `VNI ${vni}`,
  }));
  return findDoubled([...given, ...held], (first, second) =>
    history.some(
      (one) => one.what === 'delete' && one.name === first.holder && isBetween(one, first, second),
    ),
  );
}

/** One address of a network has one holder, until that one may have left. */
function judgeAddresses(history: readonly Operation[], end: FinalState): string[] {
  const given = history.flatMap((one): Holding[] =>
    one.what === 'join' && one.outcome.kind === 'acknowledged'
      ? holdingsOf(one, one.outcome.value.addresses ?? [], one)
      : [],
  );
  const held = end.members.flatMap((member) => holdingsOf(member, member.addresses, STILL));
  return findDoubled([...given, ...held], (first, second) =>
    history.some(
      (one) =>
        one.what === 'leave' &&
        one.nodeId === first.holder &&
        first.thing.endsWith(` of ${one.network}`) &&
        isBetween(one, first, second),
    ),
  );
}

function holdingsOf(
  { nodeId, network }: { readonly nodeId: string; readonly network: string },
  addresses: readonly string[],
  { beganAt, endedAt }: Timed,
): Holding[] {
  return addresses.map((address) => ({
    holder: nodeId,
    thing: `${address} of ${network}`,
    beganAt,
    endedAt,
  }));
}

/** Whether `end` may have taken from `first` what `second` got. */
function isBetween(end: Operation, first: Timed, second: Timed): boolean {
  return (
    end.outcome.kind !== 'refused' && end.endedAt > first.beganAt && end.beganAt < second.endedAt
  );
}

function findDoubled(
  holdings: readonly Holding[],
  mayHaveEnded: (first: Holding, second: Holding) => boolean,
): string[] {
  return [...Map.groupBy(holdings, ({ thing }) => thing)].flatMap(([thing, holders]) => {
    const isDoubled = holders.some((first) =>
      holders.some(
        (second) =>
          first.holder !== second.holder &&
          first.endedAt <= second.endedAt &&
          !mayHaveEnded(first, second),
      ),
    );
    const names = new Set(holders.map(({ holder }) => holder));
    return isDoubled ? [`${thing} was given to ${[...names].join(' and ')}`] : [];
  });
}
