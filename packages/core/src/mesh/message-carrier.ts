/**
 * Carries messages of other rooms of the agent over sessions, in fragments where they are longer
 * than a datagram. Nothing is repeated: who needs an answer asks again.
 */
import { Joiner } from '../joiner.ts';
import { MESSAGE_TYPE_MIN, splitMessage } from './control-messages.ts';
import type { Fragment } from './control-messages.ts';
import {
  FRAGMENTED_BYTES_MAX,
  FRAGMENTED_MESSAGES_MAX,
  FRAGMENTS_WAIT_MS,
  MESSAGE_BYTES_MAX,
} from './limits.ts';
import type { Outbox } from './outbox.ts';
import type { PeerRecord } from './peer-record.ts';

export class MessageCarrier {
  readonly #outbox: Outbox;
  readonly #fragments = new Joiner({
    entriesMax: FRAGMENTED_MESSAGES_MAX,
    bytesMax: FRAGMENTED_BYTES_MAX,
    messageBytesMax: MESSAGE_BYTES_MAX,
    waitMs: FRAGMENTS_WAIT_MS,
  });
  #messageId = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** Throws RangeError for a message longer than MESSAGE_BYTES_MAX. */
  send(record: PeerRecord, bytes: Uint8Array, now: number): void {
    this.#messageId = (this.#messageId + 1) >>> 0;
    for (const body of splitMessage(bytes, this.#messageId))
      this.#outbox.sendControl(record, body, now);
  }

  /** Two slots for each peer, so that messages that follow each other may overlap on the way. */
  takeFragment(record: PeerRecord, fragment: Fragment, now: number): void {
    const { messageId: tag, index, count, bytes } = fragment;
    const key = `${record.peer} ${tag % 2}`;
    const outcome = this.#fragments.take(key, { tag, index, count, bytes }, now);
    if (outcome === 'waiting') return;
    const isWhole = typeof outcome !== 'string' && (outcome[0] ?? 0) >= MESSAGE_TYPE_MIN;
    if (isWhole) this.deliver(record, outcome);
    else this.#outbox.refuse('fragment_invalid');
  }

  deliver(record: PeerRecord, bytes: Uint8Array): void {
    this.#outbox.tell({ type: 'message', peer: record.peer, bytes });
  }
}
