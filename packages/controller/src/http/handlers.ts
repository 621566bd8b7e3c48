/**
 * What each route does: one transaction of store operations. Bodies are parsed and the credentials
 * checked before; replies are what the route's schema says, which the types here prove.
 */
import type { CallReply, JoinRequest, ROUTES, RouteName } from '@etherloom/api';
import { encodeJoinToken, joinSigningText } from '@etherloom/api';
import type { z } from 'zod';
import { RequestError } from '../request-error.ts';
import { verifyEd25519 } from '../signature.ts';
import { createJoinToken, deleteJoinToken, listJoinTokens } from '../store/join-tokens.ts';
import { join } from '../store/join.ts';
import { deleteMember, listMembers } from '../store/members.ts';
import { createNetwork, deleteNetwork, listNetworks, showNetwork } from '../store/networks.ts';
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
}

/** Handlers of all routes. */
export function createHandlers(deps: HandlerDeps): Handlers {
  const { store } = deps;
  return {
    health: async () => ({ status: 'ok', version: VERSION }),
    organizationList: async () => ({ items: await store.transact(listOrganizations) }),
    organizationCreate: ({ body }) => store.transact((tx) => createOrganization(tx, body)),
    networkList: async () => ({ items: await store.transact(listNetworks) }),
    networkCreate: ({ body }) => store.transact((tx) => createNetwork(tx, body)),
    networkShow: ({ param }) => store.transact((tx) => showNetwork(tx, param('network'))),
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
      return { items: nodes.map((node) => ({ ...node, connected: deps.isConnected(node.id) })) };
    },
    nodeShow: async ({ param }) => {
      const node = await store.transact((tx) => showNode(tx, param('node')));
      return { ...node, connected: deps.isConnected(node.id) };
    },
    nodeDelete: async ({ param }) =>
      void (await store.transact((tx) => removeNode(tx, param('node')))),
    tokenList: async () => ({ items: await store.transact(listJoinTokens) }),
    tokenCreate: async ({ body }) => {
      const made = await store.transact((tx) => createJoinToken(tx, body));
      const token = encodeJoinToken({
        urls: deps.joinUrls(),
        tlsFingerprint: deps.tlsFingerprint,
        networkName: made.networkName,
        tokenId: made.row.id,
        secret: made.secret,
      });
      return { ...made.row, token };
    },
    tokenDelete: async ({ param }) =>
      void (await store.transact((tx) => deleteJoinToken(tx, param('token')))),
    join: (call) => handleJoin(deps, call),
  };
}

async function handleJoin(
  deps: HandlerDeps,
  { body, source }: Call<'join'>,
): Promise<CallReply<'join'>> {
  const waitSeconds = deps.joinRate.take(source);
  if (waitSeconds > 0) {
    throw new RequestError(
      'too_many_requests',
      `too many joins from ${source}: wait ${waitSeconds} s`,
      { retryAfterSeconds: waitSeconds },
    );
  }
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

function checkJoinSignature(request: JoinRequest): void {
  if (verifyEd25519(request.signKey, joinSigningText(request), request.signature)) return;
  throw new RequestError('unauthenticated', 'the signature is not one of signKey over the request');
}
