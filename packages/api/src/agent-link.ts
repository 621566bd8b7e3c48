/**
 * WebSocket between agent and controller: GET /v1/agent, JSON text messages.
 *
 * The controller opens with `challenge`; the agent answers `authenticate`, which carries the
 * revision it holds of each network, so that only what it lacks is sent. After `welcome` the
 * controller sends a snapshot or delta for each network that differs, `removed` for those that the
 * node is not a member of, and from then on a delta with each change. `digest` is SHA-256 of the
 * canonical state after the change (core/network-state): an agent whose own digest differs asks
 * with `resync`.
 */
import { z } from 'zod';
import { NETWORK_MEMBERS_MAX, NODE_ENDPOINTS_MAX, NODE_NETWORKS_MAX } from './limits.ts';
import {
  endpointSchema,
  idSchema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
  publicKeySchema,
  signatureSchema,
} from './values.ts';

/** A member as its peers know it. */
export const memberSchema = z.strictObject({
  nodeId: nodeIdSchema,
  name: nameSchema,
  sessionKey: publicKeySchema,
  signKey: publicKeySchema,
  mac: macSchema,
  addresses: z.array(ipSchema).max(16),
  endpoints: z.array(endpointSchema).max(NODE_ENDPOINTS_MAX),
});
export type Member = z.infer<typeof memberSchema>;

/** What of a network its members act on. */
export const networkConfigSchema = z.strictObject({
  id: idSchema,
  name: nameSchema,
  vni: z.int().min(1).max(0xff_ffff),
  mtuBytes: z.int(),
  ipv4: ipv4PrefixSchema.nullable(),
  ipv6: ipv6PrefixSchema.nullable(),
});
export type NetworkConfig = z.infer<typeof networkConfigSchema>;

/** State of one network at a revision, the receiving node itself among the members. */
export const networkStateSchema = z.strictObject({
  config: networkConfigSchema,
  revision: z.int().nonnegative(),
  members: z.array(memberSchema).max(NETWORK_MEMBERS_MAX),
});
export type NetworkState = z.infer<typeof networkStateSchema>;

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);

export const snapshotSchema = z.strictObject({
  type: z.literal('snapshot'),
  state: networkStateSchema,
  digest: digestSchema,
});
export const deltaSchema = z.strictObject({
  type: z.literal('delta'),
  networkId: idSchema,
  fromRevision: z.int().nonnegative(),
  toRevision: z.int().nonnegative(),
  config: networkConfigSchema.optional(),
  upserts: z.array(memberSchema).max(NETWORK_MEMBERS_MAX),
  removals: z.array(nodeIdSchema).max(NETWORK_MEMBERS_MAX),
  digest: digestSchema,
});
export type Delta = z.infer<typeof deltaSchema>;

export const controllerMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('challenge'), nonce: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
  z.strictObject({
    type: z.literal('welcome'),
    nodeId: nodeIdSchema,
    observedAddress: ipSchema.describe('address that the controller sees the agent at'),
    revisions: z
      .record(idSchema, z.int().nonnegative())
      .describe('networks of the node, at their revisions'),
  }),
  snapshotSchema,
  deltaSchema,
  z.strictObject({ type: z.literal('removed'), networkId: idSchema, reason: z.string() }),
  z.strictObject({ type: z.literal('refused'), code: z.string(), message: z.string() }),
]);
export type ControllerMessage = z.infer<typeof controllerMessageSchema>;

export const agentMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('authenticate'),
    nodeId: nodeIdSchema,
    version: z.string().max(32),
    signature: signatureSchema.describe('Ed25519 over linkSigningText()'),
    revisions: z
      .record(idSchema, z.int().nonnegative())
      .refine((r) => Object.keys(r).length <= NODE_NETWORKS_MAX, 'too many networks'),
  }),
  z.strictObject({
    type: z.literal('endpoints'),
    endpoints: z
      .array(endpointSchema)
      .max(NODE_ENDPOINTS_MAX)
      .describe('replaces all earlier ones; best first'),
  }),
  z.strictObject({ type: z.literal('resync'), networkId: idSchema }),
  z.strictObject({ type: z.literal('leave'), networkId: idSchema }),
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

/**
 * The text that an agent signs to open a link: bound to the controller's certificate, so that no
 * other server can pass it on.
 */
export function linkSigningText(nonce: string, nodeId: string, tlsFingerprint: string): string {
  return ['etherloom link 1', nonce, nodeId, tlsFingerprint].join('\n');
}
