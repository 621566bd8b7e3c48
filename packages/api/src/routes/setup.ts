/** Routes: the first user of a fresh controller. */
import { setupCreateSchema, setupSchema, whoamiSchema } from '../access-resources.ts';
import type { Route } from './route.ts';

export const SETUP_ROUTES = {
  setupShow: {
    method: 'GET',
    path: '/v1/setup',
    summary: 'Tell whether the first user is to be made',
    permission: null,
    reply: setupSchema,
    status: 200,
  },
  setupCreate: {
    method: 'POST',
    path: '/v1/setup',
    summary: 'Make the first user with the set-up code, and log in; needs the code once',
    permission: null,
    body: setupCreateSchema,
    reply: whoamiSchema,
    status: 201,
    errors: ['unauthenticated', 'setup_done', 'limit_reached'],
  },
} as const satisfies Record<string, Route>;
