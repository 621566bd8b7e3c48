/**
 * What the controller is told of this host when a person looks at it (node-report.ts): the local
 * API's view, cut to what one message carries, the busiest first.
 */
import type {
  AgentMessage,
  ControllerMessage,
  NodeReport,
  PathReport,
  PeerRow,
} from '@etherloom/api';
import { REPORT_DROPS_MAX, REPORT_NETWORKS_MAX, REPORT_PEERS_MAX } from '@etherloom/api';
import type { Logger } from 'pino';
import type { Agent } from './agent.ts';
import { messageOf } from './errors.ts';
import { readAllCounters, viewPeers, viewStatus } from './views.ts';

/** A report with at most `peersMax` peers. */
async function makeReport(agent: Agent, peersMax: number): Promise<NodeReport> {
  const counters = await readAllCounters(agent);
  const status = viewStatus(agent, counters);
  const { running, restarts, lanes } = status.datapath;
  return {
    version: status.version,
    port: status.port,
    datapath: { running, restarts, lanes },
    networks: status.networks
      .toSorted((a, b) => trafficOf(b) - trafficOf(a))
      .slice(0, REPORT_NETWORKS_MAX)
      .map((network) => ({
        networkId: network.id,
        interface: network.interface,
        mac: network.mac,
        mtuBytes: network.mtuBytes,
        sentFrames: network.sentFrames,
        sentBytes: network.sentBytes,
        receivedFrames: network.receivedFrames,
        receivedBytes: network.receivedBytes,
        answeredLocally: network.answeredLocally,
      })),
    peersTotal: status.peers.total,
    peersUp: status.peers.up,
    peers: viewPeers(agent, counters)
      .toSorted((a, b) => trafficOf(b) - trafficOf(a))
      .slice(0, Math.min(peersMax, REPORT_PEERS_MAX))
      .map(toPath),
    drops: Object.fromEntries(
      Object.entries(status.drops)
        .filter(([, count]) => count > 0)
        .slice(0, REPORT_DROPS_MAX),
    ),
    log: agent.recentLog(),
  };
}

function trafficOf(row: { readonly sentBytes: number; readonly receivedBytes: number }): number {
  return row.sentBytes + row.receivedBytes;
}

function toPath(row: PeerRow): PathReport {
  return {
    nodeId: row.nodeId,
    state: row.state,
    path: row.path,
    endpoint: row.endpoint,
    latencyMs: row.latencyMs,
    sessionAgeMs: row.sessionAgeMs,
    lastReceivedMs: row.lastReceivedMs,
    handshakes: row.handshakes,
    sentFrames: row.sentFrames,
    sentBytes: row.sentBytes,
    receivedFrames: row.receivedFrames,
    receivedBytes: row.receivedBytes,
  };
}

type ReportWanted = Extract<ControllerMessage, { type: 'reportWanted' }>;

/** Answers who asks for reports: twice before an answer is answered once. */
export class Reporter {
  readonly #agent: Agent;
  readonly #log: Logger;
  readonly #send: (message: AgentMessage) => void;
  #isBusy = false;

  constructor(agent: Agent, log: Logger, send: (message: AgentMessage) => void) {
    this.#agent = agent;
    this.#log = log;
    this.#send = send;
  }

  async answer({ requestId, peersMax }: ReportWanted): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const report = await makeReport(this.#agent, peersMax);
      this.#send({ type: 'report', requestId, report });
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'no report could be made');
    } finally {
      this.#isBusy = false;
    }
  }
}
