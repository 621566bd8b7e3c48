/**
 * Asks for a node of its own with a ticket: POST /v1/split over a pinned connection, the
 * controller's URLs in turn. The same request again is the same node, so a lost answer costs
 * nothing.
 */
import { ApiError, createClient, splitSigningText } from '@etherloom/api';
import type { SplitReply } from '@etherloom/api';
import { TransportError, createPinnedSender } from '@etherloom/transport';
import type { Identity } from '../disk/identity.ts';
import type { ControllerRecord } from '../disk/state-directory.ts';
import { AgentError } from '../errors.ts';
import { JOIN_REQUEST_MS } from '../limits.ts';
import { isTrouble } from './controller-link.ts';

export interface SplitWish {
  readonly ticket: string;
  readonly originNodeId: string;
  /** The identity that this host made. */
  readonly identity: Identity;
  readonly controller: ControllerRecord;
  readonly signal: AbortSignal;
}

/** Those of all controllers that are known, and those of the join token. */
function urlsOf({ urls, known = [] }: ControllerRecord): Set<string> {
  return new Set([...known.flatMap((one) => one.urls), ...urls]);
}

/** Rejects with AgentError: the controller's code, or `controller_unreachable`. */
export async function requestSplit(wish: SplitWish): Promise<SplitReply> {
  const { ticket, originNodeId, identity, controller, signal } = wish;
  const { nodeId, signKey, sessionKey } = identity;
  const unsigned = { ticket, originNodeId, nodeId, signKey, sessionKey };
  const body = { ...unsigned, signature: identity.sign(splitSigningText(unsigned)) };
  const { tlsFingerprint } = controller;
  const send = createPinnedSender({ tlsFingerprint, timeoutMs: JOIN_REQUEST_MS });
  let last: Error | undefined;
  for (const url of urlsOf(controller)) {
    try {
      return await createClient({ baseUrl: url, send }).call('split', { body, signal });
    } catch (error) {
      if (error instanceof ApiError && !isTrouble(error.code) && error.code !== 'reply_invalid')
        throw new AgentError(error.code, error.message, { cause: error });
      if (!(error instanceof TransportError) && !(error instanceof ApiError)) throw error;
      last = error;
    }
  }
  throw new AgentError('controller_unreachable', last?.message ?? 'there is no controller', {
    cause: last,
  });
}
