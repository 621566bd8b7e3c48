/** The ledger through the API of a real controller, and its export against who tampers with it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LedgerVerdict } from '@etherloom/api';
import { canonicalJson, collect, decodeJoinToken } from '@etherloom/api';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  joinNetwork,
  makeDataDirectory,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import { checkLedger, exportLedgerOf } from '../testing/ledger-check.ts';
import { DAY_MS } from '../limits.ts';

const MANY_REQUESTS = { burst: 100_000, perSecond: 10_000 };

const check = (lines: readonly string[], pinnedKeys?: readonly string[]): Promise<LedgerVerdict> =>
  checkLedger(lines, pinnedKeys === undefined ? {} : { pinnedKeys });

describe('entries', () => {
  let running: TestController;
  beforeAll(async () => {
    running = await startTestController({ requestRates: { principal: MANY_REQUESTS } });
  });
  afterAll(() => running.remove());

  const newest = async () =>
    (await running.client.call('auditList', { query: { limit: 1 } })).items[0];

  test('a change says who, from where, why, and the resource before and after', async () => {
    const network = await running.client.call('networkCreate', {
      body: { name: 'told' },
      reason: 'für den Test',
    });
    expect(await newest()).toMatchObject({
      actor: { kind: 'bootstrap', id: null, name: 'admin.token' },
      source: '127.0.0.1',
      requestId: expect.stringMatching(/^req_/),
      action: 'network.create',
      target: { noun: 'network', id: network.id, name: 'told' },
      networkId: network.id,
      reason: 'für den Test',
      before: null,
      after: network,
    });
    const changed = await running.client.call('networkSettings', {
      params: { network: 'told' },
      body: { clones: 'reject' },
    });
    expect(await newest()).toMatchObject({
      action: 'network.settings',
      reason: null,
      before: { settings: { clones: network.settings.clones } },
      after: { settings: { clones: 'reject' }, revision: changed.revision },
    });
  });

  test('what changes nothing, and what is refused, leaves no entry', async () => {
    const { number } = (await newest()) ?? { number: 0 };
    const params = { network: 'told' };
    await running.client.call('networkSettings', { params, body: { clones: 'reject' } });
    await running.client.call('networkCreate', { body: { name: 'told' } }).catch(() => undefined);
    await running.client.call('nodeDelete', { params: { node: 'nobody' } }).catch(() => undefined);
    expect((await newest())?.number).toBe(number);
  });

  test('joining and leaving are entries of the node', async () => {
    const node = makeNode();
    await joinNetwork(running, 'told', node, { name: 'west' });
    expect(await newest()).toMatchObject({
      action: 'member.join',
      actor: { kind: 'node', id: node.id, name: 'west' },
      after: { nodeName: 'west', networkName: 'told' },
    });
    const { link, welcome } = await connectAgent(running, node);
    link.send({ type: 'leave', networkId: String((await newest())?.networkId) });
    await expect
      .poll(async () => (await newest())?.action, { timeout: 10_000 })
      .toBe('member.leave');
    expect(welcome.nodeId).toBe(node.id);
    link.close();
  });

  test('no secret of a request or a reply is in the ledger', async () => {
    const { token } = await running.client.call('tokenCreate', { body: { network: 'told' } });
    await joinNetwork(running, 'told', makeNode());
    const lines = (await exportLedgerOf(running)).join('\n');
    expect(lines).toContain('join_token.create');
    for (const secret of [token, decodeJoinToken(token).secret, running.adminToken])
      expect(lines).not.toContain(secret);
  });

  test('filters name actor, action, target, network and time', async () => {
    const all = await collect(running.client, 'auditList');
    expect(all.map(({ number }) => number)).toEqual(
      all.map((_, i) => all.length - i), // newest first, without a gap
    );
    const { networkId, target, at } = all.find(({ action }) => action === 'member.join') ?? {};
    const count = async (query: object) =>
      (await collect(running.client, 'auditList', { query })).length;
    expect(await count({ action: 'network.create' })).toBe(1);
    expect(await count({ actor: 'controller' })).toBe(
      all.filter(({ actor }) => actor.kind === 'controller').length,
    );
    expect(await count({ target: target?.id })).toBe(
      all.filter((entry) => entry.target.id === target?.id).length,
    );
    expect(await count({ network: networkId })).toBe(
      all.filter((entry) => entry.networkId === networkId).length,
    );
    expect(await count({ since: at })).toBe(all.filter((entry) => entry.at >= String(at)).length);
    expect(await count({ until: at })).toBe(all.filter((entry) => entry.at <= String(at)).length);
  });

  test('an organization has its own chain and sees no other', async () => {
    const { id } = await running.client.call('organizationCreate', { body: { name: 'other' } });
    const query = { organization: id };
    const entries = await collect(running.client, 'auditList', { query });
    expect(entries.map(({ action }) => action).toSorted()).toEqual([
      'authority.version',
      'ledger.open',
      'organization.create',
    ]);
    const verdict = await check(await exportLedgerOf(running, `?organization=${id}`));
    expect(verdict).toMatchObject({ ok: true, organizationId: id, entryCount: 3 });
  });
});

describe('an export', () => {
  let running: TestController;
  let lines: string[];
  let nowMs = Date.UTC(2026, 0, 1);
  beforeAll(async () => {
    running = await startTestController({
      now: () => nowMs,
      requestRates: { principal: MANY_REQUESTS },
    });
    for (let i = 0; i < 5; i += 1)
      await running.client.call('networkCreate', { body: { name: `n${i}`, ipv4: null } });
    nowMs += DAY_MS / 12;
    await running.controller.tendLedgers();
    for (let i = 0; i < 5; i += 1)
      await running.client.call('networkDelete', { params: { network: `n${i}` } });
    lines = await exportLedgerOf(running);
  });
  afterAll(() => running.remove());

  test('verifies, with the key that the ledger names or one that is pinned', async () => {
    const { keys } = await running.client.call('ledgerShow');
    const verdict = await check(lines);
    expect(verdict).toMatchObject({
      ok: true,
      firstNumber: 1,
      number: 13,
      entryCount: 13,
      checkpointCount: 1,
      keys,
      isPinned: false,
    });
    expect(await check(lines, keys)).toMatchObject({ ok: true, isPinned: true });
    expect(await check(lines, [`${'B'.repeat(42)}A`])).toMatchObject({ ok: false });
  });

  test('goes on after a number, and both parts verify', async () => {
    expect(await check(await exportLedgerOf(running, '?after=7'))).toMatchObject({
      ok: true,
      firstNumber: 8,
      entryCount: 6,
    });
  });

  test('no line can be removed, doubled or moved', async () => {
    for (let i = 0; i < lines.length; i += 1) {
      const isCheckpoint = lines[i]?.startsWith('{"checkpoint"') === true;
      // A checkpoint proves nothing that the end does not: one less is not a lie.
      if (!isCheckpoint)
        expect(await check(lines.toSpliced(i, 1)), `${i}`).toMatchObject({ ok: false });
      if (!isCheckpoint)
        expect(await check(lines.toSpliced(i, 0, lines[i] ?? ''))).toMatchObject({ ok: false });
      const moved = lines.toSpliced(i, 1).toSpliced((i + 3) % lines.length, 0, lines[i] ?? '');
      expect(await check(moved), `${i}`).toMatchObject({ ok: false });
    }
  });

  test('no number of lines can be cut off at either end', async () => {
    for (let count = 1; count < lines.length; count += 1) {
      expect(await check(lines.slice(0, -count))).toMatchObject({ ok: false });
      const [head = '', ...rest] = lines;
      expect(await check([head, ...rest.slice(count)])).toMatchObject({ ok: false });
    }
  });

  test('no field of any line can be changed, added or removed, and no byte', async () => {
    const paths = lines.flatMap((line, i) =>
      fieldsOf(JSON.parse(line)).map((path) => ({ i, path })),
    );
    expect(paths.length).toBeGreaterThan(300);
    for (const { i, path } of paths) {
      const value: unknown = JSON.parse(lines[i] ?? '');
      changeAt(value, path);
      const tampered = lines.with(i, canonicalJson(value));
      expect(await check(tampered), `${i} ${path.join('.')}`).toMatchObject({ ok: false });
    }
    const position = fc.tuple(fc.nat(), fc.nat());
    await fc.assert(
      fc.asyncProperty(position, async ([line, offset]) => {
        const i = line % lines.length;
        const text = lines[i] ?? '';
        const at = offset % text.length;
        const other = `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`;
        expect((await check(lines.with(i, other))).ok).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  test('entries of another organization, or written anew by who has no key, do not verify', async () => {
    const other = await startTestController();
    const foreign = await exportLedgerOf(other);
    await other.remove();
    const { keys } = await running.client.call('ledgerShow');
    expect(await check(foreign, keys)).toMatchObject({ ok: false });
    expect(await check(foreign)).toMatchObject({ ok: true, isPinned: false });
  });
});

test('many changes at once make one chain without a gap', async () => {
  const running = await startTestController({ requestRates: { principal: MANY_REQUESTS } });
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0
        ? running.client.call('networkCreate', { body: { name: `n${i}`, ipv4: null } })
        : running.client.call('ledgerChange', { body: { auditDays: 30 + i } }),
    ),
  );
  const entries = await collect(running.client, 'auditList');
  expect(entries.map(({ number }) => number)).toEqual(entries.map((_, i) => entries.length - i));
  expect(await check(await exportLedgerOf(running))).toMatchObject({ ok: true, firstNumber: 1 });
  await running.remove();
});

test('what is older than auditDays goes up to a checkpoint, and the rest is provable', async () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const dataDirectory = makeDataDirectory();
  const running = await startTestController({ dataDirectory, now: () => nowMs });
  await running.client.call('networkCreate', { body: { name: 'old', ipv4: null } });
  nowMs += DAY_MS;
  await running.controller.tendLedgers();
  await running.client.call('networkCreate', { body: { name: 'mid', ipv4: null } });
  nowMs += 20 * DAY_MS;
  await running.client.call('ledgerChange', { body: { auditDays: 30 } });
  const { head } = await running.client.call('ledgerShow');
  nowMs += 10.5 * DAY_MS;
  await running.controller.tendLedgers();
  const kept = await running.client.call('ledgerShow');
  expect(kept.head.number).toBe(head.number);
  expect(kept.head.firstNumber).toBeGreaterThan(1);
  const names = (await collect(running.client, 'auditList')).map(({ target }) => target.name);
  expect(names).toContain('mid');
  expect(names).not.toContain('old');
  const lines = await exportLedgerOf(running);
  const verdict = await check(lines, kept.keys);
  expect(verdict).toMatchObject({ ok: true, firstNumber: kept.head.firstNumber });
  // It begins with the checkpoint before the first entry.
  expect(verdict.ok && verdict.checkpointCount).toBeGreaterThan(0);
  expect(lines[1]).toContain('"checkpoint"');
  await running.remove();
});

/** Ways to every value within a value. */
function fieldsOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    [name],
    ...fieldsOf(inner).map((path) => [name, ...path]),
  ]);
}

/** Changes the value at a way: another one of its kind, or none. */
function changeAt(value: unknown, [name = '', ...rest]: readonly string[]): void {
  const holder = value as Record<string, unknown>; // of fieldsOf
  if (rest.length > 0) return changeAt(holder[name], rest);
  const held = holder[name];
  if (typeof held === 'number') holder[name] = held + 1;
  else if (typeof held === 'string')
    holder[name] = `${held.slice(0, -1)}${held.endsWith('a') ? 'b' : 'a'}`;
  else if (typeof held === 'boolean') holder[name] = !held;
  else delete holder[name];
}
