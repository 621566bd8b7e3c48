/** What a principal is told about itself. */
import type { Whoami } from '@etherloom/api';
import { PERMISSIONS } from '@etherloom/api';
import type { Tx } from '../store/store.ts';
import type { Principal } from './principal.ts';

export async function whoami(tx: Tx, principal: Principal): Promise<Whoami> {
  const { actor, proof } = principal;
  const ids = [...principal.grants.keys()];
  const rows =
    ids.length === 0
      ? []
      : await tx.db
          .selectFrom('organizations')
          .select(['id', 'name'])
          .where('id', 'in', ids)
          .orderBy('name')
          .execute();
  return {
    kind: proof.kind === 'session' ? 'user' : proof.kind,
    id: actor.id,
    userId: principal.userId,
    name: actor.name,
    isSystemAdministrator: principal.isSystem,
    organizations: rows.map(({ id, name }) => ({
      id,
      name,
      roles: [...(principal.roles.get(id) ?? [])],
      permissions: PERMISSIONS.filter((permission) =>
        principal.isSystem ? true : principal.grants.get(id)?.has(permission),
      ),
    })),
    csrf: proof.kind === 'session' ? proof.csrf : null,
    expiresAt: proof.kind === 'bootstrap' ? null : proof.expiresAt,
  };
}
