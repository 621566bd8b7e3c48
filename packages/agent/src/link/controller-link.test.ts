import { X509Certificate, createHash, createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { AgentMessage, ControllerMessage } from '@etherloom/api';
import { fromBase64url, linkSigningText } from '@etherloom/api';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { generateIdentity, openIdentity } from '../disk/identity.ts';
import type { LinkDeps, LinkMessage, LinkState } from './controller-link.ts';
import { ControllerLink } from './controller-link.ts';
import { TEST_CERTIFICATE } from './test-certificate.ts';

const FINGERPRINT = createHash('sha256')
  .update(new X509Certificate(TEST_CERTIFICATE.cert).raw)
  .digest('hex');
const IDENTITY = openIdentity(generateIdentity());
const NONCE = 'n'.repeat(43);
const AUTHORITY = 'a'.repeat(64);
const NETWORK_ID = 'net_00000000000000000001';
const WELCOME: ControllerMessage = {
  type: 'welcome',
  nodeId: IDENTITY.nodeId,
  observedAddress: '192.0.2.7',
  revisions: {},
  time: '2026-11-20T00:00:00Z',
  lease: { epoch: 1 },
  nodeState: 'active',
  record: null,
};
const PLACE = {
  instance: '0'.repeat(16),
  lease: { epoch: 0, secret: 's'.repeat(43), nextHash: '0'.repeat(64) },
  host: { bootId: null, machineId: null, cloudInstanceId: null, vmGenerationId: null },
};
const REMOVED: ControllerMessage = { type: 'removed', networkId: NETWORK_ID, reason: 'test' };

const undos: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const undo of undos.splice(0).toReversed()) await undo();
});

test('proves its key over the nonce and the certificate that it sees', async () => {
  const { url, heard } = await serve((socket) => send(socket, WELCOME));
  const { states } = open([url]);
  await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true));
  const [message] = heard;
  if (message?.type !== 'authenticate') throw new Error('the link did not authenticate');
  expect(message).toMatchObject({
    nodeId: IDENTITY.nodeId,
    revisions: { [NETWORK_ID]: 4 },
    authority: AUTHORITY,
    ...PLACE,
  });
  const key = createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: IDENTITY.signKey },
  });
  const text = linkSigningText(NONCE, IDENTITY.nodeId, FINGERPRINT);
  expect(verify(null, Buffer.from(text), key, fromBase64url(message.signature))).toBe(true);
});

test('hands messages on in order once it is welcome', async () => {
  const { url } = await serve((socket) => {
    send(socket, WELCOME);
    send(socket, REMOVED);
    send(socket, { ...REMOVED, reason: 'again' });
  });
  const { messages } = open([url]);
  await vi.waitFor(() =>
    expect(messages).toEqual([WELCOME, REMOVED, { ...REMOVED, reason: 'again' }]),
  );
});

test.each<[string, (socket: WebSocket) => void, RegExp]>([
  ['state before a welcome', (socket) => send(socket, REMOVED), /before it welcomed/],
  [
    'text that is no message',
    (socket) => socket.send('{"type":"x"}'),
    /no message of this version/,
  ],
  ['bytes', (socket) => socket.send(new Uint8Array(4)), /binary/],
  [
    'a refusal',
    (socket) =>
      send(socket, { type: 'refused', code: 'node_removed', message: 'removed yesterday' }),
    /removed yesterday/,
  ],
])('ends the link on %s, acts on nothing after it, and tries again', async (_, answer, error) => {
  const { url, openings } = await serve((socket) => {
    answer(socket);
    send(socket, WELCOME);
    send(socket, REMOVED);
  });
  const { messages, states } = open([url]);
  await vi.waitFor(() => expect(states[0]?.error).toMatch(error));
  await vi.waitFor(() => expect(openings()).toBeGreaterThan(1), { timeout: 10_000 });
  expect(messages.filter(({ type }) => type !== 'refused')).toEqual([]);
});

test('goes to the next URL when one does not answer, and gives no signature to another server', async () => {
  const foreign = await serve(() => undefined);
  const good = await serve((socket) => send(socket, WELCOME));
  const { states } = open(['https://127.0.0.1:1', good.url]);
  await vi.waitFor(() => expect(states.at(-1)?.url).toBe(good.url), { timeout: 10_000 });
  const wrong = open([foreign.url], '0'.repeat(64));
  await vi.waitFor(() => expect(wrong.states[0]?.error).toMatch(/is pinned: nothing was sent/));
  expect(foreign.heard).toEqual([]);
});

test('finds a controller again that went away', async () => {
  const { url, sockets } = await serve((socket) => send(socket, WELCOME));
  const { states } = open([url]);
  await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true));
  for (const socket of sockets) socket.terminate();
  const seen = () => states.map(({ isConnected }) => isConnected);
  await vi.waitFor(() => expect(seen()).toEqual([true, false, true]), { timeout: 10_000 });
});

test('returns to the URL that led to the controller before it tries another', async () => {
  const good = await serve((socket) => send(socket, WELCOME));
  const { states } = open(['https://127.0.0.1:1', good.url, 'https://127.0.0.1:2']);
  await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true), { timeout: 10_000 });
  const count = states.length;
  for (const socket of good.sockets) socket.terminate();
  const seen = () => states.slice(count).map(({ url }) => url);
  await vi.waitFor(() => expect(seen()).toEqual([good.url, good.url]), { timeout: 10_000 });
});

test('a link that this side ends names its reason as the error', async () => {
  const { url } = await serve((socket) => send(socket, WELCOME));
  const { states, link } = open([url]);
  await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true));
  link.reopen('the disk is full');
  await vi.waitFor(() => expect(states[1]?.error).toBe('the disk is full'));
});

test('an epoch that cannot be stored ends the link before it is used', async () => {
  const { url } = await serve((socket) => {
    send(socket, WELCOME);
    send(socket, REMOVED);
  });
  const { messages, states } = open([url], FINGERPRINT, { takeEpoch: () => 'the disk is full' });
  await vi.waitFor(() => expect(states[0]).toMatchObject({ error: 'the disk is full' }));
  expect(messages).toEqual([]);
});

test('a lease that cannot be made ends the link before anything is shown', async () => {
  const { url, heard } = await serve((socket) => send(socket, WELCOME));
  const { states } = open([url], FINGERPRINT, {
    showPlace: () => {
      throw new Error('the disk is full');
    },
  });
  await vi.waitFor(() => expect(states[0]?.error).toMatch(/next lease.*the disk is full/));
  expect(heard).toEqual([]);
});

test('a link that is held off is not opened by a probe, and at once by another controller', async () => {
  const { url, openings } = await serve((socket) => {
    send(socket, { type: 'refused', code: 'clone_rejected', message: 'a copy' });
  });
  const { states, link } = open([url]);
  link.holdOff(3_600_000);
  await vi.waitFor(() => expect(states[0]?.error).toMatch(/a copy/));
  link.probe();
  const other = await serve((socket) => send(socket, WELCOME));
  link.setController({
    urls: [other.url],
    tlsFingerprint: FINGERPRINT,
    organizationId: 'org_00000000000000000000',
  });
  await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true));
  expect(openings()).toBe(1);
});

/** Welcomes each link, and tells it of these controllers; the first is its own. */
function welcomeOf(...ids: readonly [string, () => string][]): (socket: WebSocket) => void {
  return (socket) => {
    send(socket, WELCOME);
    const controllers = ids.map(([id, url]) => ({ id, urls: [url()], isUp: true }));
    send(socket, { type: 'controllers', self: ids[0]?.[0] ?? '', controllers, pingMs: 1_000 });
  };
}

const [CTL_A, CTL_B] = [`ctl_${'a'.repeat(20)}`, `ctl_${'b'.repeat(20)}`] as const;

/** Two controllers, each of which tells of both. */
async function serveTwo(answerOfB?: (socket: WebSocket) => void): Promise<[Served, Served]> {
  const urls: Record<'a' | 'b', string> = { a: '', b: '' };
  const [a, b] = [[CTL_A, () => urls.a] as const, [CTL_B, () => urls.b] as const];
  const first = await serve(welcomeOf([...a], [...b]));
  const second = await serve(answerOfB ?? welcomeOf([...b], [...a]));
  urls.a = first.url;
  urls.b = second.url;
  return [first, second];
}

describe('of several controllers', () => {
  test.each<[string, (socket: WebSocket) => void]>([
    ['stops', (socket) => socket.close(1001, 'the controller is stopping')],
    ['is killed', (socket) => socket.terminate()],
    ['falls silent', (socket) => socket.pause()],
  ])('another one is found when the one of the link %s', async (_, end) => {
    const [first, second] = await serveTwo();
    const { states, link } = open([first.url]);
    link.setKnown({ ...RECORD, urls: [first.url], known: knownOf(first, second) });
    await vi.waitFor(() => expect(first.heard).toHaveLength(1));
    await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true));
    for (const socket of first.sockets) end(socket);
    const elsewhere = () =>
      states.some(({ isConnected, url }) => isConnected && url === second.url);
    await vi.waitFor(() => expect(elsewhere()).toBe(true), { timeout: 10_000 });
    expect(first.openings(), 'the one that failed is not tried before the other').toBe(1);
  });

  test('another one is found when the one of the link cannot reach its database', async () => {
    const away: ControllerMessage = {
      type: 'refused',
      code: 'unavailable',
      message: 'the database does not answer',
    };
    const [first, second] = await serveTwo((socket) => send(socket, away));
    const { states, link } = open([second.url]);
    link.setKnown({ ...RECORD, urls: [second.url], known: knownOf(first, second) });
    await vi.waitFor(() => expect(states.at(-1)?.url).toBe(first.url), { timeout: 10_000 });
    await vi.waitFor(() => expect(states.at(-1)?.isConnected).toBe(true), { timeout: 10_000 });
  });

  test('one that answers nothing holds up none of the others', async () => {
    const silent = createTcpServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    undos.push(() => void silent.close());
    const { port } = silent.address() as AddressInfo; // it listens on TCP
    const good = await serve((socket) => send(socket, WELCOME));
    const { states } = open([`https://127.0.0.1:${port}`, good.url]);
    await vi.waitFor(() => expect(states.at(-1)?.url).toBe(good.url), { timeout: 5_000 });
  });
});

const RECORD = { tlsFingerprint: FINGERPRINT, organizationId: 'org_00000000000000000000' };
const knownOf = (a: Served, b: Served) => [
  { id: CTL_A, urls: [a.url] },
  { id: CTL_B, urls: [b.url] },
];

function open(
  urls: string[],
  tlsFingerprint = FINGERPRINT,
  changes: Partial<Pick<LinkDeps, 'showPlace' | 'takeEpoch'>> = {},
): { messages: LinkMessage[]; states: LinkState[]; link: ControllerLink } {
  const messages: LinkMessage[] = [];
  const states: LinkState[] = [];
  const organizationId = 'org_00000000000000000000';
  const link = new ControllerLink(
    { urls, tlsFingerprint, organizationId },
    {
      identity: IDENTITY,
      version: '0.0.0',
      revisions: () => ({ [NETWORK_ID]: 4 }),
      authority: () => AUTHORITY,
      showPlace: () => PLACE,
      takeEpoch: () => undefined,
      ...changes,
      onMessage: (message) => messages.push(message),
      onState: (state) => states.push(state),
    },
  );
  undos.push(() => link.stop());
  return { messages, states, link };
}

interface Served {
  readonly url: string;
  readonly heard: AgentMessage[];
  readonly sockets: WebSocket[];
  readonly openings: () => number;
}

/** A server that challenges, and answers the authentication as the test wants. */
async function serve(answer: (socket: WebSocket) => void): Promise<Served> {
  const server: Server = createServer(TEST_CERTIFICATE);
  const webSockets = new WebSocketServer({ server, path: '/v1/agent' });
  const heard: AgentMessage[] = [];
  const sockets: WebSocket[] = [];
  webSockets.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data: Buffer) => {
      heard.push(JSON.parse(data.toString()) as AgentMessage); // checked by the tests
      answer(socket);
    });
    send(socket, { type: 'challenge', nonce: NONCE });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undos.push(() => {
    for (const socket of sockets) socket.terminate();
    webSockets.close();
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { url: `https://127.0.0.1:${port}`, heard, sockets, openings: () => sockets.length };
}

function send(socket: WebSocket, message: ControllerMessage): void {
  socket.send(JSON.stringify(message));
}
