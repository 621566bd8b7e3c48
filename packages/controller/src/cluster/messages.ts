/** What controllers say to each other over the bus. All of them hold the same rights and keys. */
import { REPORT_PEERS_MAX, idSchema, instanceSchema, nodeIdSchema } from '@etherloom/api';
import { z } from 'zod';
import { ATTEMPTS_TOLD_MAX, LOOK_NODES_MAX } from '../limits.ts';

const hashSchema = z.string().regex(/^[0-9a-f]{32}$/);
const askIdSchema = z.string().regex(/^[0-9a-f]{16}$/);

export const peerMessageSchema = z.discriminatedUnion('type', [
  z
    .object({
      type: z.literal('changes'),
      lists: z.record(z.string(), z.array(z.unknown())).describe('as changesText gives them'),
    })
    .describe('a transaction changed these; posted with it'),
  z
    .object({
      type: z.literal('linked'),
      controllerId: idSchema,
      nodeId: nodeIdSchema,
      instance: instanceSchema,
      epoch: z.number(),
      isReplaced: z.boolean().describe('by the rule of its networks: the former holder may not be'),
    })
    .describe('a node has its link here; no other controller has one of it'),
  z.object({
    type: z.literal('unlinked'),
    controllerId: idSchema,
    nodeId: nodeIdSchema,
    epoch: z.number(),
  }),
  z.object({ type: z.literal('holder'), nodeId: nodeIdSchema, instance: instanceSchema }),
  z.object({
    type: z.literal('follow'),
    networkId: idSchema,
    found: nodeIdSchema,
    askerId: nodeIdSchema,
  }),
  z
    .object({
      type: z.literal('live'),
      kind: z.enum(['connected', 'disconnected', 'reported']),
      nodeId: nodeIdSchema,
      organizationId: idSchema.nullable(),
      problemsAt: idSchema
        .nullable()
        .default(null)
        .describe('the controller of its link, when its agent has problems'),
    })
    .describe('for people who watch'),
  z
    .object({
      type: z.literal('troubled'),
      controllerId: idSchema,
      nodeIds: z.array(nodeIdSchema).max(LOOK_NODES_MAX),
      isFirst: z.boolean(),
    })
    .describe('a piece of all nodes whose agents told this controller of problems'),
  z.object({ type: z.literal('controllers') }).describe('one came or went'),
  z
    .object({
      type: z.literal('ask'),
      id: askIdSchema,
      controllerId: idSchema,
      nodeId: nodeIdSchema,
    })
    .describe('does the agent of the link that this controller has of the node answer?'),
  z.object({
    type: z.literal('answer'),
    id: askIdSchema,
    isAnswered: z.boolean(),
    silentMs: z.number().describe('since the agent was last heard there'),
  }),
  z
    .object({
      type: z.literal('attempts'),
      attempts: z
        .array(z.object({ name: hashSchema, source: hashSchema, isRight: z.boolean() }))
        .max(ATTEMPTS_TOLD_MAX),
    })
    .describe('attempts to log in that were let through'),
  z
    .object({
      type: z.literal('look'),
      id: askIdSchema,
      controllerId: idSchema,
      peersMax: z.int().min(0).max(REPORT_PEERS_MAX).nullable().describe('null: problems alone'),
      nodeIds: z.array(nodeIdSchema).max(LOOK_NODES_MAX),
    })
    .describe('what is known of nodes whose links this controller has'),
  z
    .object({
      type: z.literal('looked'),
      id: askIdSchema,
      text: z.string().nullable(),
      key: z.string().max(32).nullable().describe('under which a text lies in the database'),
      isLast: z.boolean(),
    })
    .describe('a piece of the answer; with neither text nor key there is nothing in it'),
]);
export type PeerMessage = z.infer<typeof peerMessageSchema>;

/** undefined: it is of another version, which says more than this one understands. */
export function parsePeerMessage(text: string): PeerMessage | undefined {
  try {
    return peerMessageSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
