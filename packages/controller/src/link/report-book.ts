/**
 * Reports of nodes, asked for when a person looks and kept for a moment: ten thousand agents that
 * nobody looks at send none. A node may answer late, wrongly or never; whoever asks is answered
 * within REPORT_WAIT_MS, or what another controller has beyond it, either way.
 */
import type { NodeReport } from '@etherloom/api';
import {
  REPORTS_KEPT_MAX,
  REPORTS_WAITING_MAX,
  REPORT_FRESH_MS,
  REPORT_WAIT_MS,
} from '../limits.ts';

/** A report, or why there is none. */
export interface HeldReport {
  readonly atMs: number;
  readonly peersMax: number;
  readonly report: NodeReport;
}

export type ReportAnswer =
  | { readonly held: HeldReport; readonly reason: string | null }
  | { readonly held: null; readonly reason: string };

export interface ReportBookDeps {
  readonly now: () => number;
  /** Asks the agent of a node; false: its link is not here. */
  readonly ask: (nodeId: string, requestId: number, peersMax: number) => boolean;
  /** Asks the controller that has the link of a node; null: no other one has. Never rejects. */
  readonly askElsewhere: (
    nodeId: string,
    peersMax: number,
  ) => Promise<PassedReport | undefined> | null;
}

/** What another controller passes on. */
export interface PassedReport {
  readonly report: NodeReport | null;
  readonly ageMs: number;
  readonly reason: string | null;
}

/** In place of a request's number: no agent was asked from here. */
const ELSEWHERE = -1;

interface Waiting {
  readonly requestId: number;
  readonly peersMax: number;
  /** Why there is no new one; null: there is. */
  readonly answer: Promise<string | null>;
  readonly end: (reason: string | null) => void;
}

const LATE = 'its agent did not answer in time';
const NOT_CONNECTED = 'its agent is not connected';

export class ReportBook {
  readonly #deps: ReportBookDeps;
  /** In the order in which they were given. */
  readonly #held = new Map<string, HeldReport>();
  readonly #waiting = new Map<string, Waiting>();
  #lastRequestId = 0;

  constructor(deps: ReportBookDeps) {
    this.#deps = deps;
  }

  /** A report with up to `peersMax` peers, at most REPORT_FRESH_MS old where it can be had. */
  async read(nodeId: string, peersMax: number): Promise<ReportAnswer> {
    return await this.#read(nodeId, peersMax, true);
  }

  /** The same for another controller: asked is only an agent whose link is here. */
  async readHere(nodeId: string, peersMax: number): Promise<ReportAnswer> {
    return await this.#read(nodeId, peersMax, false);
  }

  async #read(nodeId: string, peersMax: number, isAnywhere: boolean): Promise<ReportAnswer> {
    const fresh = this.#fresh(nodeId, peersMax);
    if (fresh !== undefined) return { held: fresh, reason: null };
    const reason = await this.#ask(nodeId, peersMax, isAnywhere);
    const held = this.#held.get(nodeId);
    return held === undefined ? { held: null, reason: reason ?? LATE } : { held, reason };
  }

  /** Should be called with each report that comes over the link of `nodeId`. */
  take(nodeId: string, requestId: number, report: NodeReport): void {
    const waiting = this.#waiting.get(nodeId);
    // Late, or never asked for.
    if (waiting === undefined || waiting.requestId !== requestId) return;
    this.#hold(nodeId, { atMs: this.#deps.now(), peersMax: waiting.peersMax, report });
    waiting.end(null);
  }

  #hold(nodeId: string, held: HeldReport): void {
    this.#held.delete(nodeId);
    this.#held.set(nodeId, held);
    const [oldest] = this.#held.keys();
    if (this.#held.size > REPORTS_KEPT_MAX && oldest !== undefined) this.#held.delete(oldest);
  }

  #fresh(nodeId: string, peersMax: number): HeldReport | undefined {
    const held = this.#held.get(nodeId);
    if (held === undefined || held.peersMax < peersMax) return undefined;
    return this.#deps.now() - held.atMs <= REPORT_FRESH_MS ? held : undefined;
  }

  /** Resolves when it has answered or the wait is over; gives why there is no new report. */
  async #ask(nodeId: string, peersMax: number, isAnywhere: boolean): Promise<string | null> {
    const running = this.#waiting.get(nodeId);
    // Where its link is, may have been asked itself: two that wait for each other learn nothing.
    if (running !== undefined && (isAnywhere || running.requestId !== ELSEWHERE))
      return await running.answer;
    if (this.#waiting.size >= REPORTS_WAITING_MAX) return 'too many nodes are asked at this moment';
    this.#lastRequestId = (this.#lastRequestId + 1) % 2 ** 32;
    const requestId = this.#lastRequestId;
    if (this.#deps.ask(nodeId, requestId, peersMax))
      return await this.#wait(nodeId, requestId, peersMax);
    const passed = isAnywhere ? this.#deps.askElsewhere(nodeId, peersMax) : null;
    if (passed === null) return NOT_CONNECTED;
    return await this.#waitElsewhere(nodeId, peersMax, passed);
  }

  async #wait(nodeId: string, requestId: number, peersMax: number): Promise<string | null> {
    const { promise: answer, resolve: end } = Promise.withResolvers<string | null>();
    const timer = setTimeout(() => end(LATE), REPORT_WAIT_MS);
    const waiting = { requestId, peersMax, answer, end };
    this.#waiting.set(nodeId, waiting);
    const reason = await answer;
    clearTimeout(timer);
    if (this.#waiting.get(nodeId) === waiting) this.#waiting.delete(nodeId);
    return reason;
  }

  async #waitElsewhere(
    nodeId: string,
    peersMax: number,
    passed: Promise<PassedReport | undefined>,
  ): Promise<string | null> {
    const answer = passed.then((given) => this.#takePassed(nodeId, peersMax, given));
    const waiting = { requestId: ELSEWHERE, peersMax, answer, end: () => undefined };
    this.#waiting.set(nodeId, waiting);
    const reason = await answer;
    if (this.#waiting.get(nodeId) === waiting) this.#waiting.delete(nodeId);
    return reason;
  }

  #takePassed(nodeId: string, peersMax: number, given: PassedReport | undefined): string | null {
    if (given === undefined) return 'the controller that has its link did not answer in time';
    const { report, ageMs, reason } = given;
    if (report === null) return reason ?? LATE;
    const atMs = this.#deps.now() - ageMs;
    if (atMs >= (this.#held.get(nodeId)?.atMs ?? Number.NEGATIVE_INFINITY))
      this.#hold(nodeId, { atMs, peersMax, report });
    return reason;
  }
}
