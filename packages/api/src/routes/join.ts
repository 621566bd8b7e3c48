/** Routes: What hosts call without credentials of a user: they prove themselves by their keys. */
import {
  joinReplySchema,
  joinRequestSchema,
  splitReplySchema,
  splitRequestSchema,
} from '../resources.ts';
import type { Route } from './route.ts';

export const JOIN_ROUTES = {
  join: {
    method: 'POST',
    path: '/v1/join',
    summary: 'Register a node with a join token',
    permission: null,
    body: joinRequestSchema,
    reply: joinReplySchema,
    status: 200,
    errors: [
      'token_invalid',
      'token_expired',
      'token_used_up',
      'token_network_mismatch',
      'unauthenticated',
      'node_removed',
      'name_taken',
      'pool_exhausted',
      'limit_reached',
    ],
  },
  split: {
    method: 'POST',
    path: '/v1/split',
    summary: 'Make a node of its own out of a clone, with the ticket that its link was given',
    permission: null,
    body: splitRequestSchema,
    reply: splitReplySchema,
    status: 200,
    errors: ['unauthenticated', 'ticket_invalid', 'node_removed', 'limit_reached'],
  },
} as const satisfies Record<string, Route>;
