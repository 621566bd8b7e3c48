/**
 * Every file of a state directory, damaged in every way: the agent says which file it is and
 * changes nothing, or goes on without it as the same node, and never takes what is damaged or
 * older for good.
 */
import { createHash, randomInt } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentError } from '../errors.ts';
import { NETWORK_ID } from '../trust/test-organization.ts';
import { NOTHING, liveOn, makeScratch, openLife } from './crash-history.ts';
import type { Life } from './crash-history.ts';

/** Places of bits that are turned over, for each file. */
const FLIPS = 12;
/** What is told to a person at the start; everything else heals by itself. */
const REFUSING = ['identity', 'start-count', 'memberships', 'peers', 'trust', 'vouched'];

/** What an agent that has opened the directory would act on. */
interface Held {
  readonly nodeId: string;
  readonly startCount: number;
  readonly authority: number | undefined;
  readonly revision: number | undefined;
  readonly lease: number | undefined;
  readonly isDown: boolean;
  readonly clonedFrom: string | null;
}

let parent = '';
/** A member in full life, the same a phase earlier, and a copy that is told to stay down. */
const LIVES = { member: 'authority rotation', earlier: 'state update', copy: 'rejected as a copy' };
type LifeName = keyof typeof LIVES;
const held = new Map<LifeName, Held>();

beforeAll(() => {
  parent = makeScratch('loom-damage-');
  let life = openLife(join(parent, 'life'), NOTHING);
  for (const name of ['earlier', 'member', 'copy'] as const) {
    liveOn(life, LIVES[name]);
    held.set(name, heldBy(life));
    life.directory.close();
    cpSync(join(parent, 'life'), join(parent, name), { recursive: true });
    life = openLife(join(parent, 'life'), life.progress);
  }
  life.directory.close();
});
afterAll(() => rmSync(parent, { recursive: true }));

describe.each(['member', 'copy'] as const)('of a %s', (name) => {
  test('every file that is damaged is refused by name, or done without', () => {
    const files = filesOf(join(parent, name));
    expect(files.length).toBeGreaterThan(8);
    for (const file of files)
      for (const [how, damage] of damages(join(parent, name, file))) {
        const path = copyOf(name);
        damage(join(path, file));
        checkDamaged(path, file, name, `${file}, ${how}`);
        rmSync(path, { recursive: true });
      }
  });

  test('a left-over of an interrupted write is no file', () => {
    const path = copyOf(name);
    for (const file of filesOf(path)) writeFileSync(`${join(path, file)}.tmp`, '{"etherloom":');
    expect(openAndClose(path)).toMatchObject({ ...held.get(name), startCount: expect.any(Number) });
  });
});

test('a network file that is put back to an older one is set aside and asked for again', () => {
  const path = copyOf('member');
  const file = join('networks', `${NETWORK_ID}.json`);
  cpSync(join(parent, 'earlier', file), join(path, file));
  const life = openLife(path, NOTHING);
  expect(life.trust.problems.all.map(({ networkId }) => networkId)).toContain(NETWORK_ID);
  expect(life.trust.networks).toEqual([]);
  expect(life.trust.revisions()).toEqual({});
  life.directory.close();
});

test('a trust file that is put back to an older one makes no older state valid', () => {
  const path = copyOf('member');
  cpSync(join(parent, 'earlier', 'trust.json'), join(path, 'trust.json'));
  const life = openLife(path, NOTHING);
  const revision = life.trust.verifiedOf(NETWORK_ID)?.state.revision;
  expect([undefined, held.get('member')?.revision]).toContain(revision);
  life.directory.close();
});

function checkDamaged(path: string, file: string, name: LifeName, what: string): void {
  const before = contentsOf(path);
  const good = held.get(name);
  let after: Held;
  try {
    after = openAndClose(path);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    expect(error.message, what).toContain(file);
    const stem = file.replace(/\.json$/, '');
    // What cannot be read at all ends the start, whichever file it is.
    if (error.code !== 'state_directory_unusable') expect(REFUSING, what).toContain(stem);
    for (const [other, digest] of contentsOf(path))
      if (!['start-count.json', 'agent.pid', 'agent.lock'].includes(other))
        expect(before.get(other), `${other} after ${what}`).toBe(digest);
    return;
  }
  expect(after.nodeId, what).toBe(good?.nodeId);
  expect(after.startCount, what).toBeGreaterThan(good?.startCount ?? 0);
  expect(after.authority, what).toBe(good?.authority);
  expect([undefined, good?.revision], what).toContain(after.revision);
  expect([undefined, good?.lease], what).toContain(after.lease);
  expect(after.isDown, what).toBe(good?.isDown);
  expect([null, good?.clonedFrom], what).toContain(after.clonedFrom);
}

type Damage = (path: string) => void;

function damages(path: string): [string, Damage][] {
  const { size } = statSync(path);
  const flips = Array.from({ length: size === 0 ? 0 : FLIPS }, () => randomInt(size * 8));
  return [
    ['empty', (file) => truncateSync(file)],
    ['cut in half', (file) => truncateSync(file, size >> 1)],
    ['cut by two bytes', (file) => truncateSync(file, Math.max(0, size - 2))],
    ['zeros', (file) => writeFileSync(file, Buffer.alloc(size))],
    ['other JSON', (file) => writeFileSync(file, '{}')],
    ['a folder', turnIntoFolder],
    ...flips.map((bit): [string, Damage] => [`bit ${bit}`, (file) => flip(file, bit)]),
  ];
}

function flip(path: string, bit: number): void {
  const bytes = readFileSync(path);
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, bytes);
}

function turnIntoFolder(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

function openAndClose(path: string): Held {
  const life = openLife(path, NOTHING);
  try {
    return heldBy(life);
  } finally {
    life.directory.close();
  }
}

function heldBy({ directory, trust, place }: Life): Held {
  return {
    nodeId: directory.identity.nodeId,
    startCount: directory.startCount,
    authority: trust.authority?.statement.version,
    revision: trust.verifiedOf(NETWORK_ID)?.state.revision,
    lease: directory.place.lease?.epoch,
    isDown: place.isDown,
    clonedFrom: directory.place.clonedFrom,
  };
}

let copies = 0;
function copyOf(name: LifeName): string {
  const path = join(parent, `copy-${++copies}`);
  cpSync(join(parent, name), path, { recursive: true });
  return path;
}

function filesOf(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(path, name)).isFile(),
  );
}

function contentsOf(path: string): Map<string, string> {
  return new Map(
    filesOf(path).map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(path, file)))
        .digest('hex'),
    ]),
  );
}
