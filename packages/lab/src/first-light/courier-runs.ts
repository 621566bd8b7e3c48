/** Runs courier.ts on two hosts: a file or a datagram from one to the other. */
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Background } from '../background.ts';
import { CHECKOUT } from '../checkout.ts';
import { LabError } from '../lab-error.ts';
import { readTail } from '../log-tail.ts';
import { waitFor } from '../wait.ts';
import type { World } from '../world.ts';
import type { DemoHost, Stage } from './stage.ts';
import { waiting } from './stage.ts';

const COURIER = fileURLToPath(new URL('courier.ts', import.meta.url));
const FILE_PORT = '7007';
/** The discard port: nothing answers there. */
const DATAGRAM_PORT = '9';
const CHUNK_BYTES = 16_777_216;
const TRANSFER_TIMEOUT_MS = 120_000;

/** What the receiver of a file saw. */
export interface Received {
  readonly bytes: number;
  readonly sha256: string;
  readonly ms: number;
}

/** Sends one UDP datagram and waits until it has arrived; nothing is sent back. */
export async function sendDatagram(
  stage: Stage,
  way: { readonly from: DemoHost; readonly to: DemoHost; readonly address: string },
): Promise<void> {
  const text = `from ${way.from.name}`;
  const receiver = await startReceiver(stage, way.to, ['udp-receive', way.address, DATAGRAM_PORT]);
  const sender = [CHECKOUT.node, COURIER, 'udp-send', way.address, DATAGRAM_PORT, text];
  await stage.world.exec(way.from.namespace, sender);
  const hasArrived = (): boolean => readTail(receiver.outputPath).includes(text);
  await waitFor(`${way.to.name} to get a datagram`, hasArrived, waiting(stage));
}

/** Sends a file over TCP. */
export async function sendFile(
  stage: Stage,
  way: { readonly from: DemoHost; readonly to: DemoHost; readonly path: string },
): Promise<Received> {
  const receiver = await startReceiver(stage, way.to, ['receive', way.to.ipv4, FILE_PORT]);
  const sender = [CHECKOUT.node, COURIER, 'send', way.to.ipv4, FILE_PORT, way.path];
  await stage.world.exec(way.from.namespace, sender, { timeoutMs: TRANSFER_TIMEOUT_MS });
  const look = (): Received | null => {
    const lines = readTail(receiver.outputPath).split('\n');
    const report = lines.find((line) => line.startsWith('{'));
    return report === undefined ? null : (JSON.parse(report) as Received); // courier.ts prints it
  };
  const what = `${way.to.name} to have the whole file`;
  return await waitFor(what, look, waiting(stage, [receiver.logPath]));
}

/** Writes random bytes to a file of the world. */
export function writeRandomFile(
  world: World,
  bytes: number,
): { readonly path: string; readonly sha256: string } {
  const path = join(world.directory, 'random.bin');
  assertRoom(world.directory, bytes);
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const file = openSync(path, 'wx', 0o600);
  try {
    for (let written = 0; written < bytes; written += CHUNK_BYTES) {
      randomFillSync(chunk);
      hash.update(chunk);
      writeSync(file, chunk);
    }
  } finally {
    closeSync(file);
  }
  return { path, sha256: hash.digest('hex') };
}

function assertRoom(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= 2 * bytes) return;
  const free = `${directory} has ${Math.floor((bavail * bsize) / 1_048_576)} MB free`;
  throw new LabError('command_failed', `${free}; ${(2 * bytes) / 1_048_576} MB are needed`);
}

async function startReceiver(
  stage: Stage,
  host: DemoHost,
  args: readonly string[],
): Promise<Background> {
  const receiver = await stage.world.spawn({
    label: `courier-${host.name}`,
    namespace: host.namespace,
    argv: [CHECKOUT.node, COURIER, ...args],
  });
  const isReady = (): boolean => readTail(receiver.outputPath).startsWith('ready');
  await waitFor(`${receiver.label} to listen`, isReady, waiting(stage, [receiver.logPath]));
  return receiver;
}
