/**
 * Two data paths driven straight over their control sockets: tables and keys are set once, no agent
 * and no controller runs. It shows what the fast path alone can do, and works while the other
 * programs do not.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ControlDeframer,
  SESSION_ACTIVATION,
  decodeControl,
  encodeControl,
  parseEndpoint,
  parseIp,
  parseMac,
} from '@etherloom/core';
import type { ControlMessage, MessageName, MessageValues } from '@etherloom/core';
import { waitFor } from '@etherloom/lab';
import type { Host, SetUp, Underlay } from './underlay.ts';

const PROGRAM = fileURLToPath(new URL('../datapath/build/loom-datapath', import.meta.url));
const VNI = 0x4c4f4f;
const DEVICE = 'lt0';
const UDP_PORT = 8002;
/** The product's default, so that both rows compare. */
const MTU_BYTES = 1_370;
/** One peer a side; the key of every table. */
const PEER = 1;
const GENERATION = 1;
/**
 * The lifetime of a session of the product (docs/protocol.md, Timers): long enough for a run, and
 * no longer than real ones.
 */
const SESSION_LIFETIME_MS = 600_000;

interface Side {
  readonly host: Host;
  readonly inside: string;
  readonly mac: string;
  readonly sessionId: number;
}

/** Starts both data paths and connects them. */
export async function driveDataPaths(underlay: Underlay): Promise<SetUp> {
  if (!existsSync(PROGRAM))
    return { reason: `${PROGRAM} is not there: build it with "make datapath"` };
  const a: Side = {
    host: underlay.a,
    inside: '10.94.0.1',
    mac: '02:4c:4f:00:00:01',
    sessionId: 0x1001,
  };
  const b: Side = {
    host: underlay.b,
    inside: '10.94.0.2',
    mac: '02:4c:4f:00:00:02',
    sessionId: 0x2002,
  };
  const keys = { aToB: new Uint8Array(randomBytes(32)), bToA: new Uint8Array(randomBytes(32)) };
  const toA = await start(underlay, a);
  const toB = await start(underlay, b);
  await program(toA, {
    own: a,
    other: b,
    lanes: toB.lanes,
    sendKey: keys.aToB,
    receiveKey: keys.bToA,
  });
  await program(toB, {
    own: b,
    other: a,
    lanes: toA.lanes,
    sendKey: keys.bToA,
    receiveKey: keys.aToB,
  });
  return { target: b.inside };
}

async function start({ world }: Underlay, side: Side): Promise<ControlConnection> {
  const { namespace } = side.host;
  const tap = ['mode', 'tap', 'multi_queue', 'vnet_hdr', 'user', '0'];
  await world.exec(namespace, ['ip', 'tuntap', 'add', 'dev', DEVICE, ...tap]);
  await world.exec(namespace, [
    'ip',
    'link',
    'set',
    'dev',
    DEVICE,
    'address',
    side.mac,
    'mtu',
    String(MTU_BYTES),
  ]);
  await world.exec(namespace, ['ip', 'address', 'add', `${side.inside}/24`, 'dev', DEVICE]);
  await world.exec(namespace, ['ip', 'link', 'set', 'dev', DEVICE, 'up']);
  const path = join(world.directory, `datapath-${namespace.label}.sock`);
  const running = await world.spawn({
    label: `datapath-${namespace.label}`,
    namespace,
    argv: [PROGRAM, '--control', path, '--port', String(UDP_PORT)],
  });
  const connection = await waitFor(
    `the data path of ${namespace.label}`,
    () => {
      running.assertRunning();
      return existsSync(path) ? ControlConnection.open(path) : null;
    },
    { logs: [running.outputPath, running.logPath] },
  );
  world.defer(`control socket of ${namespace.label}`, () => connection.close());
  return connection;
}

interface Tables {
  readonly own: Side;
  readonly other: Side;
  readonly lanes: number;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

async function program(
  to: ControlConnection,
  { own, other, lanes, sendKey, receiveKey }: Tables,
): Promise<void> {
  const name = new Uint8Array(16);
  name.set(new TextEncoder().encode(DEVICE));
  const vni = VNI;
  const generation = GENERATION;
  await to.ask('portSet', { generation, vni, name, mac: macBytes(own), mtu: MTU_BYTES });
  const endpoint = parseEndpoint(`${other.host.address}:${UDP_PORT}`);
  await to.ask('peerSet', { generation, peer: PEER, endpoint });
  await to.ask('floodSet', { generation, vni, peer: PEER });
  await to.ask('fdbSet', { generation, vni, mac: macBytes(other), peer: PEER });
  await to.ask('neighbourSet', {
    generation,
    vni,
    ip: ipBytes(other),
    mac: macBytes(other),
    peer: PEER,
  });
  await to.ask('sessionSet', {
    localId: own.sessionId,
    remoteId: other.sessionId,
    peer: PEER,
    activation: SESSION_ACTIVATION.now,
    initiator: own.sessionId < other.sessionId ? 1 : 0,
    receiveLanes: lanes,
    lifetimeMs: SESSION_LIFETIME_MS,
    sendKey,
    receiveKey,
  });
}

function macBytes(side: Side): Uint8Array {
  const bytes = parseMac(side.mac);
  if (bytes === undefined) throw new TypeError(`${side.mac} is no MAC`);
  return bytes;
}

function ipBytes(side: Side): Uint8Array {
  const bytes = parseIp(side.inside);
  if (bytes === undefined) throw new TypeError(`${side.inside} is no address`);
  return bytes;
}

/** One control socket, one request at a time. Events are read and ignored: nobody decides here. */
class ControlConnection {
  readonly lanes: number;
  readonly #socket: Socket;
  readonly #answers: AsyncIterator<ControlMessage>;
  #requestId = 1;

  /** Connects and says hello. */
  static async open(path: string): Promise<ControlConnection> {
    const socket = connect(path);
    const answers = messagesOf(socket);
    socket.write(encodeControl('hello', 1, { version: 1 }));
    const reply = await answers.next();
    if (reply.done === true || reply.value.name !== 'helloReply')
      throw new Error(`${path} does not greet`);
    return new ControlConnection(socket, answers, reply.value.values.lanes);
  }

  private constructor(socket: Socket, answers: AsyncIterator<ControlMessage>, lanes: number) {
    this.#socket = socket;
    this.#answers = answers;
    this.lanes = lanes;
  }

  /** Sends a request and waits for its ok; throws the data path's own sentence otherwise. */
  async ask<N extends MessageName>(name: N, values: MessageValues<N>): Promise<void> {
    const requestId = ++this.#requestId;
    this.#socket.write(encodeControl(name, requestId, values));
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error(`the data path closed the control socket at ${name}`);
      if (value.requestId !== requestId) continue;
      if (value.name === 'ok') return;
      if (value.name === 'error')
        throw new Error(`${name}: ${new TextDecoder().decode(value.values.text)}`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function* messagesOf(socket: Socket): AsyncGenerator<ControlMessage, undefined> {
  const deframer = new ControlDeframer();
  // a socket without an encoding gives bytes
  for await (const chunk of socket as AsyncIterable<Uint8Array>) {
    for (const frame of deframer.push(chunk)) yield decodeControl(frame);
  }
  return undefined;
}
