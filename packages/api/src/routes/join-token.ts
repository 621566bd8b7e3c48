/** Routes: join tokens. */
import { joinTokenCreateSchema, joinTokenCreatedSchema, joinTokenSchema } from '../resources.ts';
import { referenceSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const JOIN_TOKEN_ROUTES = {
  tokenList: {
    method: 'GET',
    path: '/v1/tokens',
    summary: 'List join tokens, without their secrets',
    permission: 'join_token:read',
    query: listQuery({ network: referenceSchema.optional() }),
    reply: list(joinTokenSchema),
    status: 200,
  },
  tokenCreate: {
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Create a join token; it is shown once',
    permission: 'join_token:write',
    body: joinTokenCreateSchema,
    reply: joinTokenCreatedSchema,
    status: 201,
    errors: ['name_taken', 'limit_reached'],
  },
  tokenDelete: {
    method: 'DELETE',
    path: '/v1/tokens/{token}',
    summary: 'Revoke a join token',
    permission: 'join_token:write',
    reply: null,
    status: 204,
  },
} as const satisfies Record<string, Route>;
