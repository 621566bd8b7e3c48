import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toBase64url } from '@etherloom/api';
import type { Delta, Member, NetworkState } from '@etherloom/api';
import { linkLocalOfMac, parseIp, parseMac } from './addresses.ts';
import { applyDelta, applySnapshot, needsResync } from './apply.ts';
import { canonicalJson, networkDigest } from './canonical.ts';
import { allocatePeerIds, NO_PEER_IDS } from './peer-ids.ts';
import { planTables } from './plan-tables.ts';
import { formatIpv6, parseEndpoint } from '../endpoint.ts';
import { PEERS_MAX } from '../mesh/limits.ts';

const NET = 'net_aaaaaaaaaaaaaaaaaaaa';
const OTHER_NET = 'net_bbbbbbbbbbbbbbbbbbbb';

describe('canonical state', () => {
  it('does not depend on the order of keys', () => {
    expect(canonicalJson({ b: 1, a: [{ d: null, c: 'x' }], e: undefined })).toBe(
      '{"a":[{"c":"x","d":null}],"b":1}',
    );
  });

  it('does not depend on the order of members, and on everything else', () => {
    const state = network([member(1), member(2)]);
    const digest = networkDigest(state);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(networkDigest({ ...state, members: state.members.toReversed() })).toBe(digest);
    for (const changed of [
      { ...state, revision: 6 },
      { ...state, config: { ...state.config, mtuBytes: 1_300 } },
      { ...state, members: [member(1)] },
      { ...state, members: [member(1), { ...member(2), endpoints: [] }] },
      {
        ...state,
        members: [member(1), { ...member(2), addresses: member(2).addresses.toReversed() }],
      },
    ]) {
      expect(networkDigest(changed)).not.toBe(digest);
    }
  });

  it('has a digest that a second implementation can check', () => {
    expect(networkDigest({ ...network([]), revision: 1 })).toBe(EMPTY_DIGEST);
  });
});

describe('applySnapshot', () => {
  const state = network([member(2), member(1)]);

  it('takes a first, a later and a repeated snapshot, members sorted', () => {
    for (const held of [undefined, { ...state, revision: 4 }, state]) {
      const applied = applySnapshot(held, { state, digest: networkDigest(state) });
      expect(applied.ok && applied.state.members.map(({ nodeId }) => nodeId)).toEqual([
        idOf(1),
        idOf(2),
      ]);
    }
  });

  it.each([
    ['an older one', { ...state, revision: 9 }, state, networkDigest(state), 'revision_older'],
    [
      'one of another network',
      network([], OTHER_NET),
      state,
      networkDigest(state),
      'network_mismatch',
    ],
    ['a wrong digest', undefined, state, '0'.repeat(64), 'digest_mismatch'],
    ['a member twice', undefined, network([member(1), member(1)]), '', 'member_repeated'],
  ] as const)('refuses %s', (_name, held, given, digest, code) => {
    const applied = applySnapshot(held, { state: given, digest });
    expect(!applied.ok && applied.refusal.code).toBe(code);
  });
});

describe('applyDelta', () => {
  const held = network([member(1), member(2)]);

  it('adds, replaces and removes members and the configuration', () => {
    const config = { ...held.config, mtuBytes: 1_280 };
    const moved = { ...member(2), endpoints: ['192.0.2.77:1'] };
    const next = { config, revision: 8, members: [moved, member(3)] };
    const applied = applyDelta(
      held,
      delta({ config, toRevision: 8, removals: [idOf(1)], upserts: [member(3), moved] }, next),
    );
    expect(applied).toEqual({ ok: true, state: next });
    expect(held.members.length, 'left as it was').toBe(2);
  });

  it.each([
    ['a gap', { fromRevision: 6, toRevision: 7 }, 'revision_gap', true],
    ['an older one', { fromRevision: 3, toRevision: 5 }, 'revision_older', false],
    [
      'a revision that does not rise',
      { fromRevision: 5, toRevision: 5 },
      'revision_backward',
      true,
    ],
    ['another network', { networkId: OTHER_NET }, 'network_mismatch', true],
    [
      'the configuration of another network',
      { config: network([], OTHER_NET).config },
      'network_mismatch',
      true,
    ],
    ['a removal of nobody', { removals: [idOf(9)] }, 'member_missing', true],
    [
      'a member removed and set',
      { removals: [idOf(1)], upserts: [member(1)] },
      'member_repeated',
      true,
    ],
    ['a wrong digest', { digest: '0'.repeat(64) }, 'digest_mismatch', true],
  ] as const)('refuses %s', (_name, change, code, isResyncNeeded) => {
    const given = change as Partial<Delta>; // the table's arrays are readonly
    const applied = applyDelta(held, delta(given, { ...held, revision: 6 }));
    if (applied.ok) throw new Error('applied');
    expect(applied.refusal.code).toBe(code);
    expect(needsResync(applied.refusal)).toBe(isResyncNeeded);
  });

  it('comes to the same state and digest as the snapshot, by any way', () => {
    const members = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 12 });
    fc.assert(
      fc.property(members, members, (before, after) => {
        const from = network(before.map((index) => member(index)));
        const to = { ...network(after.map((index) => member(index))), revision: 6 };
        const removals = before.filter((index) => !after.includes(index)).map(idOf);
        const applied = applyDelta(from, delta({ removals, upserts: to.members }, to));
        const snapshot = applySnapshot(undefined, { state: to, digest: networkDigest(to) });
        expect(applied).toEqual(snapshot);
        expect(applied.ok).toBe(true);
      }),
    );
  });
});

describe('peer ids', () => {
  it('stay with their nodes and are never given again', () => {
    const first = allocatePeerIds(NO_PEER_IDS, [idOf(2), idOf(1), idOf(2)]);
    expect(first).toEqual({ next: 3, ids: { [idOf(1)]: 1, [idOf(2)]: 2 } });
    const second = allocatePeerIds(first, [idOf(2), idOf(3)]);
    expect(second).toEqual({ next: 4, ids: { [idOf(2)]: 2, [idOf(3)]: 3 } });
    expect(allocatePeerIds(second, [idOf(1), idOf(2), idOf(3)]).ids[idOf(1)]).toBe(4);
    expect(allocatePeerIds(second, [idOf(3), idOf(2)])).toBe(second);
  });

  it('are not handed out beyond 32 bits', () => {
    expect(() => allocatePeerIds({ next: 0x1_0000_0000, ids: {} }, [idOf(1)])).toThrow(RangeError);
  });

  it('take a node named like a member of Object', () => {
    expect(allocatePeerIds(NO_PEER_IDS, ['constructor']).ids['constructor']).toBe(1);
  });
});

describe('addresses', () => {
  it('derive the link-local address of a MAC (RFC 4291, appendix A)', () => {
    expect(formatIpv6(linkLocalOfMac(bytes('34:56:78:9a:bc:de')))).toBe(
      'fe80::3656:78ff:fe9a:bcde',
    );
  });

  it.each([
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:00:00',
    '2:0:0:0:0:0',
    '02-00-00-00-00-01',
    '0g:00:00:00:00:00',
  ])('refuse "%s" as MAC', (text) => {
    expect(parseMac(text)).toBeUndefined();
  });

  it('map IPv4', () => {
    expect(parseIp('10.0.0.1')).toEqual(parseIp('::ffff:10.0.0.1'));
    expect(parseIp('10.0.0.1/24')).toBeUndefined();
  });
});

describe('planTables', () => {
  const first = network([member(1), member(2), member(3)]);
  const second = {
    ...network([member(1), { ...member(2), endpoints: ['[2001:db8::2]:8002'] }], OTHER_NET),
    config: { ...configOf(OTHER_NET), vni: 8 },
  };

  it('plans port, peers and bindings of every network of the node', () => {
    const plan = planTables(idOf(1), [second, first], NO_PEER_IDS);
    expect(plan.skipped).toEqual([]);
    expect(plan.ports.map(({ vni, networkId }) => [vni, networkId])).toEqual([
      [7, NET],
      [8, OTHER_NET],
    ]);
    expect(plan.ports[0]).toMatchObject({ mtuBytes: 1_370, mac: bytes(member(1).mac) });
    expect(plan.ports[0]?.addresses).toEqual([
      { ip: '10.0.0.1', prefixLength: 24 },
      { ip: 'fd00::1', prefixLength: 64 },
    ]);
    expect(plan.peers.map(({ peer }) => peer)).toEqual([1, 2]);
    expect(plan.peers[0]?.endpoints).toEqual([
      parseEndpoint('192.0.2.2:8002'),
      parseEndpoint('[2001:db8::2]:8002'),
    ]);
    expect(plan.fdb.map(({ vni, peer }) => [vni, peer])).toEqual([
      [7, 1],
      [7, 2],
      [8, 1],
    ]);
    expect(plan.flood).toEqual([
      { vni: 7, peer: 1 },
      { vni: 7, peer: 2 },
      { vni: 8, peer: 1 },
    ]);
    const ips = plan.neighbours
      .filter(({ vni, peer }) => vni === 7 && peer === 1)
      .map(({ ip }) => ip);
    expect(ips).toEqual([
      linkLocalOfMac(bytes(member(2).mac)),
      parseIp('10.0.0.2'),
      parseIp('fd00::2'),
    ]);
  });

  it('does not depend on the order of networks and members', () => {
    const plan = planTables(idOf(1), [first, second], NO_PEER_IDS);
    const reversed = [
      { ...second, members: second.members.toReversed() },
      { ...first, members: first.members.toReversed() },
    ];
    expect(planTables(idOf(1), reversed, NO_PEER_IDS)).toEqual(plan);
  });

  it('asks no post-quantum secret of a peer only where every shared network says so', () => {
    const planned = (a?: 'required' | 'off', b?: 'required' | 'off') => {
      const networks = [
        { ...first, postQuantum: a },
        { ...second, postQuantum: b },
      ];
      const { peers } = planTables(idOf(1), networks, NO_PEER_IDS);
      return peers.map(({ postQuantum }) => postQuantum);
    };
    // host-2 shares both networks, host-3 the first alone.
    expect(planned('off', 'off')).toEqual(['off', 'off']);
    expect(planned('off', 'required')).toEqual([undefined, 'off']);
    expect(planned('off')).toEqual([undefined, 'off']);
    expect(planned('required', 'off')).toEqual([undefined, undefined]);
  });

  it('lets a peer be valid as long as one of the shared networks does', () => {
    const endsAt = (...ends: [number, number][]) =>
      new Map(ends.map(([index, at]) => [idOf(index), at]));
    const planned = (a: Map<string, number>, b?: Map<string, number>) => {
      const networks = [
        { ...first, endsAt: a },
        { ...second, endsAt: b },
      ];
      const { peers } = planTables(idOf(1), networks, NO_PEER_IDS);
      return peers.map(({ validUntil }) => validUntil);
    };
    expect(planned(endsAt([2, 10], [3, 30]), endsAt([2, 20]))).toEqual([20, 30]);
    expect(planned(endsAt([2, 10])), 'without an end').toEqual([undefined, undefined]);
  });

  it('leaves out networks in which the node is no member', () => {
    const plan = planTables(idOf(3), [first, second], NO_PEER_IDS);
    expect(plan.ports.map(({ vni }) => vni)).toEqual([7]);
    expect(planTables(idOf(9), [first, second], NO_PEER_IDS)).toMatchObject({
      ports: [],
      peers: [],
      fdb: [],
      flood: [],
    });
  });

  it.each([
    ['a MAC that is none', { mac: 'x' }, 'mac_invalid', 1],
    ['a multicast MAC', { mac: '01:00:5e:00:00:01' }, 'mac_invalid', 1],
    ["this host's own MAC", { mac: member(1).mac }, 'binding_conflict', 1],
    ["another member's MAC", { mac: member(2).mac }, 'binding_conflict', 1],
    ["this host's own IP", { addresses: ['10.0.0.1'] }, 'binding_conflict', 2],
    ["another member's IP", { addresses: ['10.0.0.2'] }, 'binding_conflict', 2],
    ['an IP that is none', { addresses: ['10.0.0'] }, 'address_invalid', 2],
    ['an endpoint that is none', { endpoints: ['nowhere'] }, 'endpoint_invalid', 2],
    ['a session key that is none', { sessionKey: 'short' }, 'session_key_invalid', 1],
    ["this host's own session key", { sessionKey: member(1).sessionKey }, 'key_conflict', 1],
    ["another member's session key", { sessionKey: member(2).sessionKey }, 'key_conflict', 1],
  ] as const)('skips and names %s, and plans the rest', (_name, change, code, floodCount) => {
    const bad = { ...member(3), ...change } as Member; // readonly arrays of the table
    const plan = planTables(idOf(1), [network([member(1), member(2), bad])], NO_PEER_IDS);
    expect(plan.skipped.map((row) => [row.nodeId, row.code])).toEqual([[idOf(3), code]]);
    expect(plan.flood.length).toBe(floodCount);
    expect(plan.neighbours.filter(({ peer }) => peer === 1).length).toBe(3);
  });

  it('keeps a key with the peer that was known first, whatever node id claims it later', () => {
    const victim = member(3);
    const before = planTables(idOf(1), [network([member(1), victim])], NO_PEER_IDS);
    const thief = { ...member(2), sessionKey: victim.sessionKey };
    const members = [member(1), thief, victim];
    const plan = planTables(idOf(1), [network(members)], before.peerIds);
    expect(plan.peers.map(({ peer }) => peer)).toEqual(before.peers.map(({ peer }) => peer));
    expect(plan.skipped.map((row) => [row.nodeId, row.code])).toEqual([
      [thief.nodeId, 'key_conflict'],
    ]);
  });

  it('leaves out a node for which two networks name two keys', () => {
    const forged = {
      ...second,
      members: [member(1), { ...member(2), sessionKey: member(5).sessionKey }],
    };
    const plan = planTables(idOf(1), [first, forged], NO_PEER_IDS);
    expect(plan.skipped.map(({ code }) => code)).toEqual(['key_conflict']);
    expect(plan.peers.map(({ peer }) => peer)).toEqual([2]);
    expect(plan.fdb.every(({ peer }) => peer === 2)).toBe(true);
  });

  it('takes the first of two networks with one VNI', () => {
    const twin = { ...second, config: { ...second.config, vni: 7 } };
    const plan = planTables(idOf(1), [twin, first], NO_PEER_IDS);
    expect(plan.ports.map(({ networkId }) => networkId)).toEqual([NET]);
    expect(plan.skipped.map(({ code }) => code)).toEqual(['vni_conflict']);
  });

  it('plans as many peers as a mesh takes', () => {
    const crowd = Array.from({ length: PEERS_MAX + 2 }, (_, index) => ({
      ...member(1),
      nodeId: idOf(index + 100),
      sessionKey: toBase64url(Uint8Array.of(...new Uint8Array(30), index >> 8, index & 255)),
      mac: `02:00:00:00:${hexPair(index >> 8)}:${hexPair(index & 255)}`,
      addresses: [],
    }));
    const plan = planTables(idOf(1), [network([member(1), ...crowd])], NO_PEER_IDS);
    expect(plan.peers.length).toBe(PEERS_MAX);
    expect(plan.flood.length).toBe(PEERS_MAX);
    expect(plan.skipped.map(({ code }) => code)).toEqual(['peers_full', 'peers_full']);
  });

  it('plans no port for an own MAC that is none', () => {
    const plan = planTables(
      idOf(1),
      [network([{ ...member(1), mac: '' }, member(2)])],
      NO_PEER_IDS,
    );
    expect(plan.ports).toEqual([]);
    expect(plan.skipped.map(({ code }) => code)).toEqual(['mac_invalid']);
  });
});

/** Computed with Python's json.dumps(sort_keys=True, separators=(',', ':')) and hashlib. */
const EMPTY_DIGEST = '9ff61c8dd483e1c7abb3e8ce8fec661297beefb0cab24e7a2ac717dc102d85fe';

function configOf(id: string): NetworkState['config'] {
  return { id, name: 'demo', vni: 7, mtuBytes: 1_370, ipv4: '10.0.0.0/24', ipv6: 'fd00::/64' };
}

function network(members: Member[], id = NET): NetworkState {
  return { config: configOf(id), revision: 5, members };
}

function member(index: number): Member {
  const two = index.toString(16).padStart(2, '0');
  return {
    nodeId: idOf(index),
    name: `host-${index}`,
    sessionKey: `${'A'.repeat(40)}${two}A`,
    signKey: 'A'.repeat(43),
    mac: `02:00:5e:10:00:${two}`,
    addresses: [`10.0.0.${index}`, `fd00::${index.toString(16)}`],
    endpoints: [`192.0.2.${index}:8002`],
    endpointRecord: null,
  };
}

function delta(change: Partial<Delta>, next: NetworkState): Delta {
  const digest = networkDigest(next);
  return {
    networkId: NET,
    fromRevision: 5,
    toRevision: 6,
    upserts: [],
    removals: [],
    digest,
    ...change,
  } as Delta; // `type` is the link's
}

function idOf(index: number): string {
  return index.toString(16).padStart(32, '0');
}

function hexPair(value: number): string {
  return value.toString(16).padStart(2, '0');
}

function bytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => parseInt(pair, 16));
}
