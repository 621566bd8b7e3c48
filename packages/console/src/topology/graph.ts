/**
 * What the topology shows, made of what nodes said: who is where, which pairs have a path, and how
 * much goes over it. Pure, so that the decisions can be tested without a browser.
 */
import type { Topology } from '@etherloom/api';

export type NodeKind = 'good' | 'warn' | 'bad' | 'off';

export interface GraphNode {
  readonly id: string;
  readonly name: string;
  readonly kind: NodeKind;
  readonly word: string;
  /** Name of its place; see placeOf. */
  readonly place: string;
  readonly endpoint: string | null;
  readonly peersUp: number;
  readonly peersTotal: number;
}

export interface GraphPath {
  /** Smaller id first. */
  readonly a: string;
  readonly b: string;
  readonly kind: 'direct' | 'relayed' | 'down';
  readonly latencyMs: number | null;
  /** Bytes a second in both directions; null: it takes two readings. */
  readonly bytesPerSecond: number | null;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly paths: readonly GraphPath[];
  readonly places: readonly string[];
  /** Members that the controller left out. */
  readonly hiddenCount: number;
}

/** A reading with its time, by which two of them give rates. */
export interface Reading {
  readonly atMs: number;
  readonly topology: Topology;
}

/** Where nodes are that announced no endpoint. */
export const NOWHERE = 'no endpoint';

/**
 * The place of a node: the /24 (IPv4) or /48 (IPv6) of its best endpoint. Hosts of one subnet share
 * it; so do hosts behind one router, whose public address they announce.
 */
export function placeOf(endpoints: readonly string[]): string {
  const [best] = endpoints;
  if (best === undefined) return NOWHERE;
  const inner = /^\[([^\]]+)\]/.exec(best)?.[1];
  if (inner !== undefined) return `${ipv6Head(inner)}::/48`;
  const parts = best.replace(/:\d+$/, '').split('.');
  return parts.length === 4 ? `${parts.slice(0, 3).join('.')}.0/24` : NOWHERE;
}

/** First three groups of an IPv6 address, zeros filled in. */
function ipv6Head(address: string): string {
  const [head = ''] = address.split('%');
  const [left = '', right] = head.split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const gap = right === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: gap }, () => '0'), ...after];
  return groups.slice(0, 3).join(':');
}

/** Makes the graph of a reading; `earlier` gives the rates. */
export function makeGraph(current: Reading, earlier: Reading | null): Graph {
  const nodes = current.topology.nodes.map((node): GraphNode => {
    const kind = kindOf(node);
    return {
      id: node.id,
      name: node.name,
      kind,
      word: WORDS[kind],
      place: placeOf(node.endpoints),
      endpoint: node.endpoints[0] ?? null,
      peersUp: node.peersUp,
      peersTotal: node.peersTotal,
    };
  });
  const places = [...new Set(nodes.map(({ place }) => place))].sort();
  return {
    nodes: nodes.toSorted((a, b) => compare(a.name, b.name)),
    paths: pathsOf(current, earlier),
    places,
    hiddenCount: Math.max(0, current.topology.memberCount - nodes.length),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const WORDS: Readonly<Record<NodeKind, string>> = {
  good: 'online',
  warn: 'some peers down',
  bad: 'all peers down',
  off: 'offline',
};

function kindOf(node: Topology['nodes'][number]): NodeKind {
  if (!node.connected) return 'off';
  if (node.peersTotal === 0 || node.peersUp === node.peersTotal) return 'good';
  return node.peersUp === 0 ? 'bad' : 'warn';
}

type PathSaid = Topology['paths'][number];

/** Each pair once: both ends say something of it, and may differ. */
function pathsOf(current: Reading, earlier: Reading | null): readonly GraphPath[] {
  const said = byPair(current.topology.paths);
  const before = earlier === null ? null : byPair(earlier.topology.paths);
  const seconds = earlier === null ? 0 : (current.atMs - earlier.atMs) / 1_000;
  const known = new Set(current.topology.nodes.map(({ id }) => id));
  const paths: GraphPath[] = [];
  for (const [pair, ends] of said) {
    const [a = '', b = ''] = pair.split(' ');
    if (!known.has(a) || !known.has(b)) continue;
    const up = ends.filter(({ state }) => state === 'up');
    const latencies = up.map(({ latencyMs }) => latencyMs).filter((value) => value !== null);
    const was = before?.get(pair);
    paths.push({
      a,
      b,
      kind:
        up.length === 0 ? 'down' : up.some(({ path }) => path === 'direct') ? 'direct' : 'relayed',
      latencyMs: latencies.length === 0 ? null : Math.min(...latencies),
      bytesPerSecond:
        was === undefined || seconds <= 0 ? null : Math.max(0, bytes(ends) - bytes(was)) / seconds,
    });
  }
  return paths.toSorted((x, y) => compare(`${x.a} ${x.b}`, `${y.a} ${y.b}`));
}

function byPair(paths: readonly PathSaid[]): Map<string, PathSaid[]> {
  const pairs = new Map<string, PathSaid[]>();
  for (const path of paths) {
    if (path.from === path.to) continue;
    const pair = path.from < path.to ? `${path.from} ${path.to}` : `${path.to} ${path.from}`;
    const ends = pairs.get(pair);
    if (ends === undefined) pairs.set(pair, [path]);
    else ends.push(path);
  }
  return pairs;
}

/** What one end sent and received; of two ends the one that counted more has seen more. */
function bytes(ends: readonly PathSaid[]): number {
  return Math.max(...ends.map(({ sentBytes, receivedBytes }) => sentBytes + receivedBytes));
}

/** Paths of one node. */
export function pathsWith(graph: Graph, id: string): readonly GraphPath[] {
  return graph.paths.filter(({ a, b }) => a === id || b === id);
}

/** Sum of the rates of paths; null: no rate is known yet. */
export function rateOf(paths: readonly GraphPath[]): number | null {
  const rates = paths.map(({ bytesPerSecond }) => bytesPerSecond).filter((rate) => rate !== null);
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
}

/** What the picture shows, in a sentence. */
export function describeGraph(graph: Graph): string {
  const count = (kind: NodeKind): number => graph.nodes.filter((node) => node.kind === kind).length;
  const down = graph.paths.filter(({ kind }) => kind === 'down').length;
  return [
    `${graph.nodes.length} nodes in ${graph.places.length} places`,
    `${count('good')} online, ${count('warn') + count('bad')} with peers down, ${count('off')} offline`,
    `${graph.paths.length} paths, ${down} of them down`,
  ].join('; ');
}
