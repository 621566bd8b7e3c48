/** Nobody gives away more than they hold. */
import { ROLE_PERMISSIONS } from '@etherloom/api';
import type { Role } from '@etherloom/api';
import { expect, test } from 'vitest';
import { grantableRoles } from './grants.ts';

test.each<[Role, readonly Role[]]>([
  ['owner', ['owner', 'admin', 'operator', 'auditor', 'member']],
  ['admin', ['admin', 'operator', 'auditor', 'member']],
  ['operator', ['operator', 'member']],
  ['member', ['member']],
])('%s may give %j', (role, roles) => {
  const can = (permission: (typeof ROLE_PERMISSIONS)[Role][number]): boolean =>
    ROLE_PERMISSIONS[role].includes(permission);
  expect([...grantableRoles(can)]).toEqual(roles);
});
