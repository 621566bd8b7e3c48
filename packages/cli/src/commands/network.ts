/** loom network create | list | show | delete */
import type { Membership, Network } from '@etherloom/api';
import type { Command } from 'commander';
import {
  NO_POOL,
  parseIpv4Pool,
  parseIpv6Pool,
  parseMtu,
  parseName,
  parseReference,
} from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { renderFields, renderTable } from '../terminal.ts';

interface CreateOptions {
  readonly json?: boolean;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly mtu?: number;
}

interface JsonOption {
  readonly json?: boolean;
}

/** Adds `network` and its commands. */
export function addNetworkCommands(program: Command): void {
  const network = program.command('network').description('create, list, show and delete networks');
  withJson(network.command('create'))
    .description('create a network: one Ethernet segment')
    .argument('<name>', 'lower-case letters, digits and hyphens', parseName)
    .option(
      '--ipv4 <cidr>',
      'pool for members (default: a free /24 of 10.0.0.0/8), or none',
      parseIpv4Pool,
    )
    .option(
      '--ipv6 <cidr>',
      'pool for members (default: a random /64 of fd00::/8), or none',
      parseIpv6Pool,
    )
    .option('--mtu <bytes>', 'inner MTU (default: 1370, fits every usual underlay)', parseMtu)
    .addHelpText('after', '\nExample:\n  loom network create demo --ipv4 10.1.0.0/24 --mtu 1370')
    .action(createNetwork);
  withJson(network.command('list')).description('list networks').action(listNetworks);
  withJson(network.command('show'))
    .description('show a network and its members')
    .argument('<network>', 'name or id', parseReference)
    .action(showNetwork);
  withJson(network.command('delete'))
    .description('delete a network; its members lose it at once')
    .argument('<network>', 'name or id', parseReference)
    .action(deleteNetwork);
}

async function createNetwork(name: string, options: CreateOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const network = await client.call('networkCreate', {
    body: {
      name,
      ...(options.ipv4 === undefined ? {} : { ipv4: toPool(options.ipv4) }),
      ...(options.ipv6 === undefined ? {} : { ipv6: toPool(options.ipv6) }),
      ...(options.mtu === undefined ? {} : { mtuBytes: options.mtu }),
    },
  });
  context.show(network, () =>
    [
      `Created network ${context.palette.bold(network.name)}.`,
      renderNetwork(network, context),
      `Next: loom token create --network ${network.name}`,
    ].join('\n'),
  );
}

function toPool(text: string): string | null {
  return text === NO_POOL ? null : text;
}

async function listNetworks(options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const reply = await client.call('networkList');
  context.show(reply, () => {
    if (reply.items.length === 0) return 'No networks. Create one: loom network create NAME';
    const columns = ['NAME', '>VNI', 'IPV4', 'IPV6', '>MTU', '>MEMBERS'];
    const rows = reply.items.map((item) => [
      { text: item.name, mark: context.palette.bold },
      String(item.vni),
      item.ipv4 ?? '-',
      item.ipv6 ?? '-',
      String(item.mtuBytes),
      String(item.memberCount),
    ]);
    return renderTable(columns, rows, context.palette);
  });
}

async function showNetwork(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const network = await client.call('networkShow', { params: { network: given } });
  if (context.isJson) return context.show(network, () => '');
  const members = await client.call('memberList', { params: { network: network.id } });
  context.print(renderNetwork(network, context));
  context.print(`\n${renderMembers(members.items, context)}`);
}

async function deleteNetwork(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('networkDelete', { params: { network: given } });
  context.show({}, () => `Deleted network ${given}. Its VNI stays in quarantine for a while.`);
}

function renderNetwork(network: Network, context: Context): string {
  const fields: readonly (readonly [string, string])[] = [
    ['Name', network.name],
    ['Id', network.id],
    ['VNI', String(network.vni)],
    ['IPv4', network.ipv4 ?? 'none'],
    ['IPv6', network.ipv6 ?? 'none'],
    ['MTU', `${network.mtuBytes} bytes inside`],
    ['Members', String(network.memberCount)],
    ['Created', network.createdAt],
  ];
  return renderFields(fields, context.palette);
}

function renderMembers(members: readonly Membership[], context: Context): string {
  if (members.length === 0) return 'No members yet.';
  const rows = members.map((member) => [
    { text: member.nodeName, mark: context.palette.bold },
    member.mac,
    member.addresses.join(', '),
    member.nodeId,
  ]);
  return renderTable(['NODE', 'MAC', 'ADDRESSES', 'NODE ID'], rows, context.palette);
}
