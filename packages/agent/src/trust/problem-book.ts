/**
 * What the agent refuses or misses, for a person to look at: by network and matter, so that there
 * is one of a kind and its end is known. Shown by `loom status`, told in the log, and told the
 * controller.
 */
import type { AgentProblem } from '@etherloom/api';
import { AGENT_PROBLEMS_MAX } from '@etherloom/api';

/** What a problem is about; each matter of a network has one problem at most. */
export type Matter =
  | 'state'
  | 'peers'
  | 'revision'
  | 'validity'
  | 'authority'
  | 'clock'
  | 'disk'
  | 'removal'
  | 'place'
  | 'holders'
  | 'voucher'
  | 'doubled';

/** Longest message that is told: as long as the contract takes. */
const MESSAGE_CHARS_MAX = 1_000;

export interface ProblemBookDeps {
  /** Trusted time, RFC 3339. */
  readonly now: () => string;
  /** Told of each that begins, and of each change. */
  readonly onChange: (added: AgentProblem | undefined) => void;
}

export class ProblemBook {
  readonly #deps: ProblemBookDeps;
  readonly #problems = new Map<string, AgentProblem>();

  constructor(deps: ProblemBookDeps) {
    this.#deps = deps;
  }

  /** Notes a problem; the same one again keeps its beginning and is not told again. */
  note(networkId: string | null, matter: Matter, what: { code: string; detail: string }): void {
    const key = keyOf(networkId, matter);
    const message = what.detail.slice(0, MESSAGE_CHARS_MAX);
    const held = this.#problems.get(key);
    if (held?.code === what.code && held.message === message) return;
    if (held === undefined && this.#problems.size >= AGENT_PROBLEMS_MAX) return;
    const since = held?.code === what.code ? held.since : this.#deps.now();
    const problem = { networkId, code: what.code, message, since };
    this.#problems.set(key, problem);
    this.#deps.onChange(problem);
  }

  /** Ends the problem of a matter. */
  end(networkId: string | null, matter: Matter): void {
    if (this.#problems.delete(keyOf(networkId, matter))) this.#deps.onChange(undefined);
  }

  /** Ends all of a network that is left. */
  endNetwork(networkId: string): void {
    const before = this.#problems.size;
    for (const [key, problem] of this.#problems)
      if (problem.networkId === networkId) this.#problems.delete(key);
    if (this.#problems.size !== before) this.#deps.onChange(undefined);
  }

  get all(): readonly AgentProblem[] {
    return [...this.#problems.values()];
  }

  of(networkId: string): readonly AgentProblem[] {
    return this.all.filter((problem) => problem.networkId === networkId);
  }
}

function keyOf(networkId: string | null, matter: Matter): string {
  return `${networkId ?? ''} ${matter}`;
}
