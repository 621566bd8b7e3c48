/** Rows of users and what they log in with. */
import type { Role } from '@etherloom/api';

export interface UserRow {
  readonly id: string;
  /** Where its name is known and it logs in. */
  readonly organization_id: string;
  readonly name: string;
  /** In PHC form; null: it logs in by its provider alone. */
  readonly password_hash: string | null;
  readonly is_system: number;
  readonly provider_id: string | null;
  /** Who it is at its provider. */
  readonly subject: string | null;
  readonly last_login_at: string | null;
  readonly created_at: string;
}

export interface UserRoleRow {
  readonly user_id: string;
  readonly organization_id: string;
  readonly role: Role;
  /** local: given by somebody; groups: follows the groups at its provider. */
  readonly source: 'local' | 'groups';
}

export interface SessionRow {
  readonly id: string;
  readonly user_id: string;
  readonly secret_hash: string;
  readonly source: string;
  readonly last_seen_at: string;
  readonly expires_at: string;
  readonly created_at: string;
}

export interface ApiTokenRow {
  readonly id: string;
  readonly organization_id: string;
  /** null: made with admin.token. */
  readonly user_id: string | null;
  readonly name: string;
  readonly prefix: string;
  readonly secret_hash: string;
  /** null: whatever its user may do. */
  readonly role: Role | null;
  /** JSON array of permissions; null: all of its role. */
  readonly scopes: string | null;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly created_at: string;
}

export interface IdentityProviderRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly issuer: string;
  readonly client_id: string;
  readonly sealed_secret: string | null;
  readonly groups_claim: string;
  /** JSON array of { group, role }. */
  readonly group_roles: string;
  readonly refuses_unmapped: number;
  /** 1: a system administrator added it; it may be at a private address. */
  readonly reaches_private: number;
  readonly created_at: string;
}

export interface AccessSchema {
  readonly users: UserRow;
  readonly user_roles: UserRoleRow;
  readonly sessions: SessionRow;
  readonly api_tokens: ApiTokenRow;
  readonly identity_providers: IdentityProviderRow;
}
