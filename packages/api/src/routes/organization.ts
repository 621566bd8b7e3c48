/** Routes: organizations. */
import { organizationChangeSchema } from '../access-resources.ts';
import { organizationCreateSchema, organizationSchema } from '../resources.ts';
import { nameSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const ORGANIZATION_ROUTES = {
  organizationList: {
    method: 'GET',
    path: '/v1/organizations',
    summary: 'List organizations',
    permission: 'self',
    query: listQuery({ name: nameSchema.optional() }),
    reply: list(organizationSchema),
    status: 200,
  },
  organizationCreate: {
    method: 'POST',
    path: '/v1/organizations',
    summary: 'Create an organization',
    permission: 'system',
    body: organizationCreateSchema,
    reply: organizationSchema,
    status: 201,
    errors: ['name_taken', 'limit_reached'],
  },
  organizationShow: {
    method: 'GET',
    path: '/v1/organizations/{organization}',
    summary: 'Show an organization',
    permission: 'organization:read',
    reply: organizationSchema,
    status: 200,
  },
  organizationRename: {
    method: 'PATCH',
    path: '/v1/organizations/{organization}',
    summary: 'Rename an organization; names are shared by all organizations of a controller',
    permission: 'system',
    body: organizationChangeSchema,
    reply: organizationSchema,
    status: 200,
    errors: ['name_taken'],
  },
  organizationDelete: {
    method: 'DELETE',
    path: '/v1/organizations/{organization}',
    summary: 'Delete an organization without networks and nodes, with its users and keys',
    permission: 'organization:write',
    reply: null,
    status: 204,
    errors: ['organization_not_empty', 'last_owner'],
  },
} as const satisfies Record<string, Route>;
