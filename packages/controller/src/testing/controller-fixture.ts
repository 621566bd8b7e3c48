/**
 * For tests: a controller in a temporary directory over real TLS, nodes with real keys, and agents'
 * links.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  AgentMessage,
  Client,
  HostHints,
  ControllerMessage,
  JoinReply,
  JoinRequest,
} from '@etherloom/api';
import {
  LINK_MESSAGE_BYTES_MAX,
  controllerMessageSchema,
  createClient,
  decodeJoinToken,
  joinSigningText,
  linkSigningText,
  toBase64url,
} from '@etherloom/api';
import type { HeldLease } from '@etherloom/core';
import { encodeOrdinal, parseEndpoint, signEndpointRecord } from '@etherloom/core';
import { firstLease, presentLease, takeEpoch, withNext } from '@etherloom/core';
import { createPinnedSender, openPinnedWebSocket } from '@etherloom/transport';
import { pino } from 'pino';
import type { WebSocket } from 'ws';
import type { Controller, ControllerOptions } from '../controller.ts';
import { startController } from '../controller.ts';
import type { PostgresTarget } from '../store/postgres-target.ts';
import { forgetDatabase, testTarget } from './test-database.ts';

/** A wait that reaches this has failed. */
const DEADLINE_MS = 10_000;

export interface TestController {
  readonly controller: Controller;
  readonly dataDirectory: string;
  readonly adminToken: string;
  /** With the administrator's token. */
  readonly client: Client;
  /** Stops it; keeps the directory. */
  stop(): Promise<void>;
  /** Stops it and removes its directory. */
  remove(): Promise<void>;
}

export function makeDataDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'etherloom-controller-test-'));
}

/** Starts a controller at a free port of loopback. */
export async function startTestController(
  options: {
    readonly dataDirectory?: string;
    /** Default: one of its own, of the engine that is tested. */
    readonly database?: PostgresTarget;
    readonly now?: () => number;
    readonly isRestored?: boolean;
    readonly pushedWholeMax?: number;
    readonly sealingKey?: ControllerOptions['sealingKey'];
    readonly areAuthorityKeysLost?: boolean;
    readonly monotonicMs?: () => number;
    readonly requestRates?: ControllerOptions['requestRates'];
    readonly metricsListen?: ControllerOptions['metricsListen'];
  } = {},
): Promise<TestController> {
  const dataDirectory = options.dataDirectory ?? makeDataDirectory();
  const database = options.database ?? (await testTarget(join(dataDirectory, 'controller.db')));
  const controller = await startController({
    dataDirectory,
    database,
    listen: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    ...(options.now === undefined ? {} : { now: options.now }),
    ...(options.pushedWholeMax === undefined ? {} : { pushedWholeMax: options.pushedWholeMax }),
    ...(options.isRestored === undefined ? {} : { isRestored: options.isRestored }),
    ...(options.sealingKey === undefined ? {} : { sealingKey: options.sealingKey }),
    ...(options.areAuthorityKeysLost === undefined
      ? {}
      : { areAuthorityKeysLost: options.areAuthorityKeysLost }),
    ...(options.monotonicMs === undefined ? {} : { monotonicMs: options.monotonicMs }),
    ...(options.requestRates === undefined ? {} : { requestRates: options.requestRates }),
    ...(options.metricsListen === undefined ? {} : { metricsListen: options.metricsListen }),
  });
  const adminToken = readFileSync(controller.adminTokenPath, 'utf8').trim();
  return {
    controller,
    dataDirectory,
    adminToken,
    client: makeClient(controller, adminToken),
    stop: () => controller.stop(),
    async remove() {
      await controller.stop();
      rmSync(dataDirectory, { recursive: true, force: true });
      await forgetDatabase(join(dataDirectory, 'controller.db'));
    },
  };
}

export function makeClient(
  controller: { readonly url: string; readonly tlsFingerprint: string },
  token?: string,
): Client {
  return createClient({
    baseUrl: controller.url,
    send: createPinnedSender({ tlsFingerprint: controller.tlsFingerprint, timeoutMs: DEADLINE_MS }),
    ...(token === undefined ? {} : { token }),
  });
}

export interface TestNode {
  readonly id: string;
  readonly signKey: string;
  readonly sessionKey: string;
  readonly privateKey: KeyObject;
  /** One start of an agent of it. */
  readonly instance: string;
  readonly hints: HostHints;
  /** What its disk holds. */
  lease: HeldLease;
}

/** The same disk on another host, or the same host started again. */
export function copyNode(
  node: TestNode,
  marks: { readonly machineId?: string; readonly bootId?: string } = {},
): TestNode {
  return {
    ...node,
    instance: randomBytes(8).toString('hex'),
    hints: { ...node.hints, ...marks },
  };
}

export function makeNode(id: string = randomBytes(16).toString('hex')): TestNode {
  const signing = generateKeyPairSync('ed25519');
  const session = generateKeyPairSync('x25519');
  return {
    id,
    signKey: signing.publicKey.export({ format: 'jwk' }).x ?? '',
    sessionKey: session.publicKey.export({ format: 'jwk' }).x ?? '',
    privateKey: createPrivateKey(signing.privateKey.export({ format: 'pem', type: 'pkcs8' })),
    instance: randomBytes(8).toString('hex'),
    hints: {
      bootId: `boot-${id}`,
      machineId: `machine-${id}`,
      cloudInstanceId: null,
      vmGenerationId: null,
    },
    lease: firstLease(toBase64url(randomBytes(32))),
  };
}

let sequence = 0n;

/** A report of endpoints that the node signed; each later one is newer. */
export function makeEndpoints(
  node: TestNode,
  endpoints: readonly string[],
): Extract<AgentMessage, { type: 'endpoints' }> {
  sequence += 1n;
  const record = signEndpointRecord(
    {
      nodeId: Buffer.from(node.id, 'hex'),
      ordinal: encodeOrdinal(1, sequence),
      endpoints: endpoints.map(parseEndpoint),
    },
    (bytes) => sign(null, bytes, node.privateKey),
  );
  return { type: 'endpoints', endpoints: [...endpoints], record: toBase64url(record) };
}

/** A signed join request. */
export function makeJoinRequest(
  node: TestNode,
  token: string,
  changes: {
    readonly name?: string;
    readonly nameIsSuggestion?: boolean;
    readonly secret?: string;
    readonly network?: string;
  } = {},
): JoinRequest {
  const { tokenId, secret, networkName } = decodeJoinToken(token);
  const unsigned = {
    tokenId,
    network: changes.network ?? networkName,
    secret: changes.secret ?? secret,
    nodeId: node.id,
    name: changes.name ?? `node-${node.id.slice(0, 8)}`,
    nameIsSuggestion: changes.nameIsSuggestion ?? false,
    signKey: node.signKey,
    sessionKey: node.sessionKey,
  };
  return { ...unsigned, signature: signText(node, joinSigningText(unsigned)) };
}

export function signText(node: TestNode, text: string): string {
  return toBase64url(sign(null, Buffer.from(text), node.privateKey));
}

/** Creates a token for a network and joins a node with it. */
export async function joinNetwork(
  test: TestController,
  network: string,
  node: TestNode,
  changes: Parameters<typeof makeJoinRequest>[2] = {},
): Promise<JoinReply> {
  const { token } = await test.client.call('tokenCreate', { body: { network } });
  return test.client.call('join', { body: makeJoinRequest(node, token, changes) });
}

/** The link of a test's agent: keeps what came, and waits for what shall come. */
export class TestLink {
  readonly socket: WebSocket;
  readonly received: ControllerMessage[] = [];
  #closed: { readonly code: number } | null = null;
  #wake: (() => void)[] = [];
  #taken = 0;

  constructor(controller: Controller) {
    this.socket = openPinnedWebSocket(`${controller.url.replace('https:', 'wss:')}/v1/agent`, {
      tlsFingerprint: controller.tlsFingerprint,
      maxPayloadBytes: LINK_MESSAGE_BYTES_MAX,
      handshakeTimeoutMs: DEADLINE_MS,
    });
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      this.received.push(controllerMessageSchema.parse(JSON.parse((data as Buffer).toString())));
      this.#wakeAll();
    });
    this.socket.on('close', (code) => {
      this.#closed = { code };
      this.#wakeAll();
    });
  }

  send(message: AgentMessage | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message of a type, passing over others. */
  async next<T extends ControllerMessage['type']>(
    type: T,
  ): Promise<Extract<ControllerMessage, { type: T }>> {
    await this.#until(
      () => this.received.slice(this.#taken).some((message) => message.type === type),
      `a message of type ${type}`,
    );
    const index = this.received.findIndex(
      (message, i) => i >= this.#taken && message.type === type,
    );
    this.#taken = index + 1;
    return this.received[index] as Extract<ControllerMessage, { type: T }>; // its type was compared
  }

  async closed(): Promise<number> {
    await this.#until(() => this.#closed !== null, 'the close');
    return this.#closed?.code ?? 0;
  }

  /** Waits until a condition on what was received holds. */
  until(condition: () => boolean, what: string): Promise<void> {
    return this.#until(condition, what);
  }

  close(): void {
    this.socket.terminate();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    while (!condition()) {
      if (deadline.aborted)
        throw new Error(
          `${what} did not come; received: ${JSON.stringify(this.received).slice(0, 2_000)}`,
        );
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

/** Opens a node's link as its agent does, up to the controller's answer. */
export async function openLink(
  test: TestController,
  node: TestNode,
  revisions: Readonly<Record<string, number>> = {},
  authority: string | null = null,
): Promise<TestLink> {
  const link = new TestLink(test.controller);
  const { nonce } = await link.next('challenge');
  link.send(
    makeAuthenticate(node, nonce, test.controller.tlsFingerprint, { revisions, authority }),
  );
  return link;
}

/** Makes the next secret of the node's lease, and the message that shows it. */
export function makeAuthenticate(
  node: TestNode,
  nonce: string,
  tlsFingerprint: string,
  held: {
    readonly revisions?: Readonly<Record<string, number>>;
    readonly authority?: string | null;
  } = {},
): Extract<AgentMessage, { type: 'authenticate' }> {
  const lease = withNext(node.lease, toBase64url(randomBytes(32)));
  node.lease = lease;
  return {
    type: 'authenticate',
    nodeId: node.id,
    version: '0.1.0',
    signature: signText(node, linkSigningText(nonce, node.id, tlsFingerprint)),
    revisions: { ...held.revisions },
    authority: held.authority ?? null,
    instance: node.instance,
    lease: presentLease({ ...lease, next: lease.next ?? '' }),
    host: node.hints,
  };
}

/** Connects a node's agent that holds `revisions`; resolves at its welcome. */
export async function connectAgent(
  test: TestController,
  node: TestNode,
  revisions: Readonly<Record<string, number>> = {},
  authority: string | null = null,
): Promise<{
  readonly link: TestLink;
  readonly welcome: Extract<ControllerMessage, { type: 'welcome' }>;
}> {
  const link = await openLink(test, node, revisions, authority);
  const welcome = await link.next('welcome');
  const taken = takeEpoch(node.lease, welcome.lease.epoch);
  if (taken === undefined) throw new Error(`epoch ${welcome.lease.epoch} does not follow`);
  node.lease = taken;
  return { link, welcome };
}
