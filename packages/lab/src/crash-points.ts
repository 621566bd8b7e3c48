/**
 * Loaded before a program (`node --import`): every moment at which it could die while it writes
 * below CRASH_ROOT, by the calls of node:fs that it really makes.
 *
 *   CRASH_SHOTS=DIR   keeps what a disk would hold after each call: DIR/N/kill (the process is
 *                     killed), DIR/N/cut (power fails: contents and entries that were not synced
 *                     are lost), DIR/N/torn (power fails: entries were kept, contents are lost)
 *   CRASH_KILL_AT=N   kills the process before its N-th fsync
 *   CRASH_FULL_AT=N   the disk is full from the N-th call on; counted anew when the program itself
 *                     changes the variable
 *
 * CRASH_PROGRESS names a file in which the program notes how far it is; DIR/N/progress is what
 * stood there. What SQLite does with its files is its own proof and not seen here.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** An entry of a directory that changed; before: its content, 'folder', or null: there was none. */
interface EntryChange {
  readonly folder: string;
  readonly path: string;
  readonly before: Uint8Array | 'folder' | null;
}

const root = process.env['CRASH_ROOT'] ?? '';
const shots = process.env['CRASH_SHOTS'];
const progress = process.env['CRASH_PROGRESS'] ?? '';
const killAt = Number(process.env['CRASH_KILL_AT'] ?? 0);

/** In order; those of a folder are forgotten when it is synced. */
let unsyncedEntries: EntryChange[] = [];
const unsyncedContents = new Set<string>();
const openPaths = new Map<number, string>();
let shotCount = 0;
let syncCount = 0;
let fullAt = '';
let callCount = 0;
/** Own calls, and those that node:fs makes of its own functions, are not the program's. */
let isQuiet = false;

const real = { ...fs };
const isOurs = (path: unknown): path is string =>
  !isQuiet && typeof path === 'string' && (path === root || path.startsWith(`${root}/`));

function quietly<T>(work: () => T): T {
  const before = isQuiet;
  isQuiet = true;
  try {
    return work();
  } finally {
    isQuiet = before;
  }
}

function contentOf(path: string): EntryChange['before'] {
  const found = real.statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  return found.isDirectory() ? 'folder' : quietly(() => real.readFileSync(path));
}

function noteEntry(path: string, before: EntryChange['before']): void {
  unsyncedEntries.push({ folder: dirname(path), path, before });
}

function shoot(): void {
  if (shots === undefined || isQuiet || !real.existsSync(root)) return;
  shotCount += 1;
  const folder = join(shots, String(shotCount).padStart(3, '0'));
  quietly(() => {
    copyTo(join(folder, 'kill'));
    if (real.existsSync(progress)) real.cpSync(progress, join(folder, 'progress'));
    if (unsyncedContents.size > 0) tear(copyTo(join(folder, 'torn')));
    if (unsyncedEntries.length === 0) return;
    const cut = copyTo(join(folder, 'cut'));
    tear(cut);
    for (const change of unsyncedEntries.toReversed()) restore(cut, change);
  });
}

function copyTo(target: string): string {
  real.cpSync(root, target, { recursive: true });
  return target;
}

function tear(copy: string): void {
  for (const path of unsyncedContents) {
    if (/\.db($|[.-])/.test(path)) continue;
    const torn = join(copy, relative(root, path));
    if (real.existsSync(torn)) real.truncateSync(torn, 0);
  }
}

function restore(copy: string, { path, before }: EntryChange): void {
  const target = join(copy, relative(root, path));
  real.rmSync(target, { recursive: true, force: true });
  if (before === 'folder') real.mkdirSync(target, { recursive: true });
  else if (before !== null) {
    real.mkdirSync(dirname(target), { recursive: true });
    real.writeFileSync(target, before);
  }
}

/** To be called before anything that takes room. */
function assertRoom(): void {
  const wanted = process.env['CRASH_FULL_AT'] ?? '';
  if (wanted !== fullAt) callCount = 0;
  fullAt = wanted;
  callCount += 1;
  if (wanted === '' || callCount < Number(wanted)) return;
  throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
}

const patched: Partial<typeof fs> = {
  openSync: (path, flags, mode) => {
    const before = isOurs(path) ? contentOf(path) : null;
    if (isOurs(path) && typeof flags === 'string' && /[wa]/.test(flags)) assertRoom();
    const file = real.openSync(path, flags, mode);
    if (!isOurs(path)) return file;
    openPaths.set(file, path);
    if (typeof flags !== 'string' || !/[wa]/.test(flags)) return file;
    if (before === null) noteEntry(path, null);
    unsyncedContents.add(path);
    shoot();
    return file;
  },
  closeSync: (file) => {
    openPaths.delete(file);
    real.closeSync(file);
  },
  writeSync: ((file: number, ...rest: [Uint8Array]) => {
    const path = openPaths.get(file);
    if (path !== undefined) assertRoom();
    const written = real.writeSync(file, ...rest);
    if (path !== undefined) unsyncedContents.add(path);
    if (path !== undefined) shoot();
    return written;
  }) as typeof fs.writeSync, // the overload for bytes, which is what the product uses
  fsyncSync: (file) => {
    const path = openPaths.get(file);
    if (path !== undefined) syncCount += 1;
    if (path !== undefined && syncCount === killAt) process.kill(process.pid, 'SIGKILL');
    if (path !== undefined) assertRoom();
    real.fsyncSync(file);
    if (path === undefined) return;
    unsyncedContents.delete(path);
    unsyncedEntries = unsyncedEntries.filter(({ folder }) => folder !== path);
    shoot();
  },
  renameSync: (from, to) => {
    if (!isOurs(from) || !isOurs(to)) return real.renameSync(from, to);
    const [moved, replaced] = [contentOf(from), contentOf(to)];
    assertRoom();
    real.renameSync(from, to);
    noteEntry(from, moved);
    noteEntry(to, replaced);
    if (unsyncedContents.delete(from)) unsyncedContents.add(to);
    shoot();
  },
  rmSync: (path, options) => {
    const before = isOurs(path) ? contentOf(path) : null;
    quietly(() => real.rmSync(path, options));
    if (!isOurs(path) || before === null) return;
    noteEntry(path, before);
    shoot();
  },
  mkdirSync: ((path: string, options?: fs.MakeDirectoryOptions) => {
    const before = isOurs(path) ? contentOf(path) : null;
    if (isOurs(path) && before === null) assertRoom();
    const made = real.mkdirSync(path, options);
    if (isOurs(path) && before === null) noteEntry(path, null);
    if (isOurs(path)) shoot();
    return made;
  }) as typeof fs.mkdirSync, // the overloads differ in what they give
  writeFileSync: (path, data, options) => {
    const before = isOurs(path) ? contentOf(path) : null;
    if (isOurs(path)) assertRoom();
    quietly(() => real.writeFileSync(path, data, options));
    if (!isOurs(path)) return;
    if (before === null) noteEntry(path, null);
    unsyncedContents.add(path);
    shoot();
  },
};
if (root !== '') {
  Object.assign(fs, patched);
  syncBuiltinESMExports();
}
