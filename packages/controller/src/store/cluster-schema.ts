/** Rows of what the controllers of one database share (migrations/08-controllers.ts). */

/** A controller of this database; times are milliseconds of the database's clock. */
export interface ControllerRow {
  readonly id: string;
  /** Of its start. */
  readonly instance: string;
  /** JSON of the URLs at which agents reach it, best first. */
  readonly urls: string;
  readonly version: string;
  readonly heard_at_ms: number;
  /** When it stopped, or was found gone; null: it runs. */
  readonly stopped_at_ms: number | null;
}

/** Which controller has the link of a node, or had it last. */
export interface LinkRow {
  readonly node_id: string;
  readonly controller_id: string;
  /** Of the agent's start. */
  readonly instance: string;
  /** Of the lease with which it was opened: a later link has no lower one. */
  readonly epoch: number;
  readonly since_ms: number;
  /** null: it is open. */
  readonly closed_at_ms: number | null;
}

/** What a transaction told other controllers, kept until all must have read it. */
export interface BusMessageRow {
  readonly id: string;
  /** By which a reader knows that it has seen all that were committed. */
  readonly transaction_number: number;
  readonly sender: string;
  readonly body: string;
  readonly posted_at_ms: number;
}

/** One row: the key and certificate of all controllers. */
export interface TlsIdentityRow {
  readonly id: number;
  readonly sealed_key: string;
  readonly certificate: string;
  readonly created_at: string;
}

export interface ClusterSchema {
  readonly controllers: ControllerRow;
  readonly links: LinkRow;
  readonly bus_messages: BusMessageRow;
  readonly tls_identity: TlsIdentityRow;
}
