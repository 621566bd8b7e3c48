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
 * A network of more members than are pushed whole is told in part: the controller asks for the
 * members of interest (`interestWanted`), the agent names them (`interest`), and asks for further
 * ones as it meets them (`resolve`). Who asks for a member is of interest to that one as well.
 *
 * When a person looks at the node the controller asks with `reportWanted`; nothing is decided by
 * the `report`.
 *
 * `lease` moves the node's lease on (docs/trust.md, section 5). A host that proves to be a clone is
 * answered `split` or `refused` in place of `welcome`.
 */
import { z } from 'zod';
import {
  AGENT_PROBLEMS_MAX,
  CONTROLLERS_MAX,
  CONTROLLER_PING_MS_MAX,
  CONTROLLER_PING_MS_MIN,
  CONTROLLER_URLS_MAX,
  INTEREST_PIECE_MAX,
  NETWORK_MEMBERS_MAX,
  NODE_ENDPOINTS_MAX,
  NODE_NETWORKS_MAX,
  PARTIAL_PIECE_MAX,
  REPORT_PEERS_MAX,
} from './limits.ts';
import { nodeReportSchema } from './node-report.ts';
import {
  authorityChainSchema,
  hostHintsSchema,
  leaseSchema,
  networkProofDeltaSchema,
  networkProofSchema,
  partialProofSchema,
  signedStatementSchema,
  statementHashSchema,
} from './statements.ts';
import {
  controllerUrlSchema,
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
  isPartial: z
    .literal(true)
    .optional()
    .describe('the members are this node and those of interest; on disk, never in a snapshot'),
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

/**
 * What changed for one agent of a network that is not pushed whole: it adds and replaces. Nobody
 * leaves by being left out: members end by a revocation, by their credential, or when the agent has
 * not needed them for long.
 */
export const partialSchema = z.strictObject({
  type: z.literal('partial'),
  networkId: idSchema,
  revision: z.int().nonnegative(),
  isReply: z.boolean().describe('the last piece of what an `interest` asked for'),
  config: networkConfigSchema,
  upserts: z.array(memberSchema).max(PARTIAL_PIECE_MAX),
  proof: partialProofSchema,
});
export type PartialUpdate = z.infer<typeof partialSchema>;

/** By what an agent looks for a member. */
export const memberKeySchema = z.union([
  z.strictObject({ ip: ipSchema }),
  z.strictObject({ mac: macSchema }),
  z.strictObject({ nodeId: nodeIdSchema }),
  z.strictObject({ sessionKey: publicKeySchema }),
]);
export type MemberKey = z.infer<typeof memberKeySchema>;

const requestIdSchema = z.int().nonnegative().max(0xffff_ffff);

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

/** A controller as agents know it. */
export const knownControllerSchema = z.strictObject({
  id: idSchema,
  urls: z.array(controllerUrlSchema).min(1).max(CONTROLLER_URLS_MAX),
});
export type KnownController = z.infer<typeof knownControllerSchema>;

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
  partialSchema,
  z
    .strictObject({ type: z.literal('interestWanted'), networkId: idSchema })
    .describe('the network is not pushed whole: answered with `interest`'),
  z
    .strictObject({
      type: z.literal('resolved'),
      requestId: requestIdSchema,
      networkId: idSchema,
      nodeId: nodeIdSchema.nullable().describe('null: no member has it'),
      isRefused: z.boolean().describe('too many asks, or too many members of interest: no answer'),
    })
    .describe('after the `partial` that carries the member'),
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
  z
    .strictObject({
      type: z.literal('controllers'),
      self: idSchema.describe('the one that the link leads to'),
      controllers: z
        .array(knownControllerSchema.extend({ isUp: z.boolean() }))
        .max(CONTROLLERS_MAX)
        .describe('all that share the database, the one of the link among them'),
      pingMs: z
        .int()
        .min(CONTROLLER_PING_MS_MIN)
        .max(CONTROLLER_PING_MS_MAX)
        .describe('how often the agent may ask whether this one lives'),
    })
    .describe('after `welcome`, and with each change'),
  z
    .strictObject({
      type: z.literal('reportWanted'),
      requestId: requestIdSchema,
      peersMax: z.int().min(0).max(REPORT_PEERS_MAX),
    })
    .describe('a person looks at the node: answered with `report`'),
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
  z
    .strictObject({
      type: z.literal('interest'),
      networkId: idSchema,
      revision: z
        .int()
        .nonnegative()
        .nullable()
        .describe('at which all of them are held with their proof; null: not all'),
      nodeIds: z.array(nodeIdSchema).max(INTEREST_PIECE_MAX),
      hasMore: z.boolean().describe('another piece of the same list follows'),
    })
    .describe('members that the agent wants to hear of; replaces all earlier ones'),
  z.strictObject({
    type: z.literal('resolve'),
    requestId: requestIdSchema,
    networkId: idSchema,
    by: memberKeySchema,
  }),
  z.strictObject({
    type: z.literal('report'),
    requestId: requestIdSchema,
    report: nodeReportSchema,
  }),
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
