/**
 * The control socket of a data path, as a benchmark uses it: tables are set, events are read and
 * ignored, nobody decides anything.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { CONTROL_VERSION, ControlDeframer, decodeControl, encodeControl } from '@etherloom/core';
import type { ControlMessage, MessageName, MessageValues } from '@etherloom/core';

/** Requests that wait for their answers; more only fill buffers. */
const PIPELINE_REQUESTS_MAX = 500;

/** One control socket. */
export class ControlConnection {
  readonly lanes: number;
  readonly #socket: Socket;
  readonly #answers: AsyncIterator<ControlMessage>;
  #requestId = 1;

  /** Connects and says hello. */
  static async open(path: string): Promise<ControlConnection> {
    const socket = connect(path);
    const answers = messagesOf(socket);
    socket.write(encodeControl('hello', 1, { version: CONTROL_VERSION }));
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
    await this.askMany(name, [values]);
  }

  /** The same for many requests of a kind, of which several are on their way at a time. */
  async askMany<N extends MessageName>(
    name: N,
    values: readonly MessageValues<N>[],
  ): Promise<void> {
    for (let at = 0; at < values.length; at += PIPELINE_REQUESTS_MAX) {
      const batch = values.slice(at, at + PIPELINE_REQUESTS_MAX);
      for (const one of batch) this.#socket.write(encodeControl(name, ++this.#requestId, one));
      await this.#answered(name, batch.length);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Answers come in the order of the requests. */
  async #answered(name: MessageName, count: number): Promise<void> {
    const first = this.#requestId - count + 1;
    for (let requestId = first; requestId <= this.#requestId;) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error(`the data path closed the control socket at ${name}`);
      if (value.requestId !== requestId) continue;
      if (value.name === 'error')
        throw new Error(`${name}: ${new TextDecoder().decode(value.values.text)}`);
      if (value.name === 'ok') requestId++;
    }
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
