/**
 * Measures how soon a change that one controller makes reaches an agent at another one: two
 * controllers, each a process, over a PostgreSQL server that waits for the disk.
 *
 *   node test/reach/run.ts [CHANGES]
 *
 * A change is a join. It is timed to the delta that the agent gets, from the request of the joiner
 * and from the reply to it. The agent is a link of this process, without a host.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, ControllerMessage } from '@etherloom/api';
import { LINK_MESSAGE_BYTES_MAX, createClient, linkSigningText, toBase64url } from '@etherloom/api';
import { CHECKOUT, joinWithoutAgent, startPostgres, waitFor } from '@etherloom/lab';
import type { PostgresServer } from '@etherloom/lab';
import { createPinnedSender, openPinnedWebSocket } from '@etherloom/transport';
import { randomBytes, createHash } from 'node:crypto';

const PORT = 27_699;
const TIMEOUT_MS = 20_000;
const undos: (() => Promise<unknown> | void)[] = [];

interface Program {
  readonly url: string;
  readonly tlsFingerprint: string;
  readonly client: Client;
  readonly data: string;
}

async function startOne(server: PostgresServer, from: Program | null): Promise<Program> {
  const data = mkdtempSync(join(tmpdir(), 'loom-reach-'));
  undos.push(() => rmSync(data, { recursive: true, force: true }));
  mkdirSync(data, { recursive: true, mode: 0o700 });
  for (const name of ['authority.kek', 'admin.token'])
    if (from !== null) copyFileSync(join(from.data, name), join(data, name));
  const url = server.url('loom');
  const args = ['--data', data, '--database', url, '--listen', '127.0.0.1:0', '--json'];
  const child = spawn(CHECKOUT.node, [CHECKOUT.controllerMain, ...args, '--log-level', 'warn'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undos.push(() => end(child));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await waitFor('a controller to serve', () => out.includes('\n'));
  const ready = JSON.parse(out) as Pick<Program, 'url' | 'tlsFingerprint'>; // its ready line
  const send = createPinnedSender({ tlsFingerprint: ready.tlsFingerprint, timeoutMs: TIMEOUT_MS });
  const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
  return { ...ready, data, client: createClient({ baseUrl: ready.url, send, token }) };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Opens the link of a node; `hear` gets each message and when it came. */
function openLink(
  at: Program,
  { nodeId, sign }: Awaited<ReturnType<typeof joinWithoutAgent>>,
  hear: (message: ControllerMessage) => void,
): void {
  const socket = openPinnedWebSocket(`${at.url.replace('https:', 'wss:')}/v1/agent`, {
    tlsFingerprint: at.tlsFingerprint,
    maxPayloadBytes: LINK_MESSAGE_BYTES_MAX,
    handshakeTimeoutMs: TIMEOUT_MS,
  });
  undos.push(() => socket.terminate());
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as ControllerMessage; // of our own controller
    if (message.type !== 'challenge') return hear(message);
    const authenticate = {
      type: 'authenticate',
      nodeId,
      version: '0.1.0',
      signature: sign(linkSigningText(message.nonce, nodeId, at.tlsFingerprint)),
      revisions: {},
      authority: null,
      instance: randomBytes(8).toString('hex'),
      lease: {
        epoch: 0,
        secret: toBase64url(randomBytes(32)),
        nextHash: createHash('sha256').update('next').digest('hex'),
      },
      host: { bootId: null, machineId: null, cloudInstanceId: null, vmGenerationId: null },
    };
    socket.send(JSON.stringify(authenticate));
  });
}

function percentile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
}

async function measure(changes: number): Promise<void> {
  const server = await startPostgres({ host: '127.0.0.1', port: PORT, isDurable: true });
  undos.push(() => server.remove());
  await server.sql('postgres', 'create database loom');
  const first = await startOne(server, null);
  const second = await startOne(server, first);
  await first.client.call('networkCreate', { body: { name: 'reach', ipv4: '10.9.0.0/16' } });
  const body = { network: 'reach', uses: 100_000 };
  const { token } = await first.client.call('tokenCreate', { body });
  let heardAtMs = 0;
  let members = 0;
  openLink(second, await joinWithoutAgent(first.client, token), (message) => {
    heardAtMs = performance.now();
    if (message.type === 'snapshot') members = message.state.members.length;
    if (message.type === 'delta') members += message.upserts.length;
  });
  await waitFor('the first state', () => members === 1);
  const [fromRequest, fromReply]: [number[], number[]] = [[], []];
  for (let i = 0; i < changes; i += 1) {
    const askedAtMs = performance.now();
    await joinWithoutAgent(first.client, token);
    const repliedAtMs = performance.now();
    await waitFor('the delta', () => members === i + 2, { intervalMs: 5 });
    fromRequest.push(heardAtMs - askedAtMs);
    fromReply.push(heardAtMs - repliedAtMs);
  }
  for (const [name, times] of [
    ['from the request', fromRequest],
    ['from the reply', fromReply],
  ] as const) {
    const shares = [0.5, 0.9, 0.99, 1].map((share) => percentile(times, share));
    process.stdout.write(`${changes} changes, ${name}: p50 p90 p99 max ms: ${shares.join(' ')}\n`);
  }
}

try {
  await measure(Number(process.argv[2] ?? 300));
} finally {
  for (const undo of undos.toReversed()) await undo();
}
