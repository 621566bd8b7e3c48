/** Routes: users and their roles. */
import {
  userCreateSchema,
  userNameSchema,
  userPasswordSchema,
  userRolesSchema,
  userSchema,
  userSystemSchema,
} from '../access-resources.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const USER_ROUTES = {
  userList: {
    method: 'GET',
    path: '/v1/users',
    summary: 'List users that log in to this organization or have a role in it',
    permission: 'user:read',
    query: listQuery({ name: userNameSchema.optional() }),
    reply: list(userSchema),
    status: 200,
  },
  userCreate: {
    method: 'POST',
    path: '/v1/users',
    summary: 'Create a user with a password; roles are at most your own',
    permission: 'user:write',
    body: userCreateSchema,
    reply: userSchema,
    status: 201,
    errors: ['name_taken', 'limit_reached'],
  },
  userShow: {
    method: 'GET',
    path: '/v1/users/{user}',
    summary: 'Show a user',
    permission: 'user:read',
    reply: userSchema,
    status: 200,
  },
  userRoles: {
    method: 'PUT',
    path: '/v1/users/{user}/roles',
    summary: 'Set the roles of a user in this organization; those by groups follow the groups',
    permission: 'user:write',
    body: userRolesSchema,
    reply: userSchema,
    status: 200,
    errors: ['last_owner'],
  },
  userPassword: {
    method: 'PUT',
    path: '/v1/users/{user}/password',
    summary: 'Set the password of a user; ends its sessions and revokes its API tokens',
    permission: 'user:write',
    body: userPasswordSchema,
    reply: null,
    status: 204,
  },
  userSystem: {
    method: 'PUT',
    path: '/v1/users/{user}/system',
    summary: 'Make a user a system administrator, or no more',
    permission: 'system',
    body: userSystemSchema,
    reply: userSchema,
    status: 200,
  },
  userDelete: {
    method: 'DELETE',
    path: '/v1/users/{user}',
    summary:
      'Delete a user with its sessions and API tokens; of a user of another organization: its roles here',
    permission: 'user:write',
    reply: null,
    status: 204,
    errors: ['last_owner'],
  },
} as const satisfies Record<string, Route>;
