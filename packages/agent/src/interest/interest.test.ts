import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentMessage, ControllerMessage, Member } from '@etherloom/api';
import { fromBase64url } from '@etherloom/api';
import { SOUGHT } from '@etherloom/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StateDirectory } from '../disk/state-directory.ts';
import {
  MEMBER_IDLE_CHECK_MS,
  MEMBER_IDLE_FRAMES,
  RESOLVES,
  RESOLVES_PENDING_MAX,
  ROSTER_REFRESH_MS,
} from '../limits.ts';
import { dropMembers } from '../networks.ts';
import { StateFollower } from '../state-follower.ts';
import type { TestNetwork } from '../trust/test-organization.ts';
import { ISSUED_MS, NETWORK_ID, TestOrganization, testMember } from '../trust/test-organization.ts';

const ORGANIZATION = new TestOrganization();
const OTHERS = Array.from({ length: 20 }, (_, at) => testMember(at + 2));
const [PEER = testMember(2), SECOND = testMember(3)] = OTHERS;

let parent = '';
let directory: StateDirectory;
let follower: StateFollower;
let sent: AgentMessage[] = [];
let isLinked = true;
let frames = new Map<string, number>();

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'loom-interest-'));
  isLinked = true;
  open();
  follower.takeAuthority({ type: 'authority', chain: [...ORGANIZATION.chain] });
});
afterEach(() => {
  close();
  rmSync(parent, { recursive: true });
});

function open(interestMax?: number): void {
  directory = StateDirectory.open(parent);
  sent = [];
  follower = new StateFollower({
    directory,
    log: pino({ level: 'silent' }),
    reconcile: () => Promise.resolve(),
    isGone: () => true,
    send: (message) => sent.push(message),
    reopenLink: () => undefined,
    onStatement: () => undefined,
    isLinked: () => isLinked,
    frames: () => Promise.resolve(frames),
    monotonicMs: () => Date.now(),
    ...(interestMax === undefined ? {} : { interestMax }),
    clocks: { wallMs: () => ISSUED_MS, sinceBootMs: () => 0 },
  });
}

function close(): void {
  follower.stop();
  directory.close();
}

const own = (): Member => testMember(1, directory.identity.nodeId);
const network = (revision: number, members = [own(), ...OTHERS]): TestNetwork => ({
  members,
  revision,
});
const tell = (revision: number, told: readonly Member[], wish = network(revision)) =>
  follower.takeNetworkMessage(ORGANIZATION.partial(wish, told));
const heldNames = (): string[] =>
  (follower.planNetworks()[0]?.members ?? []).map(({ name }) => name).toSorted();
const messages = <T extends AgentMessage['type']>(type: T) =>
  sent.filter((message): message is Extract<AgentMessage, { type: T }> => message.type === type);
const resolved = (
  requestId: number,
  nodeId: string | null,
  isRefused = false,
): ControllerMessage => ({
  type: 'resolved',
  requestId,
  networkId: NETWORK_ID,
  nodeId,
  isRefused,
});
const answer = (message: ControllerMessage): void => {
  if (message.type === 'resolved') follower.takeInterest(message);
};
const missed = (last: number, vni = 5): void =>
  follower.interest.miss({ vni, kind: SOUGHT.ip, address: ipv4(10, 1, 0, last) });
const ipv4 = (...bytes: number[]): Uint8Array =>
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);

describe('a network that is held in part', () => {
  test('has this node and those that it was told of, also after a restart', () => {
    expect(tell(1, [own(), PEER])).toMatchObject({ kind: 'changed' });
    expect(tell(2, [SECOND])).toMatchObject({ kind: 'changed' });
    expect(heldNames()).toEqual(['host-1', 'host-2', 'host-3']);
    close();
    open();
    expect(heldNames()).toEqual(['host-1', 'host-2', 'host-3']);
    expect(directory.setAside).toEqual([]);
  });

  test('follows from one that was held whole, and loses nobody', () => {
    follower.takeNetworkMessage(ORGANIZATION.snapshot(network(1)));
    tell(2, [own()]);
    expect(heldNames()).toHaveLength(OTHERS.length + 1);
    close();
    open();
    expect(heldNames()).toHaveLength(OTHERS.length + 1);
  });

  test('becomes one that is held whole by a snapshot', () => {
    tell(1, [own(), PEER]);
    follower.takeNetworkMessage(ORGANIZATION.snapshot(network(2, [own(), PEER, SECOND])));
    expect(heldNames()).toEqual(['host-1', 'host-2', 'host-3']);
    expect(directory.networks.get(NETWORK_ID)?.state.isPartial).toBeUndefined();
  });

  test('is asked for anew when a delta of a whole one comes', () => {
    tell(1, [own(), PEER]);
    const delta = ORGANIZATION.delta(network(1, [own(), PEER]), network(2));
    expect(follower.takeNetworkMessage(delta)).toMatchObject({ kind: 'resync' });
  });

  test('loses at once who was revoked, though the update names nobody', () => {
    tell(1, [own(), PEER, SECOND]);
    const revocations = [ORGANIZATION.revocation(PEER.nodeId, 1)];
    const members = [own(), ...OTHERS].filter(({ nodeId }) => nodeId !== PEER.nodeId);
    tell(2, [], { members, revision: 2, revocations });
    expect(heldNames()).toEqual(['host-1', 'host-3']);
  });

  test('keeps everybody when what comes is not proved, and says so', () => {
    tell(1, [own(), PEER]);
    const lie = ORGANIZATION.partial(network(2), [SECOND]);
    const outcome = follower.takeNetworkMessage({
      ...lie,
      upserts: [{ ...SECOND, mac: PEER.mac }],
    });
    expect(outcome).toMatchObject({ kind: 'resync' });
    expect(heldNames()).toEqual(['host-1', 'host-2']);
    expect(messages('problems').at(-1)?.problems).toMatchObject([{ code: 'state_differs' }]);
  });
});

describe('to its controller an agent', () => {
  test('names whom it holds, with the revision at which it holds them', () => {
    tell(7, [own(), PEER, SECOND]);
    follower.takeInterest({ type: 'interestWanted', networkId: NETWORK_ID });
    expect(messages('interest')).toEqual([
      {
        type: 'interest',
        networkId: NETWORK_ID,
        revision: 7,
        nodeIds: [PEER.nodeId, SECOND.nodeId],
        hasMore: false,
      },
    ]);
  });

  test('names nobody of a network that it does not hold', () => {
    follower.takeInterest({ type: 'interestWanted', networkId: NETWORK_ID });
    expect(messages('interest')).toMatchObject([{ revision: null, nodeIds: [], hasMore: false }]);
  });

  test('does not offer a revision of what it holds in part', () => {
    tell(7, [own(), PEER]);
    expect(follower.trust.revisions()).toEqual({});
  });

  test('looks for an address of a pool, a MAC and a key, each once', () => {
    tell(1, [own(), PEER]);
    for (let count = 0; count < 3; count++) {
      missed(9);
      follower.interest.miss({
        vni: 5,
        kind: SOUGHT.mac,
        address: Uint8Array.of(2, 0, 0, 0, 0, 9, ...new Uint8Array(10)),
      });
      follower.interest.stranger(fromBase64url(SECOND.sessionKey));
    }
    expect(messages('resolve').map(({ by }) => by)).toEqual([
      { ip: '10.1.0.9' },
      { mac: '02:00:00:00:00:09' },
      { sessionKey: SECOND.sessionKey },
    ]);
  });

  test('leaves strangers half of its room: what a frame looks for is asked for all the same', () => {
    tell(1, [own(), PEER]);
    for (let key = 0; key < 2 * RESOLVES.burst; key++)
      follower.interest.stranger(new Uint8Array(32).fill(key + 1));
    const byKey = messages('resolve').length;
    expect(byKey).toBeGreaterThan(0);
    expect(byKey).toBeLessThan(RESOLVES.burst);
    missed(9);
    expect(messages('resolve').at(-1)?.by).toEqual({ ip: '10.1.0.9' });
  });

  test('looks for a link-local address by the MAC in it', () => {
    tell(1, [own(), PEER]);
    const address = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 9);
    follower.interest.miss({ vni: 5, kind: SOUGHT.ip, address });
    expect(messages('resolve')[0]?.by).toEqual({ mac: '02:00:00:00:00:09' });
  });

  test('looks for nobody whom it holds, or whom no member can be', () => {
    tell(1, [own(), PEER]);
    missed(1);
    missed(2);
    missed(9, 6);
    follower.interest.miss({ vni: 5, kind: SOUGHT.ip, address: ipv4(10, 2, 0, 9) });
    follower.interest.stranger(fromBase64url(PEER.sessionKey));
    expect(messages('resolve')).toEqual([]);
  });

  test('looks for nobody in a network that it holds whole, or without a link', () => {
    follower.takeNetworkMessage(ORGANIZATION.snapshot(network(1)));
    missed(99);
    tell(2, [own()]);
    isLinked = false;
    missed(99);
    expect(messages('resolve')).toEqual([]);
  });

  test('does not look again so soon for what nobody has, but for what was refused', () => {
    tell(1, [own(), PEER]);
    missed(9);
    missed(10);
    answer(resolved(1, null));
    answer(resolved(2, null, true));
    missed(9);
    missed(10);
    expect(messages('resolve').map(({ by }) => by)).toEqual([
      { ip: '10.1.0.9' },
      { ip: '10.1.0.10' },
      { ip: '10.1.0.10' },
    ]);
  });

  test('looks for so many at once, and for so many in a while', () => {
    tell(1, [own(), PEER]);
    for (let last = 30; last < 250; last++) missed(last);
    expect(messages('resolve')).toHaveLength(RESOLVES_PENDING_MAX);
    for (const { requestId } of messages('resolve')) answer(resolved(requestId, null));
    for (let last = 30; last < 250; last++) missed(last);
    expect(messages('resolve').length).toBeLessThanOrEqual(RESOLVES.burst + 2);
  });

  test('names again who was told while it named the others', () => {
    tell(1, [own(), PEER]);
    follower.interest.tell(NETWORK_ID);
    tell(1, [SECOND]);
    const reply = ORGANIZATION.partial(network(1), [], { isReply: true });
    follower.takeNetworkMessage(reply);
    expect(messages('interest').map(({ nodeIds }) => nodeIds.length)).toEqual([1, 2]);
    follower.takeNetworkMessage(reply);
    expect(messages('interest')).toHaveLength(2);
  });

  test('asks on another link for what was not answered', () => {
    tell(1, [own(), PEER]);
    missed(9);
    follower.interest.unlinked();
    missed(9);
    expect(messages('resolve')).toHaveLength(2);
  });
});

test('who is let go of is not on disk any more, and is told again when it is needed', () => {
  tell(1, [own(), PEER, SECOND]);
  dropMembers(follower.trust, NETWORK_ID, new Set([PEER.nodeId]));
  expect(directory.networks.get(NETWORK_ID)?.state.members).toHaveLength(2);
  expect(heldNames()).toEqual(['host-1', 'host-3']);
  tell(1, [PEER]);
  expect(heldNames()).toEqual(['host-1', 'host-2', 'host-3']);
});

describe('as time goes by', () => {
  beforeEach(() => {
    close();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    frames = new Map();
    open(3);
    tell(1, [own(), PEER, SECOND]);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('who is told beyond what it may hold displaces who was not dealt with for longest', async () => {
    await vi.advanceTimersByTimeAsync(MEMBER_IDLE_CHECK_MS);
    frames.set(PEER.nodeId, MEMBER_IDLE_FRAMES);
    await vi.advanceTimersByTimeAsync(MEMBER_IDLE_CHECK_MS);
    tell(1, OTHERS.slice(2, 4));
    expect(heldNames()).toEqual(['host-1', 'host-2', 'host-4', 'host-5']);
    expect(messages('interest').at(-1)?.nodeIds).toEqual([PEER.nodeId]);
  });

  test('who has no use for long is let go of, and the controller is told', async () => {
    for (let minute = 0; minute < 40; minute++) {
      frames.set(PEER.nodeId, minute * MEMBER_IDLE_FRAMES);
      await vi.advanceTimersByTimeAsync(MEMBER_IDLE_CHECK_MS);
    }
    expect(heldNames()).toEqual(['host-1', 'host-2']);
    expect(messages('interest').at(-1)?.nodeIds).toEqual([PEER.nodeId]);
  });

  test('nobody is let go of while there is no controller to ask', async () => {
    isLinked = false;
    await vi.advanceTimersByTimeAsync(100 * MEMBER_IDLE_CHECK_MS);
    expect(heldNames()).toEqual(['host-1', 'host-2', 'host-3']);
  });

  test('a controller that keeps the newest roster back is shown', async () => {
    const { roster } = ORGANIZATION.network(network(5)).proof;
    expect(follower.trust.judgeStatement(roster, PEER.nodeId)).toEqual({ verdict: 'known' });
    expect(messages('problems').at(-1)?.problems ?? [], 'being behind is none').toEqual([]);
    await vi.advanceTimersByTimeAsync(1.5 * ROSTER_REFRESH_MS);
    expect(messages('interest').length).toBeGreaterThan(0);
    const old = ORGANIZATION.partial(network(2), [], { isReply: true });
    follower.takeNetworkMessage(old);
    expect(messages('problems').at(-1)?.problems).toMatchObject([{ code: 'roster_withheld' }]);
    follower.takeNetworkMessage(ORGANIZATION.partial(network(5), [], { isReply: true }));
    expect(messages('problems').at(-1)?.problems).toEqual([]);
  });

  test('a revocation of somebody unknown, by a peer, counts when he is told', () => {
    const [, , third = SECOND] = OTHERS;
    const revocation = ORGANIZATION.revocation(third.nodeId, 1);
    expect(follower.trust.judgeStatement(revocation, PEER.nodeId)).toMatchObject({
      verdict: 'fresh',
    });
    expect(follower.trust.judgeStatement(revocation, PEER.nodeId)).toEqual({ verdict: 'known' });
    tell(1, [third]);
    expect(heldNames()).toEqual(['host-1', 'host-2', 'host-3']);
  });
});
