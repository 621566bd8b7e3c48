import type { JoinTokenRow, Network, Node, Reservation, Tagged, User } from '@etherloom/api';
import { NETWORK_SETTINGS_DEFAULT } from '@etherloom/api';
import { describe, expect, test } from 'vitest';
import { describeCounts, describeStep } from './describe.ts';
import { toOrganizationFile } from './export.ts';
import type { Actual } from './actual.ts';
import { memberKey } from './actual.ts';
import { planChanges } from './plan.ts';
import type { JoinTokenWanted, OrganizationFile } from './schema.ts';
import type { Plan } from './step.ts';

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
const NOW_MS = Date.parse(TIME);
const TOKEN: JoinTokenRow = {
  id: 'tok_00000000000000000001',
  networkId: NETWORK.id,
  label: 'hosts',
  uses: 3,
  usesLeft: 2,
  offlineOk: false,
  createdAt: TIME,
  expiresAt: '2030-01-02T00:00:00.000Z',
};

function user(name: string, roles: User['roles'], groupRoles: User['roles'] = []): User {
  return {
    id: `usr_${name.padStart(20, '0')}`,
    name,
    organizationId: NETWORK.organizationId,
    roles,
    groupRoles,
    isSystemAdministrator: false,
    hasPassword: true,
    identityProviderId: null,
    lastLoginAt: null,
    createdAt: TIME,
  };
}

const ACTUAL: Actual = {
  networks: [tag(NETWORK)],
  nodes: [tag(NODE)],
  reservations: new Map([[NETWORK.id, [tag(RESERVATION)]]]),
  memberEtags: new Map([[memberKey({ networkId: NETWORK.id, nodeId: NODE.id }), '"member"']]),
  joinTokens: new Map([[NETWORK.id, [tag(TOKEN)]]]),
  users: [tag(user('anna', ['owner'])), tag(user('ben', ['admin', 'auditor'], ['auditor']))],
  selfId: null,
  nowMs: NOW_MS,
};

/** With an ETag of its own. */
function tag<T extends { readonly id: string }>(item: T): Tagged<T> {
  return { item, etag: `"${item.id}"` };
}

function plan(
  wanted: Omit<OrganizationFile, 'etherloom'>,
  isPruning = false,
  actual = ACTUAL,
): Plan {
  return planChanges({ etherloom: 1, ...wanted }, actual, { isPruning, isRenewing: false });
}

function lines({ steps }: Plan): string[] {
  return steps.map((step) => Object.values(describeStep(step)).join(' '));
}

test('against its own export nothing is to be done, also when pruning', () => {
  expect(plan(toOrganizationFile(ACTUAL), true)).toEqual({
    steps: [],
    waits: [],
    notes: [],
    refusals: [],
  });
});

test('against an empty organization an export makes everything but what hosts do', () => {
  const empty: Actual = {
    ...ACTUAL,
    networks: [],
    nodes: [],
    reservations: new Map(),
    joinTokens: new Map(),
  };
  const { steps, waits } = plan(toOrganizationFile(ACTUAL), true, empty);
  expect(steps.map(({ kind }) => kind)).toEqual([
    'network.create',
    'reservation.create',
    'join_token.create',
  ]);
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
    const pending = tag({ ...NODE, state: 'pending' as const, memberships: [] });
    const actual = { ...ACTUAL, nodes: [pending] };
    const made = plan({ nodes: { 'web-1': { networks: ['demo'] } } }, false, actual);
    expect(lines(made)).toEqual(['~ node web-1 (a clone that waits is approved)']);
    expect(made.waits).toEqual([]);
  });

  test('a clone that waits is not exported, nor removed: nobody has decided on it', () => {
    const clone = { ...NODE, id: '1'.repeat(32), name: 'web-2', state: 'pending' as const };
    const actual = { ...ACTUAL, nodes: [tag(NODE), tag({ ...clone, memberships: [] })] };
    expect(plan(toOrganizationFile(actual), true, actual).steps).toEqual([]);
  });

  test('memberships and nodes that are not named go only when pruning', () => {
    const nodes = { 'web-1': { networks: [] } };
    expect(plan({ nodes }).steps).toEqual([]);
    expect(lines(plan({ nodes }, true))).toEqual(['- node web-1 from network demo']);
    expect(lines(plan({ nodes: {} }, true))).toEqual(['- node web-1 (refused from then on)']);
    expect(plan({ nodes: { 'web-1': {} } }, true).steps, 'without the field').toEqual([]);
  });
});

describe('join tokens', () => {
  const wanted = (joinTokens: Record<string, JoinTokenWanted>) => ({
    networks: { demo: { joinTokens } },
  });
  const renewed = (given: Omit<OrganizationFile, 'etherloom'>, actual: Actual): Plan =>
    planChanges({ etherloom: 1, ...given }, actual, { isPruning: false, isRenewing: true });
  const over: [string, Partial<JoinTokenRow>, RegExp][] = [
    ['used up', { usesLeft: 0 }, /is used up/],
    ['expired', { expiresAt: TIME, createdAt: '2029-12-31T00:00:00.000Z' }, /has expired/],
  ];

  test('one with another label is made, after everything else', () => {
    const made = plan({ networks: { demo: { joinTokens: { more: { uses: 2 } } }, lab: {} } });
    expect(lines(made)).toEqual(['+ network lab', '+ join token more in demo (2 uses)']);
  });

  test('one that is as declared stays; what the file leaves out may be anything', () => {
    expect(plan(wanted({ hosts: {} })).steps).toEqual([]);
    const all = { uses: 3, lifetimeSeconds: 86_400, offlineOk: false };
    expect(plan(wanted({ hosts: all })).steps).toEqual([]);
  });

  test.each([
    [{ uses: 4 }, 'uses: 3 -> 4'],
    [{ lifetimeSeconds: 60 }, 'lifetimeSeconds: 86400 -> 60'],
    [{ offlineOk: true }, 'offlineOk: false -> true'],
  ])('one that differs is replaced: %j', (fields, why) => {
    const made = plan(wanted({ hosts: fields }));
    expect(made.steps).toMatchObject([{ kind: 'join_token.replace', etag: `"${TOKEN.id}"` }]);
    expect(lines(made)[0]).toContain(why);
  });

  test.each(over)('one that is %s stays until it is to be renewed', (_, fields, message) => {
    const actual = {
      ...ACTUAL,
      joinTokens: new Map([[NETWORK.id, [tag({ ...TOKEN, ...fields })]]]),
    };
    const made = plan(wanted({ hosts: {} }), true, actual);
    expect(made.steps).toEqual([]);
    expect(made.notes).toEqual([expect.stringMatching(message)]);
    const again = renewed(wanted({ hosts: {} }), actual);
    expect(again.steps).toMatchObject([{ kind: 'join_token.replace', token: { id: TOKEN.id } }]);
    expect(again.notes).toEqual([]);
  });

  test('renewing leaves one alone with which hosts can join', () => {
    expect(renewed(wanted({ hosts: {} }), ACTUAL).steps).toEqual([]);
  });

  test('others go only when pruning, and not without the field', () => {
    expect(plan(wanted({})).steps).toEqual([]);
    expect(lines(plan(wanted({}), true))).toEqual([
      '- join token hosts in demo (revoked; nodes that joined with it stay)',
    ]);
    expect(plan({ networks: { demo: {} } }, true).steps, 'without the field').toEqual([]);
  });
});

describe('users', () => {
  const wanted = (users: OrganizationFile['users']) => ({ users });

  test('roles that somebody gave become those of the file', () => {
    const made = plan(wanted({ ben: { roles: ['operator'] } }));
    expect(lines(made)).toEqual(['~ roles of user ben (admin -> operator)']);
    expect(made.steps).toMatchObject([{ roles: ['operator'], etag: expect.any(String) }]);
  });

  test('roles of groups are left to the groups, and are not exported', () => {
    expect(plan(wanted({ ben: { roles: ['admin'] } })).steps).toEqual([]);
    expect(plan(wanted({ ben: { roles: ['auditor', 'admin'] } })).steps).toEqual([]);
    expect(toOrganizationFile(ACTUAL).users).toEqual({
      anna: { roles: ['owner'] },
      ben: { roles: ['admin'] },
    });
  });

  test('who is not there is refused: no file has a password', () => {
    const made = plan(wanted({ carl: { roles: ['member'] } }));
    expect(made.steps).toEqual([]);
    expect(made.refusals).toEqual([expect.stringMatching(/"carl" does not exist.*user create/)]);
  });

  test('the last owner stays one, also when pruning', () => {
    for (const made of [plan(wanted({ anna: { roles: ['admin'] } })), plan(wanted({}), true)])
      expect(made.refusals).toEqual([expect.stringMatching(/without an owner/)]);
  });

  test('an owner is made before another one lets go', () => {
    const made = plan(wanted({ anna: { roles: ['admin'] }, ben: { roles: ['owner'] } }));
    expect(made.refusals).toEqual([]);
    expect(lines(made)).toEqual([
      '~ roles of user ben (admin -> owner)',
      '~ roles of user anna (owner -> admin)',
    ]);
  });

  test('who applies a file does not change its own roles by it', () => {
    const actual = { ...ACTUAL, selfId: user('ben', []).id };
    const message = [expect.stringMatching(/"ben", who applies it \(admin -> none\)/)];
    expect(plan(wanted({ ben: { roles: [] } }), false, actual).refusals).toEqual(message);
    const rest = wanted({ anna: { roles: ['owner'] } });
    expect(plan(rest, true, actual).refusals).toEqual(message);
    expect(plan(rest, false, actual).refusals).toEqual([]);
  });

  test('those that are not named lose their roles only when pruning', () => {
    const rest = wanted({ anna: {} });
    expect(plan(rest).steps).toEqual([]);
    expect(lines(plan(rest, true))).toEqual(['- roles of user ben (admin -> none)']);
    expect(plan({}, true).steps, 'without the section').toEqual([]);
  });

  test('a name that several have is refused, not exported and not pruned', () => {
    const other = { ...user('anna', ['member']), id: 'usr_99999999999999999999' };
    const actual = { ...ACTUAL, users: [...(ACTUAL.users ?? []), tag(other)] };
    expect(plan(wanted({ anna: { roles: ['owner'] } }), false, actual).refusals).toEqual([
      expect.stringMatching(/several users are named "anna"/),
    ]);
    expect(Object.keys(toOrganizationFile(actual).users ?? {})).toEqual(['ben']);
    expect(plan(wanted({ ben: {} }), true, actual).steps).toEqual([]);
  });
});

test('counts what is made, changed and removed', () => {
  const settings = { stalenessDays: 14 };
  const made = plan({ networks: { lab: {}, demo: { settings } }, nodes: {} }, true);
  expect(describeCounts(made)).toBe('1 to make, 1 to change, 1 to remove');
});
