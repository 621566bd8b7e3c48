/**
 * The least of TLS, HTTP and WebSocket that an agent's side needs, so that ten thousand of them fit
 * beside the controller on a small machine. The certificate is pinned as agents pin it; frames are
 * masked, as the controller demands.
 */
import { randomBytes } from 'node:crypto';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { connect } from 'node:tls';

/** Where the controller is, and by what it is known. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** SHA-256 of the certificate, hex. */
  readonly tlsFingerprint: string;
}

/** Opens a connection from an address of loopback; rejects for another certificate. */
export function connectPinned(
  target: Target,
  localAddress: string,
  timeoutMs: number,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { host, port } = target;
    const options = { host, port, localAddress, rejectUnauthorized: false };
    const socket = connect(options as ConnectionOptions); // what it does not know is for net
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error('no connection in time')), timeoutMs);
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('the connection was closed')));
    socket.once('secureConnect', () => {
      const given = socket
        .getPeerX509Certificate()
        ?.fingerprint256.replaceAll(':', '')
        .toLowerCase();
      if (given !== target.tlsFingerprint) return fail(new Error('another certificate'));
      clearTimeout(timer);
      socket.removeAllListeners('error');
      socket.removeAllListeners('close');
      resolve(socket);
    });
  });
}

/** Posts JSON over a connection of its own; resolves to status and body. */
export async function post(
  target: Target,
  localAddress: string,
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly body: string }> {
  const socket = await connectPinned(target, localAddress, 30_000);
  const text = JSON.stringify(body);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${target.host}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  );
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer); // a socket without encoding
  const reply = Buffer.concat(chunks).toString();
  const end = reply.indexOf('\r\n\r\n');
  return { status: Number(reply.slice(9, 12)), body: reply.slice(end + 4) };
}

export interface LinkEvents {
  /** The payload is valid only during the call. */
  readonly onMessage: (payload: Buffer) => void;
  readonly onClose: (reason: string) => void;
}

const NO_BYTES = Buffer.alloc(0);

/** A WebSocket to the controller. */
export class WireLink {
  readonly #socket: TLSSocket;
  readonly #events: LinkEvents;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #neededBytes = 0;
  #isUpgraded = false;
  #isClosed = false;

  private constructor(socket: TLSSocket, events: LinkEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#close('the connection was closed'));
  }

  /** Resolves when the upgrade was asked for; messages come by the events. */
  static async open(
    target: Target,
    localAddress: string,
    timeoutMs: number,
    events: LinkEvents,
  ): Promise<WireLink> {
    const socket = await connectPinned(target, localAddress, timeoutMs);
    const link = new WireLink(socket, events);
    socket.write(
      `GET /v1/agent HTTP/1.1\r\nHost: ${target.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
    return link;
  }

  send(text: string): void {
    this.#frame(0x81, Buffer.from(text));
  }

  ping(): void {
    this.#frame(0x89, NO_BYTES);
  }

  end(): void {
    this.#close('ended here');
  }

  #close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    this.#events.onClose(reason);
  }

  #frame(first: number, payload: Buffer): void {
    if (this.#isClosed) return;
    const long = payload.length > 125;
    const frame = Buffer.alloc((long ? 8 : 6) + payload.length);
    frame[0] = first;
    // A mask of zeros is a mask: what it shall hinder are proxies that cache, and there are none.
    frame[1] = 0x80 | (long ? 126 : payload.length);
    if (long) frame.writeUInt16BE(payload.length, 2);
    payload.copy(frame, long ? 8 : 6);
    this.#socket.write(frame);
  }

  #take(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes < this.#neededBytes) return;
    let bytes = this.#waiting.length === 1 ? chunk : Buffer.concat(this.#waiting);
    if (!this.#isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!bytes.subarray(0, 12).toString('latin1').endsWith(' 101'))
        return this.#close(bytes.subarray(0, bytes.indexOf('\r\n')).toString('latin1'));
      this.#isUpgraded = true;
      bytes = bytes.subarray(end + 4);
    }
    const rest = this.#frames(bytes);
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
  }

  #frames(all: Buffer): Buffer {
    let bytes = all;
    while (bytes.length >= 2 && !this.#isClosed) {
      const short = (bytes[1] ?? 0) & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      this.#neededBytes = head;
      if (bytes.length < head) return bytes;
      const length =
        short === 126
          ? bytes.readUInt16BE(2)
          : short === 127
            ? Number(bytes.readBigUInt64BE(2))
            : short;
      this.#neededBytes = head + length;
      if (bytes.length < head + length) return bytes;
      this.#takeFrame((bytes[0] ?? 0) & 0x0f, bytes.subarray(head, head + length));
      bytes = bytes.subarray(head + length);
    }
    this.#neededBytes = 2;
    return bytes;
  }

  #takeFrame(opcode: number, payload: Buffer): void {
    if (opcode === 1) this.#events.onMessage(payload);
    else if (opcode === 9) this.#frame(0x8a, payload);
    else if (opcode === 8) this.#close(`close ${payload.subarray(2).toString()}`);
  }
}
