/**
 * The link to a controller (agent-link.ts): a pinned WebSocket that is opened again whenever it
 * ends, with full jitter, to the controller that answers first of those that are to be tried
 * (candidates.ts). It authenticates, hands messages on in order, and watches that the other side
 * lives. What the messages mean is networks.ts's matter.
 */
import { LINK_MESSAGE_BYTES_MAX, linkSigningText } from '@etherloom/api';
import type { AgentMessage, ControllerMessage, HostHints, Lease } from '@etherloom/api';
import { openPinnedWebSocket } from '@etherloom/transport';
import { BackOff } from '../back-off.ts';
import { monotonicMs, pause } from '../clock.ts';
import type { Identity } from '../disk/identity.ts';
import type { ControllerRecord } from '../disk/state-directory.ts';
import { messageOf } from '../errors.ts';
import {
  LINK_FAILED_MS,
  LINK_OPEN_MS,
  LINK_RETRY_MS_MAX,
  LINK_RETRY_MS_MIN,
  LINK_STABLE_MS,
} from '../limits.ts';
import { randomUnit } from '../random.ts';
import { orderCandidates } from './candidates.ts';
import type { Candidate } from './candidates.ts';
import { NO_MESSAGE, closeText, openFirst, parseMessage } from './first-challenge.ts';
import type { Failed, Opened } from './first-challenge.ts';
import { watchLiveness } from './liveness.ts';
import type { Liveness } from './liveness.ts';

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

type ControllersMessage = Extract<ControllerMessage, { type: 'controllers' }>;

/** How a link ended. */
interface End {
  readonly url: string;
  readonly error: string;
}

/** Refusals that say that this controller cannot serve, and nothing about the agent. */
const TROUBLES: readonly string[] = ['unavailable', 'internal', 'too_many_requests'];

/** Whether a refusal speaks of the controller that gave it alone: another one may do better. */
export function isTrouble(code: string): boolean {
  return TROUBLES.includes(code);
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
  #liveness: Liveness | undefined;
  #end: ((reason: string) => void) | undefined;
  /** Of the last welcome: what is tried first while it has not failed. */
  #last: Candidate | null = null;
  /** Ids of controllers that the last link said are down. */
  #down: ReadonlySet<string> = new Set();
  readonly #failedAtMs = new Map<string, number>();
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
    this.#last = null;
    this.#failedAtMs.clear();
    this.#notBeforeMs = 0;
    this.#wake.abort();
    this.#hold.abort();
  }

  /** Takes what a controller told of all of them: for the next opening. */
  setKnown(controller: ControllerRecord): void {
    this.#controller = controller;
  }

  /** Whether a controller is up, as the one of the last link said; null: it said nothing of it. */
  isUp(controllerId: string): boolean | null {
    return this.#controller.known === undefined ? null : !this.#down.has(controllerId);
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
    this.#liveness?.probe();
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
      const { url, error } = await this.#serveOnce();
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

  /** One link from opening to end. */
  async #serveOnce(): Promise<End> {
    let served: Promise<End> | undefined;
    const { isOpen, failed } = await openFirst({
      candidates: this.#candidates(),
      open: ({ url }, signal) => this.#open(url, signal),
      take: (opened) => {
        served = this.#serve(opened);
      },
      signal: this.#stop.signal,
    });
    for (const { candidate } of failed) this.#noteFailed(candidate.key);
    if (isOpen && served !== undefined) return await served;
    const told = mostTelling(failed);
    return { url: told?.candidate.url ?? '', error: told?.reason ?? 'there is no controller' };
  }

  #candidates(): Candidate[] {
    const { urls, known = [] } = this.#controller;
    for (const [key, atMs] of this.#failedAtMs)
      if (monotonicMs() - atMs >= LINK_FAILED_MS) this.#failedAtMs.delete(key);
    return orderCandidates({
      nodeId: this.#deps.identity.nodeId,
      seeds: urls,
      known: known.map((one) => ({ ...one, isUp: !this.#down.has(one.id) })),
      last: this.#last?.key ?? null,
      lastUrl: this.#last?.url ?? null,
      failedAtMs: this.#failedAtMs,
    });
  }

  #noteFailed(key: string): void {
    this.#failedAtMs.set(key, monotonicMs());
  }

  /** One link from its first message to its end. */
  #serve({ candidate, socket, first }: Opened): Promise<End> {
    const { url } = candidate;
    return new Promise((resolve) => {
      this.#socket = socket;
      let reason = '';
      let isEndedHere = false;
      const fail = (why: string): void => {
        if (reason === '') reason = why;
        isEndedHere = true;
        socket.terminate();
      };
      const stop = (): void => socket.terminate();
      this.#stop.signal.addEventListener('abort', stop, { once: true });
      this.#end = fail;
      const liveness = watchLiveness(socket, (why) => {
        this.#noteFailed(this.#last?.key ?? candidate.key);
        fail(why);
      });
      this.#liveness = liveness;
      const welcome = setTimeout(() => {
        if (this.#isWelcome) return;
        this.#noteFailed(candidate.key);
        fail(`the controller did not open the link within ${LINK_OPEN_MS} ms`);
      }, LINK_OPEN_MS);
      const take = (message: ControllerMessage | undefined): void => {
        if (reason !== '') return; // what follows a fault is not acted on
        const refusal =
          message === undefined ? NO_MESSAGE : this.#receive(socket, candidate, message);
        if (refusal !== undefined) fail(refusal);
      };
      socket.on('error', (error: Error) => {
        if (reason === '') reason = error.message;
      });
      socket.on('message', (data: unknown, isBinary: boolean) => {
        if (isBinary) fail('the controller sent a binary message');
        else take(parseMessage(String(data)));
      });
      socket.once('close', (code: number, text: Buffer) => {
        clearTimeout(welcome);
        liveness.stop();
        this.#stop.signal.removeEventListener('abort', stop);
        // Closed by the controller, or cut: another one, if there is one, is the better choice.
        if (!isEndedHere) this.#noteFailed(this.#keyOf(candidate));
        this.#afterClose();
        resolve({ url, error: reason || closeText(code, text) }); // '' means none yet
      });
      take(first);
    });
  }

  #afterClose(): void {
    this.#liveness = undefined;
    this.#end = undefined;
    if (this.#isWelcome && monotonicMs() - this.#welcomedAtMs > LINK_STABLE_MS)
      this.#backOff.reset();
    this.#isWelcome = false;
    this.#socket = undefined;
  }

  /** A URL of the join token is a controller's once that one has said who it is. */
  #keyOf(candidate: Candidate): string {
    return this.#isWelcome && this.#last?.url === candidate.url ? this.#last.key : candidate.key;
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
  #receive(
    socket: WebSocket,
    candidate: Candidate,
    message: ControllerMessage,
  ): string | undefined {
    if (message.type === 'challenge') return this.#answerChallenge(socket, message.nonce);
    if (message.type === 'refused' || message.type === 'split') {
      if (message.type === 'refused' && isTrouble(message.code))
        this.#noteFailed(this.#keyOf(candidate));
      this.#deps.onMessage(message);
      return `the controller refused the link: ${message.message}`;
    }
    if (message.type === 'welcome') {
      const fault = this.#deps.takeEpoch(message.lease.epoch);
      if (fault !== undefined) return fault;
      this.#isWelcome = true;
      this.#welcomedAtMs = monotonicMs();
      this.#last = candidate;
      this.#failedAtMs.delete(candidate.key);
      this.#deps.onState({ isConnected: true, url: candidate.url, error: null });
    } else if (!this.#isWelcome) {
      return 'the controller sent state before it welcomed the link';
    }
    if (message.type === 'controllers') this.#takeControllers(candidate, message);
    this.#deps.onMessage(message);
    return undefined;
  }

  #takeControllers({ url }: Candidate, { self, controllers, pingMs }: ControllersMessage): void {
    this.#down = new Set(controllers.flatMap(({ id, isUp }) => (isUp ? [] : [id])));
    this.#last = { url, key: self };
    const isAlone = !controllers.some(({ id, isUp }) => isUp && id !== self);
    this.#liveness?.setPace(isAlone ? null : pingMs);
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

/** A server that is not the one that is pinned matters more than one that is not there. */
function mostTelling(failed: readonly Failed[]): Failed | undefined {
  return failed.find(({ reason }) => reason.includes('is pinned')) ?? failed[0];
}
