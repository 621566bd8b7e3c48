/** Handlers: what nodes say of themselves at this moment. */
import type { NodeReport, REPORT_ROUTES, Topology } from '@etherloom/api';
import {
  REPORT_PEERS_MAX,
  TOPOLOGY_NODES_MAX,
  TOPOLOGY_PATHS_MAX,
  TOPOLOGY_PEERS_MAX,
} from '@etherloom/api';
import type { ReportAnswer } from '../../link/report-book.ts';
import { readTopologyNodes } from '../../store/topology.ts';
import { showNode } from '../../store/nodes.ts';
import type { HandlerDeps, HandlersOf } from '../call.ts';

export function reportHandlers(deps: HandlerDeps): HandlersOf<keyof typeof REPORT_ROUTES> {
  return {
    nodeReport: async ({ transact, param }) => {
      const { id } = await transact((tx) => showNode(tx, param('node')));
      const answer = await deps.reportOf(id, REPORT_PEERS_MAX);
      return {
        nodeId: id,
        at: timeOf(answer),
        report: answer.held?.report ?? null,
        reason: answer.reason,
      };
    },
    networkTopology: async ({ transact, param }) => {
      const { rows, memberCount } = await transact((tx) =>
        readTopologyNodes(tx, param('network'), TOPOLOGY_NODES_MAX),
      );
      const answers = await Promise.all(
        rows.map(async (row) => [row, await deps.reportOf(row.id, TOPOLOGY_PEERS_MAX)] as const),
      );
      const shown = new Set(rows.map(({ id }) => id));
      return {
        nodes: answers.map(([row, answer]) => ({
          ...row,
          connected: deps.isConnected(row.id),
          reportedAt: timeOf(answer),
          peersTotal: answer.held?.report.peersTotal ?? 0,
          peersUp: answer.held?.report.peersUp ?? 0,
        })),
        paths: answers
          .flatMap(([{ id }, { held }]) => (held === null ? [] : pathsOf(id, held.report)))
          .filter(({ to }) => shown.has(to))
          .slice(0, TOPOLOGY_PATHS_MAX),
        memberCount,
      };
    },
  };
}

function timeOf({ held }: ReportAnswer): string | null {
  return held === null ? null : new Date(held.atMs).toISOString();
}

function pathsOf(from: string, { peers }: NodeReport): Topology['paths'] {
  return peers.map(({ nodeId, state, path, latencyMs, sentBytes, receivedBytes }) => ({
    from,
    to: nodeId,
    state,
    path,
    latencyMs,
    sentBytes,
    receivedBytes,
  }));
}
