/** loom network create | set | list | show | delete */
import type { Membership, Network, NetworkSettings } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import { Option } from 'commander';
import {
  NO_POOL,
  parseIpv4Pool,
  parseIpv6Pool,
  parseMtu,
  parseName,
  parseReference,
  parseStalenessDays,
} from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { count, renderFields, renderTable } from '../terminal.ts';
import { CliError } from '../failure.ts';

interface SettingsOptions {
  readonly json?: boolean;
  readonly clones?: NetworkSettings['clones'];
  readonly cloneAdmission?: NetworkSettings['cloneAdmission'];
  readonly stalenessDays?: number;
  readonly postQuantum?: NetworkSettings['postQuantum'];
}

interface CreateOptions extends SettingsOptions {
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly mtu?: number;
}

interface JsonOption {
  readonly json?: boolean;
}

/** Adds `network` and its commands. */
export function addNetworkCommands(program: Command): void {
  const network = program
    .command('network')
    .description('create, change, list, show and delete networks');
  withSettings(withJson(network.command('create')))
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
  withSettings(withJson(network.command('set')))
    .description('change settings of a network; what is left out stays')
    .argument('<network>', 'name or id', parseReference)
    .addHelpText('after', '\nExample:\n  loom network set demo --staleness-days 14 --clones reject')
    .action(setNetwork);
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

function withSettings(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--clones <rule>',
        'what becomes of a copied host: refused, put in place of the older, or a node of its own (default: split)',
      ).choices(['reject', 'replace', 'split']),
    )
    .addOption(
      new Option(
        '--clone-admission <rule>',
        'a clone that was split off waits, or is a member at once (default: approve)',
      ).choices(['approve', 'admit']),
    )
    .option(
      '--staleness-days <n>',
      'how long the network runs without any controller (default: 30)',
      parseStalenessDays,
    )
    .addOption(
      new Option('--post-quantum <rule>', 'ML-KEM in handshakes (default: required)').choices([
        'required',
        'off',
      ]),
    );
}

/** The settings that were named. */
function toSettings(options: SettingsOptions): Partial<NetworkSettings> {
  const { clones, cloneAdmission, stalenessDays, postQuantum } = options;
  return {
    ...(clones === undefined ? {} : { clones }),
    ...(cloneAdmission === undefined ? {} : { cloneAdmission }),
    ...(stalenessDays === undefined ? {} : { stalenessDays }),
    ...(postQuantum === undefined ? {} : { postQuantum }),
  };
}

async function setNetwork(given: string, options: SettingsOptions): Promise<void> {
  const context = createContext(options);
  const body = toSettings(options);
  if (Object.keys(body).length === 0)
    throw new CliError(
      'usage',
      'name a setting: --clones, --clone-admission, --staleness-days or --post-quantum',
    );
  const client = await openController();
  const network = await client.call('networkSettings', { params: { network: given }, body });
  context.show(network, () => renderNetwork(network, context));
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
      settings: toSettings(options),
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
  const items = await collect(client, 'networkList');
  context.show({ items }, () => {
    if (items.length === 0) return 'No networks. Create one: loom network create NAME';
    const columns = ['NAME', '>VNI', 'IPV4', 'IPV6', '>MTU', '>MEMBERS'];
    const rows = items.map((item) => [
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
  const members = await collect(client, 'memberList', { params: { network: network.id } });
  context.print(renderNetwork(network, context));
  context.print(`\n${renderMembers(members, context)}`);
}

async function deleteNetwork(given: string, options: JsonOption): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  await client.call('networkDelete', { params: { network: given } });
  context.show(
    {},
    () =>
      `Deleted network ${given}. Its VNI is free when each former member has confirmed, or its credential has run out.`,
  );
}

function renderNetwork(network: Network, context: Context): string {
  const fields: readonly (readonly [string, string])[] = [
    ['Name', network.name],
    ['Id', network.id],
    ['VNI', String(network.vni)],
    ['IPv4', network.ipv4 ?? 'none'],
    ['IPv6', network.ipv6 ?? 'none'],
    ['MTU', `${network.mtuBytes} bytes inside`],
    ['Clones', renderClones(network.settings)],
    ['Staleness', `${count(network.settings.stalenessDays, 'day')} without a controller`],
    ['Post-quantum', network.settings.postQuantum],
    ...(network.isPending
      ? [
          [
            'Waiting',
            context.palette.warning('changes to be signed: loom authority pending'),
          ] as const,
        ]
      : []),
    ['Members', String(network.memberCount)],
    ['Created', network.createdAt],
  ];
  return renderFields(fields, context.palette);
}

function renderClones({ clones, cloneAdmission }: NetworkSettings): string {
  return clones === 'split' ? `split, ${cloneAdmission}` : clones;
}

function renderMembers(members: readonly Membership[], context: Context): string {
  if (members.length === 0) return 'No members yet.';
  const rows = members.map((member) => [
    { text: member.nodeName, mark: context.palette.bold },
    member.mac,
    member.addresses.join(', '),
    member.expiresAt === null
      ? { text: 'waits for a signature', mark: context.palette.warning }
      : member.expiresAt.slice(0, 10),
    member.nodeId,
  ]);
  return renderTable(['NODE', 'MAC', 'ADDRESSES', 'GOOD UNTIL', 'NODE ID'], rows, context.palette);
}
