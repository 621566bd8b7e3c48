/**
 * An export of a ledger: JSON Lines, in steps of which each is a short transaction, up to the entry
 * that was the newest when it began. The last line is signed and says from where to where it goes.
 * When entries are dropped meanwhile, or the ledger in the database is damaged, the export breaks
 * off without that line.
 */
import { Readable } from 'node:stream';
import { canonicalJson, exportSigningText } from '@etherloom/api';
import type { Signer } from '@etherloom/core';
import { LEDGER_EXPORT_STEP } from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import type { Tx } from '../store/store.ts';
import { openLedgerKey, signText } from './ledger.ts';
import {
  checkpointsBetween,
  entriesAfter,
  hashAt,
  ledgerOrganization,
  showLedger,
  toEntry,
} from './read-ledger.ts';

type Transact = <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;

interface Plan {
  readonly organizationId: string;
  readonly firstNumber: number;
  /** Hash of the entry before the first one. */
  readonly previous: string;
  readonly number: number;
  readonly hash: string;
  readonly keys: readonly string[];
  readonly signer: Signer;
  readonly at: string;
}

/** The lines of an export. Rejects before the first one when there is nothing to give. */
export async function exportLedger(
  transact: Transact,
  after: number | undefined,
): Promise<Readable> {
  const plan = await transact((tx) => makePlan(tx, after));
  return Readable.from(linesOf(transact, plan), { objectMode: false });
}

async function makePlan(tx: Tx, after: number | undefined): Promise<Plan> {
  const organizationId = await ledgerOrganization(tx);
  const { head, keys } = await showLedger(tx, organizationId);
  const signer = await openLedgerKey(tx, organizationId);
  if (signer === null)
    throw new RequestError(
      'not_found',
      'this ledger has no key that opens: the next change in the organization makes one',
    );
  const firstNumber = after === undefined ? head.firstNumber : after + 1;
  const previous = await hashAt(tx, organizationId, firstNumber - 1);
  if (previous === undefined || firstNumber < head.firstNumber || firstNumber > head.number + 1)
    throw invalidField('after', `the ledger has entries ${head.firstNumber} to ${head.number}`);
  const { number, hash } = head;
  const at = tx.now.toISOString();
  return { organizationId, firstNumber, previous, number, hash, keys, signer, at };
}

async function* linesOf(transact: Transact, plan: Plan): AsyncGenerator<string> {
  const { organizationId, firstNumber, previous, keys } = plan;
  const format = 'etherloom ledger 1';
  yield lineOf({ ledger: { format, organizationId, firstNumber, previous, keys } });
  let at = firstNumber - 1;
  yield await checkpointLines(transact, plan, at, at);
  while (at < plan.number) {
    const range = { after: at, until: plan.number, limit: LEDGER_EXPORT_STEP };
    const rows = await transact((tx) => entriesAfter(tx, organizationId, range));
    const entries = rows.map(toEntry);
    const last = entries.at(-1);
    if (last === undefined || entries[0]?.number !== at + 1)
      throw new Error(`entry ${at + 1} of the ledger of ${organizationId} is not there`);
    const { number } = last;
    const checkpoints = await transact((tx) =>
      checkpointsBetween(tx, organizationId, at + 1, number),
    );
    let text = '';
    for (const entry of entries) {
      text += lineOf(entry);
      for (const checkpoint of checkpoints)
        if (checkpoint.number === entry.number) text += lineOf({ checkpoint });
    }
    yield text;
    at = number;
  }
  const { number, hash, signer } = plan;
  const end = { organizationId, firstNumber, previous, number, hash, at: plan.at };
  const signature = signText(signer, exportSigningText(end));
  yield lineOf({ end: { ...end, key: signer.key, signature } });
}

/** The checkpoint before the first entry that is kept is worth showing too. */
async function checkpointLines(
  transact: Transact,
  { organizationId }: Plan,
  from: number,
  to: number,
): Promise<string> {
  const found = await transact((tx) => checkpointsBetween(tx, organizationId, from, to));
  return found.map((checkpoint) => lineOf({ checkpoint })).join('');
}

function lineOf(value: object): string {
  return `${canonicalJson(value)}\n`;
}
