/**
 * Since when nothing was heard of a node's holder: by the monotonic clock, since the wall clock may
 * be set. A holder that could not have come yet, because the controller has just started, is not
 * silent.
 */
import { LEASE_GRACE_MS } from '@etherloom/core';

export class Silence {
  readonly #monotonicMs: () => number;
  #startedAtMs: number;
  /** When links closed, by node, in that order; older than the grace is not needed. */
  readonly #closedAtMs = new Map<string, number>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#startedAtMs = monotonicMs();
  }

  /** No holder could come until this moment, as if the controller had just started. */
  restart(): void {
    this.#startedAtMs = this.#monotonicMs();
  }

  /** To be called when the link of a node's holder has closed. */
  noteClosed(nodeId: string, heardAtMs: number): void {
    this.#closedAtMs.delete(nodeId);
    this.#closedAtMs.set(nodeId, heardAtMs);
    const forgottenBeforeMs = this.#monotonicMs() - LEASE_GRACE_MS;
    for (const [id, closedAtMs] of this.#closedAtMs) {
      if (closedAtMs > forgottenBeforeMs) break;
      this.#closedAtMs.delete(id);
    }
  }

  /** `heardAtMs` is that of the node's open link, if there is one. */
  silentMs(nodeId: string, heardAtMs: number | undefined): number {
    const lastMs = heardAtMs ?? this.#closedAtMs.get(nodeId) ?? this.#startedAtMs;
    return this.#monotonicMs() - Math.max(lastMs, this.#startedAtMs);
  }
}
