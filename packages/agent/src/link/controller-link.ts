/**
 * The link to the controller (agent-link.ts): a pinned WebSocket that is opened again whenever it
 * ends, with full jitter, over the controller's URLs in turn. It authenticates, hands messages on
 * in order, and watches that the other side lives. What the messages mean is networks.ts's matter.
 */
import { LINK_MESSAGE_BYTES_MAX, controllerMessageSchema, linkSigningText } from '@etherloom/api';
import type { AgentMessage, ControllerMessage, HostHints, Lease } from '@etherloom/api';
import { openPinnedWebSocket } from '@etherloom/transport';
import { BackOff } from '../back-off.ts';
import { monotonicMs, pause } from '../clock.ts';
import type { Identity } from '../disk/identity.ts';
import type { ControllerRecord } from '../disk/state-directory.ts';
import { messageOf } from '../errors.ts';
import {
  LINK_OPEN_MS,
  LINK_PING_MS,
  LINK_PROBE_MS,
  LINK_RETRY_MS_MAX,
  LINK_RETRY_MS_MIN,
  LINK_SILENT_MS,
  LINK_STABLE_MS,
} from '../limits.ts';
import { randomUnit } from '../random.ts';

type WebSocket = ReturnType<typeof openPinnedWebSocket>;

/** A controller message that the link does not deal with itself. */
export type LinkMessage = Exclude<ControllerMessage, { type: 'challenge' }>;

export interface LinkDeps {
  readonly identity: Identity;
  readonly version: string;
  /** Revisions that are held, read when a link opens. */
  readonly revisions: () => Record<string, number>;
  /** Hash of the newest version of the authority that is held; null: none. */
  readonly authority: () => string | null;
  /** What shows the node's place; its next secret is on disk when this returns. */
  readonly showPlace: () => ShownPlace;
  /** Stores the lease of a welcome, before the link is used; gives why it cannot, if so. */
  readonly takeEpoch: (epoch: number) => string | undefined;
  readonly onMessage: (message: LinkMessage) => void;
  readonly onState: (state: LinkState) => void;
}

export interface ShownPlace {
  readonly instance: string;
  readonly lease: Lease;
  readonly host: HostHints;
}

export interface LinkState {
  readonly isConnected: boolean;
  readonly url: string | null;
  readonly error: string | null;
}

export class ControllerLink {
  readonly #deps: LinkDeps;
  readonly #stop = new AbortController();
  readonly #backOff = new BackOff({
    minMs: LINK_RETRY_MS_MIN,
    maxMs: LINK_RETRY_MS_MAX,
    random: randomUnit,
    jitter: 'full',
  });
  #controller: ControllerRecord;
  #socket: WebSocket | undefined;
  #watch: Watch | undefined;
  #end: ((reason: string) => void) | undefined;
  /** Which of the controller's URLs is tried. */
  #turn = 0;
  #isWelcome = false;
  #welcomedAtMs = 0;
  #wake = new AbortController();
  /** Not opened again before this, whatever wakes it. */
  #notBeforeMs = 0;
  #hold = new AbortController();
  readonly #ended: Promise<void>;

  /** Begins at once and goes on until `stop`. */
  constructor(controller: ControllerRecord, deps: LinkDeps) {
    this.#controller = controller;
    this.#deps = deps;
    this.#ended = this.#loop();
  }

  /** Takes other URLs for the next opening, and opens without waiting. */
  setController(controller: ControllerRecord): void {
    this.#controller = controller;
    this.#turn = 0;
    this.#notBeforeMs = 0;
    this.#wake.abort();
    this.#hold.abort();
  }

  /** Waits at least so long before the next opening, whatever happens on this host. */
  holdOff(ms: number): void {
    this.#notBeforeMs = monotonicMs() + ms;
  }

  /**
   * Ends a wait, or asks a link that is up for a sign of life: something changed that may have been
   * in the way, or may have cut the link without a word.
   */
  probe(): void {
    this.#wake.abort();
    this.#watch?.probe();
  }

  /**
   * Sends when the link is up; gives whether it was. Nothing is kept: what matters is told at each
   * opening.
   */
  send(message: AgentMessage): boolean {
    if (!this.#isWelcome || this.#socket === undefined) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Closes the link, to be opened anew; `reason` is what the link ended for. */
  reopen(reason: string): void {
    this.#end?.(reason);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    this.#hold.abort();
    await this.#ended;
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const controller = this.#controller;
      const { urls } = controller;
      const url = urls[this.#turn % urls.length] ?? '';
      const welcomedAtMs = this.#welcomedAtMs;
      const error = await this.#serve(url);
      // A URL that led to the controller comes before those that may lead nowhere.
      const wasWelcome = this.#welcomedAtMs !== welcomedAtMs;
      if (!wasWelcome && this.#controller === controller) this.#turn += 1;
      if (this.#stop.signal.aborted) break;
      this.#deps.onState({ isConnected: false, url, error });
      this.#wake = new AbortController();
      this.#hold = new AbortController();
      await pause(this.#backOff.nextMs(), this.#wake.signal);
      const heldMs = this.#notBeforeMs - monotonicMs();
      if (heldMs > 0) await pause(heldMs, this.#hold.signal);
    }
    this.#deps.onState({ isConnected: false, url: null, error: null });
  }

  /** One link from opening to end; gives the reason of the end. */
  #serve(url: string): Promise<string> {
    return new Promise((resolve) => {
      const end = new AbortController();
      const signal = AbortSignal.any([this.#stop.signal, end.signal]);
      let socket: WebSocket;
      try {
        socket = this.#open(url, signal);
      } catch (error) {
        return resolve(messageOf(error));
      }
      this.#socket = socket;
      let reason = '';
      const fail = (why: string): void => {
        if (reason === '') reason = why;
        end.abort();
      };
      this.#end = fail;
      const watching = watch(socket, () => this.#isWelcome, fail);
      this.#watch = watching;
      socket.on('error', (error: Error) => {
        if (reason === '') reason = error.message;
      });
      socket.on('message', (data: unknown, isBinary: boolean) => {
        if (reason !== '') return; // what follows a fault is not acted on
        const refusal = isBinary
          ? 'the controller sent a binary message'
          : this.#receive(socket, url, String(data));
        if (refusal !== undefined) fail(refusal);
      });
      socket.once('close', (code: number, text: Buffer) => {
        watching.stop();
        this.#watch = undefined;
        this.#end = undefined;
        if (this.#isWelcome && monotonicMs() - this.#welcomedAtMs > LINK_STABLE_MS)
          this.#backOff.reset();
        this.#isWelcome = false;
        this.#socket = undefined;
        resolve(
          reason ||
            `the controller closed the link (${code}${text.length > 0 ? `, ${text.toString()}` : ''})`,
        ); // '' means none yet
      });
    });
  }

  #open(url: string, signal: AbortSignal): WebSocket {
    const address = new URL('/v1/agent', url);
    address.protocol = 'wss:';
    return openPinnedWebSocket(address.href, {
      tlsFingerprint: this.#controller.tlsFingerprint,
      maxPayloadBytes: LINK_MESSAGE_BYTES_MAX,
      handshakeTimeoutMs: LINK_OPEN_MS,
      signal,
    });
  }

  /** Deals with one message; gives why the link has to end, if it has to. */
  #receive(socket: WebSocket, url: string, text: string): string | undefined {
    const message = parseMessage(text);
    if (message === undefined) return 'the controller sent what is no message of this version';
    if (message.type === 'challenge') return this.#answerChallenge(socket, message.nonce);
    if (message.type === 'refused' || message.type === 'split') {
      this.#deps.onMessage(message);
      return `the controller refused the link: ${message.message}`;
    }
    if (message.type === 'welcome') {
      const fault = this.#deps.takeEpoch(message.lease.epoch);
      if (fault !== undefined) return fault;
      this.#isWelcome = true;
      this.#welcomedAtMs = monotonicMs();
      this.#deps.onState({ isConnected: true, url, error: null });
    } else if (!this.#isWelcome) {
      return 'the controller sent state before it welcomed the link';
    }
    this.#deps.onMessage(message);
    return undefined;
  }

  #answerChallenge(socket: WebSocket, nonce: string): string | undefined {
    try {
      socket.send(JSON.stringify(this.#authenticate(nonce)));
      return undefined;
    } catch (error) {
      return `the next lease cannot be stored: ${messageOf(error)}`;
    }
  }

  #authenticate(nonce: string): AgentMessage {
    const { identity, version } = this.#deps;
    return {
      type: 'authenticate',
      nodeId: identity.nodeId,
      version,
      signature: identity.sign(
        linkSigningText(nonce, identity.nodeId, this.#controller.tlsFingerprint),
      ),
      revisions: this.#deps.revisions(),
      authority: this.#deps.authority(),
      ...this.#deps.showPlace(),
    };
  }
}

interface Watch {
  readonly probe: () => void;
  readonly stop: () => void;
}

/**
 * Ends a link that is not welcomed in time, or on which nothing arrives although it is pinged. A
 * probe asks at once and waits less long.
 */
function watch(socket: WebSocket, isWelcome: () => boolean, fail: (reason: string) => void): Watch {
  let heardAtMs = monotonicMs();
  let probing: NodeJS.Timeout | undefined;
  const heard = (): void => {
    heardAtMs = monotonicMs();
    clearTimeout(probing);
    probing = undefined;
  };
  socket.on('message', heard).on('ping', heard).on('pong', heard);
  const welcome = setTimeout(() => {
    if (!isWelcome()) fail(`the controller did not open the link within ${LINK_OPEN_MS} ms`);
  }, LINK_OPEN_MS);
  const ask = (): void => {
    if (socket.readyState === socket.OPEN) socket.ping();
  };
  const pinger = setInterval(() => {
    if (monotonicMs() - heardAtMs <= LINK_SILENT_MS) ask();
    else fail(`the controller was silent for ${LINK_SILENT_MS} ms`);
  }, LINK_PING_MS);
  return {
    probe: () => {
      ask();
      probing ??= setTimeout(
        () => fail(`the controller did not answer for ${LINK_PROBE_MS} ms after a change here`),
        LINK_PROBE_MS,
      );
    },
    stop: () => {
      clearTimeout(welcome);
      clearTimeout(probing);
      clearInterval(pinger);
    },
  };
}

function parseMessage(text: string): ControllerMessage | undefined {
  try {
    return controllerMessageSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
