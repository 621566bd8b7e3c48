/** Joining over real TLS, with a controller some of whose addresses lead nowhere. */
import { X509Certificate, createHash } from 'node:crypto';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { JoinReply } from '@etherloom/api';
import { afterEach, expect, test } from 'vitest';
import { generateIdentity, openIdentity } from '../disk/identity.ts';
import { requestJoin } from './join.ts';
import { TEST_CERTIFICATE } from './test-certificate.ts';

const IDENTITY = openIdentity(generateIdentity());
const REPLY: JoinReply = {
  nodeId: IDENTITY.nodeId,
  nodeName: 'a',
  organizationId: 'org_00000000000000000000',
  networkId: 'net_00000000000000000000',
  networkName: 'demo',
  isPending: false,
  authority: [
    { statement: '{}', signatures: [{ key: 'A'.repeat(43), signature: 'A'.repeat(86) }] },
  ],
};
const undos: (() => void)[] = [];

afterEach(() => {
  for (const undo of undos.splice(0)) undo();
});

test('an address that never answers holds up none of the others', async () => {
  const [silent, good] = [await serveSilence(), await serveReply(200, REPLY)];
  const granted = await join(silent, silent, 'https://127.0.0.1:1', good);
  expect(granted).toEqual({ reply: REPLY, url: good });
});

test('a refusal ends it, whatever the other addresses do', async () => {
  const error = { code: 'token_expired', message: 'expired', requestId: 'r' };
  const refusing = await serveReply(401, { error });
  await expect(join(await serveSilence(), refusing)).rejects.toMatchObject({
    code: 'token_expired',
  });
});

test('a controller in trouble is no refusal while another one may grant it', async () => {
  const error = { code: 'unavailable', message: 'the database is away', requestId: 'r' };
  const [troubled, good] = [await serveReply(503, { error }), await serveReply(200, REPLY)];
  expect(await join(troubled, good)).toEqual({ reply: REPLY, url: good });
  await expect(join('https://127.0.0.1:1', troubled)).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the database is away',
  });
});

test('names every address that failed', async () => {
  await expect(join('https://127.0.0.1:1', 'https://127.0.0.1:2')).rejects.toMatchObject({
    code: 'controller_unreachable',
    message: expect.stringMatching(/127\.0\.0\.1:1.*127\.0\.0\.1:2/),
  });
});

function join(...urls: string[]): ReturnType<typeof requestJoin> {
  const tlsFingerprint = createHash('sha256')
    .update(new X509Certificate(TEST_CERTIFICATE.cert).raw)
    .digest('hex');
  const token = {
    urls,
    tlsFingerprint,
    networkName: 'demo',
    tokenId: 'tok_00000000000000000000',
    secret: 'A'.repeat(43),
    authorityHash: null,
  };
  return requestJoin(IDENTITY, { token, name: undefined, suggestedName: 'a' });
}

/** Takes connections and says nothing, as a firewall or another network does. */
async function serveSilence(): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  undos.push(() => sockets.forEach((socket) => socket.destroy()));
  return listen(server);
}

async function serveReply(status: number, body: unknown): Promise<string> {
  return listen(
    createHttpsServer(TEST_CERTIFICATE, (_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    }),
  );
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undos.push(() => server.close());
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return `https://127.0.0.1:${port}`;
}
