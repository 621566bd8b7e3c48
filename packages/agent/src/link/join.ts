/**
 * Registers the node with a controller: POST /v1/join over a pinned connection, the URLs of the
 * token tried in turn.
 */
import { hostname } from 'node:os';
import {
  ApiError,
  createClient,
  decodeJoinToken,
  joinSigningText,
  JoinTokenError,
  NAME_CHARS_MAX,
  nameSchema,
} from '@etherloom/api';
import type { JoinReply, JoinToken } from '@etherloom/api';
import { TransportError, createPinnedSender } from '@etherloom/transport';
import type { ControllerRecord } from '../disk/state-directory.ts';
import type { Identity } from '../disk/identity.ts';
import { AgentError } from '../errors.ts';
import { pause } from '../clock.ts';
import { JOIN_NEXT_URL_MS, JOIN_REQUEST_MS } from '../limits.ts';
import { isTrouble } from './controller-link.ts';

export interface JoinWish {
  readonly token: JoinToken;
  /** A name that a person chose. */
  readonly name: string | undefined;
  /** A name for when nobody chose one. */
  readonly suggestedName: string;
}

/** Reads a token. Throws AgentError `invalid_request`; the text is never repeated. */
export function readJoinToken(text: string): JoinToken {
  try {
    return decodeJoinToken(text);
  } catch (error) {
    if (!(error instanceof JoinTokenError)) throw error;
    throw new AgentError('invalid_request', error.message, {
      details: [{ field: 'token', reason: error.message }],
    });
  }
}

/** Refuses a token of another controller than the one that is served. */
export function assertSameController(held: ControllerRecord | null, token: JoinToken): void {
  if (held === null || held.tlsFingerprint === token.tlsFingerprint) return;
  throw new AgentError(
    'controller_other',
    `this agent serves the controller ${held.urls[0]} (certificate ${held.tlsFingerprint.slice(0, 16)}...), the token is of ` +
      `${token.urls[0]} (certificate ${token.tlsFingerprint.slice(0, 16)}...): one agent serves one controller; ` +
      'run a second agent with its own --state, --socket and --port',
  );
}

/** What a controller granted, and the URL that led to it. */
export interface GrantedJoin {
  readonly reply: JoinReply;
  readonly url: string;
}

/**
 * Asks a controller to take the node in. Rejects with AgentError that carries the controller's code
 * and message.
 *
 * A controller with many addresses puts all of them into its tokens, and some lead nowhere from
 * here: the next one is tried beside those that have not answered, and so it is when one says that
 * it is itself in trouble. Joining twice is joining once.
 */
export async function requestJoin(identity: Identity, wish: JoinWish): Promise<GrantedJoin> {
  const send = createPinnedSender({
    tlsFingerprint: wish.token.tlsFingerprint,
    timeoutMs: JOIN_REQUEST_MS,
  });
  const unsigned = {
    tokenId: wish.token.tokenId,
    network: wish.token.networkName,
    secret: wish.token.secret,
    nodeId: identity.nodeId,
    name: wish.name ?? wish.suggestedName,
    nameIsSuggestion: wish.name === undefined,
    signKey: identity.signKey,
    sessionKey: identity.sessionKey,
  };
  const body = { ...unsigned, signature: identity.sign(joinSigningText(unsigned)) };
  const others = new AbortController();
  const failures: TransportError[] = [];
  const troubles: ApiError[] = [];
  const ask = async (url: string): Promise<GrantedJoin | undefined> => {
    try {
      const client = createClient({ baseUrl: url, send });
      return { url, reply: await client.call('join', { body, signal: others.signal }) };
    } catch (error) {
      if (error instanceof TransportError) failures.push(error);
      else if (error instanceof ApiError && isTrouble(error.code)) troubles.push(error);
      else throw refusalOf(error);
      return undefined;
    }
  };
  try {
    const granted = await firstOf(wish.token.urls, ask, others.signal);
    if (granted !== undefined) return granted;
  } finally {
    others.abort();
  }
  const [trouble] = troubles;
  throw trouble === undefined ? unreachable(failures) : refusalOf(trouble);
}

/**
 * Asks the first, and another one whenever an answer is undefined or JOIN_NEXT_URL_MS have passed.
 * Settles with the first answer or rejection; undefined: none has one.
 */
async function firstOf<T>(
  urls: readonly string[],
  ask: (url: string) => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const asked = new Set<Promise<T | undefined>>();
  const waiting = [...urls];
  while (waiting.length + asked.size > 0) {
    const next = waiting.shift();
    if (next !== undefined) {
      const answer: Promise<T | undefined> = ask(next).finally(() => asked.delete(answer));
      asked.add(answer);
    }
    const patience =
      waiting.length > 0 ? [pause(JOIN_NEXT_URL_MS, signal).then(() => undefined)] : [];
    const first = await Promise.race([...asked, ...patience]);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** The host name as a node name; "node" when nothing of it fits. */
export function suggestNodeName(host: string = hostname()): string {
  const label = (host.split('.')[0] ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, NAME_CHARS_MAX);
  const trimmed = label.replaceAll(/^-+|-+$/g, '');
  return nameSchema.safeParse(trimmed).success ? trimmed : 'node';
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  if (error.code === 'reply_invalid')
    return new AgentError('controller_unreachable', error.message, { cause: error });
  return new AgentError(error.code, error.message, { cause: error, details: error.details });
}

function unreachable(failures: readonly TransportError[]): AgentError {
  const mismatch = failures.find((failure) => failure.code === 'tls_fingerprint_mismatch');
  if (mismatch !== undefined)
    return new AgentError('tls_fingerprint_mismatch', mismatch.message, { cause: mismatch });
  const said = failures.map((failure) => failure.message).join('; ');
  return new AgentError('controller_unreachable', `no controller of the token answers: ${said}`, {
    cause: failures[0],
  });
}
