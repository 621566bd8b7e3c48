/** What nodes say of themselves, as a running controller passes it on. */
import type { NodeReport } from '@etherloom/api';
import { TOPOLOGY_PEERS_MAX } from '@etherloom/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  connectAgent,
  joinNetwork,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import type { TestController, TestNode } from '../testing/controller-fixture.ts';

const ALPHA = makeNode();
const BETA = makeNode();

let controller: TestController;
beforeEach(async () => {
  controller = await startTestController();
  await controller.client.call('networkCreate', { body: { name: 'demo', ipv4: '10.1.0.0/24' } });
  for (const node of [ALPHA, BETA]) await joinNetwork(controller, 'demo', node);
});
afterEach(async () => {
  await controller.remove();
});

function reportOf(peer: TestNode): NodeReport {
  const traffic = { sentFrames: 1, sentBytes: 2, receivedFrames: 3, receivedBytes: 4 };
  return {
    version: '0.1.0',
    port: 8_002,
    datapath: { running: true, restarts: 0, lanes: 2 },
    networks: [],
    peersTotal: 1,
    peersUp: 1,
    peers: [
      {
        nodeId: peer.id,
        state: 'up',
        path: 'direct',
        endpoint: '192.0.2.2:8002',
        latencyMs: 1.5,
        sessionAgeMs: 1_000,
        lastReceivedMs: 10,
        handshakes: 1,
        ...traffic,
      },
    ],
    drops: { replayed: 2 },
    log: [],
  };
}

test('passes on what a connected agent answers, and says why there is nothing of another one', async () => {
  const { link } = await connectAgent(controller, ALPHA);
  const reading = controller.client.call('nodeReport', { params: { node: ALPHA.id } });
  const { requestId } = await link.next('reportWanted');
  link.send({ type: 'report', requestId, report: reportOf(BETA) });
  expect(await reading).toMatchObject({
    nodeId: ALPHA.id,
    report: { drops: { replayed: 2 } },
    reason: null,
  });
  expect(await controller.client.call('nodeReport', { params: { node: BETA.id } })).toEqual({
    nodeId: BETA.id,
    at: null,
    report: null,
    reason: 'its agent is not connected',
  });
  link.close();
});

test('draws a network: all its nodes, and the paths that those here speak of', async () => {
  const { link } = await connectAgent(controller, ALPHA);
  const reading = controller.client.call('networkTopology', { params: { network: 'demo' } });
  const { requestId, peersMax } = await link.next('reportWanted');
  expect(peersMax).toBe(TOPOLOGY_PEERS_MAX);
  const report = reportOf(BETA);
  const [path] = report.peers;
  if (path === undefined) throw new Error('has one');
  const stranger = { ...path, nodeId: makeNode().id };
  link.send({ type: 'report', requestId, report: { ...report, peers: [path, stranger] } });
  const { nodes, paths, memberCount } = await reading;
  expect(memberCount).toBe(2);
  expect(new Map(nodes.map(({ id, connected }) => [id, connected]))).toEqual(
    new Map([
      [ALPHA.id, true],
      [BETA.id, false],
    ]),
  );
  expect(paths, 'nothing of nodes that are not in the network').toEqual([
    expect.objectContaining({ from: ALPHA.id, to: BETA.id, state: 'up', latencyMs: 1.5 }),
  ]);
  link.close();
});

test('a report that is none of the contract costs the agent its link', async () => {
  const { link } = await connectAgent(controller, ALPHA);
  const reading = controller.client.call('nodeReport', { params: { node: ALPHA.id } });
  const { requestId } = await link.next('reportWanted');
  const report = { ...reportOf(BETA), peersTotal: -1 };
  link.send({ type: 'report', requestId, report });
  expect(await link.next('refused')).toMatchObject({ code: 'invalid_request' });
  expect((await reading).report).toBeNull();
});
