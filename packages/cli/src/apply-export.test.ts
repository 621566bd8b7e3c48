/** loom apply and loom export against a real controller. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControllerProcess } from './testing/controller-process.ts';
import { startController } from './testing/controller-process.ts';

const FILE = `etherloom: 1
networks:
  lab:
    ipv4: 10.3.0.0/24
    ipv6: fd00:3:0::/64
    settings: { clones: reject }
    reservations:
      - { address: 10.3.0.9, note: printer }
      - { address: "fd00:3:0::9", note: "" }
  plain: {}
`;

let directory: string;
let loom: ControllerProcess['loom'];
let write: ControllerProcess['write'];
let stop: ControllerProcess['stop'];

beforeAll(async () => {
  ({ directory, loom, write, stop } = await startController());
});
afterAll(() => stop());

test('--plan shows the difference and changes nothing; apply makes it; again there is none', async () => {
  const path = write('organization.yaml', FILE);
  const planned = await loom(['apply', path, '--plan']);
  expect(planned).toMatchObject({ status: 0, stderr: '' });
  expect(planned.stdout).toContain('+ network lab (IPv4 10.3.0.0/24, IPv6 fd00:3:0::/64)');
  expect(planned.stdout).toContain('4 to make, 0 to change, 0 to remove');
  expect((await exported()).networks).toEqual({});
  expect((await loom(['apply', path])).stdout).toContain('Done: 4 to make');
  for (const options of [[], ['--prune'], ['--plan', '--prune']])
    expect((await loom(['apply', path, ...options])).stdout).toBe(
      'Everything is as the files say.\n',
    );
});

test('an export that is applied to what it was made of changes nothing', async () => {
  const path = join(directory, 'export.yaml');
  expect(await loom(['export', '--out', path])).toMatchObject({ status: 0, stdout: '' });
  const run = await loom(['apply', path, '--prune', '--json']);
  expect(JSON.parse(run.stdout)).toEqual({
    steps: [],
    waits: [],
    notes: [],
    done: 0,
    joinTokens: [],
  });
  const text = readFileSync(path, 'utf8');
  expect(text).toContain('clones: reject');
  expect((await loom(['export'])).stdout, 'the same text each time').toBe(text);
});

test('changes settings, and with --prune removes what is not named', async () => {
  const path = write(
    'less.yaml',
    'etherloom: 1\nnetworks:\n  lab: { settings: { clones: split } }\n',
  );
  expect((await loom(['apply', path])).stdout).toContain('settings.clones: reject -> split');
  expect(Object.keys((await exported()).networks)).toEqual(['lab', 'plain']);
  expect((await loom(['apply', path, '--prune'])).stdout).toContain('- network plain');
  expect(Object.keys((await exported()).networks)).toEqual(['lab']);
});

test('what cannot be changed is refused before anything is done', async () => {
  const path = write(
    'fixed.yaml',
    'etherloom: 1\nnetworks:\n  another: {}\n  lab: { ipv4: 10.4.0.0/24 }\n',
  );
  const run = await loom(['apply', path]);
  expect(run).toMatchObject({ status: 1, stdout: '' });
  expect(run.stderr).toContain('nothing was changed');
  expect(Object.keys((await exported()).networks)).toEqual(['lab']);
});

test('a step that the controller refuses: what was done and what was not is said', async () => {
  const reservations = '[{ address: 10.5.0.3 }, { address: 10.99.0.3 }, { address: 10.5.0.4 }]';
  const path = write(
    'half.yaml',
    `etherloom: 1\nnetworks:\n  half: { ipv4: 10.5.0.0/24, reservations: ${reservations} }\n`,
  );
  const run = await loom(['apply', path]);
  expect(run.status).toBe(1);
  expect(run.stderr).toContain('2 of 4 steps are done; 2 are not, from: + reservation 10.99.0.3');
  expect(run.stderr).toContain('is not in pool');
});

test('who sees several organizations has to name one, and the others are left alone', async () => {
  await loom(['organization', 'create', 'acme']);
  await loom(['network', 'create', 'theirs', '--organization', 'acme']);
  const path = write('none.yaml', 'etherloom: 1\nnetworks: {}\n');
  for (const args of [['apply', path, '--prune'], ['export']]) {
    const run = await loom(args);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain('name one with --organization');
  }
  const run = await loom(['apply', path, '--prune', '--organization', 'default']);
  expect(run.stdout).not.toContain('theirs');
  expect((await loom(['network', 'list', '--organization', 'acme'])).stdout).toContain('theirs');
  expect((await loom(['network', 'list', '--organization', 'default'])).stdout).not.toContain(
    'lab',
  );
});

async function exported(): Promise<{ networks: Record<string, unknown> }> {
  return JSON.parse((await loom(['export', '--json'])).stdout);
}
