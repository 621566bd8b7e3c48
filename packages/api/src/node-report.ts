/**
 * What an agent says of its host when a person looks: paths, traffic, drops. Nothing is decided by
 * it, and an agent may say anything: it is shown as the word of that node.
 */
import { z } from 'zod';
import {
  REPORT_DROPS_MAX,
  REPORT_NETWORKS_MAX,
  REPORT_PEERS_MAX,
  TOPOLOGY_NODES_MAX,
  TOPOLOGY_PATHS_MAX,
} from './limits.ts';
import {
  endpointSchema,
  idSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
  timeSchema,
} from './values.ts';

const countSchema = z.number().nonnegative();

const dropsSchema = z
  .record(z.string().max(64), countSchema)
  .refine((drops) => Object.keys(drops).length <= REPORT_DROPS_MAX, 'too many reasons')
  .describe('frames, by drop reason; reasons that never happened are left out');

/** A network on a host. */
export const networkReportSchema = z.strictObject({
  networkId: idSchema,
  interface: z.string().max(15),
  mac: macSchema,
  mtuBytes: z.int(),
  sentFrames: countSchema,
  sentBytes: countSchema,
  receivedFrames: countSchema,
  receivedBytes: countSchema,
  answeredLocally: countSchema.describe('ARP and neighbour requests'),
});

/** How a host reaches one of its peers. */
export const pathReportSchema = z.strictObject({
  nodeId: nodeIdSchema,
  state: z.enum(['up', 'connecting', 'down', 'no-endpoint']),
  path: z.enum(['direct', 'none']),
  endpoint: endpointSchema.nullable(),
  latencyMs: countSchema.nullable(),
  sessionAgeMs: countSchema.nullable(),
  lastReceivedMs: countSchema.nullable(),
  handshakes: countSchema,
  sentFrames: countSchema,
  sentBytes: countSchema,
  receivedFrames: countSchema,
  receivedBytes: countSchema,
});
export type PathReport = z.infer<typeof pathReportSchema>;

export const nodeReportSchema = z.strictObject({
  version: z.string().max(32),
  port: z.int().min(0).max(65_535),
  datapath: z.strictObject({ running: z.boolean(), restarts: countSchema, lanes: countSchema }),
  networks: z.array(networkReportSchema).max(REPORT_NETWORKS_MAX).describe('the busiest first'),
  peersTotal: countSchema,
  peersUp: countSchema,
  peers: z.array(pathReportSchema).max(REPORT_PEERS_MAX).describe('the busiest first'),
  drops: dropsSchema,
  log: z
    .array(
      z.strictObject({ time: timeSchema, level: z.string().max(8), message: z.string().max(300) }),
    )
    .max(50)
    .describe('what its agent logged last, the newest at the end'),
});
export type NodeReport = z.infer<typeof nodeReportSchema>;

/** A report as the controller passes it on. */
export const nodeReportReplySchema = z.object({
  nodeId: nodeIdSchema,
  at: timeSchema.nullable().describe('when it was given; null: there is none'),
  report: nodeReportSchema.nullable(),
  reason: z.string().nullable().describe('why there is none, or only an older one'),
});

/** A network as a picture needs it. */
export const topologySchema = z.object({
  nodes: z
    .array(
      z.object({
        id: nodeIdSchema,
        name: nameSchema,
        connected: z.boolean(),
        endpoints: z.array(endpointSchema),
        reportedAt: timeSchema.nullable(),
        peersTotal: countSchema,
        peersUp: countSchema,
      }),
    )
    .max(TOPOLOGY_NODES_MAX),
  paths: z
    .array(
      z.object({
        from: nodeIdSchema,
        to: nodeIdSchema,
        state: pathReportSchema.shape.state,
        path: pathReportSchema.shape.path,
        latencyMs: countSchema.nullable(),
        sentBytes: countSchema,
        receivedBytes: countSchema,
      }),
    )
    .max(TOPOLOGY_PATHS_MAX)
    .describe('as the node `from` says'),
  memberCount: z
    .int()
    .nonnegative()
    .describe('of the network; more than `nodes`: the rest is not shown'),
});
export type Topology = z.infer<typeof topologySchema>;
