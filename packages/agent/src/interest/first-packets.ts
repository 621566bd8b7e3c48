/**
 * The packet that made this host look for a member waits in the kernel, which asks for the MAC
 * again after a second. As soon as there is a session the kernel is told, as by an answer to its
 * first question, and sends what waits. An entry that comes too late, or twice, says what the next
 * answer would say, and ages like one.
 */
import type { NetworkState } from '@etherloom/api';
import { FIRST_PACKETS_MAX, FIRST_PACKET_MS } from '../limits.ts';

/** An address that a program looks for, and who has it. */
export interface FoundAddress {
  readonly networkId: string;
  readonly nodeId: string;
  readonly ip: string;
}

export interface FirstPacketsDeps {
  readonly monotonicMs: () => number;
  readonly stateOf: (networkId: string) => NetworkState | undefined;
  readonly deviceOf: (networkId: string) => string | undefined;
  /** Runs commands of `ip`. */
  readonly runIp: (commands: string[][]) => Promise<void>;
}

export class FirstPackets {
  readonly #deps: FirstPacketsDeps;
  /** Oldest first. */
  #found: (FoundAddress & { readonly atMs: number })[] = [];

  constructor(deps: FirstPacketsDeps) {
    this.#deps = deps;
  }

  note(found: FoundAddress): void {
    const atMs = this.#deps.monotonicMs();
    this.#found = [...this.#found, { ...found, atMs }].slice(-FIRST_PACKETS_MAX);
  }

  /** Tells the kernel of those for whom `isUp` says that there is a session. */
  async tell(isUp: (nodeId: string) => boolean): Promise<void> {
    if (this.#found.length === 0) return;
    const nowMs = this.#deps.monotonicMs();
    const recent = this.#found.filter(({ atMs }) => nowMs - atMs < FIRST_PACKET_MS);
    const ready = recent.filter(({ nodeId }) => isUp(nodeId));
    this.#found = recent.filter((found) => !ready.includes(found));
    const commands = ready.flatMap((found) => this.#commandFor(found));
    // The kernel asks again by itself where this fails.
    if (commands.length > 0) await this.#deps.runIp(commands).catch(() => undefined);
  }

  #commandFor({ networkId, nodeId, ip }: FoundAddress): string[][] {
    const device = this.#deps.deviceOf(networkId);
    const members = this.#deps.stateOf(networkId)?.members ?? [];
    const member = members.find((other) => other.nodeId === nodeId);
    if (device === undefined || member?.addresses.includes(ip) !== true) return [];
    const words = ['neighbour', 'replace', ip, 'lladdr', member.mac, 'dev', device];
    return [[...words, 'nud', 'reachable']];
  }
}
