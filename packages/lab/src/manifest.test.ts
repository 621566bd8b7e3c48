import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunRecord, readRuns } from './manifest.ts';
import { identifySelf, readBootId } from './process-identity.ts';

let root: string;
let runs: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'loom-runs-'));
  runs = join(root, 'runs');
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

test('a thing is on disk when add() returns', () => {
  const record = new RunRecord('loom-1', runs);
  const thing = { kind: 'namespace', name: 'loom-1-a' } as const;
  record.add(thing);
  expect(readRuns(runs).manifests.map(({ manifest }) => manifest)).toEqual([
    { version: 1, run: 'loom-1', bootId: readBootId(), owner: identifySelf(), things: [thing] },
  ]);
  record.remove(thing);
  expect(readRuns(runs).manifests[0]?.manifest.things).toEqual([]);
});

test('a run name that is taken is refused', () => {
  const first = new RunRecord('loom-1', runs);
  first.add({ kind: 'directory', path: '/tmp/loom-1' });
  expect(() => new RunRecord('loom-1', runs)).toThrow(/ENOTEMPTY|EEXIST/);
  expect(readRuns(runs).manifests[0]?.manifest.things).toHaveLength(1);
});

test('close() removes the run, and the root when it is the last', async () => {
  const first = new RunRecord('loom-1', runs);
  const second = new RunRecord('loom-2', runs);
  first.close();
  expect(await readdir(runs)).toEqual(['loom-2']);
  second.close();
  expect(await readdir(root)).toEqual([]);
});

test.each([
  ['nothing', null],
  ['half a file', '{"version":1,'],
  ['another version', '{"version":2}'],
  ['another run', manifest({ run: 'loom-other' })],
  ['an unknown thing', manifest({ things: [{ kind: 'disk', name: 'sda' }] })],
  ['pid 1', manifest({ things: [{ kind: 'process', label: 'x', pid: 1, startTime: '1' }] })],
])('a manifest with %s is unreadable', async (_, text) => {
  await mkdir(join(runs, 'loom-1'), { recursive: true });
  if (text !== null) await writeFile(join(runs, 'loom-1', 'manifest.json'), text);
  expect(readRuns(runs)).toEqual({
    manifests: [],
    drafts: [],
    unreadable: [join(runs, 'loom-1')],
  });
});

test('no directory of runs is no runs', () => {
  expect(readRuns(runs)).toEqual({ manifests: [], drafts: [], unreadable: [] });
});

function manifest(changes: Readonly<Record<string, unknown>>): string {
  const owner = { pid: 2, startTime: '1' };
  return JSON.stringify({ version: 1, run: 'loom-1', bootId: 'b', owner, things: [], ...changes });
}
