/** Routes: identity providers, by which users of an organization log in (OpenID Connect). */
import {
  identityProviderChangeSchema,
  identityProviderCreateSchema,
  identityProviderSchema,
} from '../access-resources.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const IDENTITY_PROVIDER_ROUTES = {
  identityProviderList: {
    method: 'GET',
    path: '/v1/identity-providers',
    summary: 'List identity providers, without their secrets',
    permission: 'identity_provider:read',
    query: listQuery({}),
    reply: list(identityProviderSchema),
    status: 200,
  },
  identityProviderCreate: {
    method: 'POST',
    path: '/v1/identity-providers',
    summary: 'Add an identity provider; its groups give roles that are at most your own',
    permission: 'identity_provider:write',
    body: identityProviderCreateSchema,
    reply: identityProviderSchema,
    status: 201,
    errors: ['name_taken', 'limit_reached'],
  },
  identityProviderShow: {
    method: 'GET',
    path: '/v1/identity-providers/{identityProvider}',
    summary: 'Show an identity provider',
    permission: 'identity_provider:read',
    reply: identityProviderSchema,
    status: 200,
  },
  identityProviderChange: {
    method: 'PATCH',
    path: '/v1/identity-providers/{identityProvider}',
    summary: 'Change an identity provider; what is left out stays, its issuer always',
    permission: 'identity_provider:write',
    body: identityProviderChangeSchema,
    reply: identityProviderSchema,
    status: 200,
    errors: ['name_taken'],
  },
  identityProviderDelete: {
    method: 'DELETE',
    path: '/v1/identity-providers/{identityProvider}',
    summary: 'Remove an identity provider, the logins by it and the roles of its groups',
    permission: 'identity_provider:write',
    reply: null,
    status: 204,
    errors: ['last_owner'],
  },
} as const satisfies Record<string, Route>;
