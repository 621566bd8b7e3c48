/** The words between the gossip machine and the shell that drives it. */
import type { SignedStatement } from '@etherloom/api';
import type { Endpoint } from '../endpoint.ts';

/** A member of a network of this host, other than this host. */
export interface GossipMember {
  /** 32 hex digits. */
  readonly nodeId: string;
  /** Undefined: no peer of the mesh. */
  readonly peer: number | undefined;
  /** Ed25519, base64url. */
  readonly signKey: string;
  readonly networkIds: readonly string[];
}

/** What the owner of statements says of one that a member has passed on. */
export type StatementVerdict =
  /** Signed, and not held before: it is passed on. A later one of a topic replaces the former. */
  | { readonly verdict: 'fresh'; readonly networkId: string; readonly topic: string }
  | { readonly verdict: 'known' }
  /** Signed by nobody who counts, or about nothing that concerns this host. */
  | { readonly verdict: 'refused' };

export interface GossipDeps {
  readonly random: (bytes: number) => Uint8Array;
  /** 32 hex digits. */
  readonly ownNodeId: string;
  /** `signatures` is what came with the text, not looked at yet. */
  readonly judge: (
    heard: { readonly statement: string; readonly signatures: unknown },
    fromNodeId: string,
  ) => StatementVerdict;
}

/** Why gossip was not taken. Each has a counter; the names are metric names. Append only. */
export const GOSSIP_REFUSALS = [
  ['gossip_message_invalid', 'a message that has no layout of its type'],
  ['gossip_sender_unknown', 'from a peer that is no member of any shared network'],
  ['gossip_sender_limited', 'this member sends too much, or too much that is refused'],
  ['gossip_member_unknown', 'a record of no member of a network shared with the sender'],
  ['gossip_record_unsigned', 'a record that its node has not signed'],
  ['gossip_statement_refused', 'a statement without the signatures that count'],
  ['gossip_ask_limited', 'this member asks too often'],
] as const;
export type GossipRefusal = (typeof GOSSIP_REFUSALS)[number][0];

/** What the shell has to do, in order. */
export type GossipAction =
  | { readonly kind: 'send'; readonly peer: number; readonly bytes: Uint8Array }
  /** A member says that it is reached here; verified, and later than what was held. */
  | {
      readonly kind: 'endpointsHeard';
      readonly nodeId: string;
      readonly peer: number | undefined;
      readonly endpoints: readonly Endpoint[];
      readonly record: Uint8Array;
    };

/** A statement of this host's own knowledge, to be told. */
export interface OwnStatement {
  readonly signed: SignedStatement;
  readonly networkId: string;
  readonly topic: string;
}
