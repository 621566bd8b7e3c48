/**
 * What happens to the hosts of a soak. alpha is let live, so that its agent and its data path grow
 * old; alpha and beta stay members, so that their streams have no excuse; the others come and go.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { signalProcess, startController, waitFor } from '@etherloom/lab';
import type { AgentOptions, LabController } from '@etherloom/lab';
import { ipv4Of, pick } from '../netns/scenario.ts';
import type { HostLabel, Scenario } from '../netns/scenario.ts';
import type { Chance } from './chance.ts';
import { enter, leave, restartAgent, setLoss, startCourier } from './hosts.ts';
import type { Courier, SoakHost } from './hosts.ts';

const AWAY_MS_MAX = 3_000;
const LOSS_PER_THOUSAND_MAX = 10;
const CONTROLLER_DEADLINE_MS = 60_000;

export interface Soak {
  readonly scenario: Scenario;
  readonly chance: Chance;
  readonly hosts: readonly SoakHost[];
  /** Of hosts that come and go, by host. */
  readonly visits: Map<HostLabel, readonly Courier[]>;
  /** How agents are started again. */
  readonly agentOptions: Pick<AgentOptions, 'datapathProgram' | 'env'>;
  controller: LabController;
  /** Couriers whose ends have left, with what they moved. */
  readonly finished: Courier[];
}

export interface Operation {
  readonly name: string;
  readonly weight: number;
  /** Only in the first part of a run, so that the last instance grows old. */
  readonly isEarly?: boolean;
  readonly run: (soak: Soak) => Promise<string>;
}

export const OPERATIONS: readonly Operation[] = [
  { name: 'come or go', weight: 6, run: comeOrGo },
  { name: 'kill agent', weight: 4, run: killAgent },
  { name: 'kill data path', weight: 3, run: killDataPath },
  { name: 'move address', weight: 3, run: moveAddress },
  { name: 'change loss', weight: 2, run: changeLoss },
  { name: 'restart controller', weight: 1, isEarly: true, run: restartController },
];

/** The next one, by weight. */
export function nextOperation(chance: Chance, isEarly: boolean): Operation {
  const open = OPERATIONS.filter((operation) => isEarly || operation.isEarly !== true);
  let at = chance.below(open.reduce((sum, { weight }) => sum + weight, 0));
  const found = open.find(({ weight }) => (at -= weight) < 0);
  if (found === undefined) throw new RangeError('weights do not add up');
  return found;
}

async function comeOrGo(soak: Soak): Promise<string> {
  const visitor = soak.chance.pick(soak.hosts.filter(({ label }) => !isResident(label)));
  const seed = soak.chance.below(1 << 30);
  if (visitor.address === null) return await come(soak, visitor, seed);
  for (const courier of soak.visits.get(visitor.label) ?? []) {
    await courier.stop();
    soak.finished.push(courier);
  }
  soak.visits.delete(visitor.label);
  await leave(visitor);
  return `${visitor.label} goes`;
}

/** A visitor joins, and streams run between it and alpha. */
export async function come(soak: Soak, visitor: SoakHost, seed: number): Promise<string> {
  await enter(soak.scenario, visitor);
  const alpha = hostOf(soak, 'alpha');
  soak.visits.set(visitor.label, [
    await startCourier(soak.scenario, visitor, alpha, seed),
    await startCourier(soak.scenario, alpha, visitor, seed + 1),
  ]);
  return `${visitor.label} comes`;
}

async function killAgent(soak: Soak): Promise<string> {
  const host = soak.chance.pick(soak.hosts.filter(({ label }) => label !== 'alpha'));
  const awayMs = soak.chance.below(AWAY_MS_MAX);
  host.agent.kill('SIGKILL');
  await host.agent.process.exited;
  await pause(awayMs);
  await restartAgent(soak.scenario, host, soak.agentOptions);
  return `${host.label}, away for ${awayMs} ms`;
}

async function killDataPath(soak: Soak): Promise<string> {
  const host = soak.chance.pick(soak.hosts.filter(({ label }) => label !== 'alpha'));
  const before = await host.agent.dataPath();
  if (before === null) throw new Error(`${host.label} has no data path`);
  signalProcess(before, 'SIGKILL');
  await waitFor(`${host.label} to have another data path`, async () => {
    const { datapath } = await host.agent.status();
    return datapath.running && datapath.pid !== before.pid;
  });
  return host.label;
}

async function moveAddress({ scenario, chance, hosts }: Soak): Promise<string> {
  const { label } = chance.pick(hosts);
  const home = ipv4Of(label);
  const address = chance.below(2) === 0 ? home : home.replace(/\.(\d+)$/, '.1$1');
  await scenario.world.setAddresses(pick(scenario.namespaces, label), 'eth0', [`${address}/24`]);
  return `${label} to ${address}`;
}

async function changeLoss({ scenario, chance, hosts }: Soak): Promise<string> {
  const { label } = chance.pick(hosts);
  const perThousand = chance.below(LOSS_PER_THOUSAND_MAX + 1);
  await setLoss(scenario, label, perThousand);
  return `${label} ${perThousand / 10} %`;
}

async function restartController(soak: Soak): Promise<string> {
  const isKilled = soak.chance.below(2) === 0;
  const { dataDirectory, process: running } = soak.controller;
  running.kill(isKilled ? 'SIGKILL' : 'SIGTERM');
  await running.exited;
  soak.controller = await startController(soak.scenario.world, {
    namespace: pick(soak.scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory,
  });
  for (const { label, agent } of soak.hosts) {
    if (label !== 'alpha') continue;
    await waitFor(
      `${label} to find the controller`,
      async () => (await agent.status()).controller.connected,
      { deadlineMs: CONTROLLER_DEADLINE_MS },
    );
  }
  return isKilled ? 'killed' : 'in order';
}

function isResident(label: HostLabel): boolean {
  return label === 'alpha' || label === 'beta';
}

function hostOf({ hosts }: Soak, label: HostLabel): SoakHost {
  const host = hosts.find((candidate) => candidate.label === label);
  if (host === undefined) throw new RangeError(`there is no ${label}`);
  return host;
}
