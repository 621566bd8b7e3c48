/** loom identity-provider list | show | create | set | delete */
import type { Client, IdentityProvider, Tagged } from '@etherloom/api';
import { collect, collectTagged } from '@etherloom/api';
import type { Command } from 'commander';
import { Option } from 'commander';
import { collectGroupRoles } from '../arguments.ts';
import { askClientSecret, readClientSecretFile } from '../client-secret.ts';
import type { Context } from '../context.ts';
import { createContext, openController } from '../context.ts';
import { CliError } from '../failure.ts';
import { withJson } from '../options.ts';
import { renderFields, renderTable } from '../terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

interface FieldOptions extends JsonOption {
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly groupsClaim?: string;
  readonly groupRole?: IdentityProvider['groupRoles'];
  readonly unmapped?: 'refuse' | 'admit';
}

interface CreateOptions extends FieldOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly publicClient?: boolean;
}

interface SetOptions extends FieldOptions {
  readonly name?: string;
  readonly askClientSecret?: boolean;
  readonly clearGroupRoles?: boolean;
}

/** Adds `identity-provider` and its commands. */
export function addIdentityProviderCommands(program: Command): void {
  const provider = program
    .command('identity-provider')
    .description('list, add, change and remove identity providers (single sign-on)');
  withJson(provider.command('list')).description('list identity providers').action(listProviders);
  withJson(provider.command('show'))
    .description('show an identity provider, and what to register with it')
    .argument('<provider>', 'name or id')
    .action(showProvider);
  addCreate(provider);
  addSet(provider);
  withJson(provider.command('delete'))
    .description('remove one: who logs in by it loses sessions and the roles of its groups')
    .argument('<provider>', 'name or id')
    .action(deleteProvider);
}

function addCreate(provider: Command): void {
  const create = withJson(provider.command('create'))
    .description('add an OpenID Connect provider; its groups give roles that are at most your own')
    .argument('<name>', 'as the login page shows it')
    .requiredOption('--issuer <url>', 'https URL; it never changes')
    .requiredOption('--client-id <id>', 'of the client that the provider knows this controller by')
    .option('--public-client', 'the client has no secret');
  withFields(create, 'without it you are asked')
    .addHelpText(
      'after',
      '\nExample:\n  loom identity-provider create company --issuer https://id.example.org --client-id loom \\\n    --client-secret-file - --group-role staff=member --group-role admins=admin < secret',
    )
    .action(createProvider);
}

function addSet(provider: Command): void {
  const set = withJson(provider.command('set'))
    .description('change an identity provider; what is left out stays')
    .argument('<provider>', 'name or id')
    .option('--name <name>', 'as the login page shows it')
    .option('--client-id <id>', 'of the client that the provider knows this controller by')
    .option('--ask-client-secret', 'ask for another client secret');
  withFields(set, 'without it the secret stays')
    .option('--clear-group-roles', 'no group gives a role any more')
    .addHelpText(
      'after',
      '\nExample:\n  loom identity-provider set company --group-role staff=operator',
    )
    .action(setProvider);
}

function withFields(command: Command, without: string): Command {
  return command
    .option(
      '--client-secret-file <file>',
      `file with the client secret as its one line, or - for standard input; ${without}`,
    )
    .option('--groups-claim <claim>', 'claim that names groups (default: groups)')
    .option(
      '--group-role <group=role>',
      'a group, and the role that it gives; repeat it: together they are all that give one',
      collectGroupRoles,
    )
    .addOption(
      new Option(
        '--unmapped <rule>',
        'who has no group with a role is refused, or let in without a role (default: refuse)',
      ).choices(['refuse', 'admit']),
    );
}

async function listProviders(options: JsonOption): Promise<void> {
  const context = createContext(options);
  const items = await collect(await openController(), 'identityProviderList');
  context.show({ items }, () => {
    if (items.length === 0)
      return 'No identity providers. Add one: loom identity-provider create NAME --issuer URL --client-id ID';
    const rows = items.map((item) => [
      { text: item.name, mark: context.palette.bold },
      item.issuer,
      item.clientId,
      item.hasSecret ? 'yes' : 'no',
      renderGroupRoles(item),
      item.id,
    ]);
    const columns = ['NAME', 'ISSUER', 'CLIENT', 'SECRET', 'GROUPS', 'ID'];
    return renderTable(columns, rows, context.palette);
  });
}

async function showProvider(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const { item } = await findProvider(await openController(), given);
  context.show(item, () => renderProvider(item, context));
}

async function createProvider(name: string, options: CreateOptions): Promise<void> {
  if (options.publicClient === true && options.clientSecretFile !== undefined)
    throw new CliError('usage', '--public-client and --client-secret-file exclude each other');
  const context = createContext(options);
  const client = await openController();
  const clientSecret =
    options.publicClient === true ? undefined : await readSecret(options.clientSecretFile);
  const made = await client.call('identityProviderCreate', {
    body: {
      name,
      issuer: options.issuer,
      clientId: options.clientId,
      ...(clientSecret === undefined ? {} : { clientSecret }),
      ...toFields(options),
    },
  });
  context.show(made, () =>
    [
      `Added identity provider ${context.palette.bold(made.name)}.`,
      renderProvider(made, context),
      `Next: register ${made.redirectUri} with it as redirect URI.`,
    ].join('\n'),
  );
}

function readSecret(path: string | undefined): Promise<string> {
  return path === undefined ? askClientSecret() : readClientSecretFile(path);
}

/** Fields that both adding and changing know. */
function toFields({ groupsClaim, groupRole, unmapped }: FieldOptions) {
  return {
    ...(groupsClaim === undefined ? {} : { groupsClaim }),
    ...(groupRole === undefined ? {} : { groupRoles: [...groupRole] }),
    ...(unmapped === undefined ? {} : { refusesUnmapped: unmapped === 'refuse' }),
  };
}

async function setProvider(given: string, options: SetOptions): Promise<void> {
  checkSet(options);
  const context = createContext(options);
  const client = await openController();
  const { item, etag } = await findProvider(client, given);
  const { name, clientId, clientSecretFile } = options;
  const isSecret = clientSecretFile !== undefined || options.askClientSecret === true;
  const body = {
    ...(name === undefined ? {} : { name }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(isSecret ? { clientSecret: await readSecret(clientSecretFile) } : {}),
    ...toFields(options),
    ...(options.clearGroupRoles === true ? { groupRoles: [] } : {}),
  };
  const changed = await client.call('identityProviderChange', {
    params: { identityProvider: item.id },
    body,
    ifMatch: etag,
  });
  context.show(changed, () => renderProvider(changed, context));
}

function checkSet(options: SetOptions): void {
  if (options.clearGroupRoles === true && options.groupRole !== undefined)
    throw new CliError('usage', '--clear-group-roles and --group-role exclude each other');
  if (options.askClientSecret === true && options.clientSecretFile !== undefined)
    throw new CliError('usage', '--ask-client-secret and --client-secret-file exclude each other');
  const { json: _, ...fields } = options;
  const isNamed = Object.entries(fields).some(([field]) => field !== 'organization');
  if (!isNamed)
    throw new CliError(
      'usage',
      'name what to change: --name, --client-id, --client-secret-file, --ask-client-secret, --groups-claim, --group-role, --clear-group-roles or --unmapped',
    );
}

async function deleteProvider(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const { item, etag } = await findProvider(client, given);
  await client.call('identityProviderDelete', {
    params: { identityProvider: item.id },
    ifMatch: etag,
  });
  context.show(
    {},
    () =>
      `Removed identity provider ${item.name}. Its users log in no more, until they have a password (loom user password NAME) or another provider.`,
  );
}

/** By name or id; names are unique in an organization. */
async function findProvider(client: Client, given: string): Promise<Tagged<IdentityProvider>> {
  const all = await collectTagged(client, 'identityProviderList');
  const byId = all.find(({ item }) => item.id === given);
  if (byId !== undefined) return byId;
  const [only, other] = all.filter(({ item }) => item.name === given);
  if (only === undefined)
    throw new CliError(
      'not_found',
      `no identity provider has the id or name "${given}": loom identity-provider list`,
    );
  if (other !== undefined)
    throw new CliError(
      'usage',
      `several organizations have an identity provider named "${given}": name one with --organization`,
    );
  return only;
}

function renderGroupRoles({ groupRoles }: IdentityProvider): string {
  return groupRoles.map(({ group, role }) => `${group}=${role}`).join(', ') || 'none';
}

function renderProvider(provider: IdentityProvider, { palette }: Context): string {
  return renderFields(
    [
      ['Name', provider.name],
      ['Id', provider.id],
      ['Issuer', provider.issuer],
      ['Client', `${provider.clientId}${provider.hasSecret ? '' : ' (public: no secret)'}`],
      ['Groups claim', provider.groupsClaim],
      ['Groups', renderGroupRoles(provider)],
      ['Without a group', provider.refusesUnmapped ? 'refused' : 'let in without a role'],
      ['Redirect URI', provider.redirectUri],
      ['Created', provider.createdAt],
    ],
    palette,
  );
}
