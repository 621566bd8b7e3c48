/**
 * Opens the first of several URLs that answers: the next one is tried beside those that are still
 * silent, so that a URL that leads nowhere costs LINK_NEXT_URL_MS and not the time of a connection.
 * Which server it is, is proved by TLS before anything comes; nothing is sent before one is chosen.
 */
import type { ControllerMessage } from '@etherloom/api';
import { controllerMessageSchema } from '@etherloom/api';
import type { openPinnedWebSocket } from '@etherloom/transport';
import { LINK_NEXT_URL_MS, LINK_OPEN_MS, LINK_RACERS_MAX } from '../limits.ts';
import { messageOf } from '../errors.ts';
import type { Candidate } from './candidates.ts';

type WebSocket = ReturnType<typeof openPinnedWebSocket>;

/** The socket that answered first, and what came over it. */
export interface Opened {
  readonly candidate: Candidate;
  readonly socket: WebSocket;
  readonly first: ControllerMessage;
}

/** One that gave no answer, and why. */
export interface Failed {
  readonly candidate: Candidate;
  readonly reason: string;
}

export interface Race {
  readonly candidates: readonly Candidate[];
  /** Opens one URL; aborting the signal ends it. May throw. */
  readonly open: (candidate: Candidate, signal: AbortSignal) => WebSocket;
  /** Called in the turn in which the first message came, so that none after it is missed. */
  readonly take: (opened: Opened) => void;
  readonly signal: AbortSignal;
}

export interface RaceResult {
  /** false: nobody has answered. */
  readonly isOpen: boolean;
  readonly failed: readonly Failed[];
}

interface Racer {
  readonly candidate: Candidate;
  readonly abort: AbortController;
}

/** Resolves with the first that answers, or when all have failed; never rejects. */
export function openFirst({ candidates, open, take, signal }: Race): Promise<RaceResult> {
  const waiting = [...candidates];
  const racing = new Set<Racer>();
  const failed: Failed[] = [];
  return new Promise((resolve) => {
    let nextTimer: NodeJS.Timeout | undefined;
    const finish = (opened: Opened | undefined): void => {
      clearTimeout(nextTimer);
      clearTimeout(deadline);
      signal.removeEventListener('abort', giveUp);
      waiting.length = 0;
      for (const racer of racing) if (racer.candidate !== opened?.candidate) racer.abort.abort();
      racing.clear();
      if (opened !== undefined) take(opened);
      resolve({ isOpen: opened !== undefined, failed });
    };
    const giveUp = (): void => finish(undefined);
    const deadline = setTimeout(() => {
      const reason = `the controller did not open the link within ${LINK_OPEN_MS} ms`;
      for (const { candidate } of racing) failed.push({ candidate, reason });
      finish(undefined);
    }, LINK_OPEN_MS);
    const startNext = (): void => {
      clearTimeout(nextTimer);
      const candidate = waiting[0];
      if (candidate === undefined || racing.size >= LINK_RACERS_MAX) return;
      waiting.shift();
      const racer = { candidate, abort: new AbortController() };
      racing.add(racer);
      nextTimer = setTimeout(startNext, LINK_NEXT_URL_MS);
      awaitFirst(racer, open, (first, socket) => {
        if (racing.has(racer)) finish({ candidate, socket, first });
      }).catch((error: unknown) => {
        if (!racing.delete(racer)) return;
        failed.push({ candidate, reason: messageOf(error) });
        if (waiting.length > 0) startNext();
        else if (racing.size === 0) finish(undefined);
      });
    };
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted || candidates.length === 0) giveUp();
    else startNext();
  });
}

/** Rejects when the socket fails first. `take` is called in the turn of the message. */
function awaitFirst(
  { candidate, abort }: Racer,
  open: Race['open'],
  take: (first: ControllerMessage, socket: WebSocket) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = open(candidate, abort.signal); // a throw rejects
    let reason = '';
    const onError = (error: Error): void => {
      if (reason === '') reason = error.message;
    };
    const onClose = (code: number, text: Buffer): void =>
      reject(new Error(reason || closeText(code, text))); // '' means none yet
    const onMessage = (data: unknown, isBinary: boolean): void => {
      const first = isBinary ? undefined : parseMessage(String(data));
      if (first === undefined) {
        reason = isBinary ? 'the controller sent a binary message' : NO_MESSAGE;
        return abort.abort();
      }
      socket.off('message', onMessage).off('close', onClose).off('error', onError);
      take(first, socket);
      resolve();
    };
    socket.on('error', onError).on('close', onClose).on('message', onMessage);
  });
}

/** Said of what the schema of messages does not know. */
export const NO_MESSAGE = 'the controller sent what is no message of this version';

/** A message of a controller; undefined: it is none. */
export function parseMessage(text: string): ControllerMessage | undefined {
  try {
    return controllerMessageSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What a close without an error says. */
export function closeText(code: number, text: Buffer): string {
  return `the controller closed the link (${code}${text.length > 0 ? `, ${text.toString()}` : ''})`;
}
