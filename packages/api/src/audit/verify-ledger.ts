/**
 * Verifies an export of a ledger, line by line, in bounded memory. Pure: hashing and signatures are
 * given, so that it runs in the command line and in a browser.
 *
 * What it finds: an entry that was changed, removed, put in or moved (the chain breaks), lines cut
 * off at either end (the last line is signed and says from where to where it goes), a line written
 * otherwise (each must be canonical JSON, so that no two readers see two things in it), and a
 * signature of a key that is not pinned. An older export given as the newest, and a ledger that a
 * restored backup took back, it finds only for a reader who knows of a later entry (`known`); the
 * report says up to when it goes, and of which restores the ledger itself tells.
 */
import { canonicalJson } from '../canonical-json.ts';
import type { LedgerCheckpoint, LedgerEntry } from './ledger.ts';
import {
  LEDGER_RESTORE,
  checkpointSigningText,
  exportSigningText,
  ledgerCheckpointSchema,
  ledgerEntrySchema,
  ledgerExportEndSchema,
  ledgerExportHeadSchema,
  ledgerHashText,
  ledgerRestoreSchema,
  LEDGER_BEGIN,
} from './ledger.ts';

export interface LedgerVerifierDeps {
  /** SHA-256 of a text in UTF-8, hex. */
  readonly sha256: (text: string) => string | Promise<string>;
  /** Whether an Ed25519 signature (base64url) of a key (base64url) over a text is right. */
  readonly isSignedBy: (key: string, text: string, signature: string) => boolean | Promise<boolean>;
  /** Keys that the reader knows to be the ledger's; none: those that the export names are taken. */
  readonly pinnedKeys?: readonly string[];
  /** Entries that the reader knows to have been in the ledger. */
  readonly known?: readonly LedgerPlace[];
}

/** An entry, named by what cannot be had twice. */
export interface LedgerPlace {
  readonly number: number;
  readonly hash: string;
}

/** A ledger was taken back to an older state: what had followed its entry is gone. */
export interface LedgerRestore {
  /** The entry that says so. */
  readonly number: number;
  readonly at: string;
  /** Newest entry that came back. */
  readonly headNumber: number;
  readonly backupAt: string | null;
}

export type LedgerVerdict =
  | {
      readonly ok: true;
      readonly organizationId: string;
      readonly firstNumber: number;
      /** Newest entry; 0: there is none. */
      readonly number: number;
      readonly entryCount: number;
      readonly checkpointCount: number;
      /** When the controller signed the end. */
      readonly at: string;
      /** Keys that signed. */
      readonly keys: readonly string[];
      /** Whether the reader pinned them. */
      readonly isPinned: boolean;
      /** What was signed, up to the end: what a reader should know the next time. */
      readonly places: readonly LedgerPlace[];
      /** Newest entry that the reader knew, and that is in it; null: it knew none. */
      readonly knownNumber: number | null;
      /** Of which the ledger tells, the newest at the end. */
      readonly restores: readonly LedgerRestore[];
    }
  | {
      readonly ok: false;
      /** Line of the fault, from 1. */
      readonly line: number;
      /** Entry at which it shows; null: none was read. */
      readonly number: number | null;
      readonly reason: string;
    };

/** Restores that a verdict names: nobody reads more. */
const RESTORES_SHOWN_MAX = 16;
/** The checkpoint line of an export. */
const CHECKPOINT_KEY = 'checkpoint';

class LedgerFault extends Error {
  override readonly name = 'LedgerFault';
}

/** Verifies the lines of an export. */
export async function verifyLedger(
  lines: AsyncIterable<string> | Iterable<string>,
  deps: LedgerVerifierDeps,
): Promise<LedgerVerdict> {
  const reader = new LedgerReader(deps);
  let line = 0;
  try {
    for await (const text of lines) {
      line += 1;
      await reader.take(text);
    }
    line += 1;
    return reader.verdict();
  } catch (error) {
    if (!(error instanceof LedgerFault)) throw error;
    return { ok: false, line, number: reader.number, reason: error.message };
  }
}

/** What of an export was read. */
class LedgerReader {
  readonly #deps: LedgerVerifierDeps;
  readonly #trusted: Set<string>;
  readonly #signed = new Set<string>();
  #head: { readonly organizationId: string; readonly firstNumber: number } | null = null;
  #begin = LEDGER_BEGIN;
  #hash = LEDGER_BEGIN;
  #number: number | null = null;
  #checkpoints = 0;
  #end: { readonly at: string } | null = null;
  readonly #known: ReadonlyMap<number, string>;
  #knownNumber: number | null = null;
  readonly #places: LedgerPlace[] = [];
  readonly #restores: LedgerRestore[] = [];

  constructor(deps: LedgerVerifierDeps) {
    this.#deps = deps;
    this.#trusted = new Set(deps.pinnedKeys);
    this.#known = new Map(deps.known?.map(({ number, hash }) => [number, hash]));
  }

  get number(): number | null {
    return this.#number;
  }

  async take(text: string): Promise<void> {
    if (this.#end !== null) throw new LedgerFault('there are lines after the end');
    const value = parseCanonical(text);
    if (this.#head === null) return this.#takeHead(value);
    if ('end' in value) return this.#takeEnd(value);
    if (CHECKPOINT_KEY in value) return this.#takeCheckpoint(value[CHECKPOINT_KEY]);
    return this.#takeEntry(value);
  }

  verdict(): LedgerVerdict {
    if (this.#head === null) throw new LedgerFault('the export is empty');
    if (this.#end === null) throw new LedgerFault('the export has no end: it was cut off');
    const { organizationId, firstNumber } = this.#head;
    const number = this.#number ?? firstNumber - 1;
    const newest = [...this.#known.keys()].reduce((a, b) => Math.max(a, b), 0);
    if (newest > number)
      throw new LedgerFault(
        `you know entry ${newest}, and this ledger ends with entry ${number}: what came after it is gone; ${this.#whyGone(newest)}`,
      );
    return {
      ok: true,
      organizationId,
      firstNumber,
      number,
      entryCount: number - firstNumber + 1,
      checkpointCount: this.#checkpoints,
      at: this.#end.at,
      keys: [...this.#signed],
      isPinned: this.#isPinned(),
      places: [...this.#places, { number, hash: this.#hash }],
      knownNumber: this.#knownNumber,
      restores: this.#restores,
    };
  }

  #compareKnown(number: number, hash: string): void {
    const known = this.#known.get(number);
    if (known === undefined) return;
    if (known !== hash)
      throw new LedgerFault(
        `entry ${number} is not the one that you know: it is gone, and another one stands in its place; ${this.#whyGone(number)}`,
      );
    this.#knownNumber = number;
  }

  #whyGone(number: number): string {
    // What the reader knows to be in it was there after the restore that took the rest.
    const restore = this.#restores.findLast(
      ({ headNumber }) => headNumber < number && headNumber >= (this.#knownNumber ?? 0),
    );
    return restore === undefined
      ? 'the ledger says nothing of a restored backup'
      : describeRestore(restore);
  }

  #noteRestore(entry: LedgerEntry): void {
    if (entry.action !== LEDGER_RESTORE) return;
    const { number, at } = entry;
    const after = ledgerRestoreSchema.safeParse(entry.after);
    if (!after.success) return;
    this.#restores.push({
      number,
      at,
      headNumber: after.data.number,
      backupAt: after.data.backupAt,
    });
    // The first tells most of what is gone, the newest of what is there.
    if (this.#restores.length > RESTORES_SHOWN_MAX) this.#restores.splice(1, 1);
  }

  #isPinned(): boolean {
    return (this.#deps.pinnedKeys?.length ?? 0) > 0;
  }

  #takeHead(value: object): void {
    const parsed = ledgerExportHeadSchema.safeParse(value);
    if (!parsed.success)
      throw new LedgerFault('the first line is not that of an export of a ledger');
    const { organizationId, firstNumber, previous, keys } = parsed.data.ledger;
    if (firstNumber === 1 && previous !== LEDGER_BEGIN)
      throw new LedgerFault('the first entry of a ledger has nothing before it');
    this.#head = { organizationId, firstNumber };
    this.#begin = previous;
    this.#hash = previous;
    this.#compareKnown(firstNumber - 1, previous);
    if (!this.#isPinned()) for (const key of keys) this.#trusted.add(key);
  }

  async #takeEntry(value: Readonly<Record<string, unknown>>): Promise<void> {
    const parsed = ledgerEntrySchema.safeParse(value);
    if (!parsed.success) throw new LedgerFault('the line is no entry');
    const { number, organizationId } = parsed.data;
    const wanted = this.#number === null ? this.#head?.firstNumber : this.#number + 1;
    if (number !== wanted)
      throw new LedgerFault(`entry ${wanted} is missing: entry ${number} stands in its place`);
    if (organizationId !== this.#head?.organizationId)
      throw new LedgerFault(`entry ${number} is of another organization`);
    const { hash, ...entry } = value;
    if ((await this.#deps.sha256(ledgerHashText(this.#hash, entry))) !== hash)
      throw new LedgerFault(`entry ${number}, or what stands before it, was changed`);
    this.#noteRestore(parsed.data);
    this.#compareKnown(number, parsed.data.hash);
    this.#number = number;
    this.#hash = parsed.data.hash;
  }

  async #takeCheckpoint(value: unknown): Promise<void> {
    const parsed = ledgerCheckpointSchema.safeParse(value);
    if (!parsed.success) throw new LedgerFault('the line is no checkpoint');
    const checkpoint = parsed.data;
    const at = this.#number ?? (this.#head?.firstNumber ?? 1) - 1;
    if (checkpoint.number !== at || checkpoint.hash !== this.#hash)
      throw new LedgerFault(`the checkpoint of entry ${checkpoint.number} is of another ledger`);
    await this.#check(checkpoint, checkpointSigningText(checkpoint), 'a checkpoint');
    this.#checkpoints += 1;
    this.#places.push({ number: checkpoint.number, hash: checkpoint.hash });
  }

  async #takeEnd(value: unknown): Promise<void> {
    const parsed = ledgerExportEndSchema.safeParse(value);
    if (!parsed.success) throw new LedgerFault('the last line is no end');
    const { end } = parsed.data;
    const first = this.#head?.firstNumber ?? 1;
    const isWhole =
      end.firstNumber === first &&
      end.previous === this.#begin &&
      end.number === (this.#number ?? first - 1) &&
      end.hash === this.#hash;
    if (!isWhole)
      throw new LedgerFault(
        `the export went from entry ${end.firstNumber} to ${end.number}: lines of it are missing`,
      );
    await this.#check(end, exportSigningText(end), 'the end');
    this.#end = { at: end.at };
  }

  async #check(
    signed: Pick<LedgerCheckpoint, 'organizationId' | 'key' | 'signature'>,
    text: string,
    what: string,
  ): Promise<void> {
    if (signed.organizationId !== this.#head?.organizationId)
      throw new LedgerFault(`${what} is of another organization`);
    if (!this.#trusted.has(signed.key))
      throw new LedgerFault(
        this.#isPinned()
          ? `${what} is signed by ${signed.key}, which is not a key that you pinned`
          : `${what} is signed by ${signed.key}, which the export does not name`,
      );
    // Two spare bits of the last character would let one signature have four texts.
    if (!/[AQgw]$/.test(signed.signature))
      throw new LedgerFault(`the signature of ${what} is not written as one is`);
    if (!(await this.#deps.isSignedBy(signed.key, text, signed.signature)))
      throw new LedgerFault(`the signature of ${what} is wrong`);
    this.#signed.add(signed.key);
  }
}

/** What a person should know of a restore. */
export function describeRestore({ number, at, headNumber, backupAt }: LedgerRestore): string {
  const from = backupAt === null ? 'a backup' : `a backup of ${backupAt}`;
  return `the ledger was restored from ${from} at ${at} (entry ${number}): what had been written after entry ${headNumber} is gone`;
}

function parseCanonical(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LedgerFault('the line is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LedgerFault('the line is no JSON object');
  if (canonicalJson(value) !== text)
    throw new LedgerFault('the line is not written as the controller writes it');
  return value as Readonly<Record<string, unknown>>; // an object of JSON
}
