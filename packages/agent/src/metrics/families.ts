/**
 * Every metric that the agent exports. docs/operations.md holds the same table; a test compares
 * them. Names begin with `etherloom_`, say their unit, and end in `_total` when they only rise.
 *
 * Labels have as many values as the tables have rows: `network` the networks of this host, `node`
 * its peers, `reason` the reasons of core (drops, refusals). Nothing that a sender chooses becomes
 * a label.
 */

export interface MetricFamily {
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly help: string;
}

const counter = (help: string, ...labels: readonly string[]): MetricFamily => ({
  type: 'counter',
  labels,
  help,
});
const gauge = (help: string, ...labels: readonly string[]): MetricFamily => ({
  type: 'gauge',
  labels,
  help,
});

/** By name, in the order of the exposition. */
export const METRICS = {
  etherloom_agent_info: gauge('1; the version is a label.', 'version'),
  etherloom_agent_cpu_seconds_total: counter('Processor time of the agent.'),
  etherloom_agent_resident_memory_bytes: gauge('Memory of the agent that is in RAM.'),
  etherloom_controller_connected: gauge('1 while the link to the controller is up.'),
  etherloom_controller_last_connected_timestamp_seconds: gauge(
    'Unix time at which the link to the controller last came up; absent before the first time.',
  ),
  etherloom_problems: gauge('What the agent refuses or misses; `loom status` says what.'),
  etherloom_datapath_running: gauge('1 while the agent is attached to a data path.'),
  etherloom_datapath_restarts_total: counter('Data paths started in place of one that was lost.'),
  etherloom_datapath_lanes: gauge('Workers of the data path.'),
  etherloom_datapath_cpu_seconds_total: counter('Processor time of the data path.'),
  etherloom_datapath_resident_memory_bytes: gauge('Memory of the data path that is in RAM.'),
  etherloom_punts_total: counter(
    'Datagrams that the data path handed to the agent, by kind: handshake or control.',
    'kind',
  ),
  etherloom_refusals_total: counter(
    'Handshake, control and gossip messages that the agent refused.',
    'reason',
  ),
  etherloom_peers: gauge('Peers by state: up, connecting, down or no-endpoint.', 'state'),
  etherloom_sessions: gauge('Sessions held with all peers.'),
  etherloom_host_sent_frames_total: counter('Frames sealed; a train counts its segments.'),
  etherloom_host_sent_bytes_total: counter('Bytes of the sealed frames.'),
  etherloom_host_sent_datagrams_total: counter('Data datagrams sent.'),
  etherloom_host_received_frames_total: counter('Frames delivered to a port.'),
  etherloom_host_received_bytes_total: counter('Bytes of the delivered frames.'),
  etherloom_host_received_datagrams_total: counter('Data datagrams opened.'),
  etherloom_host_answered_requests_total: counter(
    'ARP and ND requests answered from the neighbour table.',
  ),
  etherloom_host_drops_total: counter('Frames and datagrams dropped.', 'reason'),
  etherloom_network_members: gauge(
    'Members of the network that this host holds, itself included.',
    'network',
  ),
  etherloom_network_revision: gauge('Revision of the network that is in force here.', 'network'),
  etherloom_network_valid_members: gauge(
    'Members whose credential is valid; the others have no session.',
    'network',
  ),
  etherloom_network_credential_seconds: gauge(
    'Time until the credential of this node ends when nobody renews it; negative after its end.',
    'network',
  ),
  etherloom_network_mtu_bytes: gauge('MTU of the port.', 'network'),
  etherloom_network_sent_frames_total: counter('Frames sealed.', 'network'),
  etherloom_network_sent_bytes_total: counter('Bytes of the sealed frames.', 'network'),
  etherloom_network_received_frames_total: counter('Frames delivered to the port.', 'network'),
  etherloom_network_received_bytes_total: counter('Bytes of the delivered frames.', 'network'),
  etherloom_network_answered_requests_total: counter(
    'ARP and ND requests answered from the neighbour table.',
    'network',
  ),
  etherloom_network_drops_total: counter('Frames dropped.', 'network', 'reason'),
  etherloom_peer_up: gauge('1 while the peer has a session and is heard of.', 'node'),
  etherloom_peer_sessions: gauge('Sessions held with the peer.', 'node'),
  etherloom_peer_session_age_seconds: gauge(
    'Since the session in use was set up; absent without one.',
    'node',
  ),
  etherloom_peer_silence_seconds: gauge(
    'Since something authenticated arrived from the peer; absent before the first time.',
    'node',
  ),
  etherloom_peer_round_trip_seconds: gauge(
    'Of the last answered ping; absent without one.',
    'node',
  ),
  etherloom_peer_handshakes_total: counter('Sessions set up with the peer.', 'node'),
  etherloom_peer_sent_frames_total: counter('Frames sealed for the peer.', 'node'),
  etherloom_peer_sent_bytes_total: counter('Bytes of the sealed frames.', 'node'),
  etherloom_peer_sent_datagrams_total: counter('Data datagrams sent to the peer.', 'node'),
  etherloom_peer_received_frames_total: counter('Frames of the peer delivered.', 'node'),
  etherloom_peer_received_bytes_total: counter('Bytes of the delivered frames.', 'node'),
  etherloom_peer_received_datagrams_total: counter('Data datagrams of the peer opened.', 'node'),
  etherloom_peer_drops_total: counter(
    'Frames and datagrams to or from the peer dropped; reasons that never happened are left out.',
    'node',
    'reason',
  ),
} as const satisfies Record<string, MetricFamily>;

export type MetricName = keyof typeof METRICS;
