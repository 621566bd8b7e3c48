/**
 * Several networks on one fabric: they share nothing, not even when their addresses are the same.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '@etherloom/lab';
import { ping } from './ping.ts';
import {
  buildScenario,
  joinNetwork,
  networkDrops,
  type Membership,
  type Scenario,
} from './scenario.ts';

const SUBNET = '10.77.0.0/24';

describe('two networks with one subnet', () => {
  let scenario: Scenario;
  let red: readonly Membership[];
  let blue: readonly Membership[];

  beforeAll(async () => {
    scenario = await buildScenario({ hosts: ['alpha', 'beta', 'gamma'], underlay: 'ipv4' });
    const { alpha, beta, gamma } = scenario.agents;
    ({ members: red } = await joinNetwork(scenario, { name: 'red', ipv4: SUBNET }, [alpha, beta]));
    ({ members: blue } = await joinNetwork(scenario, { name: 'blue', ipv4: SUBNET }, [
      alpha,
      gamma,
    ]));
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  test('the same address is another host in each network, for a host that is in both', async () => {
    const [redAlpha, beta] = red as [Membership, Membership]; // joined in this order
    const [blueAlpha, gamma] = blue as [Membership, Membership]; // likewise
    expect(beta.ipv4).toBe(gamma.ipv4);
    for (const [own, other] of [
      [redAlpha, beta],
      [blueAlpha, gamma],
    ] as const) {
      const before = await receivedFrames(other);
      const result = await ping(scenario.world, own.agent, other.ipv4, {
        count: 10,
        interface: own.interface,
      });
      expect(result.received, own.interface).toBe(10);
      expect(await receivedFrames(other)).toBeGreaterThanOrEqual(before + 10);
    }
  });

  test('what is sent in one network never shows in the other', async () => {
    const [redAlpha] = red as [Membership, Membership]; // joined in this order
    const [, gamma] = blue as [Membership, Membership]; // likewise
    const before = await receivedEchoRequests(scenario, gamma);
    await ping(scenario.world, redAlpha.agent, gamma.ipv4, {
      count: 10,
      interface: redAlpha.interface,
    });
    await ping(scenario.world, redAlpha.agent, '10.77.0.255', {
      count: 1,
      interface: redAlpha.interface,
      isBroadcast: true,
    });
    expect(await receivedEchoRequests(scenario, gamma)).toBe(before);
  });

  test('a peer that was removed from one network is refused there and still served in the other', async () => {
    const { alpha, beta } = scenario.agents;
    const { members } = await joinNetwork(scenario, { name: 'green' }, [alpha, beta]);
    const [greenAlpha, greenBeta] = members as [Membership, Membership]; // joined in this order
    const { nodeId } = await alpha.status();
    const knock = (count: number) =>
      ping(scenario.world, alpha, greenBeta.ipv4, { count, interface: greenAlpha.interface });
    expect((await knock(3)).received).toBe(3);
    // Its agent stands still, so its data path goes on as one that does not obey.
    alpha.kill('SIGSTOP');
    await scenario.controller.client.call('memberDelete', {
      params: { network: 'green', node: nodeId ?? '' },
    });
    await waitFor('beta to refuse alpha', async () => (await knock(1)).received === 0);
    const refusals = async (): Promise<number> =>
      (await networkDrops(beta, 'green'))('peer_not_member');
    const before = await refusals();
    expect((await knock(5)).received).toBe(0);
    await waitFor('beta to count the refusals', async () => (await refusals()) >= before + 5);
    const [redAlpha, redBeta] = red as [Membership, Membership]; // joined in this order
    const served = await ping(scenario.world, alpha, redBeta.ipv4, {
      count: 5,
      interface: redAlpha.interface,
    });
    expect(served.received).toBe(5);
    alpha.kill('SIGCONT');
    await waitFor('alpha to leave the network', async () => {
      const { networks } = await alpha.status();
      return !networks.some(({ name }) => name === 'green');
    });
  });
});

async function receivedFrames(member: Membership): Promise<number> {
  const { networks } = await member.agent.status();
  return networks.find((row) => row.interface === member.interface)?.receivedFrames ?? 0;
}

/** ICMP echo requests that the host's own stack counted (RFC 4293 by /proc/net/snmp). */
async function receivedEchoRequests(scenario: Scenario, member: Membership): Promise<number> {
  const { stdout } = await scenario.world.exec(member.agent.namespace, ['cat', '/proc/net/snmp']);
  const [names = [], values = []] = stdout
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('InEchos')]);
}
