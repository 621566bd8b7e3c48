/** Handlers: what hosts call without credentials of a user; keys and secrets are checked here. */
import type { CallReply, JOIN_ROUTES, JoinRequest, NodeState, SplitRequest } from '@etherloom/api';
import { joinSigningText, splitSigningText } from '@etherloom/api';
import { RequestError } from '../../request-error.ts';
import { verifyEd25519 } from '../../signature.ts';
import { admitByRule, splitOff } from '../../store/clones.ts';
import { join } from '../../store/join.ts';
import { countFailure } from '../admin-auth.ts';
import type { Call, HandlerDeps, HandlersOf } from '../call.ts';

export function joinHandlers(deps: HandlerDeps): HandlersOf<keyof typeof JOIN_ROUTES> {
  return {
    join: (call) => handleJoin(deps, call),
    split: (call) => handleSplit(deps, call),
  };
}

async function handleJoin(
  deps: HandlerDeps,
  { body, source }: Call<'join'>,
): Promise<CallReply<'join'>> {
  takeJoin(deps, source);
  try {
    checkJoinSignature(body);
    return await deps.store.transact((tx) => join(tx, body));
  } catch (error) {
    if (
      error instanceof RequestError &&
      (error.code === 'token_invalid' || error.code === 'unauthenticated')
    ) {
      countFailure(deps.authFailures, source);
    }
    throw error;
  }
}

function takeJoin(deps: HandlerDeps, source: string): void {
  const waitSeconds = deps.joinRate.take(source);
  if (waitSeconds === 0) return;
  throw new RequestError(
    'too_many_requests',
    `too many joins from ${source}: wait ${waitSeconds} s`,
    { retryAfterSeconds: waitSeconds },
  );
}

async function handleSplit(
  deps: HandlerDeps,
  { body, source }: Call<'split'>,
): Promise<CallReply<'split'>> {
  takeJoin(deps, source);
  try {
    checkSplitSignature(body);
    const reply = await deps.store.transact((tx) => splitOff(tx, body));
    return { ...reply, state: await admit(deps, reply.nodeId) };
  } catch (error) {
    if (
      error instanceof RequestError &&
      (error.code === 'ticket_invalid' || error.code === 'unauthenticated')
    ) {
      countFailure(deps.authFailures, source);
    }
    throw error;
  }
}

/** A network that is full must not cost the clone its new identity: then it waits. */
async function admit(deps: HandlerDeps, nodeId: string): Promise<NodeState> {
  try {
    return await deps.store.transact((tx) => admitByRule(tx, nodeId));
  } catch (error) {
    const isFull =
      error instanceof RequestError &&
      (error.code === 'limit_reached' || error.code === 'pool_exhausted');
    if (!isFull) throw error;
    return 'pending';
  }
}

function checkSplitSignature(request: SplitRequest): void {
  if (verifyEd25519(request.signKey, splitSigningText(request), request.signature)) return;
  throw new RequestError('unauthenticated', 'the signature is not one of signKey over the request');
}

function checkJoinSignature(request: JoinRequest): void {
  if (verifyEd25519(request.signKey, joinSigningText(request), request.signature)) return;
  throw new RequestError('unauthenticated', 'the signature is not one of signKey over the request');
}
