/**
 * Finds out that a link is dead: it is pinged, and what does not answer in time is given up. Where
 * there is another controller to go to, the controller says how often; alone, silence is borne for
 * longer, as an end of the link would bring nothing but another one to the same controller.
 */
import type { openPinnedWebSocket } from '@etherloom/transport';
import { monotonicMs } from '../clock.ts';
import { LINK_ANSWER_MS, LINK_ANSWER_MS_ALONE, LINK_PING_MS, LINK_PROBE_MS } from '../limits.ts';

type WebSocket = ReturnType<typeof openPinnedWebSocket>;

export interface Liveness {
  /** Asks at once and waits less long: the way to the controller may have changed. */
  probe(): void;
  /** null: there is no other controller. */
  setPace(pingMs: number | null): void;
  stop(): void;
}

/** Late timers are looked at again after this: what has arrived is read between the two. */
const SECOND_LOOK_MS = 100;

/** Calls `fail` once, with the reason, when nothing was heard after a ping for too long. */
export function watchLiveness(socket: WebSocket, fail: (reason: string) => void): Liveness {
  let heardAtMs = monotonicMs();
  let askedAtMs: number | null = null;
  let pingMs = LINK_PING_MS;
  let answerMs = LINK_ANSWER_MS_ALONE;
  let timer: NodeJS.Timeout | undefined;
  let probing: NodeJS.Timeout | undefined;
  const heard = (): void => {
    heardAtMs = monotonicMs();
    askedAtMs = null;
    clearTimeout(probing);
    probing = undefined;
  };
  socket.on('message', heard).on('ping', heard).on('pong', heard);
  const ask = (): void => {
    askedAtMs ??= monotonicMs();
    if (socket.readyState === socket.OPEN) socket.ping();
  };
  const check = (isSecondLook: boolean): void => {
    const isSilent = askedAtMs !== null && monotonicMs() - askedAtMs >= answerMs;
    if (isSilent && isSecondLook) return fail(silenceText(answerMs));
    const isDue = askedAtMs === null && monotonicMs() - heardAtMs >= pingMs;
    if (isDue) ask();
    schedule(isSilent);
  };
  const schedule = (isSecondLook: boolean): void => {
    clearTimeout(timer);
    const dueMs = askedAtMs === null ? heardAtMs + pingMs : askedAtMs + answerMs;
    const waitMs = Math.max(0, dueMs - monotonicMs());
    timer = setTimeout(() => check(isSecondLook), isSecondLook ? SECOND_LOOK_MS : waitMs);
  };
  schedule(false);
  return {
    probe: () => {
      ask();
      schedule(false);
      probing ??= setTimeout(
        () => fail(`the controller did not answer for ${LINK_PROBE_MS} ms after a change here`),
        LINK_PROBE_MS,
      );
    },
    setPace: (givenMs) => {
      pingMs = givenMs ?? LINK_PING_MS;
      answerMs = givenMs === null ? LINK_ANSWER_MS_ALONE : LINK_ANSWER_MS;
      schedule(false);
    },
    stop: () => {
      clearTimeout(timer);
      clearTimeout(probing);
    },
  };
}

function silenceText(answerMs: number): string {
  return `the controller was silent for ${answerMs} ms after a ping`;
}
