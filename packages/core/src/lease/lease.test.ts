import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CloneRule } from '@etherloom/api';
import type { Cut, Machine } from './lease-model.ts';
import { CUTS, LeaseModel } from './lease-model.ts';
import { LEASE_GRACE_MS } from './limits.ts';
import { advance, compareLease, firstLease, leaseHash, takeEpoch } from './ratchet.ts';
import { passOn, presentLease, withNext } from './ratchet.ts';
import type { HeldLease, LeaseRecord } from './ratchet.ts';
import type { LeaseFacts } from './verdict.ts';
import { judgeLease, kinshipOf, strictestRule } from './verdict.ts';

const NEXT = { ...firstLease('a'.repeat(43)), next: 'b'.repeat(43) };
const LEASE = presentLease(NEXT);
const RECORD = advance(undefined, LEASE, 'first');

/** What a copy may name that wants nobody to come after it. */
const LAST: HeldLease = { epoch: Number.MAX_SAFE_INTEGER, secret: 'x', next: 'n' };

describe('ratchet', () => {
  test('a link moves both sides to the same epoch and secret', () => {
    const taken = takeEpoch(NEXT, RECORD.epoch);
    expect(taken).toEqual({ epoch: 1, secret: NEXT.next, next: null });
    expect(RECORD).toMatchObject({ epoch: 1, hash: leaseHash(NEXT.next) });
  });

  test('a next secret that was offered is offered again', () => {
    expect(withNext(NEXT, 'c'.repeat(43))).toEqual(NEXT);
    expect(withNext(firstLease('a'), 'b')).toEqual({ epoch: 0, secret: 'a', next: 'b' });
  });

  test('an answer of an earlier epoch is no answer, and the same epoch changes nothing', () => {
    const held = { epoch: 4, secret: 's', next: 'n' };
    expect(takeEpoch(held, 3)).toBeUndefined();
    expect(takeEpoch(held, 4)).toEqual(held);
    expect(takeEpoch({ ...held, next: null }, 5)).toBeUndefined();
  });

  test.each<[string, LeaseRecord | undefined, boolean, HeldLease, string]>([
    ['nothing recorded', undefined, false, NEXT, 'first'],
    ['the newest', RECORD, false, { epoch: 1, secret: NEXT.next, next: 'n' }, 'current'],
    ['the same again', RECORD, false, NEXT, 'repeated'],
    ['the one before with another next', RECORD, false, { ...NEXT, next: 'n' }, 'older'],
    ['another secret of the epoch', RECORD, false, { epoch: 1, secret: 'x', next: 'n' }, 'older'],
    ['a later epoch', RECORD, false, { epoch: 2, secret: 'x', next: 'n' }, 'ahead'],
    ['the last epoch that there is', RECORD, false, LAST, 'older'],
    ['a retired one', RECORD, true, { ...NEXT, next: 'n' }, 'retired'],
    ['a retired one that is the newest again', RECORD, true, NEXT, 'repeated'],
  ])('tells %s', (_, record, isRetired, held, use) => {
    const lease = presentLease({ ...held, next: held.next ?? '' });
    expect(compareLease(record, isRetired, lease)).toBe(use);
  });

  test.each([
    ['nothing recorded', undefined],
    ['a record', RECORD],
  ])('the last epoch that there is leaves room for further ones: %s', (_, record) => {
    const lease = presentLease({ ...LAST, next: 'n' });
    for (const next of [passOn(record, lease), advance(record, lease, 'older')])
      expect(next.epoch).toBe((record?.epoch ?? 0) + 1);
  });

  test('a lease that is passed on is above both, and its new holder can repeat itself', () => {
    const stolen = presentLease({ epoch: 0, secret: 'old', next: 'mine' });
    const record = passOn({ ...RECORD, epoch: 7 }, stolen);
    expect(record.epoch).toBe(8);
    expect(compareLease(record, false, stolen)).toBe('repeated');
  });
});

describe('verdict', () => {
  const silent: LeaseFacts = {
    use: 'current',
    isAnswered: false,
    silentMs: LEASE_GRACE_MS,
    kinship: 'boot',
  };
  const fresh = { silentMs: 0 };
  test.each<[string, Partial<LeaseFacts>, string]>([
    ['the newest lease, again on the same boot, at once', fresh, 'accept current'],
    [
      'a first lease of any machine at once',
      { ...fresh, use: 'first', kinship: 'other' },
      'accept first',
    ],
    [
      'the newest lease after another boot: the holder may come first',
      { ...fresh, kinship: 'machine' },
      'wait',
    ],
    ['the same when the holder did not come', { kinship: 'other' }, 'accept current'],
    ['a repeated lease at once', { ...fresh, use: 'repeated' }, 'accept repeated'],
    ['the newest lease while its holder answers', { isAnswered: true }, 'clone'],
    ['an older lease while the holder answers', { use: 'older', isAnswered: true }, 'clone'],
    ['an older lease soon after the holder', { ...fresh, use: 'older' }, 'wait'],
    [
      'an older lease of the same machine later',
      { use: 'older', kinship: 'machine' },
      'accept rollback',
    ],
    ['an older lease of another machine later', { use: 'older', kinship: 'other' }, 'clone'],
    ['a retired lease', { use: 'retired' }, 'replaced'],
  ])('on %s', (_, facts, expected) => {
    const verdict = judgeLease({ ...silent, ...facts });
    expect(verdict.kind === 'accept' ? `accept ${verdict.why}` : verdict.kind).toBe(expected);
  });

  test('what is not known of a host speaks for nothing', () => {
    const hints = { bootId: null, machineId: null, cloudInstanceId: null, vmGenerationId: null };
    const known = { bootId: 'b', machineId: 'm', cloudInstanceId: 'c', vmGenerationId: 'v' };
    expect(kinshipOf({ instance: 'a', hints }, { instance: 'b', hints: known })).toBe('boot');
    const other = { ...known, cloudInstanceId: 'd' };
    expect(kinshipOf({ instance: 'a', hints: other }, { instance: 'a', hints: known })).toBe(
      'other',
    );
    const resumed = { ...known, vmGenerationId: 'w' };
    expect(kinshipOf({ instance: 'a', hints: resumed }, { instance: 'a', hints: known })).toBe(
      'machine',
    );
  });

  test('of several networks the strictest rule counts', () => {
    expect(strictestRule(['split', 'replace'])).toBe('replace');
    expect(strictestRule(['split', 'reject', 'replace'])).toBe('reject');
    expect(strictestRule([])).toBeUndefined();
  });
});

type Step = (model: LeaseModel) => void;
const machineOf = (model: LeaseModel, index: number): Machine => {
  const machine = model.machines[index % model.machines.length];
  if (machine === undefined) throw new Error('a model has a machine');
  return machine;
};
const on = (run: (model: LeaseModel, machine: Machine) => void) =>
  fc.nat(5).map(
    (index): Step =>
      (model) =>
        run(model, machineOf(model, index)),
  );
const links = fc
  .tuple(fc.nat(5), fc.constantFrom<Cut>(...CUTS), fc.boolean())
  .map(([index, cut, isBoot]): Step => (model) => {
    const machine = machineOf(model, index);
    if (machine.process === null) model.start(machine, isBoot);
    model.link(machine, cut);
  });
const times = fc.constantFrom(100, 5_000, LEASE_GRACE_MS - 1, LEASE_GRACE_MS).map(
  (ms): Step =>
    (model) =>
      model.advanceTime(ms),
);
const singleSteps = [
  { arbitrary: links, weight: 6 },
  { arbitrary: times, weight: 3 },
  { arbitrary: on((model, machine) => model.kill(machine)), weight: 1 },
  { arbitrary: on((model, machine) => model.drop(machine, true)), weight: 1 },
  { arbitrary: on((model, machine) => model.drop(machine, false)), weight: 1 },
  { arbitrary: on((model, machine) => model.keepDisk(machine)), weight: 1 },
  {
    arbitrary: fc.nat(20).map(
      (choice): Step =>
        (model) =>
          model.putBack(machineOf(model, 0), choice),
    ),
    weight: 1,
  },
  { arbitrary: fc.constant<Step>((model) => model.restartController()), weight: 1 },
];
const copies = {
  arbitrary: fc.tuple(fc.nat(5), fc.boolean()).map(([index, isSame]): Step => (model) => {
    if (model.machines.length < 6) model.copy(machineOf(model, index), isSame);
  }),
  weight: 2,
};
const RULES: readonly CloneRule[] = ['reject', 'replace', 'split'];
const RUNS = 3_000;

/** All machines live and ask; gives who held the lease after each round. */
function settle(model: LeaseModel, machines: readonly Machine[], rounds: number) {
  const holders: (number | undefined)[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const machine of machines) {
      if (machine.process === null) model.start(machine, false);
      if (model.holder !== machine) model.link(machine, 'none');
    }
    holders.push(model.holder?.index);
    model.advanceTime(LEASE_GRACE_MS);
  }
  return holders;
}

describe('in any order of links, deaths, losses, copies and older disks', () => {
  test.each(RULES)('one machine alone is never a clone and gets its lease: %s', (rule) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...singleSteps), { maxLength: 40 }), (steps) => {
        const model = new LeaseModel(rule);
        for (const step of steps) step(model);
        settle(model, model.machines, 3);
        expect(machineOf(model, 0).isOut).toBe(false);
        expect(model.holder).toBe(machineOf(model, 0));
      }),
      { numRuns: RUNS },
    );
  });

  test('a machine that only restarts and loses its links is let in at once, every time', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Cut>(...CUTS), { maxLength: 40 }), (cuts) => {
        const model = new LeaseModel('split');
        const machine = machineOf(model, 0);
        for (const cut of [...cuts, 'none' as const]) {
          if (machine.process === null) model.start(machine, false);
          expect(model.link(machine, cut)).toBe(cut === 'none' ? 'accept' : 'cut');
          model.drop(machine, false);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test.each(RULES)('of many machines one ends with the lease, and nothing flaps: %s', (rule) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...singleSteps, copies), { maxLength: 60 }), (steps) => {
        const model = new LeaseModel(rule);
        for (const step of steps) step(model);
        expect(model.doubleHolders).toBe(0);
        const holders = settle(model, model.machines, 10);
        expect(model.doubleHolders).toBe(0);
        expect(new Set(holders.slice(3)).size).toBe(1);
        const contenders = model.machines.filter(({ isOut }) => !isOut);
        if (rule !== 'reject') expect(contenders.length).toBeLessThanOrEqual(1);
        expect(holders.at(-1)).toBe(model.holder?.index);
        if (contenders.length > 0) expect(model.holder).not.toBeNull();
      }),
      { numRuns: RUNS },
    );
  });
});
