import type { NetworkState } from '@etherloom/api';
import { expect, test } from 'vitest';
import { FIRST_PACKETS_MAX, FIRST_PACKET_MS } from '../limits.ts';
import { testMember } from '../trust/test-organization.ts';
import { FirstPackets } from './first-packets.ts';

const [A, B] = [testMember(2), testMember(3)];
const networkId = 'net_00000000000000000001';
const state: NetworkState = {
  config: { id: networkId, name: 'n', vni: 5, mtuBytes: 1_370, ipv4: '10.1.0.0/24', ipv6: null },
  revision: 1,
  members: [A, B],
  isPartial: true,
};

function make() {
  const told: string[][] = [];
  const clock = { nowMs: 0 };
  const packets = new FirstPackets({
    monotonicMs: () => clock.nowMs,
    stateOf: (id) => (id === networkId ? state : undefined),
    deviceOf: () => 'loom0',
    runIp: (commands) => {
      told.push(...commands);
      return Promise.resolve();
    },
  });
  const found = (nodeId: string, ip: string) => packets.note({ networkId, nodeId, ip });
  return { told, clock, packets, found };
}

test('the kernel is told of an address when its member has a session, once', async () => {
  const { told, packets, found } = make();
  found(A.nodeId, '10.1.0.2');
  await packets.tell(() => false);
  expect(told).toEqual([]);
  await packets.tell((nodeId) => nodeId === A.nodeId);
  await packets.tell(() => true);
  expect(told.map((words) => words.join(' '))).toEqual([
    `neighbour replace 10.1.0.2 lladdr ${A.mac} dev loom0 nud reachable`,
  ]);
});

test('it is not told of what the member does not have, or what is of another time', async () => {
  const { told, clock, packets, found } = make();
  found(A.nodeId, '10.1.0.3');
  found(B.nodeId, '10.1.0.3');
  clock.nowMs = FIRST_PACKET_MS;
  await packets.tell(() => true);
  found(A.nodeId, '10.1.0.3');
  await packets.tell(() => true);
  expect(told).toEqual([]);
});

test('so many wait and no more, the latest ones', async () => {
  const { told, packets, found } = make();
  found(A.nodeId, '10.1.0.2');
  for (let count = 0; count < FIRST_PACKETS_MAX; count++) found(B.nodeId, '10.1.0.3');
  await packets.tell(() => true);
  expect(told.some(([, , ip]) => ip === '10.1.0.2')).toBe(false);
});
