/** Two hosts on one overlay network: what ordinary traffic must do, over each underlay family. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '@etherloom/lab';
import { ping } from './ping.ts';
import { FRAME_TOOL, buildFrameTool } from './frame-tool.ts';
import { buildScenario, joinNetwork, pick, type Membership, type Scenario } from './scenario.ts';
import { moveStream } from './stream.ts';

const GIGABYTE = 1_000_000_000;
/** Local experimental EtherType 1 (IEEE 802, clause 9.2.3). */
const ETHER_TYPE = '88b5';

describe.each(['ipv4', 'ipv6'] as const)('traffic over an %s underlay', (underlay) => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;

  beforeAll(async () => {
    scenario = await buildScenario({ underlay });
    const { agents } = scenario;
    const joined = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, agents.beta]);
    [alpha, beta] = joined.members as [Membership, Membership]; // one for each agent given
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  test('pings cross without loss, IPv4 and IPv6 inside', async () => {
    for (const address of [beta.ipv4, beta.ipv6]) {
      const result = await ping(scenario.world, alpha.agent, address, {
        count: 50,
        intervalSeconds: 0.01,
      });
      expect(result.received, address).toBe(50);
    }
  });

  test('packets of the full MTU cross unfragmented', async () => {
    const { networks } = await alpha.agent.status();
    const mtuBytes = networks[0]?.mtuBytes ?? 0;
    const result = await ping(scenario.world, alpha.agent, beta.ipv4, {
      count: 5,
      sizeBytes: mtuBytes - 28,
      isUnfragmented: true,
    });
    expect(mtuBytes).toBeGreaterThanOrEqual(1_280);
    expect(result.received).toBe(5);
  });

  test('a gigabyte of TCP arrives as it was sent, IPv4 inside', async () => {
    const moved = await moveStream(
      scenario.world,
      { from: alpha.agent, to: beta.agent, address: beta.ipv4, port: 5001 },
      GIGABYTE,
    );
    expect(moved.sent.bytes).toBe(GIGABYTE);
    expect(moved.received).toEqual(moved.sent);
  });

  test('a stream arrives as it was sent, IPv6 inside, the other way', async () => {
    const moved = await moveStream(
      scenario.world,
      { from: beta.agent, to: alpha.agent, address: alpha.ipv6, port: 5002 },
      GIGABYTE / 5,
    );
    expect(moved.received).toEqual(moved.sent);
  });

  test('a raw EtherType passes byte for byte', async () => {
    await buildFrameTool();
    const payload = Array.from({ length: 60 }, (_, i) => i.toString(16).padStart(2, '0')).join('');
    const frame = `${hex(beta.mac)}${hex(alpha.mac)}${ETHER_TYPE}${payload}`;
    const receiver = await scenario.world.spawn({
      label: 'frames',
      namespace: beta.agent.namespace,
      argv: [FRAME_TOOL, 'receive', beta.interface, ETHER_TYPE, '3', '10000'],
    });
    const { outputPath } = receiver;
    await waitFor('the frame receiver', () => readLines(outputPath).includes('ready'));
    await scenario.world.exec(pick(scenario.namespaces, 'alpha'), [
      FRAME_TOOL,
      'send',
      alpha.interface,
      frame,
      '3',
    ]);
    expect((await receiver.exited).status).toBe(0);
    expect(readLines(outputPath).slice(1)).toEqual([frame, frame, frame]);
  });

  test('ARP and neighbour requests are answered on the host itself', async () => {
    const { namespace } = alpha.agent;
    const answered = async (): Promise<number> =>
      (await alpha.agent.status()).networks[0]?.answeredLocally ?? 0;
    const before = await answered();
    await scenario.world.exec(namespace, ['ip', 'neighbour', 'flush', 'dev', alpha.interface]);
    await ping(scenario.world, alpha.agent, beta.ipv4, { count: 1 });
    await ping(scenario.world, alpha.agent, beta.ipv6, { count: 1 });
    expect(await answered()).toBeGreaterThanOrEqual(before + 2);
    const { stdout } = await scenario.world.exec(namespace, [
      'ip',
      'neighbour',
      'show',
      'dev',
      alpha.interface,
    ]);
    expect(stdout).toContain(`${beta.ipv4} lladdr ${beta.mac}`);
  });

  test('an address that no member has stays unanswered and is counted', async () => {
    const absent = alpha.ipv4.replace(/\.\d+$/, '.250');
    const drops = async (): Promise<number> =>
      (await alpha.agent.status()).networks[0]?.drops['neighbour_unknown'] ?? 0;
    const before = await drops();
    const result = await ping(scenario.world, alpha.agent, absent, { count: 1 });
    expect(result.received).toBe(0);
    expect(await drops()).toBeGreaterThan(before);
  });
});

function hex(mac: string): string {
  return mac.replaceAll(':', '');
}

function readLines(path: string): readonly string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
