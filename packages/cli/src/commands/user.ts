/** loom user create | list | role | password | delete */
import type { Role, User } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import { collectRoles, parseRole, parseUser, parseUserName } from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { readNewPassword } from '../password-prompt.ts';
import type { Cell } from '../terminal.ts';
import { renderTable } from '../terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

interface PasswordOption extends JsonOption {
  readonly passwordFile?: string;
}

interface CreateOptions extends PasswordOption {
  readonly role?: readonly Role[];
}

const PASSWORD_FILE = 'file with the password as its one line; without it you are asked';

/** Adds `user` and its commands. */
export function addUserCommands(program: Command): void {
  const user = program.command('user').description('create, list, change and delete users');
  withJson(user.command('create'))
    .description('create a user that logs in with a password')
    .argument('<name>', 'lower-case letters and digits, with . @ + - inside', parseUserName)
    .option('--role <role>', 'owner, admin, operator, auditor or member; repeat it', collectRoles)
    .option('--password-file <file>', PASSWORD_FILE)
    .addHelpText('after', '\nExample:\n  loom user create anna --role admin')
    .action(createUser);
  withJson(user.command('list')).description('list users').action(listUsers);
  withJson(user.command('role'))
    .description('set the roles of a user, in place of those that it has')
    .argument('<user>', 'name or id', parseUser)
    .argument('<roles...>', 'owner, admin, operator, auditor, member; or none')
    .action(setRoles);
  withJson(user.command('password'))
    .description('set the password of a user; ends its sessions and revokes its API tokens')
    .argument('<user>', 'name or id', parseUser)
    .option('--password-file <file>', PASSWORD_FILE)
    .action(setPassword);
  withJson(user.command('delete'))
    .description('delete a user with its sessions and API tokens')
    .argument('<user>', 'name or id', parseUser)
    .action(deleteUser);
}

async function createUser(name: string, options: CreateOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const password = await readNewPassword(options.passwordFile);
  const roles = [...(options.role ?? [])];
  const user = await client.call('userCreate', { body: { name, password, roles } });
  context.show(user, () => `Created user ${user.name} with ${describeRoles(user)}.`);
}

async function listUsers(options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const items = await collect(client, 'userList');
  context.show({ items }, () => {
    if (items.length === 0) return 'No users. Create one: loom user create NAME --role owner';
    const rows = items.map((user) => [
      { text: user.name, mark: context.palette.bold },
      user.roles.join(', ') || '-',
      renderLogin(user, context),
      user.lastLoginAt ?? 'never',
      user.id,
    ]);
    return renderTable(['NAME', 'ROLES', 'LOGS IN BY', 'LAST LOGIN', 'ID'], rows, context.palette);
  });
}

function renderLogin(user: User, { palette }: Context): Cell {
  const ways = [
    ...(user.hasPassword ? ['password'] : []),
    ...(user.identityProviderId === null ? [] : ['provider']),
  ];
  return ways.length === 0
    ? { text: 'nothing', mark: palette.warning }
    : { text: ways.join(', ') + (user.isSystemAdministrator ? ' (system)' : '') };
}

async function setRoles(
  given: string,
  words: readonly string[],
  options: JsonOption,
): Promise<void> {
  const roles = words.length === 1 && words[0] === 'none' ? [] : words.map(parseRole);
  const context = createContext(options);
  const client = await openController();
  const user = await client.call('userRoles', { params: { user: given }, body: { roles } });
  context.show(user, () => `User ${user.name} has ${describeRoles(user)}.`);
}

async function setPassword(given: string, options: PasswordOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const password = await readNewPassword(options.passwordFile);
  await client.call('userPassword', { params: { user: given }, body: { password } });
  context.show({}, () => `Set the password of ${given}; its sessions and API tokens are over.`);
}

async function deleteUser(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('userDelete', { params: { user: given } });
  context.show({}, () => `Deleted user ${given}, with its sessions and API tokens.`);
}

function describeRoles({ roles }: User): string {
  if (roles.length === 0) return 'no role';
  return `the role${roles.length === 1 ? '' : 's'} ${roles.join(', ')}`;
}
