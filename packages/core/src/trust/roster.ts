/**
 * What a roster commits to, and how a proof moves on with a delta (docs/trust.md 4). The order in
 * which statements are kept or sent has no meaning.
 */
import type {
  CredentialStatement,
  Delta,
  MemberProof,
  NetworkProof,
  SignedStatement,
} from '@etherloom/api';
import { compareText, hexOf } from '../network-state/canonical.ts';
import { sha256 } from '../noise/symmetric-state.ts';
import { rosterTreeRoot } from './roster-tree.ts';
import type { RosterEntry } from './roster-tree.ts';
import { hashStatement } from './statement.ts';

/** SHA-256 of the sorted hashes, joined by line feeds; of nothing for an empty list. */
export function rosterHash(hashes: readonly string[]): string {
  const text = hashes.toSorted(compareText).join('\n');
  return hexOf(sha256(new TextEncoder().encode(text)));
}

/** The four fields of a roster that follow from a proof. */
export interface RosterContent {
  readonly network: string;
  readonly memberCount: number;
  readonly credentials: string;
  readonly revocationCount: number;
  readonly revocations: string;
}

/** What the roster of these statements has to say. */
export function rosterContentOf(proof: {
  readonly network: SignedStatement;
  readonly credentials: readonly SignedStatement[];
  readonly revocations: readonly SignedStatement[];
}): RosterContent {
  const hashesOf = (all: readonly SignedStatement[]): string[] =>
    all.map(({ statement }) => hashStatement(statement));
  return {
    network: hashStatement(proof.network.statement),
    memberCount: proof.credentials.length,
    credentials: rosterTreeRoot(proof.credentials.map(entryOf)),
    revocationCount: proof.revocations.length,
    revocations: rosterHash(hashesOf(proof.revocations)),
  };
}

function entryOf({ statement }: SignedStatement): RosterEntry {
  const { nodeId } = JSON.parse(statement) as CredentialStatement; // the caller signed it as one
  return { nodeId, hash: hashStatement(statement) };
}

/**
 * The proof after a delta: what the delta leaves out stays, and who is removed from the state is
 * removed from the proof. Whether the result proves anything is for verifyNetworkState to say.
 */
export function applyProofDelta(
  held: NetworkProof,
  delta: Pick<Delta, 'removals' | 'proof'>,
): NetworkProof {
  const removed = new Set(delta.removals);
  const members: Record<string, MemberProof> = {};
  for (const [nodeId, proof] of Object.entries(held.members))
    if (!removed.has(nodeId)) members[nodeId] = proof;
  Object.assign(members, delta.proof.members);
  return {
    network: delta.proof.network ?? held.network,
    roster: delta.proof.roster ?? held.roster,
    revocations: delta.proof.revocations ?? held.revocations,
    members,
  };
}
