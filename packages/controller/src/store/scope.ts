/** The scope of a transaction: the organization outside of which nothing exists for it. */
import { RequestError } from '../request-error.ts';
import type { Tx } from './store.ts';

/** Whether a row of this organization exists for a transaction. */
export function isInScope(tx: Tx, organizationId: string): boolean {
  return tx.origin.organizationId === null || tx.origin.organizationId === organizationId;
}

/** Throws what is thrown of a thing that does not exist. */
export function notFound(noun: string, given: string): RequestError {
  return new RequestError('not_found', `no ${noun} has the id or name "${given.slice(0, 80)}"`);
}
