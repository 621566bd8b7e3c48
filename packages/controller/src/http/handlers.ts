/**
 * What each route does: one transaction of store operations. Bodies are parsed and the credentials
 * checked before; replies are what the route's schema says, which the types here prove.
 */
import type {
  AgentProblem,
  CallReply,
  JoinRequest,
  Node,
  NodeState,
  ROUTES,
  RouteName,
  SplitRequest,
} from '@etherloom/api';
import { encodeJoinToken, joinSigningText, splitSigningText } from '@etherloom/api';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { listPending } from '../authority/pending-list.ts';
import {
  addSignatures,
  prepareKeys,
  proposeAuthority,
  showAuthority,
} from '../authority/proposals.ts';
import { RequestError } from '../request-error.ts';
import { verifyEd25519 } from '../signature.ts';
import { admitByRule, approveNode, splitOff } from '../store/clones.ts';
import { createJoinToken, deleteJoinToken, listJoinTokens } from '../store/join-tokens.ts';
import { join } from '../store/join.ts';
import { deleteMember, listMembers } from '../store/members.ts';
import {
  createNetwork,
  deleteNetwork,
  listNetworks,
  setNetworkSettings,
  showNetwork,
} from '../store/networks.ts';
import { listNodes, removeNode, showNode } from '../store/nodes.ts';
import { createOrganization, listOrganizations } from '../store/organizations.ts';
import { createReservation, deleteReservation, listReservations } from '../store/reservations.ts';
import type { Store } from '../store/store.ts';
import { VERSION } from '../version.ts';
import { countFailure } from './admin-auth.ts';
import type { SourceRate } from './token-bucket.ts';

type BodyOf<N extends RouteName> = (typeof ROUTES)[N] extends {
  readonly body: infer B extends z.ZodType;
}
  ? z.output<B>
  : undefined;

/** A request behind the edge. */
export interface Call<N extends RouteName> {
  /** Value of a name in the path's braces. */
  readonly param: (name: string) => string;
  readonly body: BodyOf<N>;
  /** Address that the request came from. */
  readonly source: string;
}

export type Handlers = { readonly [N in RouteName]: (call: Call<N>) => Promise<CallReply<N>> };

export interface HandlerDeps {
  readonly store: Store;
  readonly isConnected: (nodeId: string) => boolean;
  readonly tlsFingerprint: string;
  /** URLs that join tokens carry. */
  readonly joinUrls: () => readonly string[];
  readonly joinRate: SourceRate;
  readonly authFailures: SourceRate;
  readonly problemsOf: (nodeId: string) => readonly AgentProblem[];
  readonly log: Logger;
}

/** Handlers of all routes. */
export function createHandlers(deps: HandlerDeps): Handlers {
  const { store } = deps;
  return {
    health: async () => ({ status: 'ok', version: VERSION }),
    organizationList: async () => ({ items: await store.transact(listOrganizations) }),
    organizationCreate: ({ body }) => store.transact((tx) => createOrganization(tx, body)),
    authorityShow: ({ param }) => store.transact((tx) => showAuthority(tx, param('organization'))),
    authorityKeys: ({ param }) => store.transact((tx) => prepareKeys(tx, param('organization'))),
    authorityPropose: (call) => handleProposal(deps, call),
    authorityPending: async ({ param }) => ({
      items: await store.transact((tx) => listPending(tx, param('organization'))),
    }),
    authoritySign: (call) => handleSignatures(deps, call),
    networkList: async () => ({ items: await store.transact(listNetworks) }),
    networkCreate: ({ body }) => store.transact((tx) => createNetwork(tx, body)),
    networkShow: ({ param }) => store.transact((tx) => showNetwork(tx, param('network'))),
    networkSettings: ({ param, body }) =>
      store.transact((tx) => setNetworkSettings(tx, param('network'), body)),
    networkDelete: async ({ param }) =>
      void (await store.transact((tx) => deleteNetwork(tx, param('network')))),
    memberList: async ({ param }) => ({
      items: await store.transact((tx) => listMembers(tx, param('network'))),
    }),
    memberDelete: async ({ param }) =>
      void (await store.transact((tx) => deleteMember(tx, param('network'), param('node')))),
    reservationList: async ({ param }) => ({
      items: await store.transact((tx) => listReservations(tx, param('network'))),
    }),
    reservationCreate: ({ param, body }) =>
      store.transact((tx) => createReservation(tx, param('network'), body)),
    reservationDelete: async ({ param }) =>
      void (await store.transact((tx) =>
        deleteReservation(tx, param('network'), param('reservation')),
      )),
    nodeList: async () => {
      const nodes = await store.transact(listNodes);
      return { items: nodes.map((node) => ({ ...node, ...liveOf(deps, node.id) })) };
    },
    nodeShow: async ({ param }) => {
      const node = await store.transact((tx) => showNode(tx, param('node')));
      return { ...node, ...liveOf(deps, node.id) };
    },
    nodeDelete: async ({ param }) =>
      void (await store.transact((tx) => removeNode(tx, param('node')))),
    nodeApprove: async ({ param }) => {
      const nodeId = await store.transact((tx) => approveNode(tx, param('node')));
      const node = await store.transact((tx) => showNode(tx, nodeId));
      return { ...node, ...liveOf(deps, node.id) };
    },
    tokenList: async () => ({ items: await store.transact(listJoinTokens) }),
    tokenCreate: async ({ body }) => {
      const made = await store.transact((tx) => createJoinToken(tx, body));
      const token = encodeJoinToken({
        urls: deps.joinUrls(),
        tlsFingerprint: deps.tlsFingerprint,
        networkName: made.networkName,
        tokenId: made.row.id,
        secret: made.secret,
        authorityHash: made.authorityHash,
        voucher: made.voucher,
      });
      return { ...made.row, token };
    },
    tokenDelete: async ({ param }) =>
      void (await store.transact((tx) => deleteJoinToken(tx, param('token')))),
    join: (call) => handleJoin(deps, call),
    split: (call) => handleSplit(deps, call),
  };
}

/** What is known of a node by its link alone. */
function liveOf(deps: HandlerDeps, nodeId: string): Pick<Node, 'connected' | 'problems'> {
  return {
    connected: deps.isConnected(nodeId),
    problems: deps.problemsOf(nodeId).map(({ networkId, code, message }) => ({
      networkId,
      code,
      message,
    })),
  };
}

async function handleProposal(
  { store, log }: HandlerDeps,
  { param, body, source }: Call<'authorityPropose'>,
): Promise<CallReply<'authorityPropose'>> {
  const view = await store.transact((tx) => proposeAuthority(tx, param('organization'), body));
  const { organizationId, version, custody, hash } = view;
  log.info(
    { organizationId, version, custody, hash, source },
    'a version of the authority was proposed',
  );
  return view;
}

async function handleSignatures(
  { store, log }: HandlerDeps,
  { param, body, source }: Call<'authoritySign'>,
): Promise<CallReply<'authoritySign'>> {
  const reply = await store.transact((tx) =>
    addSignatures(tx, param('organization'), body.signatures),
  );
  const keys = [...new Set(body.signatures.map(({ key }) => key))];
  log.info(
    { organization: param('organization'), keys, source, ...reply },
    'statements were signed',
  );
  return reply;
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
