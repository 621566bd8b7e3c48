/** Handlers: the ledger. */
import type { AUDIT_ROUTES } from '@etherloom/api';
import { exportLedger } from '../../audit/export-ledger.ts';
import {
  changeLedger,
  ledgerOrganization,
  listCheckpoints,
  listEntries,
  showLedger,
} from '../../audit/read-ledger.ts';
import type { HandlersOf } from '../call.ts';

export const auditHandlers: HandlersOf<keyof typeof AUDIT_ROUTES> = {
  auditList: ({ transact, query }) => transact((tx) => listEntries(tx, query)),
  auditCheckpoints: ({ transact, query }) => transact((tx) => listCheckpoints(tx, query)),
  auditExport: ({ transact, query }) => exportLedger(transact, query.after),
  ledgerShow: ({ transact }) =>
    transact(async (tx) => showLedger(tx, await ledgerOrganization(tx))),
  ledgerChange: ({ transact, body }) => transact((tx) => changeLedger(tx, body)),
};
