/**
 * Members of interest of the networks that are not pushed whole: tells the controller which ones
 * this host deals with, asks for those that it meets (an address that a program looks for, a
 * handshake of an unknown key), and says whom it has not dealt with for long. What comes of an ask
 * is state like any other, and goes through trust/.
 *
 * Programs, and anybody who reaches the UDP port, can make this host look for somebody: everything
 * here is bounded in number and rate, and an address that nobody has is remembered for a while.
 */
import { INTEREST_PIECE_MAX, toBase64url } from '@etherloom/api';
import type { AgentMessage, ControllerMessage, MemberKey } from '@etherloom/api';
import type { VerifiedNetwork } from '@etherloom/core';
import {
  ABSENT_KEPT_MAX,
  ABSENT_KEPT_MS,
  RESOLVES,
  RESOLVES_PENDING_MAX,
  RESOLVE_ANSWER_MS,
} from '../limits.ts';
import type { AgentTrust } from '../trust/agent-trust.ts';
import type { FoundAddress } from './first-packets.ts';
import { hasMember, keyOfMiss, textOfKey } from './member-keys.ts';
import type { Miss } from './member-keys.ts';

type ResolvedMessage = Extract<ControllerMessage, { type: 'resolved' }>;

export interface InterestRoomDeps {
  readonly trust: AgentTrust;
  readonly nodeId: () => string;
  readonly monotonicMs: () => number;
  readonly isLinked: () => boolean;
  readonly send: (message: AgentMessage) => void;
  /** Who has an address that a program looks for; the member is held. */
  readonly onFound: (found: FoundAddress) => void;
}

interface Ask {
  readonly networkId: string;
  readonly by: MemberKey;
  readonly key: string;
  readonly sentAtMs: number;
}

export class InterestRoom {
  readonly #deps: InterestRoomDeps;
  /** By request id; oldest first. */
  readonly #asks = new Map<number, Ask>();
  /** Keys that nobody has, and when that was said; oldest first. */
  readonly #absent = new Map<string, number>();
  /** Whom the controller was told of last, by network. */
  readonly #told = new Map<string, ReadonlySet<string>>();
  #requestId = 0;
  #tokens: number = RESOLVES.burst;
  #filledAtMs = 0;

  constructor(deps: InterestRoomDeps) {
    this.#deps = deps;
    this.#filledAtMs = deps.monotonicMs();
  }

  /** Names the members of a network that this host deals with. */
  tell(networkId: string): void {
    const network = this.#deps.trust.networks.find(
      ({ stored }) => stored.state.config.id === networkId,
    );
    const verified = network?.verified;
    const isProved = verified !== undefined && network?.isEnded === false;
    const ownId = this.#deps.nodeId();
    const all = (verified?.state.members ?? [])
      .map(({ nodeId }) => nodeId)
      .filter((nodeId) => nodeId !== ownId);
    const revision = isProved ? verified.state.revision : null;
    this.#told.set(networkId, new Set(all));
    for (let from = 0; from === 0 || from < all.length; from += INTEREST_PIECE_MAX)
      this.#deps.send({
        type: 'interest',
        networkId,
        revision,
        nodeIds: all.slice(from, from + INTEREST_PIECE_MAX),
        hasMore: from + INTEREST_PIECE_MAX < all.length,
      });
  }

  /**
   * The controller has answered a list. Who was told in between is not in it, and would not be
   * heard of: then the list is told again.
   */
  settle(networkId: string): void {
    const told = this.#told.get(networkId);
    const members = this.#deps.trust.verifiedOf(networkId)?.state.members ?? [];
    const ownId = this.#deps.nodeId();
    if (told === undefined) return;
    if (members.some(({ nodeId }) => nodeId !== ownId && !told.has(nodeId))) this.tell(networkId);
  }

  /** A frame looked for an address that no table knows. */
  miss(miss: Miss): void {
    for (const verified of this.#partial()) {
      if (verified.state.config.vni !== miss.vni) continue;
      const by = keyOfMiss(miss, verified.state.config);
      if (by !== undefined) this.#ask(verified, by);
    }
  }

  /** Somebody with this key wants a session, and is nobody that this host knows. */
  stranger(sessionKey: Uint8Array): void {
    const by = { sessionKey: toBase64url(sessionKey) };
    for (const verified of this.#partial())
      if (this.#hasRoomForStrangers()) this.#ask(verified, by);
  }

  takeResolved({ requestId, nodeId, isRefused }: ResolvedMessage): void {
    const ask = this.#asks.get(requestId);
    this.#asks.delete(requestId);
    if (ask === undefined || isRefused) return;
    if (nodeId !== null) {
      const { networkId, by } = ask;
      if ('ip' in by) this.#deps.onFound({ networkId, nodeId, ip: by.ip });
      return;
    }
    this.#absent.delete(ask.key);
    this.#absent.set(ask.key, this.#deps.monotonicMs());
    if (this.#absent.size > ABSENT_KEPT_MAX) dropFirst(this.#absent);
  }

  /** What was asked on a link that is gone is not answered. */
  unlinked(): void {
    this.#asks.clear();
    this.#told.clear();
  }

  #partial(): VerifiedNetwork[] {
    return this.#deps.trust.networks.flatMap(({ verified, isEnded }) =>
      verified?.state.isPartial === true && !isEnded ? [verified] : [],
    );
  }

  #ask({ state }: VerifiedNetwork, by: MemberKey): void {
    if (!this.#deps.isLinked() || hasMember(state, by)) return;
    const networkId = state.config.id;
    const key = `${networkId} ${textOfKey(by)}`;
    const nowMs = this.#deps.monotonicMs();
    this.#forget(nowMs);
    const absentAtMs = this.#absent.get(key);
    if (absentAtMs !== undefined && nowMs - absentAtMs < ABSENT_KEPT_MS) return;
    if ([...this.#asks.values()].some((ask) => ask.key === key)) return;
    if (this.#asks.size >= RESOLVES_PENDING_MAX || !this.#takeToken(nowMs)) return;
    this.#requestId = (this.#requestId + 1) >>> 0;
    this.#asks.set(this.#requestId, { networkId, by, key, sentAtMs: nowMs });
    this.#deps.send({ type: 'resolve', requestId: this.#requestId, networkId, by });
  }

  /** Anybody can be a stranger: half is kept for what this host itself looks for. */
  #hasRoomForStrangers(): boolean {
    this.#fillTokens(this.#deps.monotonicMs());
    return this.#tokens > RESOLVES.burst / 2 && this.#asks.size < RESOLVES_PENDING_MAX / 2;
  }

  #forget(nowMs: number): void {
    for (const [id, { sentAtMs }] of this.#asks)
      if (nowMs - sentAtMs >= RESOLVE_ANSWER_MS) this.#asks.delete(id);
  }

  #fillTokens(nowMs: number): void {
    const gained = ((nowMs - this.#filledAtMs) * RESOLVES.perSecond) / 1_000;
    this.#tokens = Math.min(RESOLVES.burst, this.#tokens + gained);
    this.#filledAtMs = nowMs;
  }

  #takeToken(nowMs: number): boolean {
    this.#fillTokens(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

function dropFirst(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
