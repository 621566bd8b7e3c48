/**
 * Pings a peer inside its session, one after another, as `loom ping` does: latency and path of
 * each, null where none came back.
 */
import { formatEndpoint } from '@etherloom/core';
import type { MeshEvent } from '@etherloom/core';
import { monotonicMs, pause } from './clock.ts';
import type { Host } from './host.ts';
import { PING_ANSWER_MS, PING_INTERVAL_MS } from './limits.ts';

export interface PingResult {
  readonly latencyMs: number | null;
  readonly path: 'direct' | 'none';
  readonly endpoint: string | null;
}

const NO_ANSWER: PingResult = { latencyMs: null, path: 'none', endpoint: null };

type Outcome = Extract<MeshEvent, { type: 'pong' | 'pingTimedOut' }>;

/** Answers of pings that are waited for. */
export class Pinger {
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();

  /** To be given every event of the mesh. */
  take(event: MeshEvent): void {
    if (event.type === 'pong' || event.type === 'pingTimedOut')
      this.#waiting.get(keyOf(event.peer, event.pingId))?.(event);
  }

  /** Never rejects. */
  async ping(host: Host, peer: number, count: number, signal: AbortSignal): Promise<PingResult[]> {
    const results: PingResult[] = [];
    while (results.length < count && !signal.aborted) {
      const startedAtMs = monotonicMs();
      results.push(await this.#once(host, peer));
      if (results.length < count)
        await pause(Math.max(0, PING_INTERVAL_MS - (monotonicMs() - startedAtMs)), signal);
    }
    return results;
  }

  async #once(host: Host, peer: number): Promise<PingResult> {
    const pingId = await this.#begin(host, peer);
    if (pingId === undefined) return NO_ANSWER;
    const key = keyOf(peer, pingId);
    const outcome = await new Promise<Outcome | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), PING_ANSWER_MS);
      this.#waiting.set(key, (event) => {
        clearTimeout(timer);
        resolve(event);
      });
    });
    this.#waiting.delete(key);
    if (outcome?.type !== 'pong') return NO_ANSWER;
    return {
      latencyMs: Math.round(outcome.rttMs * 1_000) / 1_000,
      path: 'direct',
      endpoint: formatEndpoint(outcome.endpoint),
    };
  }

  /** Without a session, one is asked for and waited for. */
  async #begin(host: Host, peer: number): Promise<bigint | undefined> {
    const first = host.driver.run((mesh, now) => mesh.ping(peer, now));
    if (first !== undefined) return first;
    host.driver.run((mesh, now) => mesh.handleSessionNeeded(peer, now));
    const isUp = (): true | undefined =>
      host.driver.status().some((status) => status.peer === peer && status.state === 'up')
        ? true
        : undefined;
    await host.until(isUp, PING_ANSWER_MS);
    return host.driver.run((mesh, now) => mesh.ping(peer, now));
  }
}

function keyOf(peer: number, pingId: bigint): string {
  return `${peer} ${pingId}`;
}
