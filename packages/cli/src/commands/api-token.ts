/** loom api-token create | list | revoke */
import type { Permission, Role } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import { collectScopes, parseDuration, parseReference, parseRole } from '../arguments.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { formatDuration, renderTable } from '../terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

interface CreateOptions extends JsonOption {
  readonly role: Role;
  readonly scope?: readonly Permission[];
  readonly expires?: number;
}

/** Adds `api-token` and its commands. */
export function addApiTokenCommands(program: Command): void {
  const token = program.command('api-token').description('create, list and revoke API tokens');
  withJson(token.command('create'))
    .description('create an API token; it is printed once, alone on standard output')
    .argument('<name>', 'what it is for, as lists show it')
    .requiredOption('--role <role>', 'at most your own', parseRole)
    .option('--scope <permission>', 'narrow the role to this; repeat it', collectScopes)
    .option('--expires <duration>', 'its life: 12h, 30d (default: without end)', parseDuration)
    .addHelpText(
      'after',
      '\nExample:\n  loom api-token create ci --role operator --scope join_token:write --expires 30d > ci.token',
    )
    .action(createToken);
  withJson(token.command('list'))
    .description('list API tokens; their secrets are stored nowhere')
    .action(listTokens);
  withJson(token.command('revoke'))
    .description('revoke an API token')
    .argument('<id>', 'id, as the list shows it', parseReference)
    .action(revokeToken);
}

async function createToken(name: string, options: CreateOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const created = await client.call('apiTokenCreate', {
    body: {
      name,
      role: options.role,
      ...(options.scope === undefined ? {} : { scopes: [...options.scope] }),
      ...(options.expires === undefined ? {} : { lifetimeSeconds: options.expires }),
    },
  });
  context.show(created, () => created.token);
}

async function listTokens(options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const items = await collect(client, 'apiTokenList');
  context.show({ items }, () => {
    if (items.length === 0)
      return 'No API tokens. Create one: loom api-token create NAME --role ROLE';
    const nowMs = Date.now();
    const rows = items.map((item) => [
      { text: item.name, mark: context.palette.bold },
      item.prefix,
      item.role ?? 'as its user',
      item.scopes === null ? '-' : item.scopes.join(', '),
      item.expiresAt === null ? 'never' : formatDuration(Date.parse(item.expiresAt) - nowMs),
      item.lastUsedAt ?? 'never',
      item.id,
    ]);
    const columns = ['NAME', 'BEGINS', 'ROLE', 'SCOPES', 'EXPIRES IN', 'LAST USED', 'ID'];
    return renderTable(columns, rows, context.palette);
  });
}

async function revokeToken(id: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('apiTokenDelete', { params: { apiToken: id } });
  context.show({}, () => `Revoked API token ${id}.`);
}
