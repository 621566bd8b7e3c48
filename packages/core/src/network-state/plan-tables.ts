/**
 * What the data path and the mesh should hold for a set of networks: a pure function of the
 * networks' states. The shell compares the plan with what is there and sets the difference. A
 * member whose values do not parse is left out and named in `skipped`: one bad row of a controller
 * must not take the others down.
 */
import { fromBase64url } from '@etherloom/api';
import type { Member, NetworkSettings, NetworkState } from '@etherloom/api';
import { EndpointError, parseEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { ENDPOINT_CANDIDATES_MAX, PEERS_MAX } from '../mesh/limits.ts';
import type { PeerConfig } from '../mesh/types.ts';
import { linkLocalOfMac, parseIp, parseMac } from './addresses.ts';
import { compareText } from './canonical.ts';
import { allocatePeerIds } from './peer-ids.ts';
import type { PeerIds } from './peer-ids.ts';

/** The attachment of this host to a network. Name of the device and generation are the shell's. */
export interface PlannedPort {
  readonly networkId: string;
  readonly vni: number;
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  /** This host's addresses in the network with the prefix length of its pool. */
  readonly addresses: readonly { readonly ip: string; readonly prefixLength: number }[];
}

export interface PlannedFdb {
  readonly vni: number;
  readonly mac: Uint8Array;
  readonly peer: number;
}

export interface PlannedNeighbour extends PlannedFdb {
  readonly ip: Uint8Array;
}

export interface PlannedFlood {
  readonly vni: number;
  readonly peer: number;
}

/** A member, or a binding of one, that could not be planned. */
export interface SkippedMember {
  readonly networkId: string;
  readonly nodeId: string;
  readonly code:
    | 'mac_invalid'
    | 'address_invalid'
    | 'endpoint_invalid'
    | 'session_key_invalid'
    | 'key_conflict'
    | 'binding_conflict'
    | 'vni_conflict'
    | 'peers_full';
  readonly detail: string;
}

export interface TablePlan {
  readonly peerIds: PeerIds;
  readonly ports: readonly PlannedPort[];
  readonly peers: readonly PeerConfig[];
  readonly fdb: readonly PlannedFdb[];
  readonly neighbours: readonly PlannedNeighbour[];
  readonly flood: readonly PlannedFlood[];
  readonly skipped: readonly SkippedMember[];
}

/** A network to plan, and what its proof says. */
export interface PlanNetwork extends NetworkState {
  /** The signed setting; what is not given is 'required'. */
  readonly postQuantum?: NetworkSettings['postQuantum'] | undefined;
  /** When the credentials of members end, on the clock of the mesh; who is left out has no end. */
  readonly endsAt?: ReadonlyMap<string, number> | undefined;
}

/** Plans for the node `nodeId` (32 hex digits). Networks in which it is no member are left out. */
export function planTables(
  nodeId: string,
  networks: readonly PlanNetwork[],
  held: PeerIds,
): TablePlan {
  const skipped: SkippedMember[] = [];
  const joined = networks
    .filter((network) => network.members.some((member) => member.nodeId === nodeId))
    .toSorted((a, b) => a.config.vni - b.config.vni || compareText(a.config.id, b.config.id))
    .filter(
      (network, at, all) =>
        network.config.vni !== all[at - 1]?.config.vni || skipNetwork(network, nodeId, skipped),
    );
  const others = joined.map((network) => ({
    network,
    members: network.members
      .filter((m) => m.nodeId !== nodeId)
      .toSorted((a, b) => compareText(a.nodeId, b.nodeId)),
  }));
  const peerIds = allocatePeerIds(
    held,
    others.flatMap(({ members }) => members.map((member) => member.nodeId)),
  );
  const ownKeys = joined.flatMap(({ members }) =>
    members.filter((m) => m.nodeId === nodeId).map((m) => m.sessionKey),
  );
  const peers = planPeers(others, { peerIds, ownKeys, skipped });
  const known = new Set(peers.map(({ peer }) => peer));
  const tables = others.map(({ network, members }) =>
    planNetwork(network, members, { peerIds, known, nodeId, skipped }),
  );
  return {
    peerIds,
    ports: joined.flatMap((network) => planPort(network, nodeId, skipped)),
    peers,
    fdb: tables.flatMap((table) => table.fdb),
    neighbours: tables.flatMap((table) => table.neighbours),
    flood: tables.flatMap((table) => table.flood),
    skipped,
  };
}

function skipNetwork(network: NetworkState, nodeId: string, skipped: SkippedMember[]): false {
  const detail = `VNI ${network.config.vni} is that of another network`;
  skipped.push({ networkId: network.config.id, nodeId, code: 'vni_conflict', detail });
  return false;
}

interface MembersOf {
  readonly network: PlanNetwork;
  readonly members: readonly Member[];
}

interface PeersContext {
  readonly peerIds: PeerIds;
  readonly ownKeys: readonly string[];
  readonly skipped: SkippedMember[];
}

/**
 * One peer a node, with the endpoints of all networks that it shares. A node id with two keys is
 * left out, and so is a node whose key is this host's own or that of a node that was known before
 * (whose peer id is lower): a key is what a session is found by, and whoever claims a key later
 * must not push its holder out.
 */
function planPeers(others: readonly MembersOf[], context: PeersContext): PeerConfig[] {
  const { peerIds, skipped } = context;
  const taken = new Set(context.ownKeys);
  const idOf = (nodeId: string): number => peerIds.ids[nodeId] ?? Infinity;
  const byNode = new Map<string, SeenMember[]>();
  for (const { network, members } of others) {
    for (const member of members) {
      const seen = byNode.get(member.nodeId);
      const entry = { networkId: network.config.id, network, member };
      if (seen === undefined) byNode.set(member.nodeId, [entry]);
      else seen.push(entry);
    }
  }
  const peers: PeerConfig[] = [];
  for (const [id, seen] of [...byNode].toSorted(([a], [b]) => idOf(a) - idOf(b))) {
    const peer = peerIds.ids[id];
    const sessionKey = keyOf(id, seen, taken, skipped);
    if (peer === undefined || sessionKey === undefined) continue;
    if (peers.length >= PEERS_MAX) {
      const networkId = seen[0]?.networkId ?? '';
      skipped.push({
        networkId,
        nodeId: id,
        code: 'peers_full',
        detail: `over ${PEERS_MAX} peers`,
      });
      continue;
    }
    peers.push({
      peer,
      nodeId: bytesOfHex(id),
      sessionKey,
      endpoints: endpointsOf(id, seen, skipped),
      ...termsOf(id, seen),
    });
  }
  return peers;
}

interface SeenMember {
  readonly networkId: string;
  readonly network: PlanNetwork;
  readonly member: Member;
}
type Seen = readonly SeenMember[];

/** Without post-quantum only where every shared network says so; valid as long as one of them. */
function termsOf(nodeId: string, seen: Seen): Pick<PeerConfig, 'postQuantum' | 'validUntil'> {
  const isOff = seen.every(({ network }) => network.postQuantum === 'off');
  const ends = seen.map(({ network }) => network.endsAt?.get(nodeId) ?? Infinity);
  const validUntil = Math.max(...ends);
  return {
    ...(isOff ? { postQuantum: 'off' as const } : {}),
    ...(validUntil === Infinity ? {} : { validUntil }),
  };
}

function keyOf(
  nodeId: string,
  seen: Seen,
  taken: Set<string>,
  skipped: SkippedMember[],
): Uint8Array | undefined {
  const [first] = seen;
  const key = first?.member.sessionKey ?? '';
  if (taken.has(key)) {
    skipped.push({
      networkId: first?.networkId ?? '',
      nodeId,
      code: 'key_conflict',
      detail: 'another node has that session key',
    });
    return undefined;
  }
  taken.add(key);
  const other = seen.find(({ member }) => member.sessionKey !== key);
  if (other !== undefined) {
    skipped.push({
      networkId: other.networkId,
      nodeId,
      code: 'key_conflict',
      detail: 'two networks name two session keys',
    });
    return undefined;
  }
  const bytes = /^[A-Za-z0-9_-]{43}$/.test(key) ? fromBase64url(key) : undefined;
  if (bytes?.length === 32) return bytes;
  skipped.push({
    networkId: first?.networkId ?? '',
    nodeId,
    code: 'session_key_invalid',
    detail: 'not 32 bytes in base64url',
  });
  return undefined;
}

function endpointsOf(nodeId: string, seen: Seen, skipped: SkippedMember[]): Endpoint[] {
  const byText = new Map<string, Endpoint>();
  for (const { networkId, member } of seen) {
    for (const text of member.endpoints) {
      try {
        byText.set(text, parseEndpoint(text));
      } catch (error) {
        if (!(error instanceof EndpointError)) throw error;
        skipped.push({ networkId, nodeId, code: 'endpoint_invalid', detail: error.message });
      }
    }
  }
  return [...byText.values()].slice(0, ENDPOINT_CANDIDATES_MAX);
}

function planPort(network: NetworkState, nodeId: string, skipped: SkippedMember[]): PlannedPort[] {
  const { config } = network;
  const own = network.members.find((member) => member.nodeId === nodeId);
  const mac = parseMac(own?.mac ?? '');
  if (own === undefined || mac === undefined) {
    skipped.push({ networkId: config.id, nodeId, code: 'mac_invalid', detail: `"${own?.mac}"` });
    return [];
  }
  const addresses = own.addresses.map((ip) => ({ ip, prefixLength: prefixLengthOf(ip, config) }));
  return [{ networkId: config.id, vni: config.vni, mac, mtuBytes: config.mtuBytes, addresses }];
}

function prefixLengthOf(ip: string, config: NetworkState['config']): number {
  const pool = ip.includes(':') ? config.ipv6 : config.ipv4;
  const length = Number(pool?.split('/')[1] ?? Number.NaN);
  if (Number.isInteger(length)) return length;
  return ip.includes(':') ? 128 : 32;
}

interface PlanContext {
  readonly peerIds: PeerIds;
  /** Peers that are planned; others have no entries. */
  readonly known: ReadonlySet<number>;
  readonly nodeId: string;
  readonly skipped: SkippedMember[];
}

interface NetworkTables {
  readonly fdb: PlannedFdb[];
  readonly neighbours: PlannedNeighbour[];
  readonly flood: PlannedFlood[];
}

/** One MAC and one IP have one holder: the own port first, then the members in order of node id. */
function planNetwork(
  network: NetworkState,
  members: readonly Member[],
  context: PlanContext,
): NetworkTables {
  const { vni } = network.config;
  const tables: NetworkTables = { fdb: [], neighbours: [], flood: [] };
  const taken = takenByOwn(network, context.nodeId);
  for (const member of members) {
    const peer = context.peerIds.ids[member.nodeId];
    if (peer === undefined || !context.known.has(peer)) continue;
    const skip = (code: SkippedMember['code'], detail: string) =>
      context.skipped.push({ networkId: network.config.id, nodeId: member.nodeId, code, detail });
    const mac = parseMac(member.mac);
    if (mac === undefined || isMulticast(mac)) {
      skip('mac_invalid', `"${member.mac}"`);
      continue;
    }
    if (taken.has(mac.join())) {
      skip('binding_conflict', member.mac);
      continue;
    }
    taken.add(mac.join());
    tables.fdb.push({ vni, mac, peer });
    tables.flood.push({ vni, peer });
    for (const text of [undefined, ...member.addresses]) {
      const ip = text === undefined ? linkLocalOfMac(mac) : parseIp(text);
      if (ip === undefined) skip('address_invalid', `"${text}"`);
      else if (taken.has(ip.join())) skip('binding_conflict', text ?? 'link-local address');
      else tables.neighbours.push({ vni, ip, mac, peer });
      if (ip !== undefined) taken.add(ip.join());
    }
  }
  return tables;
}

function takenByOwn(network: NetworkState, nodeId: string): Set<string> {
  const own = network.members.find((member) => member.nodeId === nodeId);
  const mac = parseMac(own?.mac ?? '');
  const ips = (own?.addresses ?? []).map(parseIp);
  const bytes = mac === undefined ? ips : [mac, linkLocalOfMac(mac), ...ips];
  return new Set(bytes.flatMap((value) => (value === undefined ? [] : [value.join()])));
}

/** A multicast address is nobody's source. */
function isMulticast(mac: Uint8Array): boolean {
  return ((mac[0] ?? 0) & 1) === 1;
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
