import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkState } from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateDirectory } from './state-directory.ts';

const NETWORK_ID = 'net_00000000000000000000';
let path = '';

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'loom-state-')), 'agent');
});
afterEach(() => rmSync(join(path, '..'), { recursive: true }));

test('keeps its identity and raises its start count over restarts', () => {
  const first = openAndClose();
  const second = openAndClose();
  expect(second.identity.nodeId).toBe(first.identity.nodeId);
  expect(second.identity.staticKeys).toEqual(first.identity.staticKeys);
  expect([first.startCount, second.startCount]).toEqual([1, 2]);
});

test('keeps its files from everybody else', () => {
  openAndClose();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const name of ['identity.json', 'start-count.json'])
    expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
});

test('says that its disk is full, keeps what it held, and takes no room', () => {
  const directory = StateDirectory.open(path);
  const file = join(path, 'memberships.json');
  directory.saveMemberships({ ...directory.memberships, nodeName: 'first' });
  const before = readFileSync(file, 'utf8');
  symlinkSync('/dev/full', `${file}.tmp`);
  const save = () => directory.saveMemberships({ ...directory.memberships, nodeName: 'second' });
  expect(save).toThrow(/memberships\.json cannot be written .*its disk is full, free some space/);
  expect(directory.memberships.nodeName).toBe('first');
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(readdirSync(path)).not.toContain('memberships.json.tmp');
  save();
  expect(directory.memberships.nodeName).toBe('second');
  directory.close();
});

test('refuses a second agent and names the first', () => {
  const first = StateDirectory.open(path);
  const program = `
    import { StateDirectory } from ${JSON.stringify(new URL('./state-directory.ts', import.meta.url).href)};
    try { StateDirectory.open(${JSON.stringify(path)}); } catch (error) { console.log(error.code, error.message); }`;
  const second = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  expect(second.stdout).toContain('state_directory_locked');
  expect(second.stdout).toContain(`process ${process.pid}`);
  first.close();
  expect(openAndClose().startCount).toBe(2);
});

test('is free again after its agent was killed', () => {
  const program = `
    import { StateDirectory } from ${JSON.stringify(new URL('./state-directory.ts', import.meta.url).href)};
    StateDirectory.open(${JSON.stringify(path)});
    process.kill(process.pid, 'SIGKILL');`;
  expect(spawnSync(process.execPath, ['--input-type=module', '--eval', program]).signal).toBe(
    'SIGKILL',
  );
  expect(openAndClose().startCount).toBe(2);
});

test.each(['identity.json', 'start-count.json', 'memberships.json', 'peers.json', 'trust.json'])(
  'refuses to start with %s cut short, and leaves it there',
  (name) => {
    joined().close();
    truncateSync(join(path, name), 40);
    expect(() => StateDirectory.open(path)).toThrow(new RegExp(`${name} .*\\. (Restore|Stop)`));
    expect(statSync(join(path, name)).size).toBe(40);
  },
);

test.each(['identity.json', 'start-count.json'])(
  'refuses to start when %s has gone but the node has joined',
  (name) => {
    joined().close();
    rmSync(join(path, name));
    expect(() => StateDirectory.open(path)).toThrow(/is missing although this node has joined/);
  },
);

test('refuses a file that was edited', () => {
  openAndClose();
  const file = join(path, 'start-count.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"count":1', '"count":9'));
  expect(() => StateDirectory.open(path)).toThrow(/does not fit its checksum/);
});

test('never shows a private key in an error', () => {
  openAndClose();
  const file = join(path, 'identity.json');
  const text = readFileSync(file, 'utf8');
  const secret = /"privateKey":"([^"]+)"/.exec(text)?.[1] ?? 'none';
  writeFileSync(file, text.replace('"nodeId":"', '"nodeId":"x'));
  expect(() => StateDirectory.open(path)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining(secret) }),
  );
});

test('sets a damaged network file aside and goes on with the others', () => {
  joined().close();
  const file = join(path, 'networks', `${NETWORK_ID}.json`);
  truncateSync(file, 10);
  const directory = StateDirectory.open(path);
  expect(directory.setAside).toMatchObject([{ networkId: NETWORK_ID, path: `${file}.corrupt` }]);
  expect(directory.networks.size).toBe(0);
  expect(directory.memberships.networks).toHaveLength(1);
  expect(existsSync(`${file}.corrupt`)).toBe(true);
  directory.close();
});

test('reads back the network that it stored', () => {
  joined().close();
  const directory = StateDirectory.open(path);
  expect(directory.networks.get(NETWORK_ID)?.state).toEqual(networkState());
  directory.close();
});

test('deletes the file of a network that is no membership', () => {
  const directory = joined();
  directory.saveMemberships({ ...directory.memberships, networks: [] });
  directory.close();
  openAndClose();
  expect(readdirSync(join(path, 'networks'))).toEqual([]);
});

function openAndClose(): StateDirectory {
  const directory = StateDirectory.open(path);
  directory.close();
  return directory;
}

function joined(): StateDirectory {
  const directory = StateDirectory.open(path);
  directory.saveMemberships({
    controller: {
      urls: ['https://192.0.2.1:8443'],
      tlsFingerprint: '0'.repeat(64),
      organizationId: 'org_00000000000000000000',
    },
    nodeName: 'a',
    networks: [{ networkId: NETWORK_ID, networkName: 'demo', interface: 'loom-demo' }],
    leaving: [],
  });
  directory.savePeerIds({ next: 2, ids: { ['0'.repeat(32)]: 1 } });
  directory.saveTrust({ ...directory.trust, clock: { floorMs: 1, offsetMs: 0, seenMs: 0 } });
  directory.saveNetwork({
    state: networkState(),
    digest: networkDigest(networkState()),
    proof: null,
  });
  return directory;
}

function networkState(): NetworkState {
  return {
    config: {
      id: NETWORK_ID,
      name: 'demo',
      vni: 5,
      mtuBytes: 1_370,
      ipv4: '10.1.0.0/24',
      ipv6: null,
    },
    revision: 3,
    members: [],
  };
}
