/** Steps that build: the world, the controller, the agents, the network, the memberships. */
import { agentJoinReplySchema } from '@etherloom/api';
import type { LabAgent } from '../agent.ts';
import { startAgent } from '../agent.ts';
import { startController } from '../controller.ts';
import { LabError } from '../lab-error.ts';
import type { DemoHost, Stage } from './stage.ts';
import { all, made } from './stage.ts';
import { CONTROLLER_LISTEN, WEST1_ADDRESS, makeTopology } from './topology.ts';

const NETWORK = 'demo';
const TOKEN_USES = 3;
const TOKEN_LIFETIME_SECONDS = 600;

/** Builds the underlay. */
export async function buildWorld(stage: Stage): Promise<string> {
  stage.topology = await makeTopology(stage.world);
  const [east1] = stage.topology.hosts;
  const ping = ['ping', '-c', '1', '-W', '2', WEST1_ADDRESS];
  const { stdout } = await stage.world.exec(east1 ?? null, ping);
  return `east1 reaches west1 over the router in ${/time=([\d.]+ ms)/.exec(stdout)?.[1] ?? '?'}`;
}

/** Starts the controller. */
export async function runController(stage: Stage): Promise<string> {
  const { topology } = made(stage, 'topology');
  stage.controller = await startController(stage.world, {
    namespace: topology.controller,
    listen: CONTROLLER_LISTEN,
  });
  return `serves ${stage.controller.url}; from this machine ${stage.controller.localUrl}`;
}

/** Starts an agent in each host. */
export async function runAgents(stage: Stage): Promise<string> {
  const { topology } = made(stage, 'topology');
  const starts = topology.hosts.map((namespace) => startAgent(stage.world, namespace));
  stage.agents = await all(starts);
  const [status] = await all(stage.agents.map((agent) => agent.status()));
  const features = status?.datapath.features.join(', ');
  const names = stage.agents.map(({ label }) => label).join(', ');
  return `${names}; the data path has ${features || 'no offloads'}`;
}

/** Creates the network and a token for three hosts. */
export async function createNetwork(stage: Stage): Promise<string> {
  const { controller } = made(stage, 'controller');
  const network = await controller.client.call('networkCreate', { body: { name: NETWORK } });
  const created = await controller.client.call('tokenCreate', {
    body: { network: NETWORK, uses: TOKEN_USES, lifetimeSeconds: TOKEN_LIFETIME_SECONDS },
  });
  stage.token = created.token;
  const pools = `VNI ${network.vni}, ${network.ipv4}, ${network.ipv6}`;
  return `${pools}; the token is good for ${TOKEN_USES} hosts and 10 minutes`;
}

/** Joins all hosts with the one token. */
export async function joinHosts(stage: Stage): Promise<string> {
  const { agents, token } = made(stage, 'agents', 'token');
  stage.hosts = await all(agents.map((agent) => joinHost(agent, token)));
  return stage.hosts
    .map(({ name, joined }) => [name, joined.interface, joined.mac, ...joined.addresses].join('  '))
    .join('\n');
}

async function joinHost(agent: LabAgent, token: string): Promise<DemoHost> {
  const joined = agentJoinReplySchema.parse(await agent.join({ token, name: agent.label }));
  const bare = joined.addresses.map((address) => address.replace(/\/\d+$/, ''));
  const ipv4 = bare.find((address) => address.includes('.'));
  const ipv6 = bare.find((address) => address.includes(':') && !address.startsWith('fe80'));
  if (ipv4 === undefined || ipv6 === undefined) {
    const given = joined.addresses.join(', ') || 'no address';
    throw new LabError('command_failed', `${agent.label} was given ${given}, not one of each kind`);
  }
  return { name: agent.label, namespace: agent.namespace, agent, joined, ipv4, ipv6 };
}
