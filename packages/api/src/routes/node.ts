/** Routes: nodes. */
import { nodeSchema } from '../resources.ts';
import { nameSchema, nodeStateSchema, referenceSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const NODE_ROUTES = {
  nodeList: {
    method: 'GET',
    path: '/v1/nodes',
    summary: 'List nodes',
    permission: 'node:read',
    query: listQuery({
      name: nameSchema.optional(),
      network: referenceSchema.optional(),
      state: nodeStateSchema.optional(),
    }),
    reply: list(nodeSchema),
    status: 200,
    errors: ['unauthenticated', 'forbidden', 'too_many_requests'],
  },
  nodeShow: {
    method: 'GET',
    path: '/v1/nodes/{node}',
    summary: 'Show a node',
    permission: 'node:read',
    reply: nodeSchema,
    status: 200,
    errors: ['unauthenticated', 'forbidden', 'too_many_requests', 'not_found'],
  },
  nodeDelete: {
    method: 'DELETE',
    path: '/v1/nodes/{node}',
    summary: 'Remove a node from all its networks and refuse it from then on',
    permission: 'node:write',
    reply: null,
    status: 204,
    errors: ['unauthenticated', 'forbidden', 'too_many_requests', 'not_found'],
  },
  nodeApprove: {
    method: 'POST',
    path: '/v1/nodes/{node}/approve',
    summary: 'Let a clone that waits into the networks of the node it was copied from',
    permission: 'node:write',
    reply: nodeSchema,
    status: 200,
    errors: [
      'unauthenticated',
      'forbidden',
      'too_many_requests',
      'not_found',
      'pool_exhausted',
      'limit_reached',
    ],
  },
} as const satisfies Record<string, Route>;
