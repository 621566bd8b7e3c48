/** Rows of the ledger (docs/controller.md 5) and of idempotency keys. */

/** The newest entry of an organization's ledger. */
export interface LedgerHeadRow {
  readonly organization_id: string;
  readonly number: number;
  readonly hash: string;
  /** Number of the first entry that is kept. */
  readonly first_number: number;
  /** Newest checkpoint; 0: none. */
  readonly checkpoint_number: number;
  /** Time of the newest checkpoint, or of the first entry. */
  readonly checkpoint_at: string;
  readonly audit_days: number;
}

/** An entry of a ledger. The columns beside `entry` are for finding it and are not hashed. */
export interface LedgerEntryRow {
  readonly organization_id: string;
  readonly number: number;
  readonly at: string;
  /** Id of the actor, or its kind where it has none. */
  readonly actor: string;
  readonly action: string;
  readonly target_id: string;
  readonly network_id: string | null;
  /** Canonical JSON. */
  readonly entry: string;
  readonly hash: string;
}

/** Proves the ledger up to an entry. */
export interface LedgerCheckpointRow {
  readonly organization_id: string;
  readonly number: number;
  readonly hash: string;
  readonly at: string;
  readonly key: string;
  readonly signature: string;
}

/** A key that signs checkpoints, sealed; the newest that opens is used. */
export interface LedgerKeyRow {
  readonly public_key: string;
  readonly organization_id: string;
  readonly sealed: string;
  readonly created_at: string;
}

/** What a transaction gave under an idempotency key. */
export interface IdempotencyKeyRow {
  readonly principal: string;
  readonly key: string;
  /** Which transaction of the request. */
  readonly step: number;
  readonly organization_id: string;
  readonly request_hash: string;
  /** Sealed JSON. */
  readonly result: string;
  readonly created_at: string;
}

export interface LedgerSchema {
  readonly ledger_heads: LedgerHeadRow;
  readonly ledger_entries: LedgerEntryRow;
  readonly ledger_checkpoints: LedgerCheckpointRow;
  readonly ledger_keys: LedgerKeyRow;
  readonly idempotency_keys: IdempotencyKeyRow;
}
