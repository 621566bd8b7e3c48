/** Routes: what nodes say of themselves at this moment. */
import { nodeReportReplySchema, topologySchema } from '../node-report.ts';
import type { Route } from './route.ts';

export const REPORT_ROUTES = {
  nodeReport: {
    method: 'GET',
    path: '/v1/nodes/{node}/report',
    summary: 'Ask a node for its paths, counters and last log lines',
    permission: 'node:read',
    reply: nodeReportReplySchema,
    status: 200,
  },
  networkTopology: {
    method: 'GET',
    path: '/v1/networks/{network}/topology',
    summary: 'Ask the nodes of a network for their paths',
    permission: 'node:read',
    reply: topologySchema,
    status: 200,
  },
} as const satisfies Record<string, Route>;
