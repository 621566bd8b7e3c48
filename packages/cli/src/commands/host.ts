/** loom status | peers | fdb | neighbours | ping: what the agent of this host knows. */
import type { AgentStatus, PeerRow } from '@etherloom/api';
import type { Command } from 'commander';
import { parseCount, parseReference } from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext, openAgent } from '../context.ts';
import { withAgent } from '../options.ts';
import type { Cell } from '../terminal.ts';
import {
  count,
  formatBytes,
  formatDuration,
  formatLatency,
  renderFields,
  renderTable,
} from '../terminal.ts';
import { ping } from './ping.ts';

interface AgentOptions {
  readonly json?: boolean;
  readonly socket?: string;
}

/** Adds the commands that ask the agent. */
export function addHostCommands(program: Command): void {
  withAgent(program.command('status'))
    .description('show the state of this host')
    .action(showStatus);
  withAgent(program.command('peers'))
    .description('list peers: state, path, latency, traffic')
    .action(showPeers);
  withAgent(program.command('fdb')).description('list which MAC is at which node').action(showFdb);
  withAgent(program.command('neighbours'))
    .description('list which IP has which MAC; ARP and ND are answered from this')
    .action(showNeighbours);
  withAgent(program.command('ping'))
    .description('measure the way to a node through its session; exit 1 when nothing answers')
    .argument('<node>', 'name or id', parseReference)
    .option('-c, --count <n>', 'number of pings (default: 4)', parseCount)
    .addHelpText('after', '\nExample:\n  loom ping west1 --count 10')
    .action(ping);
}

async function showStatus(options: AgentOptions): Promise<void> {
  const context = createContext(options);
  const status = await openAgent(options).status();
  context.show(status, () => renderStatus(status, context));
}

async function showPeers(options: AgentOptions): Promise<void> {
  const context = createContext(options);
  const peers = await openAgent(options).peers();
  context.show({ peers }, () => renderPeers(peers, context));
}

async function showFdb(options: AgentOptions): Promise<void> {
  const context = createContext(options);
  const entries = await openAgent(options).fdb();
  context.show({ entries }, () => {
    if (entries.length === 0) return 'No entries: this host has no peers yet.';
    const rows = entries.map((row) => [row.network, row.mac, row.node, row.nodeId]);
    return renderTable(['NETWORK', 'MAC', 'NODE', 'NODE ID'], rows, context.palette);
  });
}

async function showNeighbours(options: AgentOptions): Promise<void> {
  const context = createContext(options);
  const entries = await openAgent(options).neighbours();
  context.show({ entries }, () => {
    if (entries.length === 0) return 'No entries: this host has no peers yet.';
    const rows = entries.map((row) => [row.network, row.address, row.mac, row.node]);
    return renderTable(['NETWORK', 'ADDRESS', 'MAC', 'NODE'], rows, context.palette);
  });
}

function renderStatus(status: AgentStatus, context: Context): string {
  const { palette } = context;
  const { controller, datapath, peers } = status;
  const link = controller.connected
    ? palette.good('connected')
    : palette.warning(
        `not connected${controller.lastError === null ? '' : `: ${controller.lastError}`}`,
      );
  const running = datapath.running
    ? `${palette.good('running')}, pid ${datapath.pid}, ${count(datapath.lanes, 'lane')}`
    : palette.bad('not running');
  const fields: readonly (readonly [string, string])[] = [
    ...renderStanding(status, context),
    [
      'Node',
      status.nodeId === null
        ? 'has not joined: loom join TOKEN'
        : `${status.nodeName} (${status.nodeId})`,
    ],
    ['Controller', controller.url === null ? 'none' : `${controller.url}, ${link}`],
    ...controller.others.map(
      ({ url, isUp }) =>
        ['', `${url}, ${isUp === false ? palette.warning('down') : 'can be gone to'}`] as const,
    ),
    [
      'Data path',
      `${running}${datapath.restarts > 0 ? `, restarted ${datapath.restarts} times` : ''}`,
    ],
    ['Authority', renderAuthority(status)],
    ...renderProblems(status, context),
    ['Features', datapath.features.join(', ') || 'none'],
    ['UDP port', String(status.port)],
    ['Peers', `${peers.up} of ${peers.total} up, ${count(peers.sessions, 'session')}`],
    ['Drops', renderDrops(status.drops)],
    ['Refusals', renderDrops(status.refusals)],
    ['Version', status.version],
  ];
  const networks =
    status.networks.length === 0 ? 'In no network.' : renderNetworks(status, context);
  return `${renderFields(fields, palette)}\n\n${networks}`;
}

const STANDINGS = {
  rejected: 'rejected as a copy: its networks are down',
  replaced: 'replaced by a copy: its networks are down until `loom join TOKEN`',
  split: 'a copy that becomes a node of its own: its networks are down',
  waits: 'waits for approval',
} as const;

/** What a person has to know before anything else. */
function renderStanding(status: AgentStatus, { palette }: Context): [string, string][] {
  const { standing, clonedFrom } = status;
  const lineage: [string, string][] = clonedFrom === null ? [] : [['Cloned from', clonedFrom]];
  if (standing === null) return lineage;
  const { state, message } = standing;
  const told = `${STANDINGS[state]} (${message})`;
  return [['Standing', state === 'waits' ? palette.warning(told) : palette.bad(told)], ...lineage];
}

function renderAuthority({ authority, clock }: AgentStatus): string {
  const offsetMs = (clock?.offsetSeconds ?? 0) * 1_000;
  const told = authority === null ? 'none yet' : `version ${authority.version} (${authority.hash})`;
  if (offsetMs === 0) return told;
  const way = offsetMs > 0 ? 'behind' : 'ahead';
  return `${told}; the clock of this host is ${formatDuration(Math.abs(offsetMs))} ${way}`;
}

/** Those of a network are shown with it when it is up. */
function renderProblems(status: AgentStatus, { palette }: Context): [string, string][] {
  const shown = new Set(status.networks.map(({ problem }) => problem));
  return status.problems
    .filter(({ message }) => !shown.has(message))
    .map(({ network, code, message }) => {
      const where = network === null ? '' : `${network}: `;
      return ['Problem', palette.bad(`${where}${code}: ${message}`)];
    });
}

/** How long the network goes on when no controller is there to renew. */
function renderBudget(network: AgentStatus['networks'][number], { palette }: Context): string {
  const { trust, members } = network;
  if (trust === null) return palette.warning('held without a proof, from a former version');
  const left = (seconds: number): string =>
    seconds > 0
      ? `${formatDuration(seconds * 1_000)} left`
      : palette.bad(`ended ${formatDuration(-seconds * 1_000)} ago`);
  const peer =
    trust.firstPeer === null || trust.firstPeerSecondsLeft === null
      ? ''
      : `; first peer ${trust.firstPeer}: ${left(trust.firstPeerSecondsLeft)}`;
  const valid = `${trust.membersValid} of ${members} members valid`;
  return `${left(trust.ownSecondsLeft)} without a controller${peer}; ${valid}`;
}

/** Of a large network a host holds those that it deals with. */
function renderMembers({
  members,
  memberCount,
  revision,
}: AgentStatus['networks'][number]): string {
  const held = memberCount === undefined ? `${members}` : `${members} held of ${memberCount}`;
  return `${held}, at revision ${revision}`;
}

function renderNetworks(status: AgentStatus, context: Context): string {
  return status.networks
    .map((network) => {
      const fields: readonly (readonly [string, string])[] = [
        ...(network.problem === null
          ? []
          : [['  Problem', context.palette.bad(network.problem)] as const]),
        ['  Addresses', network.addresses.join(', ') || 'none'],
        ['  MAC, MTU', `${network.mac}, ${network.mtuBytes} bytes`],
        ['  Members', renderMembers(network)],
        ['  Credential', renderBudget(network, context)],
        ['  Sent', `${network.sentFrames} frames, ${formatBytes(network.sentBytes)}`],
        ['  Received', `${network.receivedFrames} frames, ${formatBytes(network.receivedBytes)}`],
        ['  Answered', `${network.answeredLocally} ARP and ND questions, locally`],
        ['  Drops', renderDrops(network.drops)],
      ];
      const name = context.palette.bold(network.name);
      const title = `Network ${name} on ${network.interface} (VNI ${network.vni})`;
      return `${title}\n${renderFields(fields, context.palette)}`;
    })
    .join('\n\n');
}

function renderDrops(drops: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(drops).filter(([, number]) => number > 0);
  return reasons.length === 0
    ? 'none'
    : reasons.map(([reason, number]) => `${reason} ${number}`).join(', ');
}

function renderPeers(peers: readonly PeerRow[], context: Context): string {
  if (peers.length === 0) return 'No peers: this host is in no network, or alone in it.';
  const columns = [
    'NAME',
    'STATE',
    'PATH',
    'ENDPOINT',
    '>LATENCY',
    '>SENT',
    '>RECEIVED',
    '>HEARD',
    'NETWORKS',
  ];
  const rows = peers.map((peer) => [
    { text: peer.name, mark: context.palette.bold },
    renderState(peer, context),
    peer.path,
    peer.endpoint ?? '-',
    formatLatency(peer.latencyMs),
    formatBytes(peer.sentBytes),
    formatBytes(peer.receivedBytes),
    peer.lastReceivedMs === null ? 'never' : `${formatDuration(peer.lastReceivedMs)} ago`,
    peer.networks.join(', '),
  ]);
  return renderTable(columns, rows, context.palette);
}

function renderState(peer: PeerRow, context: Context): Cell {
  switch (peer.state) {
    case 'up':
      return { text: 'up', mark: context.palette.good };
    case 'connecting':
      return { text: 'connecting', mark: context.palette.warning };
    case 'down':
      return { text: 'down', mark: context.palette.bad };
    case 'no-endpoint':
      return { text: 'no endpoint', mark: context.palette.warning };
  }
}
