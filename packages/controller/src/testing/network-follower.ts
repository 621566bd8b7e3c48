/**
 * For tests: what an agent makes of the messages of its link, with core's rules alone. It pins the
 * authority of its join token and takes no state that is not proved.
 */
import type { ControllerMessage, NetworkProof } from '@etherloom/api';
import type { Authority, VerifiedNetwork, VersionMarks } from '@etherloom/core';
import {
  applyDelta,
  applyPartial,
  applyProofDelta,
  applySnapshot,
  followAuthority,
  namedBy,
  openAuthority,
  toPartial,
  verifyNetworkState,
  verifyPartialState,
} from '@etherloom/core';

/** Follows all networks of one agent. */
export class NetworkFollower {
  readonly #anchor: string;
  #authority: Authority | undefined;
  readonly networks = new Map<string, VerifiedNetwork>();
  readonly #marks = new Map<string, VersionMarks>();

  constructor(authorityHash: string | null) {
    if (authorityHash === null) throw new Error('the token pins no authority');
    this.#anchor = authorityHash;
  }

  get authority(): Authority {
    if (this.#authority === undefined) throw new Error('no authority came');
    return this.#authority;
  }

  /** Takes a message; throws an Error that starts with the code of a refusal. */
  take(message: ControllerMessage): void {
    switch (message.type) {
      case 'authority':
        return this.#takeAuthority(message.chain);
      case 'snapshot': {
        const held = this.networks.get(message.state.config.id);
        const applied = applySnapshot(held?.state, message);
        if (!applied.ok) throw new Error(`${applied.refusal.code}: snapshot`);
        return this.#takeState(applied.state, message.proof);
      }
      case 'delta': {
        const held = this.networks.get(message.networkId);
        if (held === undefined) throw new Error('a delta came before a snapshot');
        const applied = applyDelta(held.state, message);
        if (!applied.ok) throw new Error(`${applied.refusal.code}: delta`);
        return this.#takeState(applied.state, applyProofDelta(held.proof, message));
      }
      case 'partial': {
        const { networkId } = message;
        const held = this.networks.get(networkId);
        const isWhole = held !== undefined && held.state.isPartial !== true;
        const next = applyPartial(isWhole ? toPartial(held) : held, message);
        const marks = this.#marks.get(networkId);
        const evidence = { ...next, authority: this.authority, held, marks };
        const result = verifyPartialState({ ...evidence, named: namedBy(message) });
        if (!result.ok) throw new Error(`${result.refusal.code}: ${result.refusal.detail}`);
        this.networks.set(networkId, result.verified);
        this.#marks.set(networkId, result.verified.marks);
        return;
      }
      case 'removed':
        this.networks.delete(message.networkId);
        return;
      default:
        return;
    }
  }

  #takeAuthority(chain: Extract<ControllerMessage, { type: 'authority' }>['chain']): void {
    const result =
      this.#authority === undefined
        ? openAuthority(this.#anchor, chain)
        : followAuthority(this.#authority, chain);
    if (!result.ok) throw new Error(`${result.refusal.code}: ${JSON.stringify(result.refusal)}`);
    this.#authority = result.authority;
  }

  #takeState(state: VerifiedNetwork['state'], proof: NetworkProof): void {
    const { id } = state.config;
    const result = verifyNetworkState({
      state,
      proof,
      authority: this.authority,
      held: this.networks.get(id),
      marks: this.#marks.get(id),
    });
    if (!result.ok) throw new Error(`${result.refusal.code}: ${result.refusal.detail}`);
    this.networks.set(id, result.verified);
    this.#marks.set(id, result.verified.marks);
  }
}
