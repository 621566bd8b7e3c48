/** Routes: the controller itself. */
import { healthSchema, readySchema } from '../resources.ts';
import type { Route } from './route.ts';

export const CONTROLLER_ROUTES = {
  health: {
    method: 'GET',
    path: '/v1/health',
    summary: 'Tell that the controller serves',
    permission: null,
    reply: healthSchema,
    status: 200,
  },
  ready: {
    method: 'GET',
    path: '/v1/ready',
    summary: 'Tell whether the controller takes requests and reaches its database',
    permission: null,
    reply: readySchema,
    status: 200,
  },
} as const satisfies Record<string, Route>;
