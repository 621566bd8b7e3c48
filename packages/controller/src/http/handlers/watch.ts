/** Handlers: the watch stream. */
import type { WATCH_ROUTES } from '@etherloom/api';
import type { Principal } from '../../access/principal.ts';
import { ledgerOrganization } from '../../audit/read-ledger.ts';
import { invalidField } from '../../request-error.ts';
import type { May } from '../../watch/event-text.ts';
import type { HandlerDeps, HandlersOf } from '../call.ts';
import { principalKey } from '../request-rates.ts';

export function watchHandlers(deps: HandlerDeps): HandlersOf<keyof typeof WATCH_ROUTES> {
  return {
    watch: async ({ transact, principal, http }) => {
      const lastNumber = readLastNumber(http.lastEventId);
      const organizationId = await transact(ledgerOrganization);
      return deps.watch.open({
        organizationId,
        principal: principal === null ? '' : principalKey(principal.actor),
        may: mayOf(principal, organizationId),
        lastNumber,
        check: async () => mayOf(await http.checkAgain(organizationId), organizationId),
      });
    },
  };
}

function mayOf(principal: Principal | null, organizationId: string): May {
  return (permission) =>
    principal !== null &&
    (principal.isSystem || principal.grants.get(organizationId)?.has(permission) === true);
}

function readLastNumber(header: string | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (/^\d{1,15}$/.test(header)) return Number(header);
  throw invalidField('last-event-id', 'it is the id of the last event that was read: a number');
}
