/**
 * Two agents that hold the key of one peer: a copied disk that was booted beside its origin
 * (docs/trust.md 5). Each agent names its instance, drawn at its start. A handshake message of
 * another instance than the one in use is held while the latter is pinged: when it answers, both
 * live, and the newcomer is refused; when a restarted agent answers over the old session, or nobody
 * does, the peer has moved or was started anew, and its message is taken.
 */
import { encodePing } from './control-messages.ts';
import type { Pong } from './control-messages.ts';
import { HOLD_MS, HOLD_MS_MAX, HOLD_PING_MS, QUARANTINE_MS } from './limits.ts';
import type { Outbox } from './outbox.ts';
import { compareBytes } from './peer-record.ts';
import type { HeldNewcomer, PeerRecord } from './peer-record.ts';

/** Who speaks in a handshake message. */
export type Newcomer = Pick<HeldNewcomer, 'instance' | 'startCount' | 'endpoint' | 'resume'>;

export class TwoHolders {
  readonly #outbox: Outbox;
  readonly #nextPingId: () => bigint;

  constructor(outbox: Outbox, nextPingId: () => bigint) {
    this.#outbox = outbox;
    this.#nextPingId = nextPingId;
  }

  /**
   * Whether a proved handshake message may be taken now. If not it was refused, or is held and
   * `resume` is called later.
   */
  admits(record: PeerRecord, newcomer: Newcomer, now: number): boolean {
    const { active, quarantine, held } = record;
    const isQuarantined =
      quarantine !== undefined &&
      now < quarantine.until &&
      isSame(quarantine.instance, newcomer.instance);
    if (isQuarantined) return this.#refuse();
    if (active === undefined || !record.isUp) return true;
    if (isSame(active.instance, newcomer.instance)) return true;
    if (held !== undefined && !isSame(held.instance, newcomer.instance)) return this.#refuse();
    if (held !== undefined) record.held = { ...held, ...newcomer };
    else this.#hold(record, newcomer, now);
    return false;
  }

  /** Should be called with each pong to a ping under way. */
  takePong(record: PeerRecord, pong: Pong, now: number): void {
    const { held } = record;
    if (held === undefined || !held.pings.has(pong.id)) return;
    record.held = undefined;
    if (isSame(held.instance, pong.instance)) return held.resume(now);
    // After a restart of this host the ordinals that it had accepted are forgotten: an initiation
    // of a former start of the peer may have been recorded.
    if (held.startCount !== undefined && held.startCount < pong.startCount)
      return this.#outbox.refuse('ordinal_replayed');
    record.quarantine = { instance: held.instance, until: now + QUARANTINE_MS };
    this.#outbox.refuse('instance_doubled');
    this.#outbox.tell({
      type: 'peerDoubled',
      peer: record.peer,
      instances: [pong.instance, held.instance],
      endpoints: [record.endpoint, held.endpoint],
    });
  }

  /** Does what is due for a held message. */
  handleTimeout(record: PeerRecord, now: number): void {
    const { held } = record;
    if (held === undefined) return;
    if (held.until <= now) {
      record.held = undefined;
      held.resume(now);
    } else if (held.nextPingAt <= now) this.#ping(record, held, now);
  }

  #refuse(): false {
    this.#outbox.refuse('instance_doubled');
    return false;
  }

  #hold(record: PeerRecord, newcomer: Newcomer, now: number): void {
    const waitMs = Math.min(Math.max(HOLD_MS, 2 * (record.rttMs ?? 0) + HOLD_PING_MS), HOLD_MS_MAX);
    const held = { ...newcomer, until: now + waitMs, pings: new Set<bigint>(), nextPingAt: now };
    record.held = held;
    this.#ping(record, held, now);
  }

  #ping(record: PeerRecord, held: HeldNewcomer, now: number): void {
    const id = this.#nextPingId();
    held.nextPingAt = now + HOLD_PING_MS;
    held.pings.add(id);
    record.pings.set(id, now);
    this.#outbox.sendControl(record, encodePing(id), now);
  }
}

/** Whether two instances are known and the same. */
export function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && compareBytes(a, b) === 0;
}
