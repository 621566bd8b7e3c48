import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentMessage, ControllerMessage } from '@etherloom/api';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { monotonicMs } from './clock.ts';
import { StateDirectory } from './disk/state-directory.ts';
import { RESYNC_TRIES_MAX } from './limits.ts';
import { StateFollower } from './state-follower.ts';
import {
  ISSUED_AT,
  ISSUED_MS,
  NETWORK_ID,
  TestOrganization,
  testMember,
  testSigner,
} from './trust/test-organization.ts';

const ORGANIZATION = new TestOrganization();
const STRANGER = new TestOrganization(testSigner(9));
const PEER = testMember(2);

let parent = '';
let directory: StateDirectory;
let follower: StateFollower;
let sent: AgentMessage[] = [];
let reopened: string[] = [];
let passes = 0;
let isGone = true;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'loom-follower-'));
  directory = StateDirectory.open(parent);
  [sent, reopened, passes, isGone] = [[], [], 0, true];
  const startedAtMs = monotonicMs();
  follower = new StateFollower({
    directory,
    log: pino({ level: 'silent' }),
    reconcile: () => {
      passes++;
      return Promise.resolve();
    },
    isGone: () => isGone,
    send: (message) => sent.push(message),
    reopenLink: (reason) => reopened.push(reason),
    onStatement: () => undefined,
    clocks: { wallMs: () => ISSUED_MS, sinceBootMs: () => monotonicMs() - startedAtMs },
  });
  follower.takeAuthority({ type: 'authority', chain: [...ORGANIZATION.chain] });
});
afterEach(() => {
  follower.stop();
  directory.close();
  rmSync(parent, { recursive: true });
});

test('tells the controller what it refuses, and again when that is over', () => {
  follower.takeNetworkMessage(STRANGER.snapshot({ members: [own()], revision: 1 }));
  expect(problemsTold()).toMatchObject([{ networkId: NETWORK_ID, code: 'network_unsigned' }]);
  follower.takeNetworkMessage(ORGANIZATION.snapshot({ members: [own()], revision: 1 }));
  expect(problemsTold()).toEqual([]);
});

test('tells its problems anew with each welcome', () => {
  follower.takeNetworkMessage(STRANGER.snapshot({ members: [own()], revision: 1 }));
  sent = [];
  follower.takeWelcome(welcome(ISSUED_AT));
  expect(problemsTold()).toHaveLength(1);
});

test('lets a controller wait that sends one refused state after another', () => {
  for (let count = 0; count <= RESYNC_TRIES_MAX; count++) {
    expect(reopened).toEqual([]);
    follower.takeNetworkMessage(STRANGER.snapshot({ members: [own()], revision: 1 }));
  }
  expect(reopened).toHaveLength(1);
});

test('looks again when a credential ends', async () => {
  const endsAtMs = ISSUED_MS + 1_500;
  const network = { members: [own(), PEER], revision: 1, expiresAtMs: endsAtMs };
  follower.takeNetworkMessage(ORGANIZATION.snapshot(network));
  expect(planned()).toEqual([own().name, PEER.name]);
  const before = passes;
  await vi.waitFor(() => expect(passes).toBeGreaterThan(before), 10_000);
  expect(planned()).toEqual([own().name]);
  expect(problemsTold()).toMatchObject([{ code: 'credential_ended' }]);
});

test('shows a controller with another clock, and goes by it', () => {
  follower.takeWelcome(welcome('2027-11-20T00:00:00Z'));
  expect(problemsTold()).toMatchObject([{ networkId: null, code: 'clock_differs' }]);
  expect(follower.trust.now()).toMatch(/^2027-11-20T00:00:0/);
  follower.takeWelcome(welcome(ISSUED_AT));
  expect(problemsTold()).toEqual([]);
});

test.each([
  [true, [{ type: 'released', networkId: NETWORK_ID }]],
  [false, []],
])('confirms a removal only when nothing of the network is left (%s)', async (gone, told) => {
  isGone = gone;
  follower.takeNetworkMessage({ type: 'removed', networkId: NETWORK_ID, reason: 'test' });
  await Promise.resolve();
  expect(sent.filter(({ type }) => type === 'released')).toEqual(told);
});

function own() {
  return testMember(1, directory.identity.nodeId);
}

function planned(): string[] | undefined {
  return follower
    .planNetworks()[0]
    ?.members.map(({ name }) => name)
    .toSorted();
}

function problemsTold() {
  return sent.findLast((message) => message.type === 'problems')?.problems;
}

function welcome(time: string): Extract<ControllerMessage, { type: 'welcome' }> {
  return {
    type: 'welcome',
    nodeId: directory.identity.nodeId,
    observedAddress: '192.0.2.1',
    revisions: {},
    time,
    lease: { epoch: 1 },
    nodeState: 'active',
    record: null,
  };
}
