/**
 * A hand-driven agent for tests: speaks the control language to a data path that runs without one.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import {
  ControlDeframer,
  decodeControl,
  encodeControl,
} from '../../packages/core/src/datapath-control/codec.ts';
import type {
  ControlMessage,
  MessageValues,
} from '../../packages/core/src/datapath-control/codec.ts';
import {
  CONTROL_VERSION,
  DROP_REASONS,
} from '../../packages/core/src/datapath-control/messages.ts';
import type { MessageName } from '../../packages/core/src/datapath-control/messages.ts';

interface Pending {
  readonly messages: ControlMessage[];
  readonly resolve: (messages: ControlMessage[]) => void;
  readonly reject: (error: Error) => void;
}

/** One connection to a data path. */
export class ControlClient {
  readonly events: ControlMessage[] = [];
  readonly #socket: Socket;
  readonly #deframer = new ControlDeframer();
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    socket.on('error', () => undefined); // told by the answers that do not come
    socket.on('close', () => {
      for (const pending of this.#pending.values())
        pending.reject(new Error('the connection was closed'));
    });
  }

  /** Sends a request; resolves with the data messages of its answer. */
  request<N extends MessageName>(name: N, values: MessageValues<N>): Promise<ControlMessage[]> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { messages: [], resolve, reject });
      this.#socket.write(encodeControl(name, id, values));
    });
  }

  /** Reads nothing, as an agent that hangs. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    for (const frame of this.#deframer.push(new Uint8Array(chunk))) {
      const message = decodeControl(frame);
      const pending = this.#pending.get(message.requestId);
      if (pending === undefined) this.events.push(message);
      else this.#answer(pending, message);
    }
  }

  #answer(pending: Pending, message: ControlMessage): void {
    if (message.name !== 'ok' && message.name !== 'error') {
      pending.messages.push(message);
      return;
    }
    this.#pending.delete(message.requestId);
    if (message.name === 'ok') pending.resolve(pending.messages);
    else
      pending.reject(
        new Error(
          `errno ${message.values.errno}: ${new TextDecoder().decode(message.values.text)}`,
        ),
      );
  }
}

/** Connects and says hello. */
export async function attach(socketPath: string): Promise<ControlClient> {
  const socket = connect(socketPath);
  await once(socket, 'connect');
  const client = new ControlClient(socket);
  await client.request('hello', { version: CONTROL_VERSION });
  return client;
}

const SCOPES = { total: 1, network: 2, peer: 3 } as const;

/** Counters of the whole, or of a network or peer: fields and drops by name. */
export async function readCounters(
  client: ControlClient,
  scope: keyof typeof SCOPES = 'total',
  id = 0,
): Promise<Record<string, number>> {
  for (const message of await client.request('counters', {})) {
    if (message.name !== 'counterEntry') continue;
    const { scope: given, id: givenId, drops, ...rest } = message.values;
    if (given !== SCOPES[scope] || givenId !== id) continue;
    const view = new DataView(drops.buffer, drops.byteOffset, drops.length);
    const entries = Object.entries(rest).map(([name, value]) => [name, Number(value)] as const);
    return Object.fromEntries([
      ...entries,
      ...DROP_REASONS.map(([name], i) => [name, Number(view.getBigUint64(i * 8))] as const),
    ]);
  }
  throw new Error(`no counters of ${scope} ${id}`);
}

/** 18 bytes of an IPv4 or IPv6 address and a port. */
export function endpointOf(address: string, port: number): Uint8Array {
  const out = new Uint8Array(18);
  out.set(ipBytes(address));
  new DataView(out.buffer).setUint16(16, port);
  return out;
}

/** 16 bytes; IPv4 is mapped. */
export function ipBytes(address: string): Uint8Array {
  const out = new Uint8Array(16);
  if (!address.includes(':')) {
    out.set([0xff, 0xff], 10);
    out.set(address.split('.').map(Number), 12);
    return out;
  }
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): number[] =>
    text
      .split(':')
      .filter((group) => group !== '')
      .map((group) => Number.parseInt(group, 16));
  const view = new DataView(out.buffer);
  groups(head).forEach((group, i) => view.setUint16(i * 2, group));
  const last = groups(tail);
  last.forEach((group, i) => view.setUint16(16 - (last.length - i) * 2, group));
  return out;
}

export function macBytes(mac: string): Uint8Array {
  return new Uint8Array(mac.split(':').map((part) => Number.parseInt(part, 16)));
}
