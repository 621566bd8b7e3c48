/** loom whoami: who the controller takes this command line for, and what that may do. */
import type { Whoami } from '@etherloom/api';
import type { Command } from 'commander';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { renderFields } from '../terminal.ts';

const KINDS: Readonly<Record<Whoami['kind'], string>> = {
  bootstrap: 'the token of admin.token',
  user: 'a user',
  api_token: 'an API token',
};

/** Adds `whoami`. */
export function addWhoamiCommand(program: Command): void {
  withJson(program.command('whoami'))
    .description('tell who the controller takes you for, and what you may do')
    .action(showWhoami);
}

async function showWhoami(options: { readonly json?: boolean }): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const { csrf: _, ...whoami } = await client.call('sessionShow');
  context.show(whoami, () =>
    renderFields(
      [
        ['Name', whoami.name],
        ['Kind', KINDS[whoami.kind]],
        ...(whoami.isSystemAdministrator
          ? [['May', 'everything in every organization'] as const]
          : []),
        ['Expires', whoami.expiresAt ?? 'never'],
        ...whoami.organizations.flatMap(
          ({ name, roles, permissions }) =>
            [
              ['Organization', name],
              ['Roles', roles.join(', ') || 'of its user'],
              ['Permissions', permissions.join(', ')],
            ] as const,
        ),
      ],
      context.palette,
    ),
  );
}
