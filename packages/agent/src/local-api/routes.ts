/** The operations of the local API (packages/api/src/agent-local.ts). */
import { agentJoinSchema, leaveRequestSchema, pingRequestSchema } from '@etherloom/api';
import type { Agent } from '../agent.ts';
import {
  findPeer,
  readAllCounters,
  viewFdb,
  viewNeighbours,
  viewPeers,
  viewStatus,
} from '../views.ts';
import type { LocalRoute } from './server.ts';
import { parseBody } from './server.ts';

/** Routes that ask and change an agent. */
export function localRoutes(agent: Agent): LocalRoute[] {
  return [
    {
      method: 'GET',
      path: '/v1/status',
      handle: async () => viewStatus(agent, await readAllCounters(agent)),
    },
    {
      method: 'GET',
      path: '/v1/peers',
      handle: async () => ({ peers: viewPeers(agent, await readAllCounters(agent)) }),
    },
    { method: 'GET', path: '/v1/fdb', handle: async () => ({ entries: await viewFdb(agent) }) },
    {
      method: 'GET',
      path: '/v1/neighbours',
      handle: async () => ({ entries: await viewNeighbours(agent) }),
    },
    {
      method: 'POST',
      path: '/v1/join',
      handle: (body) => agent.join(parseBody(agentJoinSchema, body)),
    },
    {
      method: 'POST',
      path: '/v1/leave',
      handle: async (body) => {
        await agent.leave(parseBody(leaveRequestSchema, body).network);
        return {};
      },
    },
    {
      method: 'POST',
      path: '/v1/ping',
      handle: async (body, signal) => {
        const { node, count } = parseBody(pingRequestSchema, body);
        const { peer, name } = findPeer(agent, node);
        return { node: name, results: await agent.pinger.ping(agent.host, peer, count, signal) };
      },
    },
  ];
}
