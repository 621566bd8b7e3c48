/**
 * A controller that lies: it has the certificate and hears all that an honest controller says, and
 * is between that one and its agents. What it says may be changed, kept back, said again or made
 * up. It is what somebody has who took a controller: all but keys that are elsewhere. For tests.
 *
 *   agent --- TLS, same certificate ---> LyingController ---> honest controller
 */
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { AgentMessage, ControllerMessage } from '@etherloom/api';
import { LINK_MESSAGE_BYTES_MAX } from '@etherloom/api';
import { openPinnedWebSocket } from '@etherloom/transport';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';

/** A message, or text that is none. */
export type Said = ControllerMessage | string;

/** What is said to a node in place of one message of the honest controller. */
export type Lie = (message: ControllerMessage, nodeId: string) => readonly Said[];

export interface LyingOptions {
  /** The honest controller's; its certificate is in there. */
  readonly dataDirectory: string;
  readonly url: string;
  readonly tlsFingerprint: string;
  readonly listen?: { readonly host: string; readonly port: number };
}

const HONEST: Lie = (message) => [message];

interface Link {
  readonly socket: WebSocket;
  readonly upstream: WebSocket;
  nodeId: string;
}

export class LyingController {
  /** Rewrites what the honest controller says on links. */
  lie: Lie = HONEST;
  /** Rewrites the body of its replies over HTTP, by path. */
  lieOverHttp: (path: string, body: string) => string = (_, body) => body;
  /** What the honest controller said, oldest first. */
  readonly heard: { readonly nodeId: string; readonly message: ControllerMessage }[] = [];
  /** What agents said. */
  readonly told: { readonly nodeId: string; readonly message: AgentMessage }[] = [];
  readonly #options: LyingOptions;
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: LINK_MESSAGE_BYTES_MAX,
  });
  readonly #links = new Set<Link>();
  #url = '';

  private constructor(options: LyingOptions) {
    this.#options = options;
    const file = (name: string): string => readFileSync(join(options.dataDirectory, name), 'utf8');
    this.#server = createServer({ cert: file('tls.crt'), key: file('tls.key') });
    this.#server.on('request', (given, reply) => this.#forward(given, reply));
    this.#server.on('upgrade', (given, socket, head) =>
      this.#webSockets.handleUpgrade(given, socket, head, (agent) => this.#serve(agent)),
    );
  }

  /** Starts it at a free port of loopback, when nothing else is said. */
  static async start(options: LyingOptions): Promise<LyingController> {
    const lying = new LyingController(options);
    const { host, port } = options.listen ?? { host: '127.0.0.1', port: 0 };
    await new Promise<void>((resolve) => lying.#server.listen(port, host, resolve));
    const at = lying.#server.address();
    if (at === null || typeof at === 'string') throw new Error('it listens on TCP');
    lying.#url = `https://${host}:${at.port}`;
    return lying;
  }

  get url(): string {
    return this.#url;
  }

  /** Says what the honest controller says. */
  beHonest(): void {
    this.lie = HONEST;
    this.lieOverHttp = (_, body) => body;
  }

  /** Says something that nobody asked for; false without a link of that node. */
  say(nodeId: string, said: Said): boolean {
    const links = [...this.#links].filter((link) => link.nodeId === nodeId);
    for (const { socket } of links) socket.send(textOf(said));
    return links.length > 0;
  }

  /** The newest message of a type that the honest controller sent to a node. */
  last<T extends ControllerMessage['type']>(
    nodeId: string,
    type: T,
  ): Extract<ControllerMessage, { type: T }> | undefined {
    return this.heard
      .filter((entry) => entry.nodeId === nodeId)
      .flatMap(({ message }) =>
        // Its type was compared.
        message.type === type ? [message as Extract<ControllerMessage, { type: T }>] : [],
      )
      .at(-1);
  }

  /** Ends the links; the agents come again. */
  dropLinks(): void {
    for (const { socket } of this.#links) socket.terminate();
  }

  async stop(): Promise<void> {
    this.dropLinks();
    this.#webSockets.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(agent: WebSocket): void {
    const { url, tlsFingerprint } = this.#options;
    const upstream = openPinnedWebSocket(`${url.replace('https:', 'wss:')}/v1/agent`, {
      tlsFingerprint,
      maxPayloadBytes: LINK_MESSAGE_BYTES_MAX,
      handshakeTimeoutMs: 10_000,
    });
    const link: Link = { socket: agent, upstream, nodeId: '' };
    this.#links.add(link);
    const waiting: string[] = [];
    agent.on('message', (data: Buffer) => {
      const text = data.toString();
      this.#note(link, text);
      if (upstream.readyState === upstream.OPEN) upstream.send(text);
      else waiting.push(text);
    });
    upstream.on('open', () => {
      for (const text of waiting) upstream.send(text);
    });
    upstream.on('message', (data: Buffer) => this.#pass(link, data.toString()));
    for (const socket of [agent, upstream]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#links.delete(link);
        agent.close();
        upstream.terminate();
      });
    }
  }

  #note(link: Link, text: string): void {
    const message = JSON.parse(text) as AgentMessage; // of an honest agent
    if (message.type === 'authenticate') link.nodeId = message.nodeId;
    this.told.push({ nodeId: link.nodeId, message });
  }

  #pass(link: Link, text: string): void {
    const message = JSON.parse(text) as ControllerMessage; // of an honest controller
    const { nodeId } = link;
    this.heard.push({ nodeId, message });
    for (const said of this.lie(message, nodeId)) link.socket.send(textOf(said));
  }

  #forward(given: IncomingMessage, reply: ServerResponse): void {
    const { method = 'GET', url: path = '/', headers } = given;
    const options = { method, headers, rejectUnauthorized: false, agent: false };
    const onward = request(new URL(path, this.#options.url), options, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const body = this.lieOverHttp(path, Buffer.concat(parts).toString());
        const { 'content-length': _, ...kept } = answer.headers;
        reply.writeHead(answer.statusCode ?? 502, kept).end(body);
      });
    });
    onward.on('error', () => reply.destroy());
    given.pipe(onward);
  }
}

function textOf(said: Said): string {
  return typeof said === 'string' ? said : JSON.stringify(said);
}
