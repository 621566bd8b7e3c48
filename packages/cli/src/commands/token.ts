/** loom token create | list | revoke */
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import { parseDuration, parseName, parseReference, parseUses } from '../arguments.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { count, formatDuration, renderTable } from '../terminal.ts';

interface CreateOptions {
  readonly json?: boolean;
  readonly network: string;
  readonly label?: string;
  readonly uses?: number;
  readonly expires?: number;
  readonly offlineOk?: boolean;
}

/** Adds `token` and its commands. */
export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('create, list and revoke join tokens');
  withJson(token.command('create'))
    .description('create a join token; it is printed once, alone on standard output')
    .requiredOption(
      '--network <network>',
      'network that the token admits to: name or id',
      parseReference,
    )
    .option(
      '--label <label>',
      'name in its network, for files; such a token is kept until it is revoked',
      parseName,
    )
    .option('--uses <n>', 'how many nodes may join with it (default: 1)', parseUses)
    .option('--expires <duration>', 'its life: 30m, 1h, 7d (default: 1h)', parseDuration)
    .option('--offline-ok', 'let one node join with it also while no controller answers')
    .addHelpText(
      'after',
      '\nExamples:\n  loom token create --network demo --uses 3 --expires 30m > demo.token\n  loom token create --network demo --offline-ok > spare.token; on the host: loom join - < spare.token',
    )
    .action(createToken);
  withJson(token.command('list'))
    .description('list join tokens; their secrets are stored nowhere')
    .action(listTokens);
  withJson(token.command('revoke'))
    .description('revoke a join token; nodes that joined with it stay')
    .argument('<id>', 'id, as the list shows it', parseReference)
    .action(revokeToken);
}

async function listTokens(options: { readonly json?: boolean }): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const items = await collect(client, 'tokenList');
  if (context.isJson) return context.show({ items }, () => '');
  if (items.length === 0)
    return context.print('No join tokens. Create one: loom token create --network NAME');
  const networks = await collect(client, 'networkList');
  const nameOf = new Map(networks.map(({ id, name }) => [id, name]));
  const now = Date.now();
  const rows = items.map((item) => [
    item.id,
    nameOf.get(item.networkId) ?? item.networkId,
    `${item.usesLeft} of ${item.uses}`,
    Date.parse(item.expiresAt) <= now
      ? { text: 'expired', mark: context.palette.warning }
      : formatDuration(Date.parse(item.expiresAt) - now),
    item.label ?? '-',
  ]);
  const columns = ['ID', 'NETWORK', 'USES LEFT', 'EXPIRES IN', 'LABEL'];
  context.print(renderTable(columns, rows, context.palette));
}

async function revokeToken(id: string, options: { readonly json?: boolean }): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('tokenDelete', { params: { token: id } });
  context.show({}, () => `Revoked join token ${id}.`);
}

async function createToken(options: CreateOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const created = await client.call('tokenCreate', {
    body: {
      network: options.network,
      ...(options.label === undefined ? {} : { label: options.label }),
      ...(options.uses === undefined ? {} : { uses: options.uses }),
      ...(options.expires === undefined ? {} : { lifetimeSeconds: options.expires }),
      ...(options.offlineOk === true ? { offlineOk: true } : {}),
    },
  });
  context.show(created, () => created.token);
  if (context.isJson || !process.stderr.isTTY) return;
  const life = formatDuration(Date.parse(created.expiresAt) - Date.parse(created.createdAt));
  const join =
    options.offlineOk === true
      ? `loom join - < FILE. It has ${created.token.length} characters and is also good while no controller answers: keep it like a key.`
      : 'loom join TOKEN';
  context.note(
    context.palette.dim(
      `Good for ${count(created.uses, 'node')} and ${life}. On the host: ${join}`,
    ),
  );
}
