/**
 * The file of a backup: lines of JSON, so that it needs no program of ours to be read.
 *
 *   {"format":"etherloom backup","formatVersion":1,"schemaVersion":9,"createdAt":...,"program":...}
 *   {"table":"organizations","columns":["id","name",...]}
 *   ["org_...","default",...]                 a row: texts, integers, null, in the columns' order
 *   {"tables":[{"name","rows","sha256"}],"sha256":...}      the last line
 *
 * Tables come in the order of their making, so that a row never comes before one that it refers to;
 * rows in the order of their values. The hash of a table is over its rows' lines, the last one over
 * all lines before it. A file without its last line was cut, and holds nothing that is used.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { createReadStream, openSync, closeSync, fsyncSync, renameSync, rmSync } from 'node:fs';
import { existsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../data/atomic-file.ts';
import { BACKUP_CHUNK_BYTES, BACKUP_LINE_CHARS_MAX } from '../limits.ts';
import { StartupError, errorText } from '../startup-error.ts';

const FORMAT_VERSION = 1;

const headerSchema = z.strictObject({
  format: z.literal('etherloom backup'),
  formatVersion: z.int().min(1),
  schemaVersion: z.int().min(1),
  createdAt: z.iso.datetime(),
  program: z.string(),
});
const tableSchema = z.strictObject({ table: z.string(), columns: z.array(z.string()).min(1) });
const rowSchema = z.array(z.union([z.string(), z.int(), z.null()]));
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const summarySchema = z.strictObject({ name: z.string(), rows: z.int(), sha256: sha256Schema });
const endSchema = z.strictObject({ tables: z.array(summarySchema), sha256: sha256Schema });

export type BackupHeader = z.infer<typeof headerSchema>;
export type BackupTable = z.infer<typeof tableSchema>;
export type BackupRow = z.infer<typeof rowSchema>;
/** What a table held. */
export type TableSummary = z.infer<typeof summarySchema>;

/** What a backup says of itself, when all of it was found to be so. */
export interface Manifest {
  readonly header: BackupHeader;
  readonly tables: readonly TableSummary[];
}

/** Adds up what a table holds. */
export class TableTally {
  readonly #name: string;
  readonly #hash: Hash = createHash('sha256');
  #rows = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add(line: string): void {
    this.#rows += 1;
    this.#hash.update(`${line}\n`);
  }

  /** To be called once. */
  summary(): TableSummary {
    return { name: this.#name, rows: this.#rows, sha256: this.#hash.digest('hex') };
  }
}

/** The line of a row, the same whatever database it came from. Throws for what no table holds. */
export function rowLine(row: readonly unknown[]): string {
  return JSON.stringify(rowSchema.parse(row));
}

/** A backup that is being written; under its name it appears when it is whole. */
export class BackupWriter {
  readonly #path: string;
  readonly #unfinished: string;
  readonly #file: number;
  readonly #hash = createHash('sha256');
  readonly #tables: TableSummary[] = [];
  #table: TableTally | null = null;
  #waiting = '';

  /** Throws StartupError when the file is there already or cannot be made. */
  constructor(path: string, header: Omit<BackupHeader, 'format' | 'formatVersion'>) {
    this.#path = path;
    this.#unfinished = `${path}.unfinished`;
    if (existsSync(path))
      throw new StartupError('backup_invalid', `${path} is there already: name another file`);
    try {
      rmSync(this.#unfinished, { force: true });
      this.#file = openSync(this.#unfinished, 'wx', 0o600);
    } catch (error) {
      throw cannotWrite(path, error);
    }
    this.#line({ format: 'etherloom backup', formatVersion: FORMAT_VERSION, ...header });
  }

  beginTable(table: BackupTable): void {
    this.#endTable();
    this.#table = new TableTally(table.table);
    this.#line(table);
  }

  addRow(line: string): void {
    this.#table?.add(line);
    this.#write(line);
  }

  /** Resolves to nothing; the file is on disk under its name. */
  finish(): readonly TableSummary[] {
    this.#endTable();
    this.#flush();
    const end = { tables: this.#tables, sha256: this.#hash.digest('hex') };
    try {
      this.#writeAll(`${JSON.stringify(end)}\n`);
      fsyncSync(this.#file);
      closeSync(this.#file);
      renameSync(this.#unfinished, this.#path);
      syncDirectory(dirname(this.#path));
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
    return this.#tables;
  }

  /** Removes what was written. */
  abandon(): void {
    try {
      closeSync(this.#file);
    } catch {
      // It was closed already.
    }
    rmSync(this.#unfinished, { force: true });
  }

  #endTable(): void {
    if (this.#table !== null) this.#tables.push(this.#table.summary());
    this.#table = null;
  }

  #line(value: object): void {
    this.#write(JSON.stringify(value));
  }

  #write(line: string): void {
    this.#waiting += `${line}\n`;
    if (this.#waiting.length >= BACKUP_CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#waiting);
    this.#writeAll(this.#waiting);
    this.#waiting = '';
  }

  #writeAll(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done);
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }
}

/** What `readBackup` hands on, in the file's order. */
export interface BackupVisitor {
  readonly table?: (table: BackupTable) => Promise<void> | void;
  readonly row?: (row: BackupRow) => Promise<void> | void;
}

/**
 * Reads a whole backup and compares every count and hash in it. What a visitor was handed is to be
 * believed when this has resolved, not before. Rejects with StartupError.
 */
export async function readBackup(path: string, visitor: BackupVisitor = {}): Promise<Manifest> {
  const reader = new BackupReader(visitor);
  try {
    let rest = '';
    const stream = createReadStream(path, { encoding: 'utf8', highWaterMark: BACKUP_CHUNK_BYTES });
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > BACKUP_LINE_CHARS_MAX) throw new Error('a line of it has no end');
      for (const line of lines) await reader.take(line);
    }
    if (rest !== '') throw new Error('it is cut in the middle of a line');
    return reader.manifest();
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(
      'backup_invalid',
      `${path} is no whole backup (${reasonOf(error)}); nothing was changed`,
      error,
    );
  }
}

class BackupReader {
  readonly #visitor: BackupVisitor;
  readonly #hash = createHash('sha256');
  readonly #found: TableSummary[] = [];
  #header: BackupHeader | null = null;
  #table: BackupTable | null = null;
  #tally: TableTally | null = null;
  #isEnded = false;

  constructor(visitor: BackupVisitor) {
    this.#visitor = visitor;
  }

  async take(line: string): Promise<void> {
    if (this.#isEnded) throw new Error('something follows its last line');
    const value: unknown = JSON.parse(line);
    if (this.#header === null) this.#header = parseHeader(value);
    else if (Array.isArray(value)) await this.#row(line, value);
    else if (typeof value === 'object' && value !== null && 'table' in value)
      await this.#begin(tableSchema.parse(value));
    else return this.#end(endSchema.parse(value));
    this.#hash.update(`${line}\n`);
  }

  manifest(): Manifest {
    if (this.#header === null || !this.#isEnded)
      throw new Error('its end is missing: it was cut, or never finished');
    return { header: this.#header, tables: this.#found };
  }

  async #begin(table: BackupTable): Promise<void> {
    this.#endTable();
    this.#table = table;
    this.#tally = new TableTally(table.table);
    await this.#visitor.table?.(table);
  }

  async #row(line: string, value: unknown): Promise<void> {
    const row = rowSchema.parse(value);
    if (this.#table === null || row.length !== this.#table.columns.length)
      throw new Error('a row does not fit its table');
    this.#tally?.add(line);
    await this.#visitor.row?.(row);
  }

  #endTable(): void {
    if (this.#tally !== null) this.#found.push(this.#tally.summary());
    this.#tally = null;
  }

  #end(said: z.infer<typeof endSchema>): void {
    this.#endTable();
    if (said.sha256 !== this.#hash.digest('hex')) throw new Error('its hash is another one');
    if (JSON.stringify(said.tables) !== JSON.stringify(this.#found))
      throw new Error('a table of it has other rows than it says');
    this.#isEnded = true;
  }
}

function parseHeader(value: unknown): BackupHeader {
  const header = headerSchema.parse(value);
  if (header.formatVersion === FORMAT_VERSION) return header;
  throw new StartupError(
    'backup_invalid',
    `the backup is of format ${header.formatVersion}, and this program knows ${FORMAT_VERSION}: use a later version of etherloom`,
  );
}

function reasonOf(error: unknown): string {
  return error instanceof z.ZodError ? 'a line of it has another form' : errorText(error);
}

function cannotWrite(path: string, error: unknown): StartupError {
  return new StartupError(
    'backup_invalid',
    `${path} cannot be written (${errorText(error)}): see that its disk is writable and has space`,
    error,
  );
}
