/** Builds and runs tools/flood.c: floods of a stranger at full or a set rate. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CHECKOUT,
  readTail,
  runCommand,
  waitFor,
  type Namespace,
  type World,
} from '@etherloom/lab';
import { fromBase64url } from '@etherloom/api';
import type { Scenario } from './scenario.ts';

const FLOOD = `${CHECKOUT.root}/.cache/test/flood`;
const SOURCE = fileURLToPath(new URL('tools/flood.c', import.meta.url));
/** A flood that nobody stops ends by itself. */
const SECONDS_MAX = 120;

export const FLOOD_KINDS = [
  'random',
  'data',
  'replay',
  'initiation',
  'part',
  'guess',
  'response',
  'cookie',
  'handshake',
] as const;
export type FloodKind = (typeof FLOOD_KINDS)[number];

export interface FloodOptions {
  readonly kind: FloodKind;
  readonly from: Namespace;
  readonly address: string;
  readonly port: number;
  /** Datagrams a second; 0: as fast as it goes. */
  readonly rate?: number;
  /** Static public key of the receiver, for a right mac1. */
  readonly key?: Uint8Array;
  /** Each datagram from another address. */
  readonly isSpoofed?: boolean;
  /** What is replayed. */
  readonly datagrams?: readonly Uint8Array[];
}

export interface Flood {
  /** Ends it and says how much was sent. */
  stop(): Promise<{ readonly sent: number; readonly seconds: number }>;
}

export async function buildFlood(): Promise<void> {
  mkdirSync(dirname(FLOOD), { recursive: true });
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'];
  await runCommand(['cc', ...flags, '-o', FLOOD, SOURCE, '-lcrypto']);
}

let floods = 0;

/** Resolves when it sends. */
export async function startFlood(world: World, options: FloodOptions): Promise<Flood> {
  const { kind, from, address, port, rate = 0, key, isSpoofed = false } = options;
  const label = `flood-${++floods}`;
  const argv = [
    FLOOD,
    kind,
    address,
    String(port),
    String(SECONDS_MAX),
    String(rate),
    kind === 'replay' ? writeLines(world, label, options.datagrams ?? []) : hex(key),
    ...(isSpoofed ? ['spoof'] : []),
  ];
  const running = await world.spawn({ label, namespace: from, argv });
  const logs = [running.outputPath, running.logPath];
  await waitFor('the flood to begin', () => readTail(running.outputPath).includes('ready'), {
    logs,
  });
  return {
    stop: async () => {
      running.kill('SIGTERM');
      await running.exited;
      // printed by tools/flood.c
      return JSON.parse(readTail(running.outputPath).trim().split('\n').at(-1) ?? '{}') as {
        sent: number;
        seconds: number;
      };
    },
  };
}

/** Static public key of a node: every member of its networks has it. */
export async function sessionKeyOf({ controller }: Scenario, name: string): Promise<Uint8Array> {
  const { items } = await controller.client.call('nodeList');
  return fromBase64url(items.find((node) => node.name === name)?.sessionKey ?? '');
}

function writeLines(world: World, label: string, datagrams: readonly Uint8Array[]): string {
  const path = join(world.directory, `${label}.hex`);
  writeFileSync(path, datagrams.map((bytes) => `${hex(bytes)}\n`).join(''));
  return path;
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '-' : Buffer.from(bytes).toString('hex');
}
