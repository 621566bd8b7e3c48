/**
 * Rows of the database. Times are RFC 3339 text in UTC with milliseconds, which sorts like time;
 * addresses have a second form as 32 hex digits, which sorts like the address. Both are the same in
 * every database.
 */
import type { NodeState } from '@etherloom/api';
import type { AccessSchema } from './access-schema.ts';
import type { ClusterSchema } from './cluster-schema.ts';
import type { LedgerSchema } from './ledger-schema.ts';

export interface OrganizationRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
}

export interface NetworkRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly vni: number;
  readonly mtu_bytes: number;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** JSON of NetworkSettings. */
  readonly settings: string;
  /** Key of the lowest address that was never given; null with the pool. */
  readonly ipv4_cursor: string | null;
  readonly ipv6_cursor: string | null;
  readonly revision: number;
  /** Revision at which the config last changed. */
  readonly config_revision: number;
  /** Lowest revision from which a delta can be made: removals before it are forgotten. */
  readonly delta_floor: number;
  /** Last numbers given to statements; they only rise. */
  readonly statement_version: number;
  readonly roster_version: number;
  readonly credential_serial: number;
  /** Version of the authority for which all its statements were made; FRESH: for none of them. */
  readonly settled_authority: number;
  readonly created_at: string;
}

export interface NodeRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly sign_key: string;
  readonly session_key: string;
  /** JSON array of endpoint texts. */
  readonly endpoints: string;
  /** The node's signed record of them, base64url; null: it gave none. */
  readonly endpoint_record: string | null;
  readonly last_seen_at: string | null;
  /** Set: refused for good. The row stays so that its id and keys are known. */
  readonly removed_at: string | null;
  readonly state: NodeState;
  /** The node of which this one is a copy that got an identity of its own. */
  readonly cloned_from: string | null;
  readonly created_at: string;
}

/** The newest lease of a node, and who holds it. */
export interface LeaseRow {
  readonly node_id: string;
  readonly epoch: number;
  readonly hash: string;
  readonly previous_epoch: number;
  readonly previous_hash: string;
  readonly instance: string;
  /** JSON of HostHints. */
  readonly hints: string;
}

/** A lease that the rule `replace` took from its holder. */
export interface RetiredLeaseRow {
  readonly node_id: string;
  readonly epoch: number;
  readonly hash: string;
}

/** Lets one clone of a node become a node of its own. */
export interface SplitTicketRow {
  readonly secret_hash: string;
  readonly origin_node_id: string;
  /** The node that it made; the same one may present it again. */
  readonly used_by: string | null;
  readonly expires_at: string;
  readonly created_at: string;
}

/** What operators want. What members are told is in the tables of published statements. */
export interface MembershipRow {
  readonly network_id: string;
  readonly node_id: string;
  readonly mac: string;
  readonly created_at: string;
}

export interface AddressRow {
  readonly network_id: string;
  readonly address_key: string;
  readonly address: string;
  readonly family: number;
  /** Who has it or, when released, had it last. */
  readonly node_id: string | null;
  readonly released_at: string | null;
}

export interface ReservationRow {
  readonly id: string;
  readonly network_id: string;
  readonly address_key: string;
  readonly address: string;
  readonly family: number;
  readonly node_id: string | null;
  readonly note: string;
  readonly created_at: string;
}

export interface JoinTokenRowStored {
  readonly id: string;
  readonly network_id: string;
  readonly secret_hash: string;
  readonly uses: number;
  readonly uses_left: number;
  readonly expires_at: string;
  readonly created_at: string;
  readonly label: string | null;
  readonly offline_ok: number;
}

/** What a join token that is good without a controller has set aside. */
export interface VoucherRow {
  readonly token_id: string;
  /** JSON array. */
  readonly reservation_ids: string;
  /** What it made can be valid until then. */
  readonly keep_until: string;
}

/** A node that may still act on a VNI. */
export interface VniHolderRow {
  readonly vni: number;
  readonly network_id: string;
  readonly node_id: string;
  /** End of its last credential; null while it is a member. */
  readonly until: string | null;
}

/** How the keys of this controller are sealed; one row. */
export interface CustodyRow {
  readonly id: number;
  readonly kind: 'file' | 'passphrase';
  /** Salt and cost of scrypt, JSON; null for a key file. */
  readonly derivation: string | null;
  /** Sealed known bytes: a wrong key shows before it is used. */
  readonly proof: string;
}

/** A private key that this controller holds, sealed. */
export interface SealedKeyRow {
  readonly public_key: string;
  readonly organization_id: string;
  readonly purpose: 'authority' | 'renewal' | 'ledger';
  readonly sealed: string;
  /** Given up by the operator because the key that sealed it is lost. */
  readonly lost_at: string | null;
  readonly created_at: string;
}

/** A version of an organization's authority; the highest is in force. */
export interface AuthorityRow {
  readonly organization_id: string;
  readonly version: number;
  /** JSON of SignedStatement. */
  readonly statement: string;
  readonly hash: string;
  readonly created_at: string;
}

/** The signed network statement and roster that members hold. */
export interface PublishedNetworkRow {
  readonly network_id: string;
  /** JSON of SignedStatement. */
  readonly statement: string;
  readonly hash: string;
  readonly authority_version: number;
  /** JSON of SignedStatement. */
  readonly roster: string;
  readonly roster_authority_version: number;
  /** Revisions at which members last had to learn the roster and the revocations. */
  readonly roster_revision: number;
  readonly revocations_revision: number;
}

/** A credential that members hold. */
export interface PublishedMemberRow {
  readonly network_id: string;
  readonly node_id: string;
  /** JSON of SignedStatement. */
  readonly statement: string;
  readonly hash: string;
  readonly serial: number;
  readonly authority_version: number;
  /** JSON of SignedStatement; null: none. */
  readonly renewal: string | null;
  /** End by the renewal, or by the credential itself. */
  readonly expires_at: string;
  readonly renew_at: string;
  readonly renewable_until: string;
  readonly joined_revision: number;
  /** Revision at which its peers last had to learn something about this member. */
  readonly changed_revision: number;
  /** Revision at which credential or renewal changed. */
  readonly proof_revision: number;
  /** Three hex digits (core: rosterBucketOf); null: written by a former program. */
  readonly bucket: string | null;
}

/** An inner node of the tree by which a roster commits to credentials. */
export interface RosterNodeRow {
  readonly network_id: string;
  /** The digits that lead to it: none, one or two. */
  readonly path: string;
  /** Hashes of its 16 children, separated by spaces. */
  readonly children: string;
}

/** A count that is kept, so that a limit costs no reading of all. A missing one is made anew. */
export interface CountRow {
  readonly noun: string;
  /** What they are counted in: of members a network, of nodes an organization. */
  readonly scope: string;
  readonly count: number;
}

/** A revocation that members hold. */
export interface PublishedRevocationRow {
  readonly network_id: string;
  readonly node_id: string;
  /** JSON of SignedStatement. */
  readonly statement: string;
  readonly hash: string;
  readonly serial: number;
  readonly authority_version: number;
  /** Until then a credential that it ends could be valid. */
  readonly keep_until: string;
}

export type PendingKind = 'authority' | 'network' | 'credential' | 'revocation' | 'roster';

/** A statement that lacks signatures. */
export interface PendingStatementRow {
  /** What it is about: at most one statement waits for each. */
  readonly subject: string;
  readonly organization_id: string;
  readonly network_id: string | null;
  readonly node_id: string | null;
  readonly kind: PendingKind;
  readonly statement: string;
  readonly hash: string;
  /** End of a credential: afterwards it is not worth a signature; null: of use at any time. */
  readonly good_until: string | null;
  /** JSON of [{ key, signature }], verified. */
  readonly signatures: string;
  readonly created_at: string;
}

/**
 * A stay of a member that has ended: agents at a revision in [joined, removed) have to drop the
 * member.
 */
export interface TombstoneRow {
  readonly network_id: string;
  readonly node_id: string;
  readonly joined_revision: number;
  readonly removed_revision: number;
}

/** One row: what the database is, and who may write to it. */
export interface SchemaVersionRow {
  readonly version: number;
  /** Version of the oldest code that may write. */
  readonly oldest_writer: number;
}

export interface Schema extends AccessSchema, ClusterSchema, LedgerSchema {
  readonly leases: LeaseRow;
  readonly retired_leases: RetiredLeaseRow;
  readonly split_tickets: SplitTicketRow;
  readonly schema_version: SchemaVersionRow;
  readonly organizations: OrganizationRow;
  readonly networks: NetworkRow;
  readonly nodes: NodeRow;
  readonly memberships: MembershipRow;
  readonly addresses: AddressRow;
  readonly reservations: ReservationRow;
  readonly join_tokens: JoinTokenRowStored;
  readonly vouchers: VoucherRow;
  readonly vni_holders: VniHolderRow;
  readonly custody: CustodyRow;
  readonly sealed_keys: SealedKeyRow;
  readonly authorities: AuthorityRow;
  readonly published_networks: PublishedNetworkRow;
  readonly published_members: PublishedMemberRow;
  readonly published_revocations: PublishedRevocationRow;
  readonly roster_nodes: RosterNodeRow;
  readonly counts: CountRow;
  readonly pending_statements: PendingStatementRow;
  readonly tombstones: TombstoneRow;
}
