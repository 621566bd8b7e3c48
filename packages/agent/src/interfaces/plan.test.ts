import { expect, test } from 'vitest';
import type { ActualInterface } from './actual.ts';
import { parseIpAddrShow } from './actual.ts';
import type { WantedInterface } from './plan.ts';
import { aliasOf, defaultInterfaceName, planInterfaces, planRemovals } from './plan.ts';

const NODE = '0'.repeat(32);
const WANT: WantedInterface = {
  networkId: 'net_00000000000000000001',
  name: 'loom-demo',
  mac: '02:00:00:00:00:01',
  mtuBytes: 1_370,
  addresses: [
    { ip: '10.1.0.2', prefixLength: 24 },
    { ip: 'fd00::2', prefixLength: 64 },
  ],
};

test('makes a device: alias at once, address before up, no duplicate detection for IPv6', () => {
  const [step] = planInterfaces(NODE, [WANT], []).steps;
  expect(step?.isCreated).toBe(true);
  expect(step?.commands.map((words) => words.join(' '))).toEqual([
    'tuntap add dev loom-demo mode tap multi_queue vnet_hdr user 0',
    `link set dev loom-demo alias ${aliasOf(NODE, WANT.networkId)}`,
    'link set dev loom-demo address 02:00:00:00:00:01',
    'link set dev loom-demo mtu 1370',
    'link set dev loom-demo addrgenmode eui64',
    'address add 10.1.0.2/24 dev loom-demo',
    'address add fd00::2/64 dev loom-demo nodad',
    'link set dev loom-demo up',
  ]);
});

test('has nothing to do for a device that is as wanted', () => {
  expect(planInterfaces(NODE, [WANT], [own({})])).toEqual({
    removals: [],
    steps: [{ networkId: WANT.networkId, name: 'loom-demo', commands: [], isCreated: false }],
    conflicts: [],
  });
});

test('mends only what differs', () => {
  const device = own({
    isUp: false,
    mtuBytes: 1_500,
    addresses: [
      address('10.1.0.9', 24),
      address('10.1.0.2', 24),
      { ...address('fe80::1', 64), scope: 'link' },
    ],
  });
  expect(
    planInterfaces(NODE, [WANT], [device]).steps[0]?.commands.map((words) => words.join(' ')),
  ).toEqual([
    'link set dev loom-demo mtu 1370',
    'address delete 10.1.0.9/24 dev loom-demo',
    'address add fd00::2/64 dev loom-demo nodad',
    'link set dev loom-demo up',
  ]);
});

test.each<[string, Partial<ActualInterface>]>([
  [
    'of another kind',
    { alias: '', kind: 'bridge', isUsableTap: false, isUp: false, addresses: [] },
  ],
  ['that somebody uses', { alias: '' }],
  ['of another node', { alias: aliasOf('1'.repeat(32), WANT.networkId) }],
  ['that somebody has named', { alias: 'uplink', isUp: false, addresses: [] }],
])('does not touch a device %s, and names the way out', (_, change) => {
  const plan = planInterfaces(NODE, [WANT], [own(change)]);
  expect(plan.removals).toEqual([]);
  expect(plan.steps).toEqual([]);
  expect(plan.conflicts[0]?.message).toMatch(/loom-demo .*--interface/);
});

test('takes the device that was made a moment before the agent died', () => {
  const device = own({
    alias: '',
    isUp: false,
    addresses: [],
    mac: '02:00:00:00:00:77',
    mtuBytes: 1_500,
  });
  const [step] = planInterfaces(NODE, [WANT], [device]).steps;
  expect(step?.commands[0]?.join(' ')).toBe(
    `link set dev loom-demo alias ${aliasOf(NODE, WANT.networkId)}`,
  );
  expect(step?.commands.at(-1)?.join(' ')).toBe('link set dev loom-demo up');
});

test('removes its own devices of networks that are left, and no other', () => {
  const left = own({ name: 'loom-old', alias: aliasOf(NODE, 'net_00000000000000000009') });
  const foreign = own({
    name: 'loom-x',
    alias: aliasOf('1'.repeat(32), 'net_00000000000000000009'),
  });
  const plan = planInterfaces(NODE, [WANT], [own({}), left, foreign]);
  expect(plan.removals).toEqual([['link', 'delete', 'dev', 'loom-old']]);
  expect(planRemovals(NODE, [own({}), left, foreign]).map((words) => words[3])).toEqual([
    'loom-demo',
    'loom-old',
  ]);
});

test('moves a network to another name', () => {
  const plan = planInterfaces(NODE, [{ ...WANT, name: 'blue' }], [own({})]);
  expect(plan.removals).toEqual([['link', 'delete', 'dev', 'loom-demo']]);
  expect(plan.steps[0]).toMatchObject({ name: 'blue', isCreated: true });
});

test('cuts default names to what the kernel takes and keeps them apart', () => {
  expect(defaultInterfaceName('demo', new Set())).toBe('loom-demo');
  expect(defaultInterfaceName('production-east', new Set())).toBe('loom-production');
  expect(defaultInterfaceName('production-west', new Set(['loom-production']))).toBe(
    'loom-producti-2',
  );
});

test('reads what ip prints for a TAP device', () => {
  const text = JSON.stringify([
    {},
    {
      ifname: 'loom-demo',
      flags: ['BROADCAST', 'UP'],
      mtu: 1_370,
      link_type: 'ether',
      address: '02:00:00:00:00:01',
      linkinfo: {
        info_kind: 'tun',
        info_data: { type: 'tap', vnet_hdr: true, multi_queue: true, persist: true },
      },
      ifalias: aliasOf(NODE, WANT.networkId),
      addr_info: [
        { family: 'inet', local: '10.1.0.2', prefixlen: 24, scope: 'global' },
        { family: 'inet6', local: 'fd00::2', prefixlen: 64, scope: 'global', nodad: true },
      ],
    },
  ]);
  expect(parseIpAddrShow(text)).toEqual([own({})]);
});

function own(change: Partial<ActualInterface>): ActualInterface {
  return {
    name: 'loom-demo',
    alias: aliasOf(NODE, WANT.networkId),
    isUp: true,
    isLoopback: false,
    mac: WANT.mac,
    mtuBytes: WANT.mtuBytes,
    kind: 'tun',
    isUsableTap: true,
    addresses: [address('10.1.0.2', 24), address('fd00::2', 64)],
    ...change,
  };
}

function address(ip: string, prefixLength: number): ActualInterface['addresses'][number] {
  return {
    ip,
    prefixLength,
    scope: 'global',
    isDeprecated: false,
    isTemporary: false,
    isUnusable: false,
  };
}
