/** Groups of an identity provider and the roles that they give, as lines: `admins = admin`. */
import { ROLES } from '@etherloom/api';
import type { Role } from '@etherloom/api';

export interface GroupRole {
  readonly group: string;
  readonly role: Role;
}

/** Lines as they are edited. */
export function formatGroupRoles(groupRoles: readonly GroupRole[]): string {
  return groupRoles.map(({ group, role }) => `${group} = ${role}`).join('\n');
}

/** What the lines say; `wrong` names the first that says nothing. */
export function parseGroupRoles(text: string): {
  readonly groupRoles: readonly GroupRole[];
  readonly wrong: string | null;
} {
  const groupRoles: GroupRole[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const at = line.lastIndexOf('=');
    const group = line.slice(0, Math.max(at, 0)).trim();
    const role = ROLES.find((each) => each === line.slice(at + 1).trim());
    if (group === '' || role === undefined)
      return { groupRoles: [], wrong: `"${line.trim()}" is not: group = role` };
    groupRoles.push({ group, role });
  }
  return { groupRoles, wrong: null };
}
