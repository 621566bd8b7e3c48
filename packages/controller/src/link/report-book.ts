/**
 * Reports of nodes, asked for when a person looks and kept for a moment: ten thousand agents that
 * nobody looks at send none. A node may answer late, wrongly or never; whoever asks is answered
 * within REPORT_WAIT_MS either way.
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
  /** Asks the agent of a node; false: it is not connected here. */
  readonly ask: (nodeId: string, requestId: number, peersMax: number) => boolean;
}

interface Waiting {
  readonly requestId: number;
  readonly peersMax: number;
  readonly answer: Promise<void>;
  readonly end: () => void;
}

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
    const held = this.#fresh(nodeId, peersMax);
    if (held !== undefined) return { held, reason: null };
    const refusal = await this.#ask(nodeId, peersMax);
    const newest = this.#held.get(nodeId);
    if (newest === undefined)
      return { held: null, reason: refusal ?? 'its agent did not answer in time' };
    const isAnswered = this.#deps.now() - newest.atMs <= REPORT_FRESH_MS;
    return {
      held: newest,
      reason: isAnswered ? null : (refusal ?? 'its agent did not answer in time'),
    };
  }

  /** Should be called with each report that comes over the link of `nodeId`. */
  take(nodeId: string, requestId: number, report: NodeReport): void {
    const waiting = this.#waiting.get(nodeId);
    // Late, or never asked for.
    if (waiting === undefined || waiting.requestId !== requestId) return;
    this.#held.delete(nodeId);
    this.#held.set(nodeId, { atMs: this.#deps.now(), peersMax: waiting.peersMax, report });
    const [oldest] = this.#held.keys();
    if (this.#held.size > REPORTS_KEPT_MAX && oldest !== undefined) this.#held.delete(oldest);
    waiting.end();
  }

  #fresh(nodeId: string, peersMax: number): HeldReport | undefined {
    const held = this.#held.get(nodeId);
    if (held === undefined || held.peersMax < peersMax) return undefined;
    return this.#deps.now() - held.atMs <= REPORT_FRESH_MS ? held : undefined;
  }

  /** Resolves when it has answered or the wait is over; gives why it was not asked. */
  async #ask(nodeId: string, peersMax: number): Promise<string | undefined> {
    const running = this.#waiting.get(nodeId);
    if (running !== undefined) {
      await running.answer;
      return undefined;
    }
    if (this.#waiting.size >= REPORTS_WAITING_MAX) return 'too many nodes are asked at this moment';
    this.#lastRequestId = (this.#lastRequestId + 1) % 2 ** 32;
    const requestId = this.#lastRequestId;
    if (!this.#deps.ask(nodeId, requestId, peersMax))
      return 'its agent is not connected to this controller';
    let end = () => {};
    const answer = new Promise<void>((resolve) => {
      end = resolve;
    });
    const timer = setTimeout(end, REPORT_WAIT_MS);
    this.#waiting.set(nodeId, { requestId, peersMax, answer, end });
    await answer;
    clearTimeout(timer);
    this.#waiting.delete(nodeId);
    return undefined;
  }
}
