import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTROL_VERSION, ControlDeframer, decodeControl, encodeControl } from '@etherloom/core';
import type { ControlMessage } from '@etherloom/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DATAPATH_ANSWER_MS, DATAPATH_PENDING_MAX } from '../limits.ts';
import type { DatapathClientHandlers } from './client.ts';
import { DatapathClient } from './client.ts';

type Answer = (message: ControlMessage, socket: Socket) => void;

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
let directory = '';
let path = '';
let server: Server | undefined;
const sockets = new Set<Socket>();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-client-'));
  path = join(directory, 'datapath.sock');
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
  rmSync(directory, { recursive: true });
});

test('gives a request the rows that came before its ok, and events to their handler', async () => {
  const events: string[] = [];
  const client = await connect(
    (message, socket) => {
      const { requestId } = message;
      socket.write(encodeControl('sessionNeeded', 0, { peer: 9 }));
      socket.write(
        encodeControl('fdbSet', requestId, { generation: 1, vni: 5, mac: MAC, peer: 2 }),
      );
      socket.write(encodeControl('ok', requestId, {}));
    },
    { onEvent: (event) => events.push(event.name) },
  );
  const rows = await client.request('dump', { kind: 4 });
  expect(rows).toMatchObject([{ name: 'fdbSet', values: { vni: 5, peer: 2 } }]);
  expect(events).toEqual(['sessionNeeded']);
});

test('passes a refusal on and goes on with the rest', async () => {
  const client = await connect((message, socket) => {
    const isBad = message.name === 'peerDelete' && message.values.peer === 2;
    const text = new TextEncoder().encode('no such peer');
    socket.write(
      isBad
        ? encodeControl('error', message.requestId, { errno: 2, text })
        : encodeControl('ok', message.requestId, {}),
    );
  });
  const requests = [1, 2, 3].map((peer) => ({ name: 'peerDelete', values: { peer } }) as const);
  const refusals = await client.requestAll(requests);
  expect(refusals.map(({ message }) => message)).toEqual([
    'the data path refused peerDelete: no such peer (errno 2)',
  ]);
});

test('fails all that waits with one reason when the connection ends', async () => {
  const reasons: string[] = [];
  const client = await connect((_, socket) => socket.destroy(), {
    onClose: (error) => reasons.push(error.message),
  });
  const waiting = await Promise.allSettled([
    client.request('counters', {}),
    client.request('counters', {}),
  ]);
  expect(waiting.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(reasons).toHaveLength(1);
  await expect(client.request('counters', {})).rejects.toMatchObject({ code: 'datapath_closed' });
});

test.each<[string, Answer]>([
  ['bytes that are no message', (_, socket) => socket.write(new Uint8Array(64).fill(0xff))],
  ['an answer that nobody asked for', (_, socket) => socket.write(encodeControl('ok', 77, {}))],
])('ends the connection on %s', async (_, answer) => {
  const client = await connect(answer);
  await expect(client.request('counters', {})).rejects.toMatchObject({ code: 'datapath_closed' });
  expect(client.isOpen).toBe(false);
});

test('takes no more requests than it can remember', async () => {
  const client = await connect(() => undefined);
  const waiting = Array.from({ length: DATAPATH_PENDING_MAX }, () =>
    client.request('counters', {}).catch(() => 'ended'),
  );
  await expect(client.request('counters', {})).rejects.toThrow(/requests wait for the data path/);
  client.close();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['ended']));
});

describe('a data path that leaves a request without an answer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => vi.useRealTimers());

  test('is given up when it says nothing', async () => {
    const client = await connect(() => undefined);
    const waiting = client.request('counters', {});
    vi.advanceTimersByTime(DATAPATH_ANSWER_MS);
    await expect(waiting).rejects.toThrow(`did not answer for ${DATAPATH_ANSWER_MS} ms`);
  });

  test('lives while its events arrive, behind which the answer may wait', async () => {
    let answer = (): void => undefined;
    let heard = (): void => undefined;
    const client = await connect(
      ({ requestId }, socket) => {
        socket.write(encodeControl('sessionNeeded', 0, { peer: 9 }));
        answer = () => void socket.write(encodeControl('ok', requestId, {}));
      },
      { onEvent: () => heard() },
    );
    const event = new Promise<void>((resolve) => (heard = resolve));
    const waiting = client.request('counters', {});
    vi.advanceTimersByTime(DATAPATH_ANSWER_MS - 1);
    await event;
    vi.advanceTimersByTime(DATAPATH_ANSWER_MS - 1);
    answer();
    await expect(waiting).resolves.toEqual([]);
  });
});

test('refuses a data path of another version', async () => {
  await listen((message, socket) => {
    const text = new TextEncoder().encode('this data path speaks version 9');
    socket.write(encodeControl('error', message.requestId, { errno: 71, text }));
  }, false);
  const handlers = { onEvent: () => undefined, onClose: () => undefined };
  await expect(DatapathClient.connect(path, handlers)).rejects.toThrow(/speaks version 9/);
});

async function connect(
  answer: Answer,
  handlers: Partial<DatapathClientHandlers> = {},
): Promise<DatapathClient> {
  await listen(answer, true);
  const { client } = await DatapathClient.connect(path, {
    onEvent: () => undefined,
    onClose: () => undefined,
    ...handlers,
  });
  return client;
}

/** The other end of the socket, as the test wants it; it says hello as a data path does. */
function listen(answer: Answer, saysHello: boolean): Promise<void> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const deframer = new ControlDeframer();
    socket.on('data', (chunk) => {
      for (const frame of deframer.push(chunk)) {
        const message = decodeControl(frame);
        if (message.name === 'hello' && saysHello) hello(message.requestId, socket);
        else answer(message, socket);
      }
    });
  });
  return new Promise((resolve) => server?.listen(path, resolve));
}

function hello(requestId: number, socket: Socket): void {
  const instance = new Uint8Array(16);
  const values = { version: CONTROL_VERSION, lanes: 2, features: 0, pid: 1, instance };
  socket.write(encodeControl('helloReply', requestId, { ...values, generation: 0 }));
  socket.write(encodeControl('ok', requestId, {}));
}
