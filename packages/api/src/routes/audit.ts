/** Routes: the ledger of an organization (docs/controller.md 5). */
import { z } from 'zod';
import {
  ledgerChangeSchema,
  ledgerCheckpointSchema,
  ledgerEntrySchema,
  ledgerSchema,
} from '../audit/ledger.ts';
import { referenceSchema, timeSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery, queryInt } from './route.ts';

const textSchema = z.string().min(1).max(128);

export const AUDIT_ROUTES = {
  auditList: {
    method: 'GET',
    path: '/v1/audit',
    summary: 'List entries of the ledger, the newest first',
    permission: 'audit:read',
    query: listQuery({
      actor: textSchema
        .optional()
        .describe('id of a user, token or node; bootstrap or controller for those without one'),
      action: textSchema.optional().describe('such as network.create'),
      target: textSchema.optional().describe('id of what was changed'),
      network: referenceSchema.optional().describe('id of a network, or name of one that is there'),
      since: timeSchema.optional(),
      until: timeSchema.optional(),
    }),
    reply: list(ledgerEntrySchema),
    status: 200,
  },
  auditCheckpoints: {
    method: 'GET',
    path: '/v1/audit/checkpoints',
    summary: 'List checkpoints of the ledger, the newest first',
    permission: 'audit:read',
    query: listQuery({}),
    reply: list(ledgerCheckpointSchema),
    status: 200,
  },
  auditExport: {
    method: 'GET',
    path: '/v1/audit/export',
    summary:
      'Export the ledger as JSON Lines, in order, with its checkpoints and a signed last line',
    permission: 'audit:read',
    query: z.strictObject({
      after: queryInt(0, Number.MAX_SAFE_INTEGER)
        .optional()
        .describe('begin with the entry after this one, which was exported before'),
    }),
    reply: null,
    media: 'application/jsonl',
    status: 200,
  },
  ledgerShow: {
    method: 'GET',
    path: '/v1/audit/ledger',
    summary: 'Show how far the ledger goes, and the keys that sign it',
    permission: 'audit:read',
    reply: ledgerSchema,
    status: 200,
  },
  ledgerChange: {
    method: 'PATCH',
    path: '/v1/audit/ledger',
    summary: 'Change how long entries are kept',
    permission: 'audit:write',
    body: ledgerChangeSchema,
    reply: ledgerSchema,
    status: 200,
  },
} as const satisfies Record<string, Route>;
