/** The agent's local API as typed calls over its unix socket. */
import type { AgentStatus, PeerRow, Send, SendReply } from '@etherloom/api';
import {
  AGENT_SOCKET_DEFAULT,
  agentJoinReplySchema,
  agentStatusSchema,
  fdbRowSchema,
  neighbourRowSchema,
  peerRowSchema,
  pingResultSchema,
  toApiError,
} from '@etherloom/api';
import { createUnixSender } from '@etherloom/transport';
import { cleanTexts } from './clean-text.ts';
import { CliError } from './failure.ts';
import { AGENT_TIMEOUT_MS, JOIN_TIMEOUT_MS, PING_TIMEOUT_MS } from './limits.ts';

export type JoinReply = ReturnType<typeof agentJoinReplySchema.parse>;
export type FdbRow = ReturnType<typeof fdbRowSchema.parse>;
export type NeighbourRow = ReturnType<typeof neighbourRowSchema.parse>;
export type PingResult = ReturnType<typeof pingResultSchema.parse>;

export interface JoinRequest {
  readonly token: string;
  readonly name?: string | undefined;
  readonly interface?: string | undefined;
}

export interface AgentAccess {
  status(): Promise<AgentStatus>;
  peers(): Promise<readonly PeerRow[]>;
  fdb(): Promise<readonly FdbRow[]>;
  neighbours(): Promise<readonly NeighbourRow[]>;
  join(request: JoinRequest): Promise<JoinReply>;
  leave(network: string): Promise<void>;
  ping(node: string, count: number): Promise<readonly PingResult[]>;
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** Access over --socket, LOOM_SOCKET or the default socket, in this order. */
export function createAgentAccess(
  socket: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): AgentAccess {
  const path = socket ?? (env['LOOM_SOCKET'] || AGENT_SOCKET_DEFAULT);
  const sender = (timeoutMs: number): Send => createUnixSender(path, { timeoutMs });
  const get = async (url: string): Promise<unknown> =>
    readBody(await sender(AGENT_TIMEOUT_MS)({ method: 'GET', url, headers: {} }));
  const post = async (url: string, body: unknown, timeoutMs: number): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    return readBody(
      await sender(timeoutMs)({ method: 'POST', url, headers, body: JSON.stringify(body) }),
    );
  };
  return {
    status: async () => parse(agentStatusSchema, await get('/v1/status')),
    peers: async () => parse(peerRowSchema.array(), field(await get('/v1/peers'), 'peers')),
    fdb: async () => parse(fdbRowSchema.array(), field(await get('/v1/fdb'), 'entries')),
    neighbours: async () =>
      parse(neighbourRowSchema.array(), field(await get('/v1/neighbours'), 'entries')),
    join: async (request) =>
      parse(agentJoinReplySchema, await post('/v1/join', request, JOIN_TIMEOUT_MS)),
    leave: async (network) => {
      await post('/v1/leave', { network }, JOIN_TIMEOUT_MS);
    },
    ping: async (node, count) => {
      const reply = await post('/v1/ping', { node, count }, PING_TIMEOUT_MS * count);
      return parse(pingResultSchema.array(), field(reply, 'results'));
    },
  };
}

function readBody(reply: SendReply): unknown {
  if (reply.status < 200 || reply.status > 299) throw toApiError(reply);
  try {
    const body: unknown = reply.body === '' ? {} : JSON.parse(reply.body);
    return body;
  } catch (error) {
    throw notUnderstood(error);
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined; // is an object
}

function parse<T>(schema: Schema<T>, value: unknown): T {
  const parsed = schema.safeParse(cleanTexts(value));
  if (parsed.success) return parsed.data;
  throw notUnderstood(undefined);
}

function notUnderstood(cause: unknown): CliError {
  return new CliError(
    'not_understood',
    'the agent answered in another API version: update `loom` and the agent to one version',
    cause,
  );
}
