/** loom organization list | create | rename | delete */
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import { parseName, parseReference } from '../arguments.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { renderTable } from '../terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** Adds `organization` and its commands. */
export function addOrganizationCommands(program: Command): void {
  const organization = program
    .command('organization')
    .description('list, create, rename and delete organizations');
  withJson(organization.command('list'))
    .description('list organizations in which you have a part')
    .action(listOrganizations);
  withJson(organization.command('create'))
    .description('create an organization (system administrators)')
    .argument('<name>', 'lower-case letters, digits and inner hyphens', parseName)
    .action(createOrganization);
  withJson(organization.command('rename'))
    .description('rename an organization (system administrators)')
    .argument('<organization>', 'name or id', parseReference)
    .argument('<name>', 'lower-case letters, digits and inner hyphens', parseName)
    .action(renameOrganization);
  withJson(organization.command('delete'))
    .description('delete an organization without networks and nodes, with its users and keys')
    .argument('<organization>', 'name or id', parseReference)
    .action(deleteOrganization);
}

async function listOrganizations(options: JsonOption): Promise<void> {
  const context = createContext(options);
  const items = await collect(await openController(), 'organizationList');
  context.show({ items }, () => {
    if (items.length === 0) return 'You have a part in no organization.';
    const rows = items.map(({ id, name, createdAt }) => [name, createdAt, id]);
    return renderTable(['NAME', 'CREATED', 'ID'], rows, context.palette);
  });
}

async function createOrganization(name: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const made = await client.call('organizationCreate', { body: { name } });
  context.show(
    made,
    () =>
      `Created organization ${name}. Its first user: loom user create NAME --role owner --organization ${name}`,
  );
}

async function renameOrganization(
  organization: string,
  name: string,
  options: JsonOption,
): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const made = await client.call('organizationRename', {
    params: { organization },
    body: { name },
  });
  context.show(made, () => `Organization ${organization} is called ${name}.`);
}

async function deleteOrganization(organization: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('organizationDelete', { params: { organization } });
  context.show({}, () => `Deleted organization ${organization}, with its users and keys.`);
}
