/** What controllers say to each other over the bus. All of them hold the same rights and keys. */
import { idSchema, instanceSchema, nodeIdSchema } from '@etherloom/api';
import { z } from 'zod';

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
    })
    .describe('for people who watch'),
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
