/**
 * What each route does: one transaction of store operations. Bodies are parsed and the credentials
 * checked before; replies are what the route's schema says, which the types here prove.
 */
import { VERSION } from '../version.ts';
import type { HandlerDeps, Handlers } from './call.ts';
import { accessHandlers } from './handlers/access.ts';
import { auditHandlers } from './handlers/audit.ts';
import { authorityHandlers } from './handlers/authority.ts';
import { joinTokenHandlers } from './handlers/join-token.ts';
import { joinHandlers } from './handlers/join.ts';
import { networkHandlers } from './handlers/network.ts';
import { nodeHandlers } from './handlers/node.ts';
import { reportHandlers } from './handlers/report.ts';
import { organizationHandlers } from './handlers/organization.ts';
import { sessionHandlers } from './handlers/session.ts';
import { watchHandlers } from './handlers/watch.ts';

/** Handlers of all routes. */
export function createHandlers(deps: HandlerDeps): Handlers {
  return {
    health: async () => ({ status: 'ok', version: VERSION }),
    ready: async ({ transact }) => {
      await transact((tx) => tx.db.selectFrom('schema_version').select('version').execute());
      return { status: 'ready', database: 'ok' };
    },
    ...organizationHandlers,
    ...authorityHandlers(deps),
    ...networkHandlers,
    ...nodeHandlers(deps),
    ...reportHandlers(deps),
    ...joinTokenHandlers(deps),
    ...joinHandlers(deps),
    ...sessionHandlers(deps),
    ...accessHandlers(deps),
    ...auditHandlers,
    ...watchHandlers(deps),
  };
}
