/**
 * What the local API shows (agent-local.ts), gathered from state, mesh and data path. Nothing here
 * changes anything.
 */
import type { AgentStatus, Member, PeerRow } from '@etherloom/api';
import { FEATURE, TABLE_KIND, formatEndpoint, formatIpv6 } from '@etherloom/core';
import type { ControlMessage, PeerStatus } from '@etherloom/core';
import type { Agent } from './agent.ts';
import { NO_COUNTS, readCounters } from './counters.ts';
import type { CounterRow, Counters } from './counters.ts';
import { AgentError } from './errors.ts';
import { AGENT_VERSION } from './version.ts';
import { budgetOf } from './trust/plan-networks.ts';

const NO_COUNTERS: Counters = { total: NO_COUNTS, networks: new Map(), peers: new Map() };

/** agentStatusSchema; without counters while no data path answers. */
export function viewStatus(agent: Agent, given: Counters | undefined): AgentStatus {
  const { directory, host, link } = agent;
  const counters = given ?? NO_COUNTERS;
  const peers = host.driver.status();
  const hasJoined = directory.memberships.controller !== null;
  const attached = host.keeper.attached;
  return {
    version: AGENT_VERSION,
    nodeId: hasJoined ? directory.identity.nodeId : null,
    nodeName: directory.memberships.nodeName,
    port: agent.port,
    standing: agent.place.standing,
    clonedFrom: directory.place.clonedFrom,
    controller: {
      url: link.state.url ?? directory.memberships.controller?.urls[0] ?? null,
      connected: link.state.isConnected,
      lastConnectedAt: link.lastConnectedAt,
      lastError: link.state.error,
      others: viewOthers(agent),
    },
    datapath: {
      running: attached !== undefined,
      pid: attached?.hello.pid ?? null,
      restarts: host.keeper.restarts,
      lanes: attached?.hello.lanes ?? 0,
      features: Object.entries(FEATURE).flatMap(([name, bit]) =>
        ((attached?.hello.features ?? 0) & bit) === 0 ? [] : [name],
      ),
    },
    ...viewTrust(agent),
    networks: viewNetworks(agent, counters),
    peers: {
      total: peers.length,
      up: peers.filter((peer) => peer.state === 'up').length,
      sessions: peers.reduce((sum, peer) => sum + peer.sessionCount, 0),
    },
    totals: trafficOf(counters.total),
    drops: { ...counters.total.drops },
    refusals: Object.fromEntries(
      [...host.driver.refusals(), ...host.gossip.refusals()].filter(([, count]) => count > 0),
    ),
  };
}

/** Rows of peerRowSchema, by name. */
export function viewPeers(agent: Agent, counters: Counters | undefined): PeerRow[] {
  const known = membersByNode(agent);
  return agent.host.driver
    .status()
    .map((status) =>
      peerRow(
        status,
        known.get(hexOf(status.nodeId)),
        counters?.peers.get(status.peer) ?? NO_COUNTS,
      ),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Rows of fdbRowSchema, as the data path holds them. */
export async function viewFdb(agent: Agent): Promise<Record<string, string>[]> {
  const naming = namesOf(agent);
  return (await dump(agent, TABLE_KIND.fdb)).flatMap((row) => {
    if (row.name !== 'fdbSet') return [];
    const { vni, mac, peer } = row.values;
    return [{ network: naming.network(vni), mac: macText(mac), ...naming.peer(peer) }];
  });
}

/** Rows of neighbourRowSchema, as the data path holds them. */
export async function viewNeighbours(agent: Agent): Promise<Record<string, string>[]> {
  const naming = namesOf(agent);
  return (await dump(agent, TABLE_KIND.neighbour)).flatMap((row) => {
    if (row.name !== 'neighbourSet') return [];
    const { vni, ip, mac, peer } = row.values;
    return [
      {
        network: naming.network(vni),
        address: ipText(ip),
        mac: macText(mac),
        ...naming.peer(peer),
      },
    ];
  });
}

/** The peer with a name or id. Throws AgentError `not_found`. */
export function findPeer(agent: Agent, node: string): { peer: number; name: string } {
  for (const [nodeId, { member }] of membersByNode(agent)) {
    if (nodeId !== node && member.name !== node) continue;
    if (nodeId === agent.directory.identity.nodeId)
      throw new AgentError('not_found', `${member.name} is this node itself; name another one`);
    const peer = agent.host.plan.peerIds.ids[nodeId];
    if (peer !== undefined) return { peer, name: member.name };
  }
  throw new AgentError(
    'not_found',
    `no peer ${JSON.stringify(node)} in the networks of this host; \`loom peers\` lists them`,
  );
}

/** What the data path counts; undefined while none answers. */
export async function readAllCounters(agent: Agent): Promise<Counters | undefined> {
  const client = agent.host.keeper.attached?.client;
  if (client === undefined) return undefined;
  try {
    return readCounters(await client.request('counters', {}));
  } catch (error) {
    if (error instanceof AgentError && error.code === 'datapath_closed') return undefined;
    throw error;
  }
}

/** Controllers beside the one of the link, by a URL of each. */
function viewOthers({ directory, link }: Agent): AgentStatus['controller']['others'] {
  const known = directory.memberships.controller?.known ?? [];
  return known
    .filter(({ urls }) => link.state.url === null || !urls.includes(link.state.url))
    .flatMap(({ id, urls: [url] }) => (url === undefined ? [] : [{ url, isUp: link.isUp(id) }]));
}

function viewMemberCount(agent: Agent, networkId: string): { memberCount?: number } {
  const verified = agent.trust.verifiedOf(networkId);
  return verified === undefined ? {} : { memberCount: verified.roster.memberCount };
}

function viewNetworks(agent: Agent, counters: Counters): AgentStatus['networks'] {
  return [...agent.directory.networks.values()].flatMap(({ state }) => {
    const joined = agent.joined(state.config.id);
    if (joined === undefined) return [];
    const { id, name, vni, mtuBytes } = state.config;
    const counts = counters.networks.get(vni) ?? NO_COUNTS;
    return [
      {
        id,
        name,
        vni,
        interface: joined.interface,
        mac: joined.mac,
        addresses: [...joined.addresses],
        mtuBytes,
        revision: state.revision,
        members: state.members.length,
        ...(state.isPartial === true ? viewMemberCount(agent, id) : {}),
        problem: agent.problemOf(id),
        trust: viewNetworkTrust(agent, id),
        sentFrames: counts.sentFrames,
        sentBytes: counts.sentBytes,
        receivedFrames: counts.receivedFrames,
        receivedBytes: counts.receivedBytes,
        answeredLocally: counts.answeredLocally,
        drops: { ...counts.drops },
      },
    ];
  });
}

function viewTrust(agent: Agent): Pick<AgentStatus, 'authority' | 'clock' | 'problems'> {
  const { trust, directory } = agent;
  const names = new Map(directory.memberships.networks.map((m) => [m.networkId, m.networkName]));
  const { authority } = trust;
  return {
    authority:
      authority === undefined
        ? null
        : { version: authority.statement.version, hash: authority.hash },
    clock: { now: trust.now(), offsetSeconds: Math.round(trust.clockOffsetMs / 1_000) },
    problems: trust.problems.all.map(({ networkId, ...problem }) => ({
      network: networkId === null ? null : (names.get(networkId) ?? null),
      ...problem,
    })),
  };
}

function viewNetworkTrust(
  agent: Agent,
  networkId: string,
): AgentStatus['networks'][number]['trust'] {
  const verified = agent.trust.verifiedOf(networkId);
  if (verified === undefined) return null;
  const vouchedEndMs = agent.vouching.ownEndMs(networkId);
  return {
    networkVersion: verified.network.version,
    rosterVersion: verified.roster.version,
    stalenessDays: verified.network.settings.stalenessDays,
    ...budgetOf(agent.trust, verified, agent.directory.identity.nodeId),
    ...(vouchedEndMs === undefined
      ? {}
      : { ownSecondsLeft: Math.floor((vouchedEndMs - agent.trust.nowMs()) / 1_000) }),
  };
}

interface KnownMember {
  readonly member: Member;
  readonly networks: string[];
}

function membersByNode(agent: Agent): Map<string, KnownMember> {
  const known = new Map<string, KnownMember>();
  const stored = [...agent.directory.networks.values()].map(({ state }) => state);
  for (const { config, members } of [...stored, ...agent.host.networks]) {
    for (const member of members) {
      const seen = known.get(member.nodeId);
      if (seen === undefined) known.set(member.nodeId, { member, networks: [config.name] });
      else if (!seen.networks.includes(config.name)) seen.networks.push(config.name);
    }
  }
  return known;
}

function peerRow(status: PeerStatus, known: KnownMember | undefined, counts: CounterRow): PeerRow {
  const nodeId = hexOf(status.nodeId);
  return {
    nodeId,
    name: known?.member.name ?? nodeId,
    networks: known?.networks ?? [],
    state: stateOf(status),
    path: status.state === 'up' ? 'direct' : 'none',
    endpoint: status.endpoint === undefined ? null : formatEndpoint(status.endpoint),
    latencyMs: status.rttMs === undefined ? null : roundToMicroseconds(status.rttMs),
    sessionAgeMs: status.session === undefined ? null : Math.round(status.session.ageMs),
    lastReceivedMs: status.heardAgoMs === undefined ? null : Math.round(status.heardAgoMs),
    handshakes: status.handshakeCount,
    sessions: status.sessionCount,
    sentFrames: counts.sentFrames,
    sentBytes: counts.sentBytes,
    sentDatagrams: counts.sentDatagrams,
    receivedFrames: counts.receivedFrames,
    receivedBytes: counts.receivedBytes,
    receivedDatagrams: counts.receivedDatagrams,
    drops: { ...counts.drops },
  };
}

function trafficOf(counts: CounterRow): AgentStatus['totals'] {
  const { drops: _, ...traffic } = counts;
  return traffic;
}

/** Finer than the clock is worth would only look exact. */
function roundToMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function stateOf(status: PeerStatus): PeerRow['state'] {
  if (status.state === 'up') return 'up';
  if (status.state === 'handshaking') return 'connecting';
  return status.candidates.length === 0 && status.endpoint === undefined ? 'no-endpoint' : 'down';
}

async function dump(agent: Agent, kind: number): Promise<ControlMessage[]> {
  const client = agent.host.keeper.attached?.client;
  if (client === undefined)
    throw new AgentError('unavailable', 'the data path is being restarted; ask again in a moment');
  return await client.request('dump', { kind });
}

interface Naming {
  readonly network: (vni: number) => string;
  readonly peer: (peer: number) => { node: string; nodeId: string };
}

function namesOf(agent: Agent): Naming {
  const networks = new Map(
    [...agent.directory.networks.values()].map(({ state }) => [
      state.config.vni,
      state.config.name,
    ]),
  );
  const nodeIds = new Map(
    Object.entries(agent.host.plan.peerIds.ids).map(([nodeId, peer]) => [peer, nodeId]),
  );
  const known = membersByNode(agent);
  return {
    network: (vni) => networks.get(vni) ?? String(vni),
    peer: (peer) => {
      const nodeId = nodeIds.get(peer) ?? '';
      return { node: known.get(nodeId)?.member.name ?? nodeId, nodeId };
    },
  };
}

function ipText(ip: Uint8Array): string {
  const isIpv4 = ip.slice(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff;
  return isIpv4 ? ip.slice(12).join('.') : formatIpv6(ip);
}

function macText(mac: Uint8Array): string {
  return hexOf(mac).match(/../g)?.join(':') ?? '';
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
