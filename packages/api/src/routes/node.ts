/** Routes: nodes. */
import { z } from 'zod';
import { NODE_IDS_MAX, SEARCH_CHARS_MAX, SEARCH_WORDS_MAX } from '../limits.ts';
import { nodeCountsSchema, nodeSchema } from '../resources.ts';
import { nameSchema, nodeStateSchema, referenceSchema, timeSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery, queryBoolean } from './route.ts';

const searchSchema = z
  .string()
  .min(1)
  .max(SEARCH_CHARS_MAX)
  .refine((text) => wordsOf(text).length <= SEARCH_WORDS_MAX, {
    message: `must be ${SEARCH_WORDS_MAX} words at most`,
  })
  .describe('words, each a part of the name, the id, an address, a MAC or an endpoint');

const nodeIdsSchema = z
  .string()
  .regex(
    new RegExp(`^[0-9a-f]{32}(,[0-9a-f]{32}){0,${NODE_IDS_MAX - 1}}$`),
    `must be 1 to ${NODE_IDS_MAX} node ids with commas between`,
  )
  .describe('ids with commas between');

const memberSinceSchema = timeSchema.describe('members since then, of `network` or of any');

/** The words of a search, in lower case as names and addresses are. */
export function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

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
      text: searchSchema.optional(),
      ids: nodeIdsSchema.optional(),
      connected: queryBoolean.optional(),
      hasProblems: queryBoolean.optional().describe('whether its agent tells of problems'),
      memberSince: memberSinceSchema.optional(),
    }),
    reply: list(nodeSchema),
    status: 200,
  },
  nodeCounts: {
    method: 'GET',
    path: '/v1/node-counts',
    summary: 'Count nodes, by how they are',
    permission: 'node:read',
    query: z.strictObject({
      network: referenceSchema.optional(),
      text: searchSchema.optional(),
      memberSince: memberSinceSchema.optional(),
    }),
    reply: nodeCountsSchema,
    status: 200,
  },
  nodeShow: {
    method: 'GET',
    path: '/v1/nodes/{node}',
    summary: 'Show a node',
    permission: 'node:read',
    reply: nodeSchema,
    status: 200,
  },
  nodeDelete: {
    method: 'DELETE',
    path: '/v1/nodes/{node}',
    summary: 'Remove a node from all its networks and refuse it from then on',
    permission: 'node:write',
    reply: null,
    status: 204,
  },
  nodeApprove: {
    method: 'POST',
    path: '/v1/nodes/{node}/approve',
    summary: 'Let a clone that waits into the networks of the node it was copied from',
    permission: 'node:write',
    reply: nodeSchema,
    status: 200,
    errors: ['pool_exhausted', 'limit_reached'],
  },
} as const satisfies Record<string, Route>;
