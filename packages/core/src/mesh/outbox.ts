/**
 * What the mesh wants done, in order, until the shell takes it. Sends are dropped when it is full;
 * table changes never are.
 */
import { sameEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import type { RefusalReason } from '../handshake/refusals.ts';
import { ACTIONS_MAX } from './limits.ts';
import type { PeerRecord } from './peer-record.ts';
import type { MeshAction, MeshEvent } from './types.ts';

export class Outbox {
  #actions: MeshAction[] = [];
  readonly #refusals = new Map<RefusalReason, number>();

  drain(): MeshAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** Table changes and events; their number is bounded by peers and sessions. */
  push(action: Exclude<MeshAction, { kind: 'sendDatagram' | 'sendControl' }>): void {
    this.#actions.push(action);
  }

  tell(event: MeshEvent): void {
    this.push({ kind: 'event', event });
  }

  sendDatagram(endpoint: Endpoint, bytes: Uint8Array): void {
    this.#pushSend({ kind: 'sendDatagram', endpoint, bytes });
  }

  sendControl(record: PeerRecord, bytes: Uint8Array, now: number, endpoint?: Endpoint): void {
    record.controlSentAt = now;
    const { peer } = record;
    const isElsewhere = endpoint !== undefined && !sameEndpoint(endpoint, record.endpoint);
    this.#pushSend(
      isElsewhere
        ? { kind: 'sendControl', peer, endpoint, bytes }
        : { kind: 'sendControl', peer, bytes },
    );
  }

  refuse(reason: RefusalReason): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }

  get refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#refusals;
  }

  #pushSend(action: MeshAction): void {
    if (this.#actions.length >= ACTIONS_MAX) this.refuse('actions_full');
    else this.#actions.push(action);
  }
}
