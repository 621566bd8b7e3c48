/** loom node list | show | approve | remove */
import type { Node } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import { parseReference } from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import type { Cell } from '../terminal.ts';
import { renderFields, renderTable } from '../terminal.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** Adds `node` and its commands. */
export function addNodeCommands(program: Command): void {
  const node = program.command('node').description('list, show, approve and remove nodes');
  withJson(node.command('list')).description('list nodes').action(listNodes);
  withJson(node.command('show'))
    .description('show a node')
    .argument('<node>', 'name or id', parseReference)
    .action(showNode);
  withJson(node.command('approve'))
    .description('let a clone that waits into the networks of the node it was copied from')
    .argument('<node>', 'name or id', parseReference)
    .action(approveNode);
  withJson(node.command('remove'))
    .description('remove a node from all its networks and refuse it from then on')
    .argument('<node>', 'name or id', parseReference)
    .action(removeNode);
}

async function listNodes(options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const items = await collect(client, 'nodeList');
  context.show({ items }, () => {
    if (items.length === 0)
      return 'No nodes. Create a join token: loom token create --network NAME';
    const rows = items.map((item) => [
      { text: item.name, mark: context.palette.bold },
      renderConnected(item, context),
      item.memberships.map((membership) => membership.networkName).join(', ') || '-',
      item.endpoints[0] ?? '-',
      item.id,
    ]);
    return renderTable(['NAME', 'AGENT', 'NETWORKS', 'ENDPOINT', 'ID'], rows, context.palette);
  });
}

async function showNode(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const node = await client.call('nodeShow', { params: { node: given } });
  context.show(node, () => {
    const fields: readonly (readonly [string, string])[] = [
      ['Name', node.name],
      ['Id', node.id],
      ['Agent', renderConnected(node, context).text],
      ...lineageOf(node, context),
      ...node.problems.map(({ message }) => ['Problem', context.palette.bad(message)] as const),
      ['Last seen', node.lastSeenAt ?? 'never'],
      ['Endpoints', node.endpoints.join(', ') || 'none'],
      ['Sign key', node.signKey],
      ['Session key', node.sessionKey],
      ['Created', node.createdAt],
    ];
    const rows = node.memberships.map((item) => [
      item.networkName,
      item.mac,
      item.addresses.join(', '),
    ]);
    const table = renderTable(['NETWORK', 'MAC', 'ADDRESSES'], rows, context.palette);
    const memberships = rows.length === 0 ? 'In no network.' : table;
    return `${renderFields(fields, context.palette)}\n\n${memberships}`;
  });
}

async function approveNode(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const node = await client.call('nodeApprove', { params: { node: given } });
  const networks = node.memberships.map((membership) => membership.networkName).join(', ');
  context.show(node, () => `Approved node ${node.name}. Its networks: ${networks || 'none'}.`);
}

async function removeNode(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('nodeDelete', { params: { node: given } });
  context.show(
    {},
    () => `Removed node ${given}. It can join again only with a fresh state directory.`,
  );
}

function lineageOf(node: Node, { palette }: Context): (readonly [string, string])[] {
  if (node.clonedFrom === null) return [];
  const origin = ['Cloned from', node.clonedFrom] as const;
  if (node.state === 'active') return [origin];
  return [origin, ['State', palette.warning(`waits: loom node approve ${node.name}`)]];
}

function renderConnected(node: Node, context: Context): Cell {
  if (node.state === 'pending')
    return { text: 'waits for approval', mark: context.palette.warning };
  return node.connected
    ? { text: 'connected', mark: context.palette.good }
    : { text: 'not connected', mark: context.palette.warning };
}
