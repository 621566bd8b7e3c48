/**
 * The ledger of an organization as it is read (docs/controller.md 5): entries in a hash chain,
 * checkpoints that are signed, and the lines of an export. The texts that are hashed and signed are
 * made here, for who writes and for who verifies.
 */
import { z } from 'zod';
import { canonicalJson } from '../canonical-json.ts';
import { AUDIT_DAYS_MAX, AUDIT_DAYS_MIN } from '../limits.ts';
import { statementHashSchema } from '../statements.ts';
import { idSchema, publicKeySchema, signatureSchema, timeSchema } from '../values.ts';

/** What stands before the first entry. */
export const LEDGER_BEGIN = '0'.repeat(64);

const resourceSchema = z.record(z.string(), z.unknown()).nullable();

/** One change. */
export const ledgerEntrySchema = z.object({
  number: z.int().min(1).describe('without a gap within the organization'),
  at: timeSchema,
  organizationId: idSchema,
  actor: z.object({
    kind: z.enum(['controller', 'bootstrap', 'user', 'api_token', 'node']),
    id: z.string().nullable(),
    name: z.string(),
  }),
  source: z.string().nullable().describe('address that the request came from'),
  requestId: z.string().nullable(),
  action: z.string().describe('noun.verb, such as network.create'),
  target: z.object({ noun: z.string(), id: z.string(), name: z.string().nullable() }),
  networkId: idSchema.nullable(),
  reason: z.string().nullable().describe('what x-loom-reason said'),
  before: resourceSchema.describe('the resource before; null: there was none'),
  after: resourceSchema.describe('the resource after; null: there is none any more'),
  hash: statementHashSchema.describe('SHA-256 of the hash before and of this entry without it'),
});
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;

/** Of an entry that says that the ledger goes on from an older state than it had. */
export const LEDGER_RESTORE = 'ledger.restore';
/** What such an entry has in `after`. */
export const ledgerRestoreSchema = z.object({
  backupAt: timeSchema.nullable().describe('when the backup was made; null: not known'),
  number: z.int().nonnegative().describe('of the newest entry that came back'),
});

/** The controller vouches for the ledger up to an entry. */
export const ledgerCheckpointSchema = z.object({
  organizationId: idSchema,
  number: z.int().min(1),
  hash: statementHashSchema.describe('of the entry of that number'),
  at: timeSchema,
  key: publicKeySchema.describe('Ed25519'),
  signature: signatureSchema,
});
export type LedgerCheckpoint = z.infer<typeof ledgerCheckpointSchema>;

/** A ledger as a whole. */
export const ledgerSchema = z.object({
  organizationId: idSchema,
  head: z.object({
    firstNumber: z.int().min(1).describe('of the first entry that is kept'),
    number: z.int().nonnegative().describe('of the newest entry; 0: there is none'),
    hash: statementHashSchema.describe('of the newest entry'),
  }),
  keys: z.array(publicKeySchema).describe('that sign checkpoints, the newest at the end'),
  auditDays: z.int().describe('entries older than this are dropped, up to a checkpoint'),
});
export type Ledger = z.infer<typeof ledgerSchema>;

export const ledgerChangeSchema = z.strictObject({
  auditDays: z.int().min(AUDIT_DAYS_MIN).max(AUDIT_DAYS_MAX),
});

/** First line of an export. */
export const ledgerExportHeadSchema = z.strictObject({
  ledger: z.strictObject({
    format: z.literal('etherloom ledger 1'),
    organizationId: idSchema,
    firstNumber: z.int().min(1),
    previous: statementHashSchema.describe('hash of the entry before the first one'),
    keys: z.array(publicKeySchema),
  }),
});

/** Last line of an export: what it goes from and to, signed, so that nothing can be cut off. */
export const ledgerExportEndSchema = z.strictObject({
  end: z.strictObject({
    organizationId: idSchema,
    firstNumber: z.int().min(1),
    previous: statementHashSchema,
    number: z.int().nonnegative(),
    hash: statementHashSchema,
    at: timeSchema,
    key: publicKeySchema,
    signature: signatureSchema,
  }),
});
export type LedgerExportEnd = z.infer<typeof ledgerExportEndSchema>['end'];

/** The text whose SHA-256 is an entry's hash. `entry` is without its own. */
export function ledgerHashText(previous: string, entry: Readonly<Record<string, unknown>>): string {
  return `${previous}\n${canonicalJson(entry)}`;
}

/** The text that a checkpoint signs. */
export function checkpointSigningText(
  checkpoint: Omit<LedgerCheckpoint, 'key' | 'signature'>,
): string {
  const { organizationId, number, hash, at } = checkpoint;
  return ['etherloom ledger checkpoint 1', organizationId, number, hash, at].join('\n');
}

/** The text that the end of an export signs. */
export function exportSigningText(end: Omit<LedgerExportEnd, 'key' | 'signature'>): string {
  const { organizationId, firstNumber, previous, number, hash, at } = end;
  return [
    'etherloom ledger export 1',
    organizationId,
    firstNumber,
    previous,
    number,
    hash,
    at,
  ].join('\n');
}
