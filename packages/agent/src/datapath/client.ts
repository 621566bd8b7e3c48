/**
 * One connection to a data path: requests out, answers and events in, after core/datapath-control.
 * Requests are pipelined and answered in order. When the connection ends, every request that waits
 * fails with one reason; a client is not used again.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { CONTROL_VERSION, ControlDeframer, decodeControl, encodeControl } from '@etherloom/core';
import type { ControlMessage, MessageName, MessageValues } from '@etherloom/core';
import { AgentError, messageOf } from '../errors.ts';
import {
  DATAPATH_ANSWER_MS,
  DATAPATH_BATCH,
  DATAPATH_DUMP_ROWS_MAX,
  DATAPATH_PENDING_MAX,
  SOCKET_PATH_BYTES_MAX,
} from '../limits.ts';

/** A refusal of the data path. */
export class DatapathRefusal extends AgentError {
  readonly errno: number;

  constructor(request: string, errno: number, text: string) {
    super('datapath_refused', `the data path refused ${request}: ${text} (errno ${errno})`);
    this.errno = errno;
  }
}

export type HelloReply = MessageValues<'helloReply'>;

/** A message of the data path that answers no request. */
export type DatapathEvent = ControlMessage;

/** A request and its values. */
export type DatapathRequest = {
  [N in MessageName]: { readonly name: N; readonly values: MessageValues<N> };
}[MessageName];

interface Pending {
  readonly name: string;
  readonly rows: ControlMessage[];
  readonly resolve: (rows: ControlMessage[]) => void;
  readonly reject: (error: Error) => void;
}

export interface DatapathClientHandlers {
  readonly onEvent: (event: DatapathEvent) => void;
  /** Once, with the reason; after it nothing comes. */
  readonly onClose: (error: AgentError) => void;
}

/** Refuses a path that the kernel would cut or refuse without saying why. */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return;
  throw new AgentError(
    'socket_path_too_long',
    `the socket path ${path} has ${bytes} bytes, the kernel takes ${SOCKET_PATH_BYTES_MAX}; choose a shorter directory`,
  );
}

export class DatapathClient {
  readonly #socket: Socket;
  readonly #handlers: DatapathClientHandlers;
  readonly #deframer = new ControlDeframer();
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #closed: AgentError | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  /**
   * Connects and says hello. Rejects with the system's error, or DatapathRefusal for another
   * version.
   */
  static async connect(
    path: string,
    handlers: DatapathClientHandlers,
  ): Promise<{ client: DatapathClient; hello: HelloReply }> {
    assertSocketPath(path);
    const socket = await openSocket(path);
    const client = new DatapathClient(socket, handlers);
    try {
      const [reply] = await client.request('hello', { version: CONTROL_VERSION });
      if (reply?.name !== 'helloReply')
        throw new AgentError('datapath_failed', 'the data path did not answer hello');
      return { client, hello: reply.values };
    } catch (error) {
      client.close(messageOf(error));
      throw error;
    }
  }

  private constructor(socket: Socket, handlers: DatapathClientHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) =>
      this.#fail(`connection to the data path failed: ${error.message}`),
    );
    socket.on('close', () => this.#fail('the data path closed its control connection'));
  }

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  /**
   * Sends a request; resolves with the messages that came before its ok. Rejects with
   * DatapathRefusal or `datapath_closed`.
   */
  request<N extends MessageName>(name: N, values: MessageValues<N>): Promise<ControlMessage[]> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#pending.size >= DATAPATH_PENDING_MAX) {
      return Promise.reject(
        new AgentError(
          'datapath_failed',
          `over ${DATAPATH_PENDING_MAX} requests wait for the data path`,
        ),
      );
    }
    const id = this.#nextId();
    const frame = encodeControl(name, id, values);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { name, rows: [], resolve, reject });
      this.#socket.write(frame);
      this.#watch();
    });
  }

  /**
   * Sends many requests, a batch in flight at a time; gives the refusals. Rejects when the
   * connection ends.
   */
  async requestAll(requests: readonly DatapathRequest[]): Promise<DatapathRefusal[]> {
    const refusals: DatapathRefusal[] = [];
    for (let at = 0; at < requests.length; at += DATAPATH_BATCH) {
      const answers = requests
        .slice(at, at + DATAPATH_BATCH)
        .map((r) => this.request(r.name, r.values as never)); // a pair of one union member
      for (const answer of await Promise.allSettled(answers)) {
        if (answer.status === 'fulfilled') continue;
        if (!(answer.reason instanceof DatapathRefusal)) throw answer.reason;
        refusals.push(answer.reason);
      }
    }
    return refusals;
  }

  /** Ends the connection; the data path goes on. */
  close(reason = 'the agent closed the connection'): void {
    this.#fail(reason);
  }

  #nextId(): number {
    do this.#lastId = this.#lastId >= 0xffff_ffff ? 1 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#deframer.push(chunk)) {
        if (this.#closed !== undefined) return;
        this.#dispatch(decodeControl(frame));
      }
    } catch (error) {
      this.#fail(`the data path sent what is no message: ${messageOf(error)}`);
    }
  }

  #dispatch(message: ControlMessage): void {
    if (message.requestId === 0) {
      this.#rewatch(); // an answer may wait behind many events
      return this.#handlers.onEvent(message);
    }
    const pending = this.#pending.get(message.requestId);
    if (pending === undefined)
      throw new AgentError('datapath_failed', `answer to an unknown request ${message.requestId}`);
    if (message.name !== 'ok' && message.name !== 'error') {
      if (pending.rows.length >= DATAPATH_DUMP_ROWS_MAX)
        throw new AgentError('datapath_failed', `${pending.name} has no end`);
      pending.rows.push(message);
      return;
    }
    this.#pending.delete(message.requestId);
    this.#rewatch();
    if (message.name === 'ok') return pending.resolve(pending.rows);
    pending.reject(
      new DatapathRefusal(
        pending.name,
        message.values.errno,
        new TextDecoder().decode(message.values.text),
      ),
    );
  }

  /** A data path that answers nothing for long is as good as gone. */
  #watch(): void {
    this.#watchdog ??= setTimeout(() => {
      this.#fail(`the data path did not answer for ${DATAPATH_ANSWER_MS} ms`);
    }, DATAPATH_ANSWER_MS);
  }

  #rewatch(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = undefined;
    if (this.#pending.size > 0) this.#watch();
  }

  #fail(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = new AgentError('datapath_closed', reason);
    clearTimeout(this.#watchdog);
    this.#socket.destroy();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(this.#closed);
    this.#handlers.onClose(this.#closed);
  }
}

function openSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
