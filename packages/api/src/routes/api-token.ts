/** Routes: API tokens. */
import {
  apiTokenCreateSchema,
  apiTokenCreatedSchema,
  apiTokenSchema,
} from '../access-resources.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const API_TOKEN_ROUTES = {
  apiTokenList: {
    method: 'GET',
    path: '/v1/api-tokens',
    summary: 'List API tokens, without their secrets',
    permission: 'api_token:read',
    query: listQuery({}),
    reply: list(apiTokenSchema),
    status: 200,
  },
  apiTokenCreate: {
    method: 'POST',
    path: '/v1/api-tokens',
    summary: 'Create an API token; it is shown once, and may at most what you may',
    permission: 'api_token:write',
    body: apiTokenCreateSchema,
    reply: apiTokenCreatedSchema,
    status: 201,
    errors: ['limit_reached'],
  },
  apiTokenDelete: {
    method: 'DELETE',
    path: '/v1/api-tokens/{apiToken}',
    summary: 'Revoke an API token',
    permission: 'api_token:write',
    reply: null,
    status: 204,
  },
} as const satisfies Record<string, Route>;
