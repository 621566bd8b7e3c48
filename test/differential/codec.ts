/**
 * The data path's packet code as a function: runs datapath/build/fuzz/codec
 * (datapath/test/tool/codec.c, where its language is described) and puts cases to it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DROP_REASONS } from '../../packages/core/src/datapath-control/messages.ts';
import { concat } from './frames.ts';

const PROGRAM =
  process.env['DIFFERENTIAL_CODEC'] ??
  fileURLToPath(new URL('../../datapath/build/fuzz/codec', import.meta.url));

/** What fake_world.h sets up. */
export const WORLD = {
  key: Uint8Array.from({ length: 32 }, (_, i) => i),
  vni: 0x012345,
  /** Worker that sends; its lane is exchanged by the session (datapath/src/lanes.h). */
  sendWorker: 3,
  lanes: 4,
  /** Session of a peer, by the peer's number; peer 3 has none, peer 4 no endpoint. */
  sessions: { 1: 0x0a0b0c0d, 2: 0x0a0b0c0f },
} as const;

/** A peer to which frames can be sent, and from which datagrams come. */
export type PeerNumber = 1 | 2;

/** The lane that WORLD's worker sends on in the session with a peer. */
export function sendLane(peer: PeerNumber): number {
  return WORLD.sendWorker ^ (WORLD.sessions[peer] & (WORLD.lanes - 1));
}

export interface Answer {
  /** Drops by reason, where there were any. */
  readonly drops: Readonly<Record<string, number>>;
  readonly records: readonly { readonly peer: number; readonly bytes: Uint8Array }[];
  /** What the workers told the control thread. */
  readonly events: readonly { readonly kind: number; readonly peer: number }[];
}

/** Of datapath/src/events.h. */
export const EVENT = { needed: 3, spent: 4 } as const;
const RECORD_EVENT = 128;

const u32 = (value: number): number[] => [
  (value >>> 24) & 255,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];

export class Codec {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #chunks: Buffer[] = [];
  readonly #said: string[] = [];
  #bytesHeld = 0;
  #wake: (() => void) | null = null;
  #isGone = false;

  constructor() {
    if (!existsSync(PROGRAM))
      throw new Error(`${PROGRAM} is missing: make test-differential builds it`);
    this.#child = spawn(PROGRAM, [], { stdio: 'pipe' });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytesHeld += chunk.length;
      this.#wake?.();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => this.#said.push(chunk.toString()));
    this.#child.on('close', () => {
      this.#isGone = true;
      this.#wake?.();
    });
    this.#child.stdin.on('error', () => undefined); // told by the answer that does not come
  }

  /** Frames with their vnet header, from the TAP; answered by datagrams and events. */
  transmit(
    mtuBytes: number,
    hasSegments: boolean,
    frames: readonly Uint8Array[],
    firstSequence = 0n,
  ): Promise<Answer> {
    const fields = new Uint8Array(12);
    const view = new DataView(fields.buffer);
    fields.set([1]);
    view.setUint16(1, mtuBytes);
    view.setUint8(3, Number(hasSegments));
    view.setBigUint64(4, firstSequence);
    return this.#ask(fields, frames);
  }

  /** Datagrams from the socket; an empty one ends a batch. Answered by writes to the TAP. */
  receive(takesUso: boolean, datagrams: readonly Uint8Array[]): Promise<Answer> {
    return this.#ask([2, Number(takesUso)], datagrams);
  }

  async stop(): Promise<void> {
    if (this.#isGone) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    await gone;
  }

  async #ask(
    head: readonly number[] | Uint8Array,
    records: readonly Uint8Array[],
  ): Promise<Answer> {
    const body = concat(head, ...records.flatMap((record) => [u32(record.length), record]));
    this.#child.stdin.write(concat(u32(body.length), body));
    const length = (await this.#take(4)).readUInt32BE(0);
    return parse(await this.#take(length));
  }

  async #take(bytes: number): Promise<Buffer> {
    while (this.#bytesHeld < bytes) {
      if (this.#isGone) throw new Error(`the codec ended:\n${this.#said.join('')}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const all = Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    if (all.length > bytes) this.#chunks.push(all.subarray(bytes));
    this.#bytesHeld -= bytes;
    return all.subarray(0, bytes);
  }
}

function parse(answer: Buffer): Answer {
  const drops: Record<string, number> = {};
  const count = answer.readUInt8(0);
  if (count !== DROP_REASONS.length)
    throw new Error(`${count} drop reasons: build the codec again`);
  DROP_REASONS.forEach(([reason], i) => {
    const times = answer.readUInt32BE(1 + i * 4);
    if (times !== 0) drops[reason] = times;
  });
  const records: { peer: number; bytes: Uint8Array }[] = [];
  const events: { kind: number; peer: number }[] = [];
  for (let at = 1 + count * 4; at < answer.length;) {
    const length = answer.readUInt32BE(at + 1);
    const peer = answer.readUInt8(at);
    const bytes = answer.subarray(at + 5, at + 5 + length);
    if (peer === RECORD_EVENT)
      events.push({ kind: bytes.readUInt32BE(0), peer: bytes.readUInt32BE(4) });
    else records.push({ peer, bytes });
    at += 5 + length;
  }
  return { drops, records, events };
}
