/**
 * Who makes a request, and in which organization (docs/controller.md 1, 2). The origin travels in
 * the transaction, so that finders stay within its scope and the ledger names who it was.
 */
import type { Permission, Role } from '@etherloom/api';
import { RequestError } from '../request-error.ts';

/** Who does something, as the ledger names it. */
export interface Actor {
  readonly kind: 'controller' | 'bootstrap' | 'user' | 'api_token' | 'node';
  /** null of the controller itself and of the bootstrap token. */
  readonly id: string | null;
  readonly name: string;
}

/** How a principal proved itself. */
export type Proof =
  | { readonly kind: 'bootstrap' }
  | {
      readonly kind: 'session';
      readonly id: string;
      /** Value of x-loom-csrf. */
      readonly csrf: string;
      readonly expiresAt: string;
    }
  | { readonly kind: 'api_token'; readonly id: string; readonly expiresAt: string | null };

/** Whoever has proved itself. */
export interface Principal {
  readonly actor: Actor;
  readonly proof: Proof;
  /** The user that it is, or whose token it is; null: admin.token, or a token made with it. */
  readonly userId: string | null;
  /** Its roles, by organization id. */
  readonly roles: ReadonlyMap<string, readonly Role[]>;
  /** May do everything in every organization. */
  readonly isSystem: boolean;
  /** What it may do, by organization id. */
  readonly grants: ReadonlyMap<string, ReadonlySet<Permission>>;
}

/** Where a transaction comes from. */
export interface Origin {
  readonly actor: Actor;
  /** Organization outside of which nothing exists; null: none, for what sees all. */
  readonly organizationId: string | null;
  readonly source: string | null;
  readonly requestId: string | null;
  /** Why, as whoever does it said. */
  readonly reason: string | null;
  /** ETag that what is changed must have. */
  readonly ifMatch?: string;
}

/** The controller acts by itself: joins, renewals, upkeep, links. */
export const CONTROLLER_ORIGIN: Origin = {
  actor: { kind: 'controller', id: null, name: 'controller' },
  organizationId: null,
  source: null,
  requestId: null,
  reason: null,
};

/** Scope of a principal that has a part in no organization, or in several and named none. */
export const NO_ORGANIZATION = '';

/** Throws forbidden unless `principal` holds all that these permissions allow there. */
export function checkHolds(
  principal: Principal,
  organizationId: string,
  permissions: Iterable<Permission>,
): void {
  if (principal.isSystem) return;
  const held = principal.grants.get(organizationId);
  for (const permission of permissions)
    if (held?.has(permission) !== true)
      throw new RequestError(
        'forbidden',
        `${principal.actor.name} lacks the permission ${permission}, and nobody gives away, or takes from another, what they do not hold`,
      );
}

/** Throws forbidden unless `principal` may do this within `organizationId`. */
export function checkPermission(
  principal: Principal,
  permission: Permission | 'self' | 'system',
  organizationId: string | null,
): void {
  if (permission === 'self' || principal.isSystem) return;
  if (organizationId === NO_ORGANIZATION && principal.grants.size > 1 && permission !== 'system')
    throw new RequestError(
      'invalid_request',
      'you have a part in several organizations: name one with the query parameter organization',
    );
  const grants = organizationId === null ? undefined : principal.grants.get(organizationId);
  if (permission !== 'system' && grants?.has(permission) === true) return;
  throw new RequestError(
    'forbidden',
    permission === 'system'
      ? `${principal.actor.name} is no system administrator`
      : `${principal.actor.name} lacks the permission ${permission} in this organization`,
  );
}
