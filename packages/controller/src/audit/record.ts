/**
 * `record`: how every operation that changes something tells the ledger.
 *
 * Call it in the operation itself, once for each thing that changes, with the resource as the API
 * shows it before and after (null where there is none):
 *
 *     const before = toUser(row);
 *     ...
 *     record(tx, {
 *       organizationId,
 *       action: 'user.roles',               // noun.verb; the noun of the target
 *       target: { noun: 'user', id, name },
 *       before,
 *       after: toUser(changed),
 *     });
 *
 * Who does it, from where and why come from tx.origin; `actor` replaces the first where a node acts
 * by its link or its keys. The entry is written at the end of the transaction, so that the chain of
 * an organization is locked for a moment only. Where before and after say the same, there is no
 * entry. What is recorded first in a transaction is what an If-Match of its request speaks of.
 * Secrets have no place in a resource: a field that is named like one is a fault, and thrown.
 *
 * Users and tokens without an organization of their own (system administrators) belong to the chain
 * of the organization that the request acts in, else to that of `systemOrganizationId`.
 */
import type { Actor } from '../access/principal.ts';
import { checkIfMatch, isSameResource } from '../http/etag.ts';
import type { Tx } from '../store/store.ts';

/** What changed. */
export interface LedgerDraft {
  /** Whose chain it belongs to. */
  readonly organizationId: string;
  /** noun.verb, such as network.create. */
  readonly action: string;
  readonly target: { readonly noun: string; readonly id: string; readonly name: string | null };
  /** The network that it is about. */
  readonly networkId?: string | null;
  readonly before: object | null;
  readonly after: object | null;
  /** Who did it; default: who makes the request. */
  readonly actor?: Actor;
  /** Why; default: what the request says. */
  readonly reason?: string;
}

/** Names that a secret would have. What is shown of tokens are their ids and prefixes. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'clientSecret',
  'client_secret',
  'csrf',
  'password',
  'passwordHash',
  'password_hash',
  'sealed',
  'secret',
  'secretHash',
  'secret_hash',
  'token',
]);

/** Notes a change for the ledger of its organization. Throws precondition_failed. */
export function record(tx: Tx, draft: LedgerDraft): void {
  checkIfMatch(tx, draft.before);
  for (const resource of [draft.before, draft.after]) refuseSecrets(resource);
  if (draft.before !== null && draft.after !== null && isSameResource(draft.before, draft.after))
    return;
  tx.drafts.push(draft);
}

function refuseSecrets(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (SECRET_FIELDS.has(name)) throw new Error(`the ledger takes no field named ${name}`);
    refuseSecrets(inner);
  }
}

/** The organization in whose chain stands what is of no organization: the first one. */
export async function systemOrganizationId(tx: Tx): Promise<string> {
  const row = await tx.db
    .selectFrom('organizations')
    .select('id')
    .orderBy('created_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirstOrThrow();
  return row.id;
}
