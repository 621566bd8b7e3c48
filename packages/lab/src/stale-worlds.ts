/**
 * Removes what runs of the lab left behind whose owner was killed. Only what such a run wrote into
 * its manifest is touched, and a
 * process only when its start time is the recorded one, or when it runs in a namespace of that run
 * or carries the run's mark.
 */
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import type { Manifest, Thing } from './manifest.ts';
import { RUNS_DIRECTORY, readRuns } from './manifest.ts';
import { deleteNamespace, listMarkedProcesses } from './namespaces.ts';
import { endProcesses, isRunning, readBootId } from './process-identity.ts';

export interface StaleReport {
  /** Runs that were cleaned. */
  readonly cleaned: readonly string[];
  /** Directories left alone, and runs that could not be cleaned whole, as sentences. */
  readonly problems: readonly string[];
}

/** Cleans after every run whose owner has ended; runs that are going on are not touched. */
export async function cleanStaleWorlds(
  runsDirectory: string = RUNS_DIRECTORY,
): Promise<StaleReport> {
  const { manifests, drafts, unreadable } = readRuns(runsDirectory);
  const cleaned: string[] = [];
  const problems = unreadable.map(
    (path) =>
      `${path} has no readable manifest, so nothing there is touched: look at it, then delete it`,
  );
  for (const draft of drafts) {
    if (!isRunning(draft.owner)) rmSync(draft.directory, { recursive: true, force: true });
  }
  for (const { directory, manifest } of manifests) {
    const isSameBoot = manifest.bootId === readBootId();
    if (isSameBoot && isRunning(manifest.owner)) continue;
    const found = await cleanRun(manifest, isSameBoot);
    problems.push(...found);
    if (found.length > 0) continue;
    rmSync(directory, { recursive: true, force: true });
    cleaned.push(manifest.run);
  }
  return { cleaned, problems };
}

async function cleanRun(manifest: Manifest, isSameBoot: boolean): Promise<readonly string[]> {
  const problems: string[] = [];
  if (isSameBoot) {
    const recorded = manifest.things.filter((thing) => thing.kind === 'process');
    const left = await endProcesses([...recorded, ...listMarkedProcesses(manifest.run)]);
    problems.push(...left.map(({ pid }) => `process ${pid} of run ${manifest.run} does not end`));
  }
  for (const thing of manifest.things.toReversed()) {
    try {
      problems.push(...(await cleanThing(thing, manifest.run, isSameBoot)));
    } catch (error) {
      problems.push(`${thing.kind} of run ${manifest.run}: ${String(error)}`);
    }
  }
  return problems;
}

async function cleanThing(
  thing: Thing,
  run: string,
  isSameBoot: boolean,
): Promise<readonly string[]> {
  switch (thing.kind) {
    case 'process':
      return [];
    case 'namespace': {
      if (!isSameBoot || !thing.name.startsWith(`${run}-`)) return [];
      const left = await deleteNamespace(thing.name);
      return left.map(({ pid }) => `process ${pid} in namespace ${thing.name} does not end`);
    }
    case 'directory':
      // A directory of a run carries the run's name: a manifest that says otherwise is not
      // followed.
      if (basename(thing.path) === run) rmSync(thing.path, { recursive: true, force: true });
      return [];
  }
}
