/** Routes: what changes, as it changes. */
import { z } from 'zod';
import type { Route } from './route.ts';

export const WATCH_ROUTES = {
  watch: {
    method: 'GET',
    path: '/v1/watch',
    summary:
      'Follow changes as server-sent events: change (id is the number of the ledger entry), live, reset',
    permission: 'organization:read',
    query: z.strictObject({}),
    reply: null,
    media: 'text/event-stream',
    status: 200,
    errors: ['limit_reached'],
  },
} as const satisfies Record<string, Route>;
