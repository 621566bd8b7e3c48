/** Routes: logging in, and what a principal may do about itself. */
import { z } from 'zod';
import {
  apiTokenCreatedSchema,
  loginProviderSchema,
  loginTokenSchema,
  passwordChangeSchema,
  sessionCreateSchema,
  sessionSchema,
  whoamiSchema,
} from '../access-resources.ts';
import { nameSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

/** Where a browser goes after it logged in: a path of this controller and nothing else. */
const returnToSchema = z
  .string()
  .max(256)
  .regex(/^\/(?:[A-Za-z0-9_-][\w/.~@%+:-]*)?$/, 'must be a path of this controller');

export const SESSION_ROUTES = {
  sessionCreate: {
    method: 'POST',
    path: '/v1/session',
    summary: 'Log in with a password: sets the cookie of a session',
    permission: null,
    body: sessionCreateSchema,
    reply: whoamiSchema,
    status: 201,
    errors: ['unauthenticated'],
  },
  sessionShow: {
    method: 'GET',
    path: '/v1/session',
    summary: 'Tell who asks, and what it may do where',
    permission: 'self',
    reply: whoamiSchema,
    status: 200,
  },
  sessionDelete: {
    method: 'DELETE',
    path: '/v1/session',
    summary: 'Log out: ends this session, or revokes the API token that asks',
    permission: 'self',
    reply: null,
    status: 204,
  },
  sessionList: {
    method: 'GET',
    path: '/v1/sessions',
    summary: 'List your own sessions',
    permission: 'self',
    query: listQuery({}),
    reply: list(sessionSchema),
    status: 200,
  },
  sessionEnd: {
    method: 'DELETE',
    path: '/v1/sessions/{session}',
    summary: 'End one of your own sessions',
    permission: 'self',
    reply: null,
    status: 204,
  },
  passwordChange: {
    method: 'PUT',
    path: '/v1/session/password',
    summary: 'Change your own password; ends your other sessions, and this one goes on anew',
    permission: 'self',
    body: passwordChangeSchema,
    reply: whoamiSchema,
    status: 200,
  },
  loginToken: {
    method: 'POST',
    path: '/v1/login/token',
    summary: 'Log in with a password: gives an API token that may do what its user may',
    permission: null,
    body: loginTokenSchema,
    reply: apiTokenCreatedSchema,
    status: 201,
    errors: ['unauthenticated', 'limit_reached'],
  },
  loginProviders: {
    method: 'GET',
    path: '/v1/login/providers',
    summary: 'List what the login page of an organization offers beside passwords',
    permission: null,
    query: listQuery({ organization: nameSchema.optional() }),
    reply: list(loginProviderSchema),
    status: 200,
  },
  loginStart: {
    method: 'GET',
    path: '/v1/login/providers/{provider}/start',
    summary: 'Send a browser to an identity provider',
    permission: null,
    query: z.strictObject({ returnTo: returnToSchema.optional() }),
    reply: null,
    status: 303,
    errors: ['provider_failed'],
  },
  loginCallback: {
    method: 'GET',
    path: '/v1/login/providers/{provider}/callback',
    summary: 'Where an identity provider sends a browser back: sets the cookie of a session',
    permission: null,
    query: z.looseObject({}),
    reply: null,
    status: 303,
    errors: ['unauthenticated', 'limit_reached', 'provider_failed'],
  },
} as const satisfies Record<string, Route>;
