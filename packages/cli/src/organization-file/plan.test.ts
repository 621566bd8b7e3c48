import type { Network, Node, Reservation } from '@etherloom/api';
import { NETWORK_SETTINGS_DEFAULT } from '@etherloom/api';
import { describe, expect, test } from 'vitest';
import { describeCounts, describeStep } from './describe.ts';
import { toOrganizationFile } from './export.ts';
import type { Actual, Plan } from './plan.ts';
import { planChanges } from './plan.ts';
import type { OrganizationFile } from './schema.ts';

const TIME = '2030-01-01T00:00:00.000Z';
const NETWORK: Network = {
  id: 'net_00000000000000000001',
  organizationId: 'org_00000000000000000001',
  name: 'demo',
  vni: 4_096,
  mtuBytes: 1_370,
  ipv4: '10.1.0.0/24',
  ipv6: 'fd00:1::/64',
  settings: NETWORK_SETTINGS_DEFAULT,
  revision: 1,
  isPending: false,
  memberCount: 2,
  createdAt: TIME,
};
const NODE: Node = {
  id: '0'.repeat(32),
  organizationId: NETWORK.organizationId,
  name: 'web-1',
  signKey: `${'B'.repeat(42)}A`,
  sessionKey: `${'C'.repeat(42)}A`,
  state: 'active',
  clonedFrom: null,
  endpoints: [],
  connected: false,
  lastSeenAt: null,
  problems: [],
  memberships: [
    {
      networkId: NETWORK.id,
      networkName: 'demo',
      nodeId: '0'.repeat(32),
      nodeName: 'web-1',
      mac: '02:00:00:00:00:01',
      addresses: ['10.1.0.2'],
      expiresAt: null,
      createdAt: TIME,
    },
  ],
  createdAt: TIME,
};
const RESERVATION: Reservation = {
  id: 'rsv_00000000000000000001',
  networkId: NETWORK.id,
  address: 'fd00:1::10',
  nodeId: null,
  note: 'printer',
  createdAt: TIME,
};
const ACTUAL: Actual = {
  networks: [NETWORK],
  nodes: [NODE],
  reservations: new Map([[NETWORK.id, [RESERVATION]]]),
};

function plan(
  wanted: Omit<OrganizationFile, 'etherloom'>,
  isPruning = false,
  actual = ACTUAL,
): Plan {
  return planChanges({ etherloom: 1, ...wanted }, actual, isPruning);
}

function lines({ steps }: Plan): string[] {
  return steps.map((step) => Object.values(describeStep(step)).join(' '));
}

test('against its own export nothing is to be done, also when pruning', () => {
  expect(planChanges(toOrganizationFile(ACTUAL), ACTUAL, true)).toEqual({
    steps: [],
    waits: [],
    refusals: [],
  });
});

test('against an empty organization an export makes everything but what hosts do', () => {
  const empty: Actual = { networks: [], nodes: [], reservations: new Map() };
  const { steps, waits } = planChanges(toOrganizationFile(ACTUAL), empty, true);
  expect(steps.map(({ kind }) => kind)).toEqual(['network.create', 'reservation.create']);
  expect(waits).toEqual([expect.stringContaining('node "web-1" has not joined network "demo"')]);
});

describe('networks', () => {
  test('one that is not there is made, with its reservations after it', () => {
    const reservations = [{ address: '10.2.0.9', note: '' }];
    const made = plan({ networks: { lab: { ipv4: '10.2.0.0/24', reservations } } });
    expect(lines(made)).toEqual([
      '+ network lab (IPv4 10.2.0.0/24)',
      '+ reservation 10.2.0.9 in lab',
    ]);
  });

  test('settings that differ are changed, those left out stay', () => {
    const made = plan({ networks: { demo: { settings: { stalenessDays: 14, clones: 'split' } } } });
    expect(lines(made)).toEqual(['~ network demo (settings.stalenessDays: 30 -> 14)']);
  });

  test.each([
    [{ ipv4: '10.9.0.0/24' }, /ipv4 .* is 10\.1\.0\.0\/24 and cannot become 10\.9\.0\.0\/24/],
    [{ ipv6: null }, /ipv6 .* cannot become none/],
    [{ mtuBytes: 1_400 }, /mtuBytes .* is 1370 and cannot become 1400/],
  ])('what is fixed is refused and not planned: %j', (wanted, message) => {
    const made = plan({ networks: { demo: wanted } });
    expect(made.steps).toEqual([]);
    expect(made.refusals).toEqual([expect.stringMatching(message)]);
  });

  test('another spelling of a pool is the same pool', () => {
    expect(plan({ networks: { demo: { ipv6: 'fd00:0001:0::/64' } } }).refusals).toEqual([]);
  });

  test('one that no file names goes only when pruning', () => {
    expect(plan({ networks: {} }).steps).toEqual([]);
    expect(lines(plan({ networks: {} }, true))).toEqual([
      '- network demo (its 2 members lose it at once)',
    ]);
    expect(plan({}, true).steps, 'without the section').toEqual([]);
  });
});

describe('reservations', () => {
  const wanted = (reservation: object) => ({
    networks: {
      demo: { reservations: [{ address: 'fd00:1:0::10', note: 'printer', ...reservation }] },
    },
  });

  test('another spelling of the address is the same reservation', () => {
    expect(plan(wanted({})).steps).toEqual([]);
  });

  test('a changed one is released and made again', () => {
    expect(lines(plan(wanted({ note: 'scanner' })))).toEqual([
      '- reservation fd00:1::10 in demo',
      '+ reservation fd00:1:0::10 in demo (scanner)',
    ]);
    const [, made] = plan(wanted({ node: 'web-1' })).steps;
    expect(made).toMatchObject({ kind: 'reservation.create', nodeId: NODE.id });
  });

  test('one for a node that has not joined waits', () => {
    const made = plan(wanted({ node: 'web-9' }));
    expect(made.steps).toEqual([]);
    expect(made.waits).toEqual([expect.stringContaining('"web-9", which has not joined')]);
  });

  test('one that waits for its node keeps the address that is reserved, also when pruning', () => {
    expect(plan(wanted({ node: 'web-9' }), true).steps).toEqual([]);
  });

  test('others go only when pruning', () => {
    const none = { networks: { demo: { reservations: [] } } };
    expect(plan(none).steps).toEqual([]);
    expect(lines(plan(none, true))).toEqual(['- reservation fd00:1::10 in demo']);
    expect(plan({ networks: { demo: {} } }, true).steps, 'without the field').toEqual([]);
  });
});

describe('nodes', () => {
  test('a clone that waits is approved when it is named', () => {
    const actual = { ...ACTUAL, nodes: [{ ...NODE, state: 'pending' as const, memberships: [] }] };
    const made = plan({ nodes: { 'web-1': { networks: ['demo'] } } }, false, actual);
    expect(lines(made)).toEqual(['~ node web-1 (a clone that waits is approved)']);
    expect(made.waits).toEqual([]);
  });

  test('a clone that waits is not exported, nor removed: nobody has decided on it', () => {
    const clone = { ...NODE, id: '1'.repeat(32), name: 'web-2', state: 'pending' as const };
    const actual = { ...ACTUAL, nodes: [NODE, { ...clone, memberships: [] }] };
    expect(planChanges(toOrganizationFile(actual), actual, true).steps).toEqual([]);
  });

  test('memberships and nodes that are not named go only when pruning', () => {
    const nodes = { 'web-1': { networks: [] } };
    expect(plan({ nodes }).steps).toEqual([]);
    expect(lines(plan({ nodes }, true))).toEqual(['- node web-1 from network demo']);
    expect(lines(plan({ nodes: {} }, true))).toEqual(['- node web-1 (refused from then on)']);
    expect(plan({ nodes: { 'web-1': {} } }, true).steps, 'without the field').toEqual([]);
  });
});

test('counts what is made, changed and removed', () => {
  const settings = { stalenessDays: 14 };
  const made = plan({ networks: { lab: {}, demo: { settings } }, nodes: {} }, true);
  expect(describeCounts(made)).toBe('1 to make, 1 to change, 1 to remove');
});
