/**
 * What happens to ledgers by time: the checkpoint of an hour in which something happened, and the
 * end of entries that are older than their organization keeps them. Entries go up to a checkpoint
 * and no further, and that checkpoint stays: what is kept begins with something signed.
 */
import type { Logger } from 'pino';
import { DAY_MS, LEDGER_CHECKPOINT_MS, LEDGER_UPKEEP_MS } from '../limits.ts';
import type { Store, Tx } from '../store/store.ts';
import { addCheckpoint, lockHead, saveHead } from './ledger.ts';

/** Looks after ledgers at intervals. */
export class LedgerUpkeep {
  readonly #store: Store;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#timer = setInterval(() => this.#start(), LEDGER_UPKEEP_MS);
    this.#timer.unref();
  }

  /** One round, as the timer starts it. */
  async run(): Promise<void> {
    for (const id of await this.#store.read(dueForCheckpoint))
      await this.#store.transact((tx) => checkpointDue(tx, id));
    for (const id of await this.#store.read(ledgerIds))
      while (await this.#store.transact((tx) => dropOldest(tx, id)));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #start(): void {
    this.#running = this.#running
      .then(() => (this.#timer === undefined ? undefined : this.run()))
      .catch((error: unknown) => {
        this.#log.error({ err: error }, 'the upkeep of the ledgers failed');
      });
  }
}

async function dueForCheckpoint(tx: Tx): Promise<string[]> {
  const rows = await tx.db
    .selectFrom('ledger_heads')
    .select('organization_id')
    .whereRef('number', '>', 'checkpoint_number')
    .where('checkpoint_at', '<=', before(tx, LEDGER_CHECKPOINT_MS))
    .execute();
  return rows.map((row) => row.organization_id);
}

async function ledgerIds(tx: Tx): Promise<string[]> {
  const rows = await tx.db.selectFrom('ledger_heads').select('organization_id').execute();
  return rows.map((row) => row.organization_id);
}

async function checkpointDue(tx: Tx, organizationId: string): Promise<void> {
  const head = await lockHead(tx, organizationId);
  if (head === undefined || Number(head.number) <= Number(head.checkpoint_number)) return;
  if (head.checkpoint_at > before(tx, LEDGER_CHECKPOINT_MS)) return;
  await addCheckpoint(tx, head);
  await saveHead(tx, head);
}

/** Drops entries up to the next checkpoint that is old enough; false: there is none. */
export async function dropOldest(tx: Tx, organizationId: string): Promise<boolean> {
  const head = await lockHead(tx, organizationId);
  if (head === undefined) return false;
  const checkpoint = await tx.db
    .selectFrom('ledger_checkpoints')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('number', '>=', head.first_number)
    .where('at', '<', before(tx, head.audit_days * DAY_MS))
    .orderBy('number')
    .limit(1)
    .executeTakeFirst();
  if (checkpoint === undefined) return false;
  await tx.db
    .deleteFrom('ledger_entries')
    .where('organization_id', '=', organizationId)
    .where('number', '<=', checkpoint.number)
    .execute();
  await tx.db
    .deleteFrom('ledger_checkpoints')
    .where('organization_id', '=', organizationId)
    .where('number', '<', checkpoint.number)
    .execute();
  head.first_number = Number(checkpoint.number) + 1;
  await saveHead(tx, head);
  return true;
}

function before(tx: Tx, ms: number): string {
  return new Date(tx.now.getTime() - ms).toISOString();
}
