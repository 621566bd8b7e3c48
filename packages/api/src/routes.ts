/**
 * Every route of the controller's API, once: the server registers from it, the client is typed by
 * it, the OpenAPI document and the documentation page are made from it. `{network}` takes an id or
 * a name, `{node}` likewise.
 */
import { API_TOKEN_ROUTES } from './routes/api-token.ts';
import { AUDIT_ROUTES } from './routes/audit.ts';
import { AUTHORITY_ROUTES } from './routes/authority.ts';
import { CONTROLLER_ROUTES } from './routes/controller.ts';
import { IDENTITY_PROVIDER_ROUTES } from './routes/identity-provider.ts';
import { JOIN_ROUTES } from './routes/join.ts';
import { JOIN_TOKEN_ROUTES } from './routes/join-token.ts';
import { NETWORK_ROUTES } from './routes/network.ts';
import { NODE_ROUTES } from './routes/node.ts';
import { REPORT_ROUTES } from './routes/report.ts';
import { ORGANIZATION_ROUTES } from './routes/organization.ts';
import type { Route } from './routes/route.ts';
import { SESSION_ROUTES } from './routes/session.ts';
import { SETUP_ROUTES } from './routes/setup.ts';
import { USER_ROUTES } from './routes/user.ts';
import { WATCH_ROUTES } from './routes/watch.ts';

export type { Route } from './routes/route.ts';

export const ROUTES = {
  ...CONTROLLER_ROUTES,
  ...ORGANIZATION_ROUTES,
  ...AUTHORITY_ROUTES,
  ...NETWORK_ROUTES,
  ...NODE_ROUTES,
  ...REPORT_ROUTES,
  ...JOIN_TOKEN_ROUTES,
  ...JOIN_ROUTES,
  ...AUDIT_ROUTES,
  ...WATCH_ROUTES,
  ...SETUP_ROUTES,
  ...SESSION_ROUTES,
  ...USER_ROUTES,
  ...API_TOKEN_ROUTES,
  ...IDENTITY_PROVIDER_ROUTES,
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
