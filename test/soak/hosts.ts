/** The hosts of a soak, each with its agent of the moment, and the couriers between them. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CHECKOUT,
  readTail,
  startAgent,
  waitFor,
  type AgentOptions,
  type Background,
  type LabAgent,
} from '@etherloom/lab';
import { createToken, joinWith, pick, type HostLabel, type Scenario } from '../netns/scenario.ts';

const COURIER = fileURLToPath(new URL('courier.ts', import.meta.url));
const BYTES_PER_SECOND = 8_000_000;
const LISTEN_DEADLINE_MS = 30_000;
/** How long traffic may stand still while everything that is in its way heals. */
const PROGRESS_DEADLINE_MS = 60_000;
const NETWORK = 'soak';

/** What tools print: courier.ts. */
export interface CourierStats {
  readonly tcpBytes: number;
  readonly connections: number;
  readonly udpPackets: number;
  readonly udpLost: number;
  readonly udpRepeated: number;
  readonly udpLate: number;
  readonly wrong: string;
}

const NO_STATS: CourierStats = {
  tcpBytes: 0,
  connections: 0,
  udpPackets: 0,
  udpLost: 0,
  udpRepeated: 0,
  udpLate: 0,
  wrong: '',
};

export interface SoakHost {
  readonly label: HostLabel;
  agent: LabAgent;
  /** Overlay address; null while it is no member. */
  address: string | null;
}

export class Courier {
  readonly name: string;
  readonly #receiver: Background;
  readonly #sender: Background;

  constructor(name: string, receiver: Background, sender: Background) {
    this.name = name;
    this.#receiver = receiver;
    this.#sender = sender;
  }

  stats(): CourierStats {
    return lastStats(this.#receiver);
  }

  sent(): CourierStats {
    return lastStats(this.#sender);
  }

  /** Waits until more has arrived than now. */
  async progress(): Promise<void> {
    const { tcpBytes, udpPackets } = this.stats();
    await waitFor(
      `${this.name} to move`,
      () => {
        const stats = this.stats();
        this.#receiver.assertRunning();
        return stats.tcpBytes > tcpBytes && stats.udpPackets > udpPackets;
      },
      {
        deadlineMs: PROGRESS_DEADLINE_MS,
        logs: [this.#receiver.outputPath, this.#receiver.logPath, this.#sender.logPath],
      },
    );
  }

  async stop(): Promise<void> {
    await this.#sender.stop();
    await this.#receiver.stop();
  }
}

function lastStats(running: Background): CourierStats {
  const line = readTail(running.outputPath)
    .split('\n')
    .findLast((text) => text.startsWith('{') && text.endsWith('}'));
  return line === undefined ? NO_STATS : (JSON.parse(line) as CourierStats); // of courier.ts
}

let ports = 7_000;

/** Starts both ends. */
export async function startCourier(
  { world }: Scenario,
  from: SoakHost,
  to: SoakHost,
  seed: number,
): Promise<Courier> {
  const port = String(++ports);
  const name = `${from.label}-to-${to.label}-${port}`;
  const address = to.address ?? '';
  const receiver = await world.spawn({
    label: `${name}-receiver`,
    namespace: to.agent.namespace,
    argv: [CHECKOUT.node, COURIER, 'receive', address, port],
  });
  const logs = [receiver.outputPath, receiver.logPath];
  await waitFor(`${name} to listen`, () => readTail(receiver.outputPath).includes('ready'), {
    deadlineMs: LISTEN_DEADLINE_MS,
    logs,
  });
  const sender = await world.spawn({
    label: `${name}-sender`,
    namespace: from.agent.namespace,
    argv: [CHECKOUT.node, COURIER, 'send', address, port, String(seed), String(BYTES_PER_SECOND)],
  });
  return new Courier(name, receiver, sender);
}

/** Starts the agent of a host again, on what its predecessor left. */
export async function restartAgent(
  { world }: Scenario,
  host: SoakHost,
  options: Pick<AgentOptions, 'datapathProgram' | 'env'>,
): Promise<void> {
  const { label, namespace, stateDirectory, socketPath } = host.agent;
  host.agent = await startAgent(world, namespace, {
    label,
    stateDirectory,
    socketPath,
    ...options,
  });
}

/** Makes a host a member; resolves when its interface is up. */
export async function enter(scenario: Scenario, host: SoakHost): Promise<void> {
  const token = await createToken(scenario, { network: NETWORK });
  host.address = (await joinWith(host.agent, token, NETWORK)).ipv4;
}

export async function leave(host: SoakHost): Promise<void> {
  await host.agent.loom(['leave', NETWORK]);
  host.address = null;
}

/** Waits until every member sees all others up, and nobody else. */
export async function untilWhole(hosts: readonly SoakHost[], deadlineMs: number): Promise<void> {
  const members = hosts.filter(({ address }) => address !== null);
  for (const { label, agent } of members) {
    await waitFor(
      `${label} to see ${members.length - 1} peers up`,
      async () => {
        const { peers } = await agent.status();
        return peers.total === members.length - 1 && peers.up === peers.total;
      },
      { deadlineMs, logs: [agent.process.logPath] },
    );
  }
}

/**
 * Puts a bad line between a host and the switch. Frames must be plain on it: one datagram of a
 * train is lost alone, not the train.
 */
export async function impairLine(
  scenario: Scenario,
  label: HostLabel,
  rates: { readonly loss: number; readonly reorder: number; readonly duplicate: number },
  seed: number,
): Promise<Background> {
  const { world, switchNamespace } = scenario;
  const [own, near, far] = [`p-${label}`, `q-${label}`, `r-${label}`];
  const host = pick(scenario.namespaces, label);
  await world.link(
    { namespace: switchNamespace, device: near, bridge: 'br0' },
    { namespace: switchNamespace, device: far },
  );
  await world.exec(switchNamespace, ['ip', 'link', 'set', 'dev', own, 'nomaster']);
  const plain = ['tx', 'off', 'rx', 'off', 'gso', 'off', 'gro', 'off', 'tso', 'off'];
  for (const [namespace, device] of [
    [host, 'eth0'],
    [switchNamespace, near],
  ] as const) {
    await world.exec(namespace, ['ethtool', '-K', device, ...plain, 'tx-udp-segmentation', 'off']);
  }
  const { loss, reorder, duplicate } = rates;
  const program = join(CHECKOUT.root, '.cache/test/impair');
  const running = await world.spawn({
    label: `impair-${label}`,
    namespace: switchNamespace,
    argv: [program, own, far, ...[loss, reorder, duplicate, seed].map(String)],
  });
  await waitFor('the line to be up', () => readTail(running.outputPath).includes('ready'), {
    logs: [running.outputPath, running.logPath],
  });
  return running;
}

/** Drops a part of what arrives for the data path of a host, in thousandths. */
export async function setLoss(
  { world, namespaces }: Scenario,
  label: HostLabel,
  perThousand: number,
): Promise<void> {
  const rule = `udp dport 8002 numgen random mod 1000 < ${perThousand} drop`;
  const table = [
    'table inet soak',
    'delete table inet soak',
    'table inet soak {',
    '  chain arriving {',
    '    type filter hook prerouting priority -300;',
    ...(perThousand === 0 ? [] : [`    iifname "eth0" ${rule}`]),
    '  }',
    '}',
  ];
  await world.exec(pick(namespaces, label), ['nft', '-f', '-'], { input: table.join('\n') });
}
