/**
 * Which of two hosts with one identity is the node, when a controller has decided. It is followed
 * only where this host has seen both live: a controller that lies can choose between two holders of
 * the right key, and cut nobody off.
 */
import { HOLDERS_TOLD_MAX, HOLDER_TOLD_MS } from '../limits.ts';

export interface HoldersDeps {
  readonly monotonicMs: () => number;
  /** This host refuses one of two agents of the node. */
  readonly isDoubled: (nodeId: string) => boolean;
  /** Sessions with another instance end, and this one's handshakes are taken. */
  readonly choose: (nodeId: string, instance: Uint8Array) => void;
}

export class Holders {
  readonly #deps: HoldersDeps;
  /** Decisions that may have come before both were seen here; the oldest first. */
  readonly #told = new Map<string, { instance: string; toldAtMs: number }>();

  constructor(deps: HoldersDeps) {
    this.#deps = deps;
  }

  /** A controller says which one it is, as 16 hex digits. */
  take(nodeId: string, instance: string): void {
    this.#told.delete(nodeId);
    this.#told.set(nodeId, { instance, toldAtMs: this.#deps.monotonicMs() });
    if (this.#told.size > HOLDERS_TOLD_MAX) {
      for (const oldest of this.#told.keys()) {
        this.#told.delete(oldest);
        break;
      }
    }
    if (this.#deps.isDoubled(nodeId)) this.takeDoubled(nodeId);
  }

  /** Two live agents of the node were seen. */
  takeDoubled(nodeId: string): void {
    const told = this.#told.get(nodeId);
    if (told === undefined || this.#deps.monotonicMs() - told.toldAtMs > HOLDER_TOLD_MS) return;
    this.#deps.choose(nodeId, Uint8Array.from(Buffer.from(told.instance, 'hex')));
  }
}
