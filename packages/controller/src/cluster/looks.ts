/**
 * What a controller asks another one about nodes whose links that one has, when a person looks:
 * their reports, or the problems that their agents told.
 *
 * Questions of a moment to one controller travel together. An answer comes in pieces; one that is
 * longer than a notification lies in the database for whoever asked, and nobody else reads it.
 * Taken is only what was asked for, within a deadline.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { LOOKS_MAX, LOOK_GATHER_MS, LOOK_NODES_MAX } from '../limits.ts';
import { errorText } from '../startup-error.ts';
import type { PeerMessage } from './messages.ts';
import type { LookEntry } from './look-text.ts';
import { unpackEntries } from './look-text.ts';

export type LookMessage = Extract<PeerMessage, { type: 'look' }>;
export type LookedMessage = Extract<PeerMessage, { type: 'looked' }>;

/** What is asked for, and of whom. */
export interface Look {
  readonly controllerId: string;
  /** Peers that a report may have; null: problems are asked for, not reports. */
  readonly peersMax: number | null;
  readonly deadlineMs: number;
}

export interface LooksDeps {
  readonly say: (message: PeerMessage) => void;
  /** Takes a text that was left in the database; undefined: there is none. */
  readonly collect: (key: string) => Promise<string | undefined>;
  readonly log: Logger;
}

type Answer = (entry: LookEntry | undefined) => void;

interface Question {
  readonly look: Look;
  readonly answers: Map<string, Answer[]>;
}

interface Asked {
  readonly answers: Map<string, Answer[]>;
  readonly timer: NodeJS.Timeout;
  /** Pieces are dealt with one after the other. */
  work: Promise<void>;
}

export class Looks {
  readonly #deps: LooksDeps;
  /** Not said yet, by what is asked for and of whom. */
  readonly #gathering = new Map<string, Question>();
  readonly #asked = new Map<string, Asked>();

  constructor(deps: LooksDeps) {
    this.#deps = deps;
  }

  /** What another controller says of a node; undefined: nothing within the deadline. */
  ask(look: Look, nodeId: string): Promise<LookEntry | undefined> {
    if (this.#asked.size + this.#gathering.size >= LOOKS_MAX) return Promise.resolve(undefined);
    const key = `${look.controllerId} ${look.peersMax}`;
    const question = this.#gathering.get(key) ?? this.#begin(key, look);
    return new Promise((answer) => {
      question.answers.set(nodeId, [...(question.answers.get(nodeId) ?? []), answer]);
      if (question.answers.size >= LOOK_NODES_MAX) this.#send(key, question);
    });
  }

  #begin(key: string, look: Look): Question {
    const question: Question = { look, answers: new Map() };
    this.#gathering.set(key, question);
    setTimeout(() => this.#send(key, question), LOOK_GATHER_MS);
    return question;
  }

  #send(key: string, { look, answers }: Question): void {
    if (this.#gathering.get(key)?.answers !== answers) return; // sent before, being full
    this.#gathering.delete(key);
    const id = randomBytes(8).toString('hex');
    const timer = setTimeout(() => this.#end(id), look.deadlineMs);
    this.#asked.set(id, { answers, timer, work: Promise.resolve() });
    const { controllerId, peersMax } = look;
    this.#deps.say({ type: 'look', id, controllerId, peersMax, nodeIds: [...answers.keys()] });
  }

  /** Should be called with each piece of an answer, whoever asked for it. */
  take(piece: LookedMessage): void {
    const asked = this.#asked.get(piece.id);
    if (asked === undefined) return;
    asked.work = asked.work
      .then(() => this.#takePiece(piece, asked))
      .catch((error: unknown) =>
        this.#deps.log.warn({ reason: errorText(error) }, 'the answer of a controller is lost'),
      );
  }

  async #takePiece({ id, text, key, isLast }: LookedMessage, asked: Asked): Promise<void> {
    const packed = text ?? (key === null ? undefined : await this.#deps.collect(key));
    const entries = packed === undefined ? [] : await unpackEntries(packed);
    for (const entry of entries) {
      for (const answer of asked.answers.get(entry.nodeId) ?? []) answer(entry);
      asked.answers.delete(entry.nodeId);
    }
    if (isLast) this.#end(id);
  }

  /** Whoever was not answered is not waited for any longer. */
  #end(id: string): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    for (const answers of asked.answers.values()) for (const answer of answers) answer(undefined);
    asked.answers.clear();
  }

  /** Nobody is answered any more. */
  stop(): void {
    for (const [key, question] of this.#gathering) this.#send(key, question);
    for (const id of this.#asked.keys()) this.#end(id);
  }
}
