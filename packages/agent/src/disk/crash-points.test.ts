/**
 * An agent that dies, or a host that loses its power, at any moment of a node's life: what is on
 * disk then is the old state or the new one, whole, and the life goes on from there. The moments
 * are those of the calls that the real code makes (packages/lab/src/crash-points.ts), the life is
 * that of crash-history.ts.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareLease } from '@etherloom/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NETWORK_ID } from '../trust/test-organization.ts';
import { PEER_ID, PHASE_NAMES, REVISION_AFTER } from './crash-history.ts';
import { liveOn, makeScratch, openLife, readProgress } from './crash-history.ts';
import type { Life, Progress } from './crash-history.ts';

const HISTORY = fileURLToPath(new URL('crash-history.ts', import.meta.url));
const CRASH_POINTS = fileURLToPath(new URL('../../../lab/src/crash-points.ts', import.meta.url));
/** Processes at a time: the smallest machine has two cores. */
const CHILDREN_MAX = 2;
const KILL_TEST_MS = 180_000;

let parent = '';

beforeAll(async () => {
  parent = makeScratch('loom-crash-');
  const result = await liveInChild('whole', { CRASH_SHOTS: join(parent, 'shots') });
  expect(result).toEqual({ signal: null, text: '' });
}, 60_000);
afterAll(() => rmSync(parent, { recursive: true }));

describe('a disk that is left at any moment of', () => {
  test.each(PHASE_NAMES)('%s holds the old or the new state, whole', (phase) => {
    const shots = readdirSync(join(parent, 'shots')).filter((name) => phaseOf(name) === phase);
    expect(shots.length).toBeGreaterThan(phase === 'first start' ? 5 : 3);
    for (const shot of shots) {
      const folder = join(parent, 'shots', shot);
      const variants = readdirSync(folder).filter((name) => name !== 'progress');
      for (const variant of variants)
        checkAndLiveOn(
          join(folder, variant, 'agent'),
          join(folder, 'progress'),
          `${shot} ${variant}`,
        );
    }
  });
});

test(
  'an agent that is killed by SIGKILL at each fsync of its life goes on as the same node',
  async () => {
    let next = 1;
    let last = Infinity;
    const work = async (): Promise<void> => {
      while (next <= last) {
        const at = next++;
        const name = `killed-${at}`;
        const { signal, text } = await liveInChild(name, { CRASH_KILL_AT: String(at) });
        expect(text).toBe('');
        if (signal === null) last = Math.min(last, at - 1);
        const path = join(parent, name, 'agent');
        checkAndLiveOn(path, join(parent, `${name}.progress`), name);
        rmSync(join(parent, name), { recursive: true });
      }
    };
    await Promise.all(Array.from({ length: CHILDREN_MAX }, work));
    expect(last).toBeGreaterThan(40);
  },
  KILL_TEST_MS,
);

test('a disk that is full from any write on ends nothing but that write', async () => {
  const { signal, text } = await liveInChild('full', { CRASH_FULL_AT: '1' });
  expect({ signal, text }).toEqual({ signal: null, text: '' });
  const lives = readdirSync(join(parent, 'full'));
  expect(lives.length).toBeGreaterThan(100);
  for (const life of lives) {
    const number = life.replace('agent-', '');
    checkAndLiveOn(join(parent, 'full', life), join(parent, `full.progress-${number}`), life);
  }
}, 60_000);

/** Opens what was left, compares it with what the world knows, and goes on to the end. */
function checkAndLiveOn(path: string, progressPath: string, where: string): void {
  const progress = readProgress(progressPath);
  const life = openLife(path, progress);
  try {
    checkIdentity(life, where);
    checkTrust(life, where);
    checkPlace(life, where);
    liveOn(life);
    expect(life.directory.place.clonedFrom, where).toBe(life.progress.nodeIds[0]);
    expect(life.directory.identity.nodeId, where).not.toBe(life.progress.nodeIds[0]);
    expect(life.directory.networks.size, where).toBe(0);
  } finally {
    life.directory.close();
  }
}

function checkIdentity({ directory, progress }: Life, where: string): void {
  const { nodeId } = directory.identity;
  const { clonedFrom } = directory.place;
  const [first] = progress.nodeIds;
  const isOther = progress.begun.includes('split') && clonedFrom === first;
  if (first !== undefined && !isOther) expect(nodeId, where).toBe(first);
  expect(directory.startCount, where).toBeGreaterThan(progress.startCounts[nodeId] ?? 0);
  expect(directory.setAside, where).toEqual([]);
}

function checkTrust({ directory, trust, progress }: Life, where: string): void {
  // The controller of this history sends the revocation later than the peers do.
  const codes = new Set(trust.problems.all.map(({ code }) => code));
  codes.delete('roster_withheld');
  expect([...codes], where).toEqual([]);
  const least = progress.done.includes('authority rotation') ? 2 : 1;
  if (progress.done.includes('join'))
    expect(trust.authority?.statement.version, where).toBeGreaterThanOrEqual(least);
  if (!progress.done.includes('first state') || progress.begun.includes('leave')) return;
  const revision = directory.networks.get(NETWORK_ID)?.state.revision;
  expect(revisionsOf(progress), where).toContain(revision);
  expect(trust.verifiedOf(NETWORK_ID)?.state.revision, where).toBe(revision);
  const isMember = trust.verifiedOf(NETWORK_ID)?.members.has(PEER_ID) ?? false;
  if (progress.done.includes('revocation by gossip') && isMember)
    expect(trust.isRevoked(NETWORK_ID, PEER_ID), where).toBe(true);
}

/** The revision before the phase that was under way, and that after it. */
function revisionsOf({ begun, done }: Progress): number[] {
  const before = done.flatMap((phase) => REVISION_AFTER[phase] ?? []).at(-1) ?? 0;
  const after = REVISION_AFTER[begun.at(-1) ?? ''] ?? before;
  return [before, after];
}

function checkPlace({ directory, place, progress }: Life, where: string): void {
  if (progress.done.includes('rejected as a copy'))
    expect(directory.place.standing, where).not.toBe(null);
  if (progress.begun.includes('split')) return;
  const shown = place.show().lease;
  expect(compareLease(progress.lease ?? undefined, false, shown), where).not.toBe('older');
}

function phaseOf(shot: string): string | undefined {
  return readProgress(join(parent, 'shots', shot, 'progress')).begun.at(-1);
}

/**
 * Lives a whole life in another process; gives the signal that ended it and what it complained of.
 */
function liveInChild(
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly signal: string | null; readonly text: string }> {
  const root = join(parent, name);
  mkdirSync(root);
  const progress = join(parent, `${name}.progress`);
  const args = ['--import', CRASH_POINTS, HISTORY, join(root, 'agent'), progress];
  const options = {
    env: {
      ...process.env,
      ...env,
      NODE_COMPILE_CACHE: join(parent, 'compiled'),
      CRASH_ROOT: root,
      CRASH_PROGRESS: progress,
    },
  };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, _stdout, stderr) =>
      resolve({ signal: error?.signal ?? null, text: stderr }),
    );
  });
}
