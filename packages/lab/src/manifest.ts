/**
 * What a run of the lab has made, on disk before it is made: so that a run that was killed is
 * cleaned by the next one, and so that
 * nothing is ever removed which is not written down here.
 *
 *   /run/etherloom-lab/RUN/manifest.json     { version, run, bootId, owner, things }
 *
 * A run directory appears whole: it is made under a name that tells its maker, and renamed when the
 * manifest is in it. The file is
 * replaced by rename; no fsync, because what it lists is gone after a power cut as well.
 */
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { LabError } from './lab-error.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { identifySelf, readBootId } from './process-identity.ts';

/** Root of all run directories. */
export const RUNS_DIRECTORY = '/run/etherloom-lab';

/**
 * Something that the lab made. Processes are recorded when they have a pid; before, their namespace
 * tells them.
 */
export type Thing =
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'directory'; readonly path: string }
  | ({ readonly kind: 'process'; readonly label: string } & ProcessIdentity);

export interface Manifest {
  readonly version: 1;
  readonly run: string;
  readonly bootId: string;
  readonly owner: ProcessIdentity;
  readonly things: readonly Thing[];
}

/** The manifest of this process's own run. */
export class RunRecord {
  readonly run: string;
  readonly directory: string;
  readonly #owner: ProcessIdentity = identifySelf();
  readonly #bootId: string = readBootId();
  #things: readonly Thing[] = [];

  constructor(run: string, runsDirectory: string = RUNS_DIRECTORY) {
    this.run = run;
    this.directory = join(runsDirectory, run);
    const draft = join(runsDirectory, draftName(this.#owner, run));
    mkdirSync(draft, { recursive: true, mode: 0o700 });
    this.#write(draft);
    renameSync(draft, this.directory);
  }

  get things(): readonly Thing[] {
    return this.#things;
  }

  /** Writes a thing down. To be called before the thing is made. */
  add(thing: Thing): void {
    this.#things = [...this.#things, thing];
    this.#write(this.directory);
  }

  /** Forgets a thing that is gone. */
  remove(thing: Thing): void {
    this.#things = this.#things.filter((other) => other !== thing);
    this.#write(this.directory);
  }

  /**
   * Removes the run directory, and the root of all when no other run is there; to be called when
   * every thing is gone.
   */
  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
    try {
      rmdirSync(dirname(this.directory));
    } catch {
      // Another run is there.
    }
  }

  #write(directory: string): void {
    const manifest: Manifest = {
      version: 1,
      run: this.run,
      bootId: this.#bootId,
      owner: this.#owner,
      things: this.#things,
    };
    const path = join(directory, 'manifest.json');
    writeFileSync(`${path}.tmp`, JSON.stringify(manifest), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }
}

/**
 * Manifests of all runs, and drafts whose maker can be told from their name (no things were made
 * under them).
 */
export function readRuns(runsDirectory: string = RUNS_DIRECTORY): {
  readonly manifests: readonly { readonly directory: string; readonly manifest: Manifest }[];
  readonly drafts: readonly { readonly directory: string; readonly owner: ProcessIdentity }[];
  /** Directories without a readable manifest: left alone. */
  readonly unreadable: readonly string[];
} {
  const manifests: { directory: string; manifest: Manifest }[] = [];
  const drafts: { directory: string; owner: ProcessIdentity }[] = [];
  const unreadable: string[] = [];
  for (const name of listDirectories(runsDirectory)) {
    const directory = join(runsDirectory, name);
    const draft = /^\.draft-(\d+)-(\d+)-/.exec(name);
    if (draft) {
      drafts.push({ directory, owner: { pid: Number(draft[1]), startTime: String(draft[2]) } });
      continue;
    }
    const manifest = readManifest(join(directory, 'manifest.json'));
    if (manifest === null || manifest.run !== name) unreadable.push(directory);
    else manifests.push({ directory, manifest });
  }
  return { manifests, drafts, unreadable };
}

function draftName(owner: ProcessIdentity, run: string): string {
  return `.draft-${owner.pid}-${owner.startTime}-${run}`;
}

function listDirectories(path: string): readonly string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new LabError('manifest_unreadable', `${path} cannot be listed: ${String(error)}`, error);
  }
}

function readManifest(path: string): Manifest | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isManifest(value) ? value : null;
  } catch {
    return null;
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const { version, run, bootId, owner, things } = value as Record<string, unknown>; // checked
  return (
    version === 1 &&
    typeof run === 'string' &&
    typeof bootId === 'string' &&
    isIdentity(owner) &&
    Array.isArray(things) &&
    things.every(isThing)
  );
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startTime } = value as Record<string, unknown>; // both are checked here
  return Number.isInteger(pid) && Number(pid) > 1 && typeof startTime === 'string';
}

function isThing(value: unknown): value is Thing {
  if (typeof value !== 'object' || value === null) return false;
  const thing = value as Record<string, unknown>; // every field is checked here
  switch (thing['kind']) {
    case 'namespace':
      return typeof thing['name'] === 'string';
    case 'directory':
      return typeof thing['path'] === 'string';
    case 'process':
      return isIdentity(value) && typeof thing['label'] === 'string';
    default:
      return false;
  }
}
