/**
 * Networks that are told in part, over real links: an agent learns of those that it deals with, of
 * each with what proves it, and of nobody else.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ControllerMessage, MemberKey } from '@etherloom/api';
import { INTEREST_PIECE_MAX, decodeJoinToken } from '@etherloom/api';
import { RESOLVES } from '../limits.ts';
import type { TestController, TestLink, TestNode } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  joinNetwork,
  makeEndpoints,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import { NetworkFollower } from '../testing/network-follower.ts';

const WHOLE_MAX = 3;
let controller: TestController;
let network: { readonly id: string; readonly name: string };
let token = '';

beforeEach(async () => {
  controller = await startTestController({ pushedWholeMax: WHOLE_MAX });
  network = await controller.client.call('networkCreate', { body: { name: 'large' } });
  ({ token } = await controller.client.call('tokenCreate', {
    body: { network: network.name, uses: 100 },
  }));
});
afterEach(() => controller.remove());

const join = (node: TestNode) =>
  controller.client.call('join', { body: makeJoinRequest(node, token) });

async function joinMany(count: number): Promise<TestNode[]> {
  const nodes = Array.from({ length: count }, () => makeNode());
  for (const node of nodes) await join(node);
  return nodes;
}

type Resolved = Extract<ControllerMessage, { type: 'resolved' }>;

/** An agent that takes what is proved, and says whom it deals with. */
interface Agent {
  readonly node: TestNode;
  readonly link: TestLink;
  readonly members: () => string[];
  readonly until: (condition: () => boolean, what: string) => Promise<void>;
  readonly resolve: (by: MemberKey, networkId?: string) => Promise<Resolved>;
  readonly follower: NetworkFollower;
}

async function connect(
  node: TestNode,
  interest: readonly TestNode[] | null = [],
  revision: number | null = null,
): Promise<Agent> {
  const { link } = await connectAgent(controller, node);
  const follower = new NetworkFollower(decodeJoinToken(token).authorityHash);
  let taken = 0;
  const take = (): void => {
    for (; taken < link.received.length; taken++) {
      const message = link.received[taken];
      if (message) follower.take(message);
      if (message?.type === 'interestWanted' && interest !== null)
        link.send({
          type: 'interest',
          networkId: network.id,
          revision,
          nodeIds: interest.map(({ id }) => id),
          hasMore: false,
        });
    }
  };
  const members = (): string[] =>
    (follower.networks.get(network.id)?.state.members ?? []).map(({ nodeId }) => nodeId);
  let requestId = 0;
  const agent: Agent = {
    node,
    link,
    follower,
    members,
    until: (condition, what) => link.until(() => (take(), condition()), what),
    resolve: async (by, networkId = network.id) => {
      requestId += 1;
      const own = requestId;
      link.send({ type: 'resolve', requestId: own, networkId, by });
      const isAnswer = (m: ControllerMessage): m is Resolved =>
        m.type === 'resolved' && m.requestId === own;
      await agent.until(() => link.received.some(isAnswer), 'an answer');
      const answer = link.received.find(isAnswer);
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
  };
  if (interest !== null)
    await agent.until(() => members().length > 0 || interest.length > 0, 'the node itself');
  return agent;
}

const sorted = (...nodes: readonly TestNode[]): string[] => nodes.map(({ id }) => id).toSorted();
const pick = (nodes: readonly TestNode[], at: number): TestNode => {
  const node = nodes[at];
  if (node === undefined) throw new Error(`there is no node ${at}`);
  return node;
};

describe('of a network that is told in part an agent', () => {
  test('learns itself, and whom it asks for by address, MAC, node id or key', async () => {
    const nodes = await joinMany(8);
    const a = await connect(pick(nodes, 0));
    expect(a.members()).toEqual(sorted(a.node));
    expect(a.follower.networks.get(network.id)?.roster.memberCount).toBe(8);
    const { items } = await controller.client.call('memberList', {
      params: { network: network.id },
    });
    const of = (at: number) => {
      const found = items.find(({ nodeId }) => nodeId === pick(nodes, at).id);
      if (found === undefined) throw new Error('no such member');
      return found;
    };
    const wishes: MemberKey[] = [
      { ip: of(1).addresses[0] ?? '' },
      { ip: of(2).addresses[1] ?? '' },
      { mac: of(3).mac },
      { nodeId: of(4).nodeId },
      { sessionKey: pick(nodes, 5).sessionKey },
    ];
    for (const [at, by] of wishes.entries())
      expect(await a.resolve(by)).toMatchObject({ nodeId: pick(nodes, at + 1).id });
    expect(a.members().toSorted()).toEqual(sorted(...nodes.slice(0, 6)));
    expect(a.link.received.map(({ type }) => type)).not.toContain('snapshot');
  });

  test('is told that nobody has what it asks for', async () => {
    const nodes = await joinMany(5);
    const a = await connect(pick(nodes, 0));
    for (const by of [
      { ip: '10.99.99.99' },
      { mac: '02:00:00:00:00:01' },
      { nodeId: makeNode().id },
    ])
      expect(await a.resolve(by)).toMatchObject({ nodeId: null, isRefused: false });
  });

  test('is of interest to whom it asks for', async () => {
    const nodes = await joinMany(5);
    const a = await connect(pick(nodes, 0));
    const b = await connect(pick(nodes, 1));
    expect(b.members()).toEqual(sorted(b.node));
    await a.resolve({ nodeId: b.node.id });
    await b.until(() => b.members().includes(a.node.id), 'the one that asked');
    expect(b.members().toSorted()).toEqual(sorted(a.node, b.node));
  });

  test('learns what changes of those that it deals with, and nothing of others', async () => {
    const nodes = await joinMany(6);
    const [b, c] = [pick(nodes, 1), pick(nodes, 2)];
    const a = await connect(pick(nodes, 0), [b]);
    await a.until(() => a.members().includes(b.id), 'the member of interest');
    const [linkB, linkC] = [await connect(b, []), await connect(c, [])];
    const before = a.link.received.length;
    linkC.link.send(makeEndpoints(c, ['192.0.2.3:8002']));
    linkB.link.send(makeEndpoints(b, ['192.0.2.2:8002']));
    const endpointsOf = (id: string) =>
      a.follower.networks.get(network.id)?.state.members.find(({ nodeId }) => nodeId === id)
        ?.endpoints;
    await a.until(() => endpointsOf(b.id)?.[0] === '192.0.2.2:8002', 'the new endpoint');
    await join(makeNode());
    await controller.client.call('memberDelete', {
      params: { network: network.id, node: pick(nodes, 4).id },
    });
    linkB.link.send(makeEndpoints(b, ['192.0.2.22:8002']));
    await a.until(() => endpointsOf(b.id)?.[0] === '192.0.2.22:8002', 'the next endpoint');
    const told = a.link.received
      .slice(before)
      .flatMap((message) => (message.type === 'partial' ? message.upserts : []))
      .map(({ nodeId }) => nodeId);
    expect(new Set(told)).toEqual(new Set([b.id]));
  });

  test('learns at once that a member was revoked', async () => {
    const nodes = await joinMany(6);
    const b = pick(nodes, 1);
    const a = await connect(pick(nodes, 0), [b]);
    await a.until(() => a.members().includes(b.id), 'the member of interest');
    await controller.client.call('memberDelete', { params: { network: network.id, node: b.id } });
    await a.until(() => !a.members().includes(b.id), 'its end');
    expect(await a.resolve({ nodeId: b.id })).toMatchObject({ nodeId: null, isRefused: false });
  });

  test('is told of revocations what is new, and of all when it asks anew', async () => {
    const nodes = await joinMany(9);
    const [b, c] = [pick(nodes, 1), pick(nodes, 2)];
    const end = (node: TestNode) =>
      controller.client.call('memberDelete', { params: { network: network.id, node: node.id } });
    await end(pick(nodes, 3));
    const a = await connect(pick(nodes, 0), [b, c]);
    await a.until(() => a.members().length === 3, 'the members of interest');
    const countOf = () => a.follower.networks.get(network.id)?.roster.revocationCount;
    const told = () =>
      a.link.received.flatMap((message) =>
        message.type === 'partial' && (message.proof.revocations ?? message.proof.revocationNews)
          ? [
              {
                all: message.proof.revocations?.length,
                added: message.proof.revocationNews?.added.length,
              },
            ]
          : [],
      );
    // A stranger to it wakes nobody: it comes along with one that it deals with.
    await end(pick(nodes, 4));
    await end(b);
    await a.until(() => countOf() === 3 && !a.members().includes(b.id), 'the end of a member');
    expect(told()).toEqual([
      { all: 1, added: undefined },
      { all: undefined, added: 2 },
    ]);
    const message = { type: 'interest', networkId: network.id, hasMore: false } as const;
    a.link.send({ ...message, revision: null, nodeIds: [c.id] });
    await a.until(() => told().length === 3, 'the answer');
    expect(told().at(-1)).toEqual({ all: 3, added: undefined });
    expect(a.members().toSorted()).toEqual(sorted(a.node, c));
  });

  test('is told when it returns what changed since, and of nobody else', async () => {
    const nodes = await joinMany(6);
    const [b, c] = [pick(nodes, 1), pick(nodes, 2)];
    const first = await connect(pick(nodes, 0), [b, c]);
    await first.until(() => first.members().length === 3, 'both');
    const revision = first.follower.networks.get(network.id)?.state.revision ?? 0;
    first.link.close();
    const other = await connect(b, []);
    other.link.send(makeEndpoints(b, ['192.0.2.9:8002']));
    await other.until(
      () => (other.follower.networks.get(network.id)?.state.revision ?? 0) > revision,
      'its own change',
    );
    const { link } = await connectAgent(controller, pick(nodes, 0));
    await link.next('interestWanted');
    const nodeIds = [b.id, c.id];
    const networkId = network.id;
    link.send({ type: 'interest', networkId, revision, nodeIds, hasMore: false });
    const update = await link.next('partial');
    expect(update).toMatchObject({ isReply: true, upserts: [{ nodeId: b.id }] });
    expect(update.upserts).toHaveLength(1);
    expect(update.proof.revocations).toBeUndefined();
  });

  test('takes a network that grew over the limit on from what it held whole', async () => {
    const nodes = await joinMany(WHOLE_MAX);
    const a = await connect(pick(nodes, 0), nodes.slice(1));
    await a.until(() => a.members().length === WHOLE_MAX, 'the whole network');
    expect(a.link.received.map(({ type }) => type)).toContain('snapshot');
    await join(makeNode());
    await a.until(() => a.link.received.some(({ type }) => type === 'partial'), 'the first part');
    expect(a.members()).toHaveLength(WHOLE_MAX);
  });

  test('is told all anew by a database that was restored, and takes it', async () => {
    const nodes = await joinMany(WHOLE_MAX + 3);
    const b = pick(nodes, 1);
    const before = await connect(pick(nodes, 0), [b]);
    await before.until(() => before.members().includes(b.id), 'the member of interest');
    const held = before.follower.networks.get(network.id);
    await controller.stop();
    const { dataDirectory } = controller;
    const pushedWholeMax = WHOLE_MAX;
    controller = await startTestController({ dataDirectory, pushedWholeMax, isRestored: true });
    const { link } = await connectAgent(controller, pick(nodes, 0));
    await link.next('interestWanted');
    const revision = held?.state.revision ?? null;
    const networkId = network.id;
    link.send({ type: 'interest', networkId, revision, nodeIds: [b.id], hasMore: false });
    before.follower.take(await link.next('partial'));
    const after = before.follower.networks.get(network.id);
    expect(after?.marks.rosterVersion).toBeGreaterThan(
      1_000_000 + (held?.marks.rosterVersion ?? NaN),
    );
    const serialOf = (of: typeof held) => of?.members.get(b.id)?.credential.serial ?? NaN;
    expect(serialOf(after)).toBeGreaterThan(serialOf(held));
    link.close();
  });

  test('gets it whole again when it is small enough', async () => {
    const nodes = await joinMany(WHOLE_MAX + 1);
    const a = await connect(pick(nodes, 0));
    expect(a.members()).toHaveLength(1);
    for (const node of nodes.slice(WHOLE_MAX - 1))
      await controller.client.call('memberDelete', {
        params: { network: network.id, node: node.id },
      });
    await a.until(() => a.members().length === WHOLE_MAX - 1, 'the whole network');
  });
});

describe('a controller that tells in part', () => {
  test('answers nothing about a network in which the asker is no member', async () => {
    const other = await controller.client.call('networkCreate', { body: { name: 'other' } });
    const foreign = Array.from({ length: 5 }, () => makeNode());
    for (const node of foreign) await joinNetwork(controller, other.name, node);
    const nodes = await joinMany(5);
    const a = await connect(pick(nodes, 0));
    const victim = pick(foreign, 0);
    const isRefused = true;
    expect(await a.resolve({ nodeId: victim.id }, other.id)).toMatchObject({
      nodeId: null,
      isRefused,
    });
    const networkId = other.id;
    a.link.send({
      type: 'interest',
      networkId,
      revision: null,
      nodeIds: [victim.id],
      hasMore: false,
    });
    const answer = await a.resolve({ nodeId: victim.id }, other.id);
    expect(answer.nodeId).toBeNull();
    const answered = await a.resolve({ nodeId: victim.id });
    expect(answered, 'not by its own network either').toMatchObject({ nodeId: null });
    const told = a.link.received.flatMap((m) => (m.type === 'partial' ? [m.networkId] : []));
    expect(new Set(told)).toEqual(new Set([network.id]));
  });

  test('refuses what is asked before the agent has said whom it deals with', async () => {
    const nodes = await joinMany(5);
    const a = await connect(pick(nodes, 0), null);
    expect(await a.resolve({ nodeId: pick(nodes, 1).id })).toMatchObject({
      nodeId: null,
      isRefused: true,
    });
  });

  test('refuses who asks too often, and keeps the link', async () => {
    const nodes = await joinMany(5);
    const a = await connect(pick(nodes, 0));
    const by = { nodeId: makeNode().id };
    const count = RESOLVES.burst + 20;
    for (let requestId = 1_000; requestId < 1_000 + count; requestId++)
      a.link.send({ type: 'resolve', requestId, networkId: network.id, by });
    const answers = (): Resolved[] => a.link.received.filter((m) => m.type === 'resolved');
    await a.until(() => answers().length === count, 'all answers');
    expect(answers().some(({ isRefused }) => isRefused)).toBe(true);
    expect(answers().filter(({ isRefused }) => !isRefused).length).toBeGreaterThanOrEqual(
      RESOLVES.burst,
    );
  });

  test('takes a list in pieces, and tells nobody twice', async () => {
    const nodes = await joinMany(5);
    const { link } = await connectAgent(controller, pick(nodes, 0));
    await link.next('interestWanted');
    const piece = Array.from({ length: INTEREST_PIECE_MAX }, () => makeNode().id);
    const networkId = network.id;
    link.send({ type: 'interest', networkId, revision: null, nodeIds: piece, hasMore: true });
    const nodeIds = [pick(nodes, 1).id];
    link.send({ type: 'interest', networkId, revision: null, nodeIds, hasMore: false });
    const { upserts } = await link.next('partial');
    expect(upserts.map(({ nodeId }) => nodeId).toSorted()).toEqual(
      sorted(pick(nodes, 0), pick(nodes, 1)),
    );
  });
});
