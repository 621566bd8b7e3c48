/**
 * Authorities whose keys are elsewhere: changes wait, members see what was signed last; rotation,
 * recovery and lock-out, followed by an agent over a real link with core's rules alone.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  AuthorityStatement,
  AuthorityView,
  PendingStatement,
  SignedStatement,
} from '@etherloom/api';
import { ApiError, authorityStatementSchema, collect, decodeJoinToken } from '@etherloom/api';
import type { Signer } from '@etherloom/core';
import { addSignature, hashStatement, signerOf } from '@etherloom/core';
import { join } from 'node:path';
import { DAY_MS } from '../limits.ts';
import type { TestController, TestLink, TestNode } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import { NetworkFollower } from '../testing/network-follower.ts';

const params = { organization: 'default' };
let controller: TestController;
let nowMs: number;
beforeEach(async () => {
  nowMs = Date.UTC(2032, 0, 1);
  controller = await startTestController({ now: () => nowMs });
});
afterEach(() => controller.remove());

const show = (): Promise<AuthorityView> => controller.client.call('authorityShow', { params });
const pending = async (): Promise<PendingStatement[]> =>
  collect(controller.client, 'authorityPending', { params });
const makeSigner = (): Signer => signerOf(new Uint8Array(randomBytes(32)));

function newest(view: AuthorityView): AuthorityStatement {
  return authorityStatementSchema.parse(JSON.parse(view.chain.at(-1)?.statement ?? ''));
}

/** The text of the version that follows from the one in force. */
async function nextVersion(changes: Partial<AuthorityStatement>): Promise<string> {
  const view = await show();
  return JSON.stringify({
    ...newest(view),
    version: view.version + 1,
    previous: view.hash,
    issuedAt: new Date(nowMs).toISOString(),
    ...changes,
  });
}

function signatures(statement: string, signers: readonly Signer[]) {
  const unsigned: SignedStatement = { statement, signatures: [] };
  return signers.reduce(addSignature, unsigned).signatures;
}

function propose(statement: string, signers: readonly Signer[]): Promise<AuthorityView> {
  const body = { statement, signatures: signatures(statement, signers) };
  return controller.client.call('authorityPropose', { params, body });
}

/** Signs everything that waits. */
async function sign(...signers: readonly Signer[]) {
  const items = await pending();
  const body = {
    signatures: items.flatMap(({ statement, hash }) =>
      signatures(statement, signers).map((signature) => ({ hash, ...signature })),
    ),
  };
  return controller.client.call('authoritySign', { params, body });
}

async function goOffline(
  keys: readonly Signer[],
  threshold = keys.length,
  recovery: readonly Signer[] = [],
): Promise<void> {
  const statement = await nextVersion({
    keys: keys.map(({ key }) => key),
    threshold,
    recoveryKeys: recovery.map(({ key }) => key),
    recoveryThreshold: Math.min(1, recovery.length),
  });
  const view = await propose(statement, keys.slice(0, threshold));
  expect(view).toMatchObject({ custody: 'offline', heldKeys: [] });
  await until(async () => (await pending()).length > 0, 'the statements to sign again');
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  while (!(await condition())) if (deadline.aborted) throw new Error(`${what} did not come`);
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ApiError ? error.code : 'none';
}

interface Member {
  readonly node: TestNode;
  readonly link: TestLink;
  readonly follower: NetworkFollower;
  readonly until: (
    condition: (held: ReturnType<NetworkFollower['networks']['get']>) => boolean,
    what: string,
  ) => Promise<void>;
}

async function joinMember(network: { id: string; name: string }): Promise<Member> {
  const node = makeNode();
  const { token } = await controller.client.call('tokenCreate', {
    body: { network: network.name },
  });
  const reply = await controller.client.call('join', { body: makeJoinRequest(node, token) });
  expect(reply.isPending).toBe((await show()).custody === 'offline');
  const { link } = await connectAgent(controller, node);
  const follower = new NetworkFollower(decodeJoinToken(token).authorityHash);
  let taken = 0;
  const follow: Member['until'] = (condition, what) =>
    link.until(() => {
      for (; taken < link.received.length; taken += 1) {
        const message = link.received[taken];
        if (message) follower.take(message);
      }
      return condition(follower.networks.get(network.id));
    }, what);
  return { node, link, follower, until: follow };
}

async function networkWithMember() {
  const network = await controller.client.call('networkCreate', { body: { name: 'demo' } });
  const member = await joinMember(network);
  await member.until((held) => held !== undefined, 'the first state');
  return { network, member };
}

test('with offline keys changes wait, and members see what was signed last', async () => {
  const { network, member } = await networkWithMember();
  const key = makeSigner();
  await goOffline([key]);
  await sign(key);
  await member.until((held) => held?.isResigned === true, 'the statements signed anew');
  expect(await pending()).toEqual([]);

  const other = await joinMember(network);
  const waiting = await pending();
  expect(waiting.map(({ kind }) => kind)).toEqual(['credential', 'roster']);
  expect(waiting[0]?.summary).toMatch(/is a member of demo with 10\./);
  expect(waiting.every(({ missing }) => missing === 1)).toBe(true);
  const members = await controller.client.call('memberList', { params: { network: 'demo' } });
  expect(members.items.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(1);
  expect(member.follower.networks.get(network.id)?.state.members).toHaveLength(1);

  expect(await sign(key)).toMatchObject({ taken: 2, published: 2, pendingCount: 0 });
  await other.until((held) => held?.state.members.length === 2, 'the network of the other node');
  await member.until((held) => held?.state.members.length === 2, 'the join');

  await controller.client.call('memberDelete', {
    params: { network: 'demo', node: other.node.id },
  });
  expect((await pending()).map(({ kind }) => kind)).toEqual(['revocation', 'roster']);
  expect((await pending())[0]?.held?.statement).toContain(other.node.id);
  await sign(key);
  await member.until((held) => held?.revocations.length === 1, 'the revocation');
  expect(await other.link.next('removed')).toMatchObject({ networkId: network.id });
  member.link.close();
  other.link.close();
});

test('what was changed back before it was signed waits no more', async () => {
  const { network, member } = await networkWithMember();
  const key = makeSigner();
  await goOffline([key]);
  await sign(key);
  const set = (stalenessDays: number) =>
    controller.client.call('networkSettings', {
      params: { network: network.id },
      body: { stalenessDays },
    });
  await set(60);
  expect((await pending()).map(({ kind }) => kind)).toEqual(['network', 'roster']);
  await set(30);
  expect(await pending()).toEqual([]);
  member.link.close();
});

test('with 2 of 3 keys two holders must sign, and one can be locked out', async () => {
  const { network, member } = await networkWithMember();
  const [a, b, c] = [makeSigner(), makeSigner(), makeSigner()];
  await goOffline([a, b, c], 2);
  expect(await sign(a)).toMatchObject({ published: 0 });
  for (const item of await pending()) expect(item).toMatchObject({ missing: 1, signedBy: [a.key] });
  expect(await sign(c)).toMatchObject({ pendingCount: 0 });
  await member.until((held) => held?.isResigned === true, 'the statements signed anew');

  // Holder c is gone: a and b put d in his place, one after the other.
  const d = makeSigner();
  const statement = await nextVersion({ keys: [a.key, b.key, d.key] });
  expect(await propose(statement, [a])).toMatchObject({ version: 2 });
  expect((await pending()).map(({ kind, missing }) => [kind, missing])).toEqual([['authority', 2]]);
  expect(await sign(b)).toMatchObject({ published: 1 });
  expect((await show()).version).toBe(3);
  await until(async () => (await pending()).length > 0, 'the statements to sign again');
  expect(await codeOf(sign(c))).toBe('signature_invalid');
  await sign(a, d);
  await member.until(
    (held) => held?.isResigned === true && member.follower.authority.statement.version === 3,
    'the second rotation',
  );
  expect(member.link.received.some(({ type }) => type === 'removed')).toBe(false);
  expect(member.follower.networks.get(network.id)?.state.members).toHaveLength(1);
  member.link.close();
});

describe('signatures that do not count are refused with a reason', () => {
  test('of a foreign key, wrong, for something that changed, for another organization', async () => {
    const { member, network } = await networkWithMember();
    const key = makeSigner();
    await goOffline([key]);
    await sign(key);
    await controller.client.call('networkSettings', {
      params: { network: network.id },
      body: { clones: 'reject' },
    });
    const [first] = await pending();
    if (first === undefined) throw new Error('nothing waits');
    const send = (hash: string, signature: { key: string; signature: string }) =>
      codeOf(
        controller.client.call('authoritySign', {
          params,
          body: { signatures: [{ hash, ...signature }] },
        }),
      );
    const [foreign] = signatures(first.statement, [makeSigner()]);
    const [good] = signatures(first.statement, [key]);
    const [other] = signatures('{}', [key]);
    if (!foreign || !good || !other) throw new Error('no signatures');
    expect(await send(first.hash, foreign)).toBe('signature_invalid');
    expect(await send(first.hash, other)).toBe('signature_invalid');
    expect(await send(hashStatement('{}'), other)).toBe('pending_unknown');
    await controller.client.call('networkSettings', {
      params: { network: network.id },
      body: { clones: 'replace' },
    });
    expect(await send(first.hash, good)).toBe('pending_unknown');
    await controller.client.call('organizationCreate', { body: { name: 'second' } });
    const [again] = await pending();
    if (again === undefined) throw new Error('nothing waits');
    const [right] = signatures(again.statement, [key]);
    if (!right) throw new Error('no signature');
    expect(
      await codeOf(
        controller.client.call('authoritySign', {
          params: { organization: 'second' },
          body: { signatures: [{ hash: again.hash, ...right }] },
        }),
      ),
    ).toBe('pending_unknown');
    member.link.close();
  });

  test('of a credential that ran out while it waited, which is made anew', async () => {
    const { network, member } = await networkWithMember();
    const key = makeSigner();
    await goOffline([key]);
    await sign(key);
    const other = await joinMember(network);
    nowMs += 30 * DAY_MS;
    expect(await codeOf(sign(key))).toBe('pending_unknown');
    await controller.controller.renew();
    await sign(key);
    await other.until((held) => held?.state.members.length === 2, 'its network');
    for (const { link } of [member, other]) link.close();
  });

  test('a version that does not follow, is unsigned, or leaves the renewal key out', async () => {
    const key = makeSigner();
    const keys = { keys: [key.key], threshold: 1 };
    for (const [changes, signers, code] of [
      [{ ...keys, version: 3 }, [key], 'authority_outdated'],
      [{ ...keys, version: 1, previous: null }, [key], 'authority_outdated'],
      [{ ...keys, previous: '0'.repeat(64) }, [key], 'authority_outdated'],
      [{ ...keys, renewalKeys: [] }, [key], 'invalid_request'],
      [{ ...keys, threshold: 2 }, [key], 'authority_outdated'],
      [{ ...keys }, [makeSigner()], 'signature_invalid'],
      [{ ...keys, organizationId: 'org_00000000000000000000' }, [key], 'authority_outdated'],
    ] as const)
      expect(await codeOf(propose(await nextVersion(changes as object), signers))).toBe(code);
    expect((await show()).version).toBe(1);
  });
});

describe('hand-over', () => {
  test('from held to offline and back is a rotation that members follow', async () => {
    const { member } = await networkWithMember();
    const key = makeSigner();
    await goOffline([key]);
    await sign(key);
    const prepared = await controller.client.call('authorityKeys', { params });
    expect(await controller.client.call('authorityKeys', { params })).toEqual(prepared);
    const view = await propose(await nextVersion({ keys: [prepared.key], threshold: 1 }), [key]);
    expect(view).toMatchObject({ custody: 'held', version: 3, heldKeys: [prepared.key] });
    await member.until(
      (held) => held?.isResigned === true && member.follower.authority.statement.version === 3,
      'the statements signed by the controller',
    );
    expect(await pending()).toEqual([]);
    member.link.close();
  });
});

describe('recovery', () => {
  test('from a lost offline key: recovery keys put another in its place, and members follow', async () => {
    const { network, member } = await networkWithMember();
    const [lost, recovery, found] = [makeSigner(), makeSigner(), makeSigner()];
    await goOffline([lost], 1, [recovery]);
    await sign(lost);
    const newcomer = await joinMember(network);
    const statement = await nextVersion({ keys: [found.key], threshold: 1 });
    expect(await propose(statement, [recovery, found])).toMatchObject({ version: 3 });
    await until(
      async () => (await pending()).some(({ kind }) => kind === 'network'),
      'the statements to sign again',
    );
    await sign(found);
    await member.until((held) => held?.state.members.length === 2, 'what waited before');
    await newcomer.until((held) => held?.state.members.length === 2, 'its network');
    expect(member.link.received.some(({ type }) => type === 'removed')).toBe(false);
    member.link.close();
    newcomer.link.close();
  });

  test('keys that were stolen replace no recovery key: that waits for the former one', async () => {
    const [stolen, recovery, thief] = [makeSigner(), makeSigner(), makeSigner()];
    await networkWithMember().then(({ member }) => member.link.close());
    await goOffline([stolen], 1, [recovery]);
    await sign(stolen);
    const statement = await nextVersion({ recoveryKeys: [thief.key] });
    expect(await propose(statement, [stolen])).toMatchObject({ version: 2 });
    expect(await pending()).toMatchObject([{ kind: 'authority', missing: 1 }]);
    await sign(recovery);
    expect(await show()).toMatchObject({ version: 3 });
  });

  test('from a lost key file of the controller: its keys are given up and made anew', async () => {
    const { network, member } = await networkWithMember();
    const recovery = makeSigner();
    const { keys } = newest(await show());
    expect(
      await propose(
        await nextVersion({ keys, recoveryKeys: [recovery.key], recoveryThreshold: 1 }),
        [],
      ),
    ).toMatchObject({ custody: 'held', version: 2 });
    member.link.close();
    await controller.stop();
    const { dataDirectory } = controller;
    rmSync(join(dataDirectory, 'authority.kek'));
    controller = await startTestController({
      dataDirectory,
      now: () => nowMs,
      areAuthorityKeysLost: true,
    });
    expect(await show()).toMatchObject({ custody: 'offline', heldKeys: [], renewalKey: null });
    const prepared = await controller.client.call('authorityKeys', { params });
    const view = await propose(
      await nextVersion({
        keys: [prepared.key],
        threshold: 1,
        renewalKeys: [prepared.renewalKey],
      }),
      [recovery],
    );
    expect(view).toMatchObject({ custody: 'held', version: 3, renewalKey: prepared.renewalKey });
    const { link } = await connectAgent(controller, member.node);
    link.socket.on('message', () => {});
    await link.next('snapshot');
    await link.until(() => {
      for (const message of link.received.splice(0)) member.follower.take(message);
      return member.follower.networks.get(network.id)?.isResigned === true;
    }, 'the statements signed anew');
    link.close();
  });
});

test('renewals move the end of members on, in steps, and end where the credential does', async () => {
  const { network, member } = await networkWithMember();
  const endOf = (held: ReturnType<NetworkFollower['networks']['get']>) =>
    held?.members.get(member.node.id)?.endMs ?? 0;
  const first = endOf(member.follower.networks.get(network.id));
  expect(first).toBe(nowMs + 30 * DAY_MS);
  nowMs += 7.5 * DAY_MS;
  await controller.controller.renew();
  await member.until((held) => endOf(held) === first + 7.5 * DAY_MS, 'the renewal');
  const serial = member.follower.networks.get(network.id)?.members.get(member.node.id)
    ?.credential.serial;
  for (let day = 15; day <= 90; day += 7.5) {
    nowMs += 7.5 * DAY_MS;
    await controller.controller.renew();
    await member.until((held) => endOf(held) === nowMs + 30 * DAY_MS, `the renewal of day ${day}`);
  }
  // Before renewals could not reach on, a further credential took the place of the first.
  const now = member.follower.networks.get(network.id)?.members.get(member.node.id);
  expect(now?.credential.serial).toBeGreaterThan(serial ?? NaN);
  member.link.close();
});

test('members whose credentials ran out while no controller ran are renewed at its start', async () => {
  const { network, member } = await networkWithMember();
  member.link.close();
  await controller.stop();
  nowMs += 40 * DAY_MS;
  controller = await startTestController({
    dataDirectory: controller.dataDirectory,
    now: () => nowMs,
  });
  await controller.controller.renew(); // resolves after the step of the start
  const { items } = await controller.client.call('memberList', { params: { network: network.id } });
  expect(items.map(({ expiresAt }) => Date.parse(expiresAt ?? ''))).toEqual([nowMs + 30 * DAY_MS]);
});

test('the removed node of an offline authority is not renewed while its revocation waits', async () => {
  const { network, member } = await networkWithMember();
  const key = makeSigner();
  await goOffline([key]);
  await sign(key);
  await controller.client.call('memberDelete', {
    params: { network: 'demo', node: member.node.id },
  });
  nowMs += 10 * DAY_MS;
  await controller.controller.renew();
  const { link } = await connectAgent(controller, member.node);
  const { proof } = await link.next('snapshot');
  expect(proof.members[member.node.id]?.renewal).toBeNull();
  expect(network.id).toBe((await controller.client.call('networkList')).items[0]?.id);
  link.close();
  member.link.close();
});

test('a revocation is dropped with the first roster after what it ended could be valid', async () => {
  const { network, member } = await networkWithMember();
  const other = await joinMember(network);
  await controller.client.call('memberDelete', {
    params: { network: 'demo', node: other.node.id },
  });
  await member.until((held) => held?.revocations.length === 1, 'the revocation');
  nowMs += 91 * DAY_MS;
  const third = await joinMember(network);
  await member.until(
    (held) => held?.revocations.length === 0 && held.state.members.length === 2,
    'the roster without it',
  );
  for (const { link } of [member, other, third]) link.close();
});
