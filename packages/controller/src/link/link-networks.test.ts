import type { ControllerMessage } from '@etherloom/api';
import { expect, test } from 'vitest';
import { LinkNetworks } from './link-networks.ts';
import type { FeedResult } from './network-feed.ts';

const NETWORK = 'net_aaaaaaaaaaaaaaaaaaaa';
const NODE = '1'.repeat(32);
const GONE: FeedResult = { kind: 'gone', reason: 'no member', revocation: undefined };
const PARTIAL = { kind: 'partial' } as FeedResult; // its head is for others

/** A feed that says what it is told to, and whether it was to look for the membership. */
function linkOf(answers: (() => FeedResult)[]) {
  const looked: boolean[] = [];
  const sent: ControllerMessage[] = [];
  const networks = new LinkNetworks({
    feed: {
      read: async (_network, _node, _from, isKnown) => {
        looked.push(isKnown !== true);
        return answers.shift()?.() ?? { kind: 'current' };
      },
    },
    partial: { drop: () => {}, bringUpToDate: () => Promise.resolve(true) },
    send: (message) => sent.push(message),
    sendData: () => {},
    sendAuthority: () => Promise.resolve(),
    beforeEnd: () => Promise.resolve(),
  });
  return { networks, looked, sent };
}
const always = (): boolean => true;

test('a member of a network told in part is looked for once, and again when it may have gone', async () => {
  const { networks, looked, sent } = linkOf([() => PARTIAL, () => PARTIAL, () => GONE]);
  networks.hold(NETWORK);
  await networks.bringUpToDate(NODE, always);
  networks.note(NETWORK, false);
  await networks.bringUpToDate(NODE, always);
  networks.note(NETWORK, true);
  await networks.bringUpToDate(NODE, always);
  expect(looked).toEqual([true, false, true]);
  expect(sent).toMatchObject([{ type: 'removed', networkId: NETWORK, reason: 'no member' }]);
});

test('an end that comes while the network is read is not lost', async () => {
  const { networks, looked, sent } = linkOf([
    () => {
      networks.note(NETWORK, true);
      return PARTIAL;
    },
    () => GONE,
  ]);
  networks.hold(NETWORK);
  await networks.bringUpToDate(NODE, always);
  expect(looked).toEqual([true, true]);
  expect(sent).toHaveLength(1);
});

test('without room nothing is read, and with it everything', async () => {
  const { networks, looked } = linkOf([]);
  networks.hold(NETWORK, 3);
  await networks.bringUpToDate(NODE, () => false);
  expect(looked).toEqual([]);
  expect(networks.isBehind).toBe(true);
  await networks.bringUpToDate(NODE, always);
  expect(looked).toEqual([true]);
  expect(networks.isBehind).toBe(false);
});

test('what could not be read is read again', async () => {
  let tries = 0;
  const failing = (): FeedResult => {
    tries += 1;
    throw new Error('away');
  };
  const { networks } = linkOf([failing]);
  networks.hold(NETWORK, 3);
  await expect(networks.bringUpToDate(NODE, always)).rejects.toThrow('away');
  expect(networks.isBehind).toBe(true);
  await networks.bringUpToDate(NODE, always);
  expect(tries).toBe(1);
  expect(networks.isBehind).toBe(false);
});
