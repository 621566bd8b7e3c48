/** Transports against real servers on loopback and on a unix socket. */
import { X509Certificate, createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { createPinnedSender } from './pinned-sender.ts';
import { openPinnedWebSocket } from './pinned-web-socket.ts';
import { CERTIFICATE_ONE, CERTIFICATE_TWO } from './test-certificates.ts';
import { fromUnixError } from './transport-error.ts';
import { createUnixSender } from './unix-sender.ts';

const PIN_ONE = fingerprint(CERTIFICATE_ONE.cert);
const PIN_TWO = fingerprint(CERTIFICATE_TWO.cert);

function fingerprint(certificate: string): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
}

let directory: string;
const servers: Server[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-transport-test-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function listen(server: Server, where: number | string = 0): Promise<number> {
  servers.push(server);
  if (typeof where === 'string') server.listen(where);
  else server.listen(where, '127.0.0.1');
  await once(server, 'listening');
  return typeof where === 'string' ? 0 : (server.address() as AddressInfo).port; // over TCP
}

/** Answers with what it was asked, and remembers all decrypted bytes it got. */
async function startEcho(): Promise<{ url: string; requests: IncomingMessage[]; server: Server }> {
  const requests: IncomingMessage[] = [];
  const server = createHttpsServer({ ...CERTIFICATE_ONE }, (request, response) => {
    requests.push(request);
    void echo(request, response);
  });
  const port = await listen(server);
  return { url: `https://127.0.0.1:${port}`, requests, server };
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  response
    .writeHead(207, { 'X-Kind': 'echo' })
    .end(
      JSON.stringify({ method: request.method, url: request.url, body, headers: request.headers }),
    );
}

describe('a pinned sender', () => {
  test('carries method, path, headers and body, and gives status, headers and body', async () => {
    const { url } = await startEcho();
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 5_000 });
    const reply = await send({
      method: 'POST',
      url: `${url}/a/b?c=d`,
      headers: { authorization: 'Bearer x' },
      body: 'grüße',
    });
    expect(reply.status).toBe(207);
    expect(reply.headers['x-kind']).toBe('echo');
    expect(JSON.parse(reply.body)).toMatchObject({
      method: 'POST',
      url: '/a/b?c=d',
      body: 'grüße',
      headers: { authorization: 'Bearer x', host: url.slice(8), 'content-length': '7' },
    });
  });

  test('sends no byte to a server with another certificate, and names both fingerprints', async () => {
    const { url, requests, server } = await startEcho();
    let decryptedBytes = 0;
    server.on('secureConnection', (socket) =>
      socket.on('data', (chunk: Buffer) => (decryptedBytes += chunk.length)),
    );
    const send = createPinnedSender({ tlsFingerprint: PIN_TWO, timeoutMs: 5_000 });
    const refused = send({
      method: 'POST',
      url,
      headers: { authorization: 'Bearer secret' },
      body: 'secret',
    });
    await expect(refused).rejects.toMatchObject({ code: 'tls_fingerprint_mismatch' });
    await expect(refused).rejects.toThrow(new RegExp(`${PIN_ONE}.*${PIN_TWO}`));
    await expect(refused).rejects.not.toThrow(/secret/);
    await new Promise((resolve) => server.close(resolve)); // until the connection is gone
    expect(requests).toEqual([]);
    expect(decryptedBytes).toBe(0);
  });

  test.each(['', 'ff', PIN_ONE.slice(2), `${PIN_ONE}00`])(
    'takes %j for no fingerprint of the server',
    async (pin) => {
      const { url } = await startEcho();
      const send = createPinnedSender({ tlsFingerprint: pin, timeoutMs: 5_000 });
      await expect(send({ method: 'GET', url, headers: {} })).rejects.toMatchObject({
        code: 'tls_fingerprint_mismatch',
      });
    },
  );

  test('says that nothing listens', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 5_000 });
    await expect(
      send({ method: 'GET', url: `https://127.0.0.1:${port}`, headers: {} }),
    ).rejects.toMatchObject({
      code: 'connection_refused',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });

  test('says that a name does not resolve', async () => {
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 5_000 });
    await expect(
      send({ method: 'GET', url: 'https://no-such-host.invalid', headers: {} }),
    ).rejects.toMatchObject({ code: 'host_unknown' });
  });

  test.each(['http://127.0.0.1', 'nonsense', ''])('takes %j for no URL', async (url) => {
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 5_000 });
    await expect(send({ method: 'GET', url, headers: {} })).rejects.toMatchObject({
      code: 'failed',
    });
  });

  test('gives up on a server that does not speak TLS, or says nothing, or does not answer', async () => {
    const plain = await listen(
      createTcpServer((socket) =>
        socket
          .on('error', () => {})
          .resume()
          .end('SSH-2.0-x\r\n'),
      ),
    );
    const silent = createTcpServer((socket) => void silentSockets.push(socket));
    const silentSockets: { destroy(): void }[] = [];
    const silentPort = await listen(silent);
    const dumb = createHttpsServer({ ...CERTIFICATE_ONE }, () => {});
    const dumbPort = await listen(dumb);
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 300 });
    const codeAt = (port: number) =>
      send({ method: 'GET', url: `https://127.0.0.1:${port}`, headers: {} }).then(
        () => 'reply',
        (error: { code: string }) => error.code,
      );
    expect(await codeAt(plain)).toBe('tls_failed');
    expect(await codeAt(silentPort)).toBe('timeout');
    expect(await codeAt(dumbPort)).toBe('timeout');
    for (const socket of silentSockets) socket.destroy();
    dumb.closeAllConnections();
  });

  test('says that a reply was cut short', async () => {
    const server = createHttpsServer({ ...CERTIFICATE_ONE }, (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      response.socket?.end();
    });
    const port = await listen(server);
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 5_000 });
    await expect(
      send({ method: 'GET', url: `https://127.0.0.1:${port}`, headers: {} }),
    ).rejects.toMatchObject({ code: 'connection_lost' });
  });

  test('stops when it is told to, before and during a request', async () => {
    const server = createHttpsServer({ ...CERTIFICATE_ONE }, () => controller.abort());
    const port = await listen(server);
    const controller = new AbortController();
    const send = createPinnedSender({ tlsFingerprint: PIN_ONE, timeoutMs: 5_000 });
    const request = {
      method: 'GET',
      url: `https://127.0.0.1:${port}`,
      headers: {},
      signal: controller.signal,
    };
    await expect(send(request)).rejects.toMatchObject({ code: 'aborted' });
    await expect(send(request)).rejects.toMatchObject({ code: 'aborted' });
  });

  test('reaches a server over a unix socket with the same rule', async () => {
    const path = join(directory, 'tls.sock');
    await listen(
      createHttpsServer(
        { ...CERTIFICATE_ONE },
        (request, response) => void echo(request, response),
      ),
      path,
    );
    const send = (pin: string) =>
      createPinnedSender({ tlsFingerprint: pin, timeoutMs: 5_000, socketPath: path });
    expect(
      (await send(PIN_ONE)({ method: 'GET', url: 'https://controller/x', headers: {} })).status,
    ).toBe(207);
    await expect(
      send(PIN_TWO)({ method: 'GET', url: 'https://controller/x', headers: {} }),
    ).rejects.toMatchObject({ code: 'tls_fingerprint_mismatch' });
  });
});

describe('a pinned WebSocket', () => {
  async function startSockets(): Promise<{ url: string; upgrades: number[] }> {
    const upgrades: number[] = [];
    const server = createHttpsServer({ ...CERTIFICATE_ONE });
    const sockets = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      upgrades.push(1);
      sockets.handleUpgrade(request, socket, head, (opened) => {
        opened.on('message', (data) => opened.send(data as Buffer, { binary: false }));
      });
    });
    const port = await listen(server);
    return { url: `wss://127.0.0.1:${port}/v1/agent`, upgrades };
  }
  /** Resolves with the first error, or null, when the socket is closed. */
  function closeOf(socket: WebSocket): Promise<Error | null> {
    let first: Error | null = null;
    socket.on('error', (error) => (first ??= error));
    return new Promise((resolve) => socket.once('close', () => resolve(first)));
  }
  const options = { tlsFingerprint: PIN_ONE, maxPayloadBytes: 1_000, handshakeTimeoutMs: 5_000 };

  test('opens, sends and receives', async () => {
    const { url } = await startSockets();
    const socket = openPinnedWebSocket(url, options);
    await once(socket, 'open');
    socket.send('hello');
    const [data] = (await once(socket, 'message')) as [Buffer]; // ws gives a Buffer
    expect(String(data)).toBe('hello');
    socket.close();
    await once(socket, 'close');
  });

  test('asks a server with another certificate for nothing', async () => {
    const { url, upgrades } = await startSockets();
    const socket = openPinnedWebSocket(url, { ...options, tlsFingerprint: PIN_TWO });
    expect(await closeOf(socket)).toMatchObject({
      code: 'tls_fingerprint_mismatch',
      message: expect.stringContaining(PIN_ONE),
    });
    expect(upgrades).toEqual([]);
  });

  test('gives up when nothing listens, and when it is aborted while connecting', async () => {
    const refused = openPinnedWebSocket('wss://127.0.0.1:1/', options);
    expect(await closeOf(refused)).toMatchObject({ code: 'connection_refused' });
    const silentSockets: { destroy(): void }[] = [];
    const port = await listen(createTcpServer((socket) => void silentSockets.push(socket)));
    const controller = new AbortController();
    const waiting = openPinnedWebSocket(`wss://127.0.0.1:${port}/`, {
      ...options,
      signal: controller.signal,
    });
    const closed = closeOf(waiting);
    controller.abort();
    expect(await closed).not.toBeNull();
    for (const socket of silentSockets) socket.destroy();
  });

  test('closes on a message above its limit', async () => {
    const { url } = await startSockets();
    const socket = openPinnedWebSocket(url, options);
    await once(socket, 'open');
    const closed = closeOf(socket);
    socket.send('x'.repeat(2_000));
    expect(await closed).toBeInstanceOf(RangeError);
  });

  test.each(['https://127.0.0.1', 'ws://127.0.0.1', ''])('takes %j for no URL', (url) => {
    expect(() => openPinnedWebSocket(url, options)).toThrow(/WebSocket URL/);
  });
});

describe('a unix sender', () => {
  test('carries a request to an agent', async () => {
    const path = join(directory, 'agent.sock');
    await listen(
      createHttpServer((request, response) => void echo(request, response)),
      path,
    );
    const reply = await createUnixSender(path, { timeoutMs: 5_000 })({
      method: 'POST',
      url: '/v1/join',
      headers: {},
      body: '{}',
    });
    expect(JSON.parse(reply.body)).toMatchObject({ method: 'POST', url: '/v1/join', body: '{}' });
  });

  test('says that no agent runs: no socket, a stale one, a file', async () => {
    const stale = join(directory, 'file');
    writeFileSync(stale, '');
    for (const path of [join(directory, 'none.sock'), stale]) {
      await expect(
        createUnixSender(path, { timeoutMs: 5_000 })({
          method: 'GET',
          url: '/v1/status',
          headers: {},
        }),
      ).rejects.toMatchObject({
        code: 'agent_not_running',
        message: expect.stringContaining(path),
      });
    }
  });

  test('says that a socket is another user’s', () => {
    for (const code of ['EACCES', 'EPERM']) {
      const error = fromUnixError(Object.assign(new Error(code), { code }), '/run/a.sock');
      expect(error).toMatchObject({
        code: 'socket_denied',
        message: expect.stringContaining('/run/a.sock'),
      });
    }
  });

  test('gives up on an agent that does not answer', async () => {
    const path = join(directory, 'dumb.sock');
    const server = createHttpServer(() => {});
    await listen(server, path);
    await expect(
      createUnixSender(path, { timeoutMs: 200 })({ method: 'GET', url: '/', headers: {} }),
    ).rejects.toMatchObject({ code: 'timeout' });
    server.closeAllConnections();
  });
});
