/** From what the agent shows to samples: pure, one function for each part of the table. */
import type { AgentStatus, PeerRow } from '@etherloom/api';
import { DROP_REASONS, GOSSIP_REFUSALS, REFUSAL_REASONS } from '@etherloom/core';
import { PUNT_REFUSAL } from '../punt-queue.ts';
import type { Sample, Samples } from './exposition.ts';
import type { MetricName } from './families.ts';
import type { ProcessUse } from './process-use.ts';

const REFUSALS = [
  ...REFUSAL_REASONS.map(([reason]) => reason),
  PUNT_REFUSAL,
  ...GOSSIP_REFUSALS.map(([reason]) => reason),
];

/** Everything that one scrape shows. */
export interface Snapshot {
  readonly status: AgentStatus;
  readonly peers: readonly PeerRow[];
  /**
   * False while no data path answers: its counters are left out then, since zeros would look like
   * a restart of the counters.
   */
  readonly hasCounters: boolean;
  readonly punts: Readonly<Record<string, number>>;
  readonly agentUse: ProcessUse;
  readonly datapathUse: ProcessUse | undefined;
}

type Row = readonly [name: MetricName, value: number | null | undefined, ...labels: string[]];

/** Samples of all families; rows without a value are left out. */
export function samplesOf(snapshot: Snapshot): Samples {
  const samples = new Map<MetricName, Sample[]>();
  const rows = [
    ...processRows(snapshot),
    ...messageRows(snapshot),
    ...(snapshot.hasCounters ? hostRows(snapshot.status) : []),
    ...networkRows(snapshot),
    ...peerRows(snapshot),
  ];
  for (const [name, value, ...labels] of rows) {
    if (value === null || value === undefined) continue;
    const held = samples.get(name);
    if (held === undefined) samples.set(name, [{ labels, value }]);
    else held.push({ labels, value });
  }
  return samples;
}

function processRows({ status, agentUse, datapathUse }: Snapshot): Row[] {
  const { controller, datapath } = status;
  const { lastConnectedAt } = controller;
  const connectedAt = lastConnectedAt === null ? null : Date.parse(lastConnectedAt) / 1_000;
  return [
    ['etherloom_agent_info', 1, status.version],
    ['etherloom_agent_cpu_seconds_total', agentUse.cpuSeconds],
    ['etherloom_agent_resident_memory_bytes', agentUse.residentBytes],
    ['etherloom_controller_connected', Number(controller.connected)],
    ['etherloom_controller_last_connected_timestamp_seconds', connectedAt],
    ['etherloom_problems', status.problems.length],
    ['etherloom_datapath_running', Number(datapath.running)],
    ['etherloom_datapath_restarts_total', datapath.restarts],
    ['etherloom_datapath_lanes', datapath.lanes],
    ['etherloom_datapath_cpu_seconds_total', datapathUse?.cpuSeconds],
    ['etherloom_datapath_resident_memory_bytes', datapathUse?.residentBytes],
  ];
}

function messageRows({ status, peers, punts }: Snapshot): Row[] {
  const states = ['up', 'connecting', 'down', 'no-endpoint'] as const;
  return [
    ...Object.entries(punts).map(([kind, n]): Row => ['etherloom_punts_total', n, kind]),
    ...REFUSALS.map((reason): Row => [
      'etherloom_refusals_total',
      status.refusals[reason] ?? 0,
      reason,
    ]),
    ...states.map((state): Row => [
      'etherloom_peers',
      peers.filter((peer) => peer.state === state).length,
      state,
    ]),
    ['etherloom_sessions', status.peers.sessions],
  ];
}

function hostRows({ totals, drops }: AgentStatus): Row[] {
  return [
    ['etherloom_host_sent_frames_total', totals.sentFrames],
    ['etherloom_host_sent_bytes_total', totals.sentBytes],
    ['etherloom_host_sent_datagrams_total', totals.sentDatagrams],
    ['etherloom_host_received_frames_total', totals.receivedFrames],
    ['etherloom_host_received_bytes_total', totals.receivedBytes],
    ['etherloom_host_received_datagrams_total', totals.receivedDatagrams],
    ['etherloom_host_answered_requests_total', totals.answeredLocally],
    ...DROP_REASONS.map(([reason]): Row => [
      'etherloom_host_drops_total',
      drops[reason] ?? 0,
      reason,
    ]),
  ];
}

function networkRows({ status, hasCounters }: Snapshot): Row[] {
  const nameOf = labelsOf(status.networks);
  return status.networks.flatMap((network): Row[] => {
    const name = nameOf(network);
    const state: Row[] = [
      ['etherloom_network_members', network.members, name],
      ['etherloom_network_revision', network.revision, name],
      ['etherloom_network_valid_members', network.trust?.membersValid, name],
      ['etherloom_network_credential_seconds', network.trust?.ownSecondsLeft, name],
      ['etherloom_network_mtu_bytes', network.mtuBytes, name],
    ];
    if (!hasCounters) return state;
    return [
      ...state,
      ['etherloom_network_sent_frames_total', network.sentFrames, name],
      ['etherloom_network_sent_bytes_total', network.sentBytes, name],
      ['etherloom_network_received_frames_total', network.receivedFrames, name],
      ['etherloom_network_received_bytes_total', network.receivedBytes, name],
      ['etherloom_network_answered_requests_total', network.answeredLocally, name],
      ...DROP_REASONS.map(([reason]): Row => [
        'etherloom_network_drops_total',
        network.drops[reason] ?? 0,
        name,
        reason,
      ]),
    ];
  });
}

function peerRows({ peers, hasCounters }: Snapshot): Row[] {
  const nameOf = labelsOf(peers.map((peer) => ({ ...peer, id: peer.nodeId })));
  return peers.flatMap((peer): Row[] => {
    const name = nameOf({ name: peer.name, id: peer.nodeId });
    const state: Row[] = [
      ['etherloom_peer_up', Number(peer.state === 'up'), name],
      ['etherloom_peer_sessions', peer.sessions, name],
      ['etherloom_peer_session_age_seconds', secondsOf(peer.sessionAgeMs), name],
      ['etherloom_peer_silence_seconds', secondsOf(peer.lastReceivedMs), name],
      ['etherloom_peer_round_trip_seconds', secondsOf(peer.latencyMs), name],
      ['etherloom_peer_handshakes_total', peer.handshakes, name],
    ];
    if (!hasCounters) return state;
    return [
      ...state,
      ['etherloom_peer_sent_frames_total', peer.sentFrames, name],
      ['etherloom_peer_sent_bytes_total', peer.sentBytes, name],
      ['etherloom_peer_sent_datagrams_total', peer.sentDatagrams, name],
      ['etherloom_peer_received_frames_total', peer.receivedFrames, name],
      ['etherloom_peer_received_bytes_total', peer.receivedBytes, name],
      ['etherloom_peer_received_datagrams_total', peer.receivedDatagrams, name],
      ...Object.entries(peer.drops).map(([reason, count]): Row => [
        'etherloom_peer_drops_total',
        count,
        name,
        reason,
      ]),
    ];
  });
}

function secondsOf(ms: number | null): number | null {
  return ms === null ? null : ms / 1_000;
}

/** Names as labels; one that two rows share is followed by its id, since a series is named once. */
function labelsOf(
  rows: readonly { readonly name: string; readonly id: string }[],
): (row: { readonly name: string; readonly id: string }) => string {
  const uses = new Map<string, number>();
  for (const { name } of rows) uses.set(name, (uses.get(name) ?? 0) + 1);
  return ({ name, id }) => (uses.get(name) === 1 ? name : `${name} ${id}`);
}
