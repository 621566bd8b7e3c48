/**
 * Keeps a data path attached: when the connection is lost, another is had at once, and after that
 * with a growing wait, so that a data path that cannot live does not eat the host.
 */
import { BackOff } from '../back-off.ts';
import { monotonicMs, pause } from '../clock.ts';
import type { AgentError } from '../errors.ts';
import { AgentError as Failure, messageOf } from '../errors.ts';
import {
  DATAPATH_HEALTHY_MS,
  DATAPATH_RESTART_MS_MAX,
  DATAPATH_RESTART_MS_MIN,
} from '../limits.ts';
import { randomUnit } from '../random.ts';
import type { DatapathEvent } from './client.ts';
import type { AttachedDatapath, DatapathProcess } from './process.ts';

export interface KeeperDeps {
  readonly onEvent: (event: DatapathEvent) => void;
  readonly onLost: (reason: AgentError) => void;
  /** Another data path is attached, or the same one anew. */
  readonly onReattached: (attached: AttachedDatapath) => void;
  readonly onAttachFailed: (error: AgentError, waitMs: number) => void;
}

export class DatapathKeeper {
  readonly #process: DatapathProcess;
  readonly #deps: KeeperDeps;
  readonly #stop = new AbortController();
  readonly #backOff = new BackOff({
    minMs: DATAPATH_RESTART_MS_MIN,
    maxMs: DATAPATH_RESTART_MS_MAX,
    random: randomUnit,
    jitter: 'half',
  });
  #attached: AttachedDatapath | undefined;
  #attachedAtMs = 0;
  #lossesInARow = 0;
  #restarts = 0;

  constructor(process: DatapathProcess, deps: KeeperDeps) {
    this.#process = process;
    this.#deps = deps;
  }

  get attached(): AttachedDatapath | undefined {
    return this.#attached;
  }

  /** Data paths had since the start of the agent, the first not counted. */
  get restarts(): number {
    return this.#restarts;
  }

  /** First attachment. Rejects when none can be had. */
  async start(): Promise<AttachedDatapath> {
    return await this.#attach();
  }

  /** Lets go of the data path; `end` says whether it ends or goes on alone. */
  async stop(end: boolean): Promise<void> {
    this.#stop.abort();
    this.#attached?.client.close('the agent stops');
    if (end) await this.#process.stop();
  }

  async #attach(): Promise<AttachedDatapath> {
    const early: DatapathEvent[] = [];
    let known: AttachedDatapath | undefined = undefined;
    const attached = await this.#process.attach({
      onEvent: (event) => (known === undefined ? early.push(event) : this.#deps.onEvent(event)),
      onClose: (reason) => this.#lost(known, reason), // before it is known, attach rejects
    });
    if (!attached.client.isOpen)
      throw new Failure('datapath_closed', 'the data path closed its control connection');
    this.#attached = attached;
    this.#attachedAtMs = monotonicMs();
    known = attached;
    for (const event of early) this.#deps.onEvent(event);
    return attached;
  }

  #lost(attached: AttachedDatapath | undefined, reason: AgentError): void {
    if (this.#stop.signal.aborted || attached === undefined || attached !== this.#attached) return;
    this.#attached = undefined;
    this.#deps.onLost(reason);
    if (monotonicMs() - this.#attachedAtMs >= DATAPATH_HEALTHY_MS) {
      this.#lossesInARow = 0;
      this.#backOff.reset();
    }
    const waitMs = this.#lossesInARow === 0 ? 0 : this.#backOff.nextMs();
    this.#lossesInARow += 1;
    void this.#reattach(waitMs);
  }

  async #reattach(firstWaitMs: number): Promise<void> {
    for (let waitMs = firstWaitMs; !this.#stop.signal.aborted; waitMs = this.#backOff.nextMs()) {
      await pause(waitMs, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        const attached = await this.#attach();
        this.#restarts += 1;
        return this.#deps.onReattached(attached);
      } catch (error) {
        const failure =
          error instanceof Failure
            ? error
            : new Failure('datapath_failed', messageOf(error), { cause: error });
        this.#deps.onAttachFailed(failure, waitMs);
      }
    }
  }
}
