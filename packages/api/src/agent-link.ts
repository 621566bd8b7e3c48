/**
 * WebSocket between agent and controller: GET /v1/agent, JSON text messages.
 *
 * The controller opens with `challenge`; the agent answers `authenticate`, which carries the
 * revision it holds of each network, so that only what it lacks is sent. After `welcome` the
 * controller sends `authority` (what the agent lacks of its history, and the held version itself),
 * a snapshot or delta for each network that differs, `removed` for those that the node is not a
 * member of, and from then on a delta with each change, a new authority before what it signed.
 * State comes with its proof (statements.ts, docs/trust.md 4). `digest` is SHA-256 of the
 * canonical state after the change (core/network-state): an agent whose own digest differs asks
 * with `resync`.
 *
 * `lease` moves the node's lease on (docs/trust.md, section 5). A host that proves to be a clone is
 * answered `split` or `refused` in place of `welcome`.
 */
import { z } from 'zod';
import {
  AGENT_PROBLEMS_MAX,
  NETWORK_MEMBERS_MAX,
  NODE_ENDPOINTS_MAX,
  NODE_NETWORKS_MAX,
} from './limits.ts';
import {
  authorityChainSchema,
  hostHintsSchema,
  leaseSchema,
  networkProofDeltaSchema,
  networkProofSchema,
  signedStatementSchema,
  statementHashSchema,
} from './statements.ts';
import {
  endpointRecordSchema,
  endpointSchema,
  idSchema,
  instanceSchema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
  nodeStateSchema,
  publicKeySchema,
  signatureSchema,
  timeSchema,
} from './values.ts';

/** A member as its peers know it. */
export const memberSchema = z.strictObject({
  nodeId: nodeIdSchema,
  name: nameSchema,
  sessionKey: publicKeySchema,
  signKey: publicKeySchema,
  mac: macSchema,
  addresses: z.array(ipSchema).max(16),
  endpoints: z
    .array(endpointSchema)
    .max(NODE_ENDPOINTS_MAX)
    .describe('those of the endpoint record; none without one'),
  endpointRecord: endpointRecordSchema
    .nullable()
    .default(null)
    .describe('as the node signed it; null: it has announced none'),
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
  proof: networkProofSchema,
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
  proof: networkProofDeltaSchema.describe('without what is removed: that goes with the member'),
  digest: digestSchema,
});
export type Delta = z.infer<typeof deltaSchema>;

/** Something that an agent refuses or misses, for a person to look at. */
export const agentProblemSchema = z.strictObject({
  networkId: idSchema.nullable().describe('null: of all networks'),
  code: z
    .string()
    .max(64)
    .regex(/^[a-z][a-z0-9_]*$/)
    .describe('docs/trust.md 4'),
  message: z.string().max(1_000).describe('what was given, by whom, and what would be right'),
  since: timeSchema,
});
export type AgentProblem = z.infer<typeof agentProblemSchema>;

/** Proves to a node that its memberships have ended, with what it may lack of the authority. */
export const nodeRemovalSchema = z.strictObject({
  authority: authorityChainSchema,
  revocations: z.array(signedStatementSchema).max(NODE_NETWORKS_MAX),
});
export type NodeRemoval = z.infer<typeof nodeRemovalSchema>;

export const controllerMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('challenge'), nonce: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
  z.strictObject({
    type: z.literal('welcome'),
    nodeId: nodeIdSchema,
    observedAddress: ipSchema.describe('address that the controller sees the agent at'),
    revisions: z
      .record(idSchema, z.int().nonnegative())
      .describe('networks of the node, at their revisions'),
    time: timeSchema.describe('what the controller takes the time to be'),
    lease: z.strictObject({
      epoch: z
        .int()
        .nonnegative()
        .describe('of the next secret; the one presented: the controller could not move it on'),
    }),
    nodeState: nodeStateSchema,
    record: endpointRecordSchema
      .nullable()
      .default(null)
      .describe('the newest that the node signed; an older disk learns its start count from it'),
  }),
  z.strictObject({
    type: z.literal('authority'),
    chain: authorityChainSchema.describe(
      'versions in order, from the one that the agent holds on; with a link that names none: all',
    ),
  }),
  snapshotSchema,
  deltaSchema,
  z.strictObject({
    type: z.literal('removed'),
    networkId: idSchema,
    reason: z.string(),
    revocation: signedStatementSchema
      .optional()
      .describe('without it an agent whose credential is valid does not go by the message'),
  }),
  z
    .strictObject({
      type: z.literal('holder'),
      nodeId: nodeIdSchema,
      instance: instanceSchema.describe('the start of an agent that the node is'),
    })
    .describe('two hosts were seen with one identity; told to the peers of the node'),
  z.strictObject({
    type: z.literal('split'),
    ticket: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/)
      .describe('for POST /v1/split; used once'),
    message: z.string(),
  }),
  z.strictObject({
    type: z.literal('refused'),
    code: z.string(),
    message: z.string(),
    removal: nodeRemovalSchema.optional().describe('with the code node_removed'),
  }),
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
      .refine((r) => Object.keys(r).length <= NODE_NETWORKS_MAX, 'too many networks')
      .describe('of networks that are held with their proof'),
    authority: statementHashSchema
      .nullable()
      .describe('hash of the newest version of the authority that is held; null: none'),
    instance: instanceSchema,
    lease: leaseSchema,
    host: hostHintsSchema,
  }),
  z.strictObject({
    type: z.literal('endpoints'),
    endpoints: z
      .array(endpointSchema)
      .max(NODE_ENDPOINTS_MAX)
      .describe('replaces all earlier ones; best first'),
    record: endpointRecordSchema.describe('the same endpoints, signed by the node'),
  }),
  z.strictObject({
    type: z.literal('problems'),
    problems: z
      .array(agentProblemSchema)
      .max(AGENT_PROBLEMS_MAX)
      .describe('replaces all earlier ones; none: all is well'),
  }),
  z.strictObject({ type: z.literal('resync'), networkId: idSchema }),
  z.strictObject({ type: z.literal('leave'), networkId: idSchema }),
  z
    .strictObject({ type: z.literal('released'), networkId: idSchema })
    .describe('the network of a `removed` is down here, its tables are swept'),
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

/**
 * The text that an agent signs to open a link: bound to the controller's certificate, so that no
 * other server can pass it on.
 */
export function linkSigningText(nonce: string, nodeId: string, tlsFingerprint: string): string {
  return ['etherloom link 1', nonce, nodeId, tlsFingerprint].join('\n');
}
