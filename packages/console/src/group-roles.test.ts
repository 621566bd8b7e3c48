/** Groups and roles as lines. */
import { expect, test } from 'vitest';
import { formatGroupRoles, parseGroupRoles } from './group-roles.ts';

test('what was parsed is written the same', () => {
  const text = 'net ops = operator\na=b = admin';
  const { groupRoles, wrong } = parseGroupRoles(`\n  ${text}  \n\n`);
  expect(wrong).toBeNull();
  expect(groupRoles).toEqual([
    { group: 'net ops', role: 'operator' },
    { group: 'a=b', role: 'admin' },
  ]);
  expect(formatGroupRoles(groupRoles)).toBe(text);
});

test.each(['admins', 'admins = boss', '= admin', '='])('%j is refused and named', (line) => {
  expect(parseGroupRoles(`ops = operator\n${line}`).wrong).toContain(line);
});
