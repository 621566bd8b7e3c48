/**
 * Answers what other controllers ask about nodes whose links are here: each node as it answers,
 * gathered for a moment, so that one that is slow holds up nobody and a thousand are few texts.
 */
import type { Logger } from 'pino';
import { LOOKS_ANSWERED_MAX, LOOK_INLINE_BYTES, LOOK_PIECE_MS } from '../limits.ts';
import { errorText } from '../startup-error.ts';
import type { LookEntry } from './look-text.ts';
import { packEntries } from './look-text.ts';
import type { LookMessage } from './looks.ts';
import type { PeerMessage } from './messages.ts';

export interface LookAnswersDeps {
  readonly say: (message: PeerMessage) => void;
  /** Leaves a text in the database for whoever asked. Rejects with `unavailable`. */
  readonly leave: (key: string, text: string) => Promise<void>;
  /** What is known here of a node; null: nothing that has to be said. Never rejects. */
  readonly look: (nodeId: string, peersMax: number | null) => Promise<LookEntry | null>;
  readonly log: Logger;
}

export class LookAnswers {
  readonly #deps: LookAnswersDeps;
  #running = 0;

  constructor(deps: LookAnswersDeps) {
    this.#deps = deps;
  }

  /** Never throws; above the bound whoever asked learns nothing, and waits out its deadline. */
  answer(asked: LookMessage): void {
    if (this.#running >= LOOKS_ANSWERED_MAX) return;
    this.#running += 1;
    this.#answer(asked)
      .catch((error: unknown) =>
        this.#deps.log.debug({ reason: errorText(error) }, 'another controller was not answered'),
      )
      .finally(() => {
        this.#running -= 1;
      });
  }

  async #answer({ id, nodeIds, peersMax }: LookMessage): Promise<void> {
    const ready: LookEntry[] = [];
    const all = Promise.all(
      nodeIds.map(async (nodeId) => {
        const entry = await this.#deps.look(nodeId, peersMax);
        if (entry !== null) ready.push(entry);
      }),
    );
    let isLast = false;
    let count = 0;
    while (!isLast) {
      isLast = await isOver(all);
      const packed = await packEntries(ready.splice(0));
      if (isLast && packed.length === 0)
        this.#deps.say({ type: 'looked', id, text: null, key: null, isLast });
      for (const [i, text] of packed.entries()) {
        const isEnd = isLast && i === packed.length - 1;
        await this.#give(text, { id, key: `${id}.${count}`, isLast: isEnd });
        count += 1;
      }
    }
  }

  async #give(
    text: string,
    piece: { readonly id: string; readonly key: string; readonly isLast: boolean },
  ): Promise<void> {
    if (text.length <= LOOK_INLINE_BYTES)
      return this.#deps.say({ type: 'looked', ...piece, text, key: null });
    await this.#deps.leave(piece.key, text);
    this.#deps.say({ type: 'looked', ...piece, text: null });
  }
}

/** Waits for the end of `all`, LOOK_PIECE_MS at most. */
async function isOver(all: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const pause = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), LOOK_PIECE_MS);
  });
  const isDone = await Promise.race([all.then(() => true as const), pause]);
  clearTimeout(timer);
  return isDone;
}
