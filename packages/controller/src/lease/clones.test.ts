/** Copies of a node over real links: what the judge and the store make of them. */
import type { Network, NetworkSettings, SplitReply } from '@etherloom/api';
import { splitSigningText } from '@etherloom/api';
import { LEASE_GRACE_MS } from '@etherloom/core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CLONES_MAX } from '../limits.ts';
import { connectAgent, copyNode, joinNetwork, makeNode } from '../testing/controller-fixture.ts';
import { openLink, signText, startTestController } from '../testing/controller-fixture.ts';
import type { TestController, TestLink, TestNode } from '../testing/controller-fixture.ts';
import { lookInto } from '../testing/test-database.ts';

let controller: TestController;
let clockMs = 0;
/** Moves the controller's clocks on. */
let aheadMs = 0;
const clocks = {
  monotonicMs: () => performance.now() + clockMs,
  now: () => Date.now() + aheadMs,
};
beforeAll(async () => {
  controller = await startTestController(clocks);
});
afterAll(() => controller.remove());

let counter = 0;
async function createNetwork(settings: Partial<NetworkSettings> = {}): Promise<Network> {
  counter += 1;
  return await controller.client.call('networkCreate', {
    body: { name: `clones-${counter}`, settings },
  });
}

/** A node that is linked, in networks with these settings. */
async function makeOriginal(
  ...rules: Partial<NetworkSettings>[]
): Promise<{ node: TestNode; link: TestLink; networks: Network[] }> {
  const node = makeNode();
  const networks: Network[] = [];
  for (const settings of rules) {
    const network = await createNetwork(settings);
    await joinNetwork(controller, network.name, node, { name: `web-${counter}` });
    networks.push(network);
  }
  const { link } = await connectAgent(controller, node);
  return { node, link, networks };
}

const requestSplit = (
  ticket: string,
  originNodeId: string,
  node: TestNode,
): Promise<SplitReply> => {
  const { id: nodeId, signKey, sessionKey } = node;
  const unsigned = { ticket, originNodeId, nodeId, signKey, sessionKey };
  const signature = signText(node, splitSigningText(unsigned));
  return controller.client.call('split', { body: { ...unsigned, signature } });
};

async function ticketFor(copy: TestNode): Promise<string> {
  const link = await openLink(controller, copy);
  const { ticket } = await link.next('split');
  expect(await link.closed()).toBe(1008);
  return ticket;
}

/** Ends a link and waits until the controller knows. */
async function end(node: TestNode, link: TestLink): Promise<void> {
  link.close();
  await vi.waitFor(async () => expect((await show(node.id)).connected).toBe(false), 10_000);
}

/** Puts clones that are active into the database: making them by links takes minutes. */
async function insertClones(originId: string, amount: number): Promise<void> {
  await lookInto(controller.dataDirectory, async (run) => {
    const [origin = {}] = await run('select * from nodes where id = ?', [originId]);
    const columns = Object.keys(origin);
    const marks = columns.map(() => '?').join();
    await run('begin');
    for (let index = 0; index < amount; index += 1) {
      const { id, signKey, sessionKey } = makeNode();
      const clone: typeof origin = {
        ...origin,
        id,
        name: `clone-${id}`,
        sign_key: signKey,
        session_key: sessionKey,
        cloned_from: originId,
        state: 'active',
      };
      const values = columns.map((column) => clone[column] as string | null); // has texts alone
      await run(`insert into nodes (${columns.join()}) values (${marks})`, values);
    }
    await run('commit');
  });
}

async function dropClones(originId: string): Promise<void> {
  await lookInto(controller.dataDirectory, (run) =>
    run('update nodes set removed_at = ? where cloned_from = ?', [
      new Date().toISOString(),
      originId,
    ]),
  );
}

const show = (id: string) => controller.client.call('nodeShow', { params: { node: id } });
const isWell = (link: TestLink) => !link.received.some(({ type }) => type === 'refused');

describe('split', () => {
  test('a copy becomes a node of its own that waits, and the original keeps its link', async () => {
    const { node, link, networks } = await makeOriginal({});
    const ticket = await ticketFor(copyNode(node));
    const fresh = makeNode();
    const reply = await requestSplit(ticket, node.id, fresh);
    const origin = await show(node.id);
    expect(reply).toMatchObject({
      nodeId: fresh.id,
      nodeName: `${origin.name}-2`,
      state: 'pending',
    });
    const made = await connectAgent(controller, fresh);
    expect(made.welcome).toMatchObject({ nodeState: 'pending', revisions: {} });

    const approved = await controller.client.call('nodeApprove', { params: { node: fresh.id } });
    expect(approved).toMatchObject({ state: 'active', clonedFrom: node.id });
    const { state } = await made.link.next('snapshot');
    expect(state.config.id).toBe(networks[0]?.id);
    const members = state.members.filter(({ nodeId }) => [node.id, fresh.id].includes(nodeId));
    expect(new Set(members.map(({ mac }) => mac)).size).toBe(2);
    expect(new Set(members.flatMap(({ addresses }) => addresses)).size).toBe(4);
    const again = await controller.client.call('nodeApprove', { params: { node: fresh.id } });
    expect(again.memberships).toEqual(approved.memberships);
    expect(isWell(link)).toBe(true);
    expect(origin.connected).toBe(true);
  });

  test('where clones are admitted it is a member at once; elsewhere approval adds the rest', async () => {
    const admit = { cloneAdmission: 'admit' } as const;
    const both = await makeOriginal(admit, {});
    const fresh = makeNode();
    const reply = await requestSplit(await ticketFor(copyNode(both.node)), both.node.id, fresh);
    expect(reply.state).toBe('pending');
    const namesOf = async () => (await show(fresh.id)).memberships.map((m) => m.networkId);
    expect(await namesOf()).toEqual([both.networks[0]?.id]);
    await controller.client.call('nodeApprove', { params: { node: fresh.id } });
    expect((await namesOf()).toSorted()).toEqual(both.networks.map(({ id }) => id).toSorted());

    const all = await makeOriginal(admit);
    const other = makeNode();
    const admitted = await requestSplit(await ticketFor(copyNode(all.node)), all.node.id, other);
    expect(admitted.state).toBe('active');
    expect((await show(other.id)).memberships).toHaveLength(1);
  });

  test('a clone of a clone is asked about, even where clones are admitted', async () => {
    const { node } = await makeOriginal({ cloneAdmission: 'admit' });
    const [first, second] = [makeNode(), makeNode()];
    expect((await requestSplit(await ticketFor(copyNode(node)), node.id, first)).state).toBe(
      'active',
    );
    await connectAgent(controller, first);
    const reply = await requestSplit(await ticketFor(copyNode(first)), first.id, second);
    expect(reply.state).toBe('pending');
    expect((await show(second.id)).memberships).toEqual([]);
    await controller.client.call('nodeApprove', { params: { node: second.id } });
    expect((await show(second.id)).memberships).toHaveLength(1);
  });

  test('a node has so many clones at most where nobody is asked about them', async () => {
    const admitted = await makeOriginal({ cloneAdmission: 'admit' });
    const approved = await makeOriginal({});
    for (const { node } of [admitted, approved]) await insertClones(node.id, CLONES_MAX);
    const split = async ({ node }: { node: TestNode }) =>
      await requestSplit(await ticketFor(copyNode(node)), node.id, makeNode());
    await expect(split(admitted)).rejects.toMatchObject({ code: 'limit_reached' });
    expect((await split(approved)).state, 'each of the others was approved').toBe('pending');
    await dropClones(admitted.node.id);
    await dropClones(approved.node.id);
    expect((await split(admitted)).state).toBe('active');
  });

  test('a ticket is used once, by the same keys again and again', async () => {
    const { node } = await makeOriginal({});
    const ticket = await ticketFor(copyNode(node));
    const [fresh, thief] = [makeNode(), makeNode()];
    await expect(requestSplit(ticket, thief.id, fresh)).rejects.toMatchObject({
      code: 'ticket_invalid',
    });
    await expect(requestSplit(ticket, node.id, node)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    const reply = await requestSplit(ticket, node.id, fresh);
    aheadMs += 2 * 3_600_000;
    expect(await requestSplit(ticket, node.id, fresh)).toEqual(reply);
    await expect(requestSplit(ticket, node.id, thief)).rejects.toMatchObject({
      code: 'ticket_invalid',
      message: expect.stringContaining('another host'),
    });
  });

  test('a ticket ends after an hour, and its clone is given another one', async () => {
    const { node } = await makeOriginal({});
    const copy = copyNode(node);
    const ticket = await ticketFor(copy);
    aheadMs += 3_600_001;
    const fresh = makeNode();
    await expect(requestSplit(ticket, node.id, fresh)).rejects.toMatchObject({
      code: 'ticket_invalid',
      message: expect.stringContaining('expired'),
    });
    const reply = await requestSplit(await ticketFor(copy), node.id, fresh);
    expect(reply.state).toBe('pending');
  });

  test('a signature of another key makes no node', async () => {
    const { node } = await makeOriginal({});
    const ticket = await ticketFor(copyNode(node));
    const fresh = makeNode();
    const forged = { ...fresh, privateKey: makeNode().privateKey };
    await expect(requestSplit(ticket, node.id, forged)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

describe('reject and replace', () => {
  test('of several networks the strictest rule counts: the copy is refused', async () => {
    const { node, link } = await makeOriginal({}, { clones: 'reject' }, { clones: 'replace' });
    const refused = await (await openLink(controller, copyNode(node))).next('refused');
    expect(refused.code).toBe('clone_rejected');
    expect(refused.message).toContain('127.0.0.1');
    expect(isWell(link)).toBe(true);
  });

  test('the later one stays, the former is told and refused for good', async () => {
    const { node, link } = await makeOriginal({ clones: 'replace' });
    const copy = copyNode(node);
    const peer = makeNode();
    await joinNetwork(controller, `clones-${counter}`, peer);
    const { link: watcher } = await connectAgent(controller, peer);
    const made = await connectAgent(controller, copy);
    expect(await link.next('refused')).toMatchObject({ code: 'clone_replaced' });
    const { instance } = copy;
    expect(await watcher.next('holder')).toEqual({ type: 'holder', nodeId: node.id, instance });
    await link.closed();
    clockMs += 10 * LEASE_GRACE_MS;
    const again = await openLink(controller, copyNode(node));
    expect(await again.next('refused')).toMatchObject({ code: 'clone_replaced' });
    expect(isWell(made.link)).toBe(true);
    made.link.close();
    expect((await connectAgent(controller, copy)).welcome.lease.epoch).toBe(copy.lease.epoch);
  });

  test('a copy whose answer was lost has replaced the former all the same', async () => {
    const { node, link } = await makeOriginal({ clones: 'replace' });
    const copy = copyNode(node);
    const lost = await openLink(controller, copy);
    await lost.next('welcome');
    lost.close();
    await link.closed();
    const { welcome } = await connectAgent(controller, copy);
    expect(welcome.lease.epoch).toBe(copy.lease.epoch);
    const again = await openLink(controller, node);
    expect(await again.next('refused')).toMatchObject({ code: 'clone_replaced' });
  });
});

describe('one machine', () => {
  test('begins at epoch 1, and each link moves it on', async () => {
    const { node } = await makeOriginal({});
    expect(node.lease.epoch).toBe(1);
    await connectAgent(controller, node);
    expect(node.lease.epoch).toBe(2);
  });

  test('that restarts again and again, dying at any step, is let in at once each time', async () => {
    const { node, link: first } = await makeOriginal({});
    first.close();
    for (let i = 0; i < 24; i += 1) {
      const started = copyNode(node);
      const link = await openLink(controller, started);
      node.lease = started.lease;
      if (i % 4 > 0) await link.next('welcome');
      if (i % 4 > 1) {
        link.close();
        const { link: kept } = await connectAgent(controller, started);
        node.lease = started.lease;
        kept.close();
      }
      link.close();
    }
    expect((await connectAgent(controller, copyNode(node))).welcome.nodeId).toBe(node.id);
  });

  test('whose former link is cut without a word is let in when that one answers no ping', async () => {
    const { node, link } = await makeOriginal({});
    link.socket.pause();
    const { welcome } = await connectAgent(controller, copyNode(node));
    expect(welcome.lease.epoch).toBe(2);
    link.close();
  });

  test('that is put back to an older disk waits for the grace and goes on', async () => {
    const { node, link } = await makeOriginal({ clones: 'reject' });
    const older = copyNode(node, { bootId: 'another' });
    const { link: last } = await connectAgent(controller, node);
    await link.closed();
    await end(node, last);
    const early = await openLink(controller, older);
    expect(await early.next('refused')).toMatchObject({ code: 'lease_waits' });
    clockMs += LEASE_GRACE_MS;
    const { welcome } = await connectAgent(controller, older);
    expect(welcome.lease.epoch).toBe(3);
  });

  test('an older disk on another machine is a clone even when the holder is gone', async () => {
    const { node, link } = await makeOriginal({});
    const older = copyNode(node, { machineId: 'another' });
    const { link: last } = await connectAgent(controller, node);
    await link.closed();
    await end(node, last);
    clockMs += LEASE_GRACE_MS;
    expect(await ticketFor(older)).toHaveLength(43);
  });

  test('with a lease ahead of the database, as after a restored backup, goes on', async () => {
    const { node, link } = await makeOriginal({});
    await end(node, link);
    node.lease = { ...node.lease, epoch: 40 };
    expect((await connectAgent(controller, node)).welcome.lease.epoch).toBe(41);
  });
});

test('after a controller outage the host that was linked comes before a copy of its disk', async () => {
  const { node } = await makeOriginal({});
  const copy = copyNode(node, { bootId: 'elsewhere' });
  await controller.stop();
  const { dataDirectory } = controller;
  controller = await startTestController({ dataDirectory, ...clocks });
  const first = await openLink(controller, copy);
  expect(await first.next('refused')).toMatchObject({ code: 'lease_waits' });
  const { link } = await connectAgent(controller, node);
  expect(await ticketFor(copy)).toHaveLength(43);
  expect(isWell(link)).toBe(true);
});

describe('fifty hosts of one image', () => {
  const HOSTS = 50;

  test('beside the original: each gets an identity of its own, with a ping at a time', async () => {
    const { node, link } = await makeOriginal({ cloneAdmission: 'admit' });
    const pings = { open: 0, most: 0, all: 0 };
    link.socket.on('ping', () => {
      pings.all += 1;
    });
    const nodes = await Promise.all(
      Array.from({ length: HOSTS }, async () => {
        const fresh = makeNode();
        await requestSplit(await ticketFor(copyNode(node)), node.id, fresh);
        return fresh;
      }),
    );
    expect(pings.all).toBeLessThanOrEqual(HOSTS);
    const shown = await Promise.all(nodes.map(({ id }) => show(id)));
    const addresses = shown.flatMap(({ memberships }) => memberships.flatMap((m) => m.addresses));
    expect(new Set(addresses).size).toBe(2 * HOSTS);
    expect(new Set(shown.map(({ name }) => name)).size).toBe(HOSTS);
    expect(
      shown.every(({ clonedFrom, state }) => clonedFrom === node.id && state === 'active'),
    ).toBe(true);
    expect(isWell(link)).toBe(true);
    expect((await show(node.id)).connected).toBe(true);
  });

  test('without the original: one of them is the node', async () => {
    const { node, link } = await makeOriginal({ clones: 'reject' });
    await end(node, link);
    const outcomes = await Promise.all(
      Array.from({ length: HOSTS }, async () => {
        const opened = await openLink(controller, copyNode(node));
        await opened.until(() => opened.received.length > 1, 'an answer');
        const [, answer] = opened.received;
        return answer?.type === 'refused' ? answer.code : answer?.type;
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'welcome')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'clone_rejected')).toHaveLength(HOSTS - 1);
  });

  test('more than a queue holds at once are told to come again', async () => {
    const { node } = await makeOriginal({ clones: 'reject' });
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const opened = await openLink(controller, copyNode(node));
        return (await opened.next('refused')).code;
      }),
    );
    const expected = ['clone_rejected', 'too_many_requests'];
    expect(outcomes.filter((code) => !expected.includes(code))).toEqual([]);
  });
});
