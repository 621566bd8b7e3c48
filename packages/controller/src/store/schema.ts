/**
 * Rows of the database. Times are RFC 3339 text in UTC with milliseconds, which sorts like time;
 * addresses have a second form as 32 hex digits, which sorts like the address. Both are the same in
 * every database.
 */

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
  /** Key of the lowest address that was never given; null with the pool. */
  readonly ipv4_cursor: string | null;
  readonly ipv6_cursor: string | null;
  readonly revision: number;
  /** Revision at which the config last changed. */
  readonly config_revision: number;
  /** Lowest revision from which a delta can be made: removals before it are forgotten. */
  readonly delta_floor: number;
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
  readonly last_seen_at: string | null;
  /** Set: refused for good. The row stays so that its id and keys are known. */
  readonly removed_at: string | null;
  readonly created_at: string;
}

export interface MembershipRow {
  readonly network_id: string;
  readonly node_id: string;
  readonly mac: string;
  readonly joined_revision: number;
  /** Revision at which its peers last had to learn something about this member. */
  readonly changed_revision: number;
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
}

export interface VniQuarantineRow {
  readonly vni: number;
  readonly until: string;
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

export interface Schema {
  readonly schema_version: { readonly version: number };
  readonly organizations: OrganizationRow;
  readonly networks: NetworkRow;
  readonly nodes: NodeRow;
  readonly memberships: MembershipRow;
  readonly addresses: AddressRow;
  readonly reservations: ReservationRow;
  readonly join_tokens: JoinTokenRowStored;
  readonly vni_quarantine: VniQuarantineRow;
  readonly tombstones: TombstoneRow;
}
