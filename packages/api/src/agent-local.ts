/**
 * The agent's own API: HTTP with JSON over a unix socket (mode 0600), asked by `loom` on the host.
 * Errors have the body of errors.ts.
 *
 *   GET  /v1/status       agentStatusSchema
 *   GET  /v1/peers        { peers: peerRowSchema[] }
 *   GET  /v1/fdb          { entries: fdbRowSchema[] }
 *   GET  /v1/neighbours   { entries: neighbourRowSchema[] }
 *   POST /v1/join         agentJoinSchema  -> agentJoinReplySchema (the network is up then)
 *   POST /v1/leave        { network }      -> {}
 *   POST /v1/ping         { node, count }  -> { node, results: pingResultSchema[] }
 */
import { z } from 'zod';
import {
  endpointSchema,
  idSchema,
  ipSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
  timeSchema,
} from './values.ts';

/** Where the agent listens when nothing else is said; LOOM_SOCKET and --socket change it. */
export const AGENT_SOCKET_DEFAULT = '/run/etherloom/agent.sock';
/** Counts a ping request may ask for. */
export const PING_COUNT_MAX = 100;

/** Linux interface name: 15 bytes at most (IFNAMSIZ). */
export const interfaceNameSchema = z
  .string()
  .regex(
    /^(?!\.{1,2}$)(?!-)(?!(all|default)$)[A-Za-z0-9_.-]{1,15}$/,
    'must be 1 to 15 letters, digits, "_", "." or "-", not begin with "-", and be none of ".", "..", "all" and "default"',
  );

export const agentJoinSchema = z.strictObject({
  token: z.string(),
  name: nameSchema.optional().describe('default: the host name'),
  interface: interfaceNameSchema
    .optional()
    .describe('default: loom- and the network name, cut to 15'),
});
export type AgentJoin = z.infer<typeof agentJoinSchema>;
export const agentJoinReplySchema = z.object({
  nodeId: nodeIdSchema,
  nodeName: nameSchema,
  network: nameSchema,
  interface: z.string(),
  mac: macSchema,
  addresses: z.array(z.string()).describe('with prefix length, for example 10.1.0.2/24'),
});

/** What proves a network, and how long it goes on without a controller (docs/trust.md). */
export const networkTrustSchema = z.object({
  networkVersion: z.int(),
  rosterVersion: z.int(),
  stalenessDays: z.int(),
  membersValid: z.int().describe('members whose credential is valid; the others have no session'),
  ownSecondsLeft: z
    .number()
    .describe('until the credential of this node ends, when nobody renews it; negative: since'),
  firstPeerSecondsLeft: z
    .number()
    .nullable()
    .describe('the same of the peer whose valid credential ends first; null: there is none'),
  firstPeer: nameSchema.nullable(),
});

/** Something that the agent refuses or misses, for a person to look at. */
export const statusProblemSchema = z.object({
  network: nameSchema.nullable().describe('null: not of one network'),
  code: z.string().describe('docs/trust.md 4'),
  message: z.string(),
  since: timeSchema,
});

const counterRecord = z
  .record(z.string(), z.number())
  .describe('by drop reason; reasons that never happened are left out');

export const agentNetworkSchema = z.object({
  id: idSchema,
  name: nameSchema,
  vni: z.int(),
  interface: z.string(),
  mac: macSchema,
  addresses: z.array(z.string()),
  mtuBytes: z.int(),
  revision: z.int(),
  members: z.int().describe('that this host holds, itself among them'),
  memberCount: z
    .int()
    .optional()
    .describe('of the network, where this host does not hold all of them'),
  problem: z
    .string()
    .nullable()
    .default(null)
    .describe('why the state of the network is not followed, and what to do; null: it is'),
  trust: networkTrustSchema
    .nullable()
    .default(null)
    .describe('null: held from a former version, without a proof'),
  sentFrames: z.number(),
  sentBytes: z.number(),
  receivedFrames: z.number(),
  receivedBytes: z.number(),
  answeredLocally: z.number(),
  drops: counterRecord,
});

/** Fields that a former agent does not send have a default. */
const trafficSchema = z.object({
  sentFrames: z.number().default(0),
  sentBytes: z.number().default(0),
  receivedFrames: z.number().default(0),
  receivedBytes: z.number().default(0),
  sentDatagrams: z.number().default(0),
  receivedDatagrams: z.number().default(0),
  answeredLocally: z.number().default(0),
});

/**
 * rejected, replaced: a copy that may not be; split: a copy that is about to become a node of its
 * own; waits: one that has become it and is in no network until it is approved.
 */
export const standingSchema = z.object({
  state: z.enum(['rejected', 'replaced', 'split', 'waits']),
  message: z.string(),
});
export type Standing = z.infer<typeof standingSchema>;

export const agentStatusSchema = z.object({
  version: z.string(),
  nodeId: nodeIdSchema.nullable().describe('null: has not joined'),
  nodeName: nameSchema.nullable(),
  port: z.int(),
  standing: standingSchema
    .nullable()
    .default(null)
    .describe('why this host may not act as a node; null: it may'),
  clonedFrom: nodeIdSchema.nullable().default(null).describe('node of which this one is a copy'),
  controller: z.object({
    url: z.string().nullable(),
    connected: z.boolean(),
    lastConnectedAt: z.iso.datetime().nullable(),
    lastError: z.string().nullable(),
    others: z
      .array(z.object({ url: z.string(), isUp: z.boolean().nullable() }))
      .default([])
      .describe('controllers that the agent can go to; isUp: as the one it is linked to last said'),
  }),
  datapath: z.object({
    running: z.boolean(),
    pid: z.int().nullable(),
    restarts: z.int(),
    lanes: z.int(),
    features: z.array(z.string()),
  }),
  authority: z
    .object({ version: z.int(), hash: z.string() })
    .nullable()
    .default(null)
    .describe('the newest version of the authority that is held; null: none is pinned'),
  clock: z
    .object({
      now: timeSchema.describe('trusted time'),
      offsetSeconds: z.number().describe('by which a controller corrects the wall clock'),
    })
    .nullable()
    .default(null),
  problems: z.array(statusProblemSchema).default([]),
  networks: z.array(agentNetworkSchema),
  peers: z.object({ total: z.int(), up: z.int(), sessions: z.int().default(0) }),
  totals: trafficSchema.prefault({}).describe('of all networks'),
  drops: counterRecord,
  refusals: counterRecord
    .default({})
    .describe('handshake and control messages that the agent refused, by reason'),
});
export type AgentStatus = z.infer<typeof agentStatusSchema>;

export const peerRowSchema = z.object({
  nodeId: nodeIdSchema,
  name: nameSchema,
  networks: z.array(nameSchema),
  state: z.enum(['up', 'connecting', 'down', 'no-endpoint']),
  path: z.enum(['direct', 'none']),
  endpoint: endpointSchema.nullable(),
  latencyMs: z.number().nullable(),
  sessionAgeMs: z.number().nullable(),
  lastReceivedMs: z.number().nullable().describe('since something authenticated arrived'),
  handshakes: z.int(),
  sessions: z.int().default(0),
  sentFrames: z.number().default(0),
  sentBytes: z.number(),
  sentDatagrams: z.number().default(0),
  receivedFrames: z.number().default(0),
  receivedBytes: z.number(),
  receivedDatagrams: z.number().default(0),
  drops: counterRecord,
});
export type PeerRow = z.infer<typeof peerRowSchema>;

export const fdbRowSchema = z.object({
  network: nameSchema,
  mac: macSchema,
  node: nameSchema,
  nodeId: nodeIdSchema,
});
export const neighbourRowSchema = z.object({
  network: nameSchema,
  address: ipSchema,
  mac: macSchema,
  node: nameSchema,
  nodeId: nodeIdSchema,
});

export const leaveRequestSchema = z.strictObject({ network: z.string().describe('name or id') });
export const pingRequestSchema = z.strictObject({
  node: z.string().describe('name or id'),
  count: z.int().min(1).max(PING_COUNT_MAX).default(4),
});
export const pingResultSchema = z.object({
  latencyMs: z.number().nullable().describe('null: no answer in time'),
  path: z.enum(['direct', 'none']),
  endpoint: endpointSchema.nullable(),
});
