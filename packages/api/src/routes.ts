/**
 * Every route of the controller's API, once: the server registers from it, the client is typed by
 * it, the OpenAPI document and the documentation page are made from it. `{network}` takes an id or
 * a name, `{node}` likewise.
 */
import { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import {
  healthSchema,
  joinReplySchema,
  joinRequestSchema,
  joinTokenCreatedSchema,
  joinTokenCreateSchema,
  joinTokenSchema,
  membershipSchema,
  networkCreateSchema,
  networkSchema,
  nodeSchema,
  organizationCreateSchema,
  organizationSchema,
  reservationCreateSchema,
  reservationSchema,
} from './resources.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  /** admin: bearer token; none: anybody who reaches the port. */
  readonly auth: 'admin' | 'none';
  readonly body?: z.ZodType;
  readonly reply: z.ZodType | null;
  readonly status: 200 | 201 | 204;
  readonly errors: readonly ErrorCode[];
}

const list = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item) });

export const ROUTES = {
  health: {
    method: 'GET',
    path: '/v1/health',
    summary: 'Tell that the controller serves',
    auth: 'none',
    reply: healthSchema,
    status: 200,
    errors: [],
  },
  organizationList: {
    method: 'GET',
    path: '/v1/organizations',
    summary: 'List organizations',
    auth: 'admin',
    reply: list(organizationSchema),
    status: 200,
    errors: ['unauthenticated'],
  },
  organizationCreate: {
    method: 'POST',
    path: '/v1/organizations',
    summary: 'Create an organization',
    auth: 'admin',
    body: organizationCreateSchema,
    reply: organizationSchema,
    status: 201,
    errors: ['invalid_request', 'unauthenticated', 'name_taken', 'limit_reached'],
  },
  networkList: {
    method: 'GET',
    path: '/v1/networks',
    summary: 'List networks',
    auth: 'admin',
    reply: list(networkSchema),
    status: 200,
    errors: ['unauthenticated'],
  },
  networkCreate: {
    method: 'POST',
    path: '/v1/networks',
    summary: 'Create a network',
    auth: 'admin',
    body: networkCreateSchema,
    reply: networkSchema,
    status: 201,
    errors: [
      'invalid_request',
      'unauthenticated',
      'not_found',
      'name_taken',
      'pool_exhausted',
      'vni_exhausted',
      'limit_reached',
    ],
  },
  networkShow: {
    method: 'GET',
    path: '/v1/networks/{network}',
    summary: 'Show a network',
    auth: 'admin',
    reply: networkSchema,
    status: 200,
    errors: ['unauthenticated', 'not_found'],
  },
  networkDelete: {
    method: 'DELETE',
    path: '/v1/networks/{network}',
    summary: 'Delete a network and its memberships; its VNI goes to quarantine',
    auth: 'admin',
    reply: null,
    status: 204,
    errors: ['unauthenticated', 'not_found'],
  },
  memberList: {
    method: 'GET',
    path: '/v1/networks/{network}/members',
    summary: 'List the members of a network',
    auth: 'admin',
    reply: list(membershipSchema),
    status: 200,
    errors: ['unauthenticated', 'not_found'],
  },
  memberDelete: {
    method: 'DELETE',
    path: '/v1/networks/{network}/members/{node}',
    summary: 'Remove a node from a network',
    auth: 'admin',
    reply: null,
    status: 204,
    errors: ['unauthenticated', 'not_found'],
  },
  reservationList: {
    method: 'GET',
    path: '/v1/networks/{network}/reservations',
    summary: 'List address reservations',
    auth: 'admin',
    reply: list(reservationSchema),
    status: 200,
    errors: ['unauthenticated', 'not_found'],
  },
  reservationCreate: {
    method: 'POST',
    path: '/v1/networks/{network}/reservations',
    summary: 'Reserve an address',
    auth: 'admin',
    body: reservationCreateSchema,
    reply: reservationSchema,
    status: 201,
    errors: [
      'invalid_request',
      'unauthenticated',
      'not_found',
      'reservation_overlaps',
      'limit_reached',
    ],
  },
  reservationDelete: {
    method: 'DELETE',
    path: '/v1/networks/{network}/reservations/{reservation}',
    summary: 'Release a reservation',
    auth: 'admin',
    reply: null,
    status: 204,
    errors: ['unauthenticated', 'not_found'],
  },
  nodeList: {
    method: 'GET',
    path: '/v1/nodes',
    summary: 'List nodes',
    auth: 'admin',
    reply: list(nodeSchema),
    status: 200,
    errors: ['unauthenticated'],
  },
  nodeShow: {
    method: 'GET',
    path: '/v1/nodes/{node}',
    summary: 'Show a node',
    auth: 'admin',
    reply: nodeSchema,
    status: 200,
    errors: ['unauthenticated', 'not_found'],
  },
  nodeDelete: {
    method: 'DELETE',
    path: '/v1/nodes/{node}',
    summary: 'Remove a node from all its networks and refuse it from then on',
    auth: 'admin',
    reply: null,
    status: 204,
    errors: ['unauthenticated', 'not_found'],
  },
  tokenList: {
    method: 'GET',
    path: '/v1/tokens',
    summary: 'List join tokens, without their secrets',
    auth: 'admin',
    reply: list(joinTokenSchema),
    status: 200,
    errors: ['unauthenticated'],
  },
  tokenCreate: {
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Create a join token; it is shown once',
    auth: 'admin',
    body: joinTokenCreateSchema,
    reply: joinTokenCreatedSchema,
    status: 201,
    errors: ['invalid_request', 'unauthenticated', 'not_found', 'limit_reached'],
  },
  tokenDelete: {
    method: 'DELETE',
    path: '/v1/tokens/{token}',
    summary: 'Revoke a join token',
    auth: 'admin',
    reply: null,
    status: 204,
    errors: ['unauthenticated', 'not_found'],
  },
  join: {
    method: 'POST',
    path: '/v1/join',
    summary: 'Register a node with a join token',
    auth: 'none',
    body: joinRequestSchema,
    reply: joinReplySchema,
    status: 200,
    errors: [
      'invalid_request',
      'token_invalid',
      'token_expired',
      'token_used_up',
      'token_network_mismatch',
      'unauthenticated',
      'forbidden',
      'node_removed',
      'name_taken',
      'pool_exhausted',
      'limit_reached',
      'too_many_requests',
    ],
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
