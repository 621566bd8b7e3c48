/** A member that sends from what is not its own: every receiver drops and counts it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '@etherloom/lab';
import { FRAME_TOOL, buildFrameTool } from './frame-tool.ts';
import { ping } from './ping.ts';
import {
  buildScenario,
  joinNetwork,
  networkDrops,
  type Membership,
  type Scenario,
} from './scenario.ts';

const FRAMES = 7;
const FOREIGN_MAC = '02:de:ad:be:ef:01';

describe('source binding', () => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;
  let gamma: Membership;

  beforeAll(async () => {
    await buildFrameTool();
    scenario = await buildScenario({ hosts: ['alpha', 'beta', 'gamma'], underlay: 'ipv4' });
    const { agents } = scenario;
    const joined = await joinNetwork(scenario, { name: 'demo' }, [
      agents.alpha,
      agents.beta,
      agents.gamma,
    ]);
    // one for each agent
    [alpha, beta, gamma] = joined.members as [Membership, Membership, Membership];
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  async function sendFromAlpha(frame: string): Promise<void> {
    await scenario.world.exec(alpha.agent.namespace, [
      FRAME_TOOL,
      'send',
      alpha.interface,
      frame,
      String(FRAMES),
    ]);
  }

  async function expectDropped(frame: string, reason: string): Promise<void> {
    const before = (await networkDrops(beta.agent, 'demo'))(reason);
    await sendFromAlpha(frame);
    await waitFor(`beta to count ${FRAMES} drops as ${reason}`, async () => {
      const after = (await networkDrops(beta.agent, 'demo'))(reason);
      return after - before === FRAMES;
    });
  }

  test.each([
    ['the MAC of another member', () => gamma.mac],
    ['a MAC that nobody has', () => FOREIGN_MAC],
    ["the receiver's own MAC", () => beta.mac],
  ])('a frame from %s is dropped as source_mac_denied', async (_, mac) => {
    await expectDropped(frameOf(beta.mac, mac(), '88b5', '00'.repeat(46)), 'source_mac_denied');
  });

  test.each([
    [
      'IPv4 from the address of another member',
      () => frameOf(beta.mac, alpha.mac, '0800', ipv4Packet(gamma.ipv4, beta.ipv4)),
    ],
    [
      'IPv4 from an address outside of the network',
      () => frameOf(beta.mac, alpha.mac, '0800', ipv4Packet('192.0.2.99', beta.ipv4)),
    ],
    [
      'the same, priority-tagged',
      () => frameOf(beta.mac, alpha.mac, '81000000' + '0800', ipv4Packet(gamma.ipv4, beta.ipv4)),
    ],
    [
      'IPv6 from the address of another member',
      () => frameOf(beta.mac, alpha.mac, '86dd', ipv6Packet(gamma.ipv6, beta.ipv6)),
    ],
    [
      'an ARP reply that claims the address of another member',
      () =>
        frameOf(beta.mac, alpha.mac, '0806', arpReply(alpha.mac, gamma.ipv4, beta.mac, beta.ipv4)),
    ],
    [
      'an ARP reply that names a MAC of another member',
      () =>
        frameOf(beta.mac, alpha.mac, '0806', arpReply(gamma.mac, alpha.ipv4, beta.mac, beta.ipv4)),
    ],
    [
      'a neighbour advertisement for the address of another member',
      () =>
        frameOf(
          beta.mac,
          alpha.mac,
          '86dd',
          neighbourAdvertisement(alpha.ipv6, beta.ipv6, gamma.ipv6, alpha.mac),
        ),
    ],
  ])('%s is dropped as source_ip_denied', async (_, frame) => {
    await expectDropped(frame(), 'source_ip_denied');
  });

  test('a host that changes its own MAC is not heard until its agent gives it back its own', async () => {
    const { world } = scenario;
    const macDrops = async (): Promise<number> =>
      (await networkDrops(beta.agent, 'demo'))('source_mac_denied');
    const before = await macDrops();
    // An agent that stands still cannot mend what the host's owner does.
    alpha.agent.kill('SIGSTOP');
    const setMac = ['ip', 'link', 'set', 'dev', alpha.interface, 'address', FOREIGN_MAC];
    await world.exec(alpha.agent.namespace, setMac);
    const refused = await ping(world, alpha.agent, beta.ipv4, { count: 5 });
    expect(refused.received).toBe(0);
    await waitFor('beta to count the drops', async () => (await macDrops()) > before);
    alpha.agent.kill('SIGCONT');
    await waitFor('alpha to be heard again', async () => {
      const { received } = await ping(world, alpha.agent, beta.ipv4, { count: 5 });
      return received === 5;
    });
  });

  test('a host that adds an address of its own choice is not heard from it', async () => {
    const { world } = scenario;
    const chosen = alpha.ipv4.replace(/\.\d+$/, '.200');
    const ipDrops = async (): Promise<number> =>
      (await networkDrops(beta.agent, 'demo'))('source_ip_denied');
    const before = await ipDrops();
    alpha.agent.kill('SIGSTOP');
    const add = ['ip', 'address', 'add', `${chosen}/32`, 'dev', alpha.interface];
    await world.exec(alpha.agent.namespace, add);
    const refused = await ping(world, alpha.agent, beta.ipv4, { count: 3, interface: chosen });
    expect(refused.received).toBe(0);
    await waitFor('beta to count the drops', async () => (await ipDrops()) >= before + 3);
    alpha.agent.kill('SIGCONT');
    await waitFor('the agent to take the address away', async () => {
      const show = ['ip', '-o', 'address', 'show', 'dev', alpha.interface];
      return !(await world.exec(alpha.agent.namespace, show)).stdout.includes(chosen);
    });
  });
});

const bare = (mac: string): string => mac.replaceAll(':', '');

function frameOf(destination: string, source: string, etherType: string, payload: string): string {
  return bare(destination) + bare(source) + etherType + payload;
}

const hexByte = (value: number): string => value.toString(16).padStart(2, '0');

function hexIpv4(address: string): string {
  return address
    .split('.')
    .map((part) => hexByte(Number(part)))
    .join('');
}

function hexIpv6(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const words = (text: string): string[] =>
    text === '' ? [] : text.split(':').map((word) => word.padStart(4, '0'));
  const front = words(head);
  const back = address.includes('::') ? words(tail) : [];
  return [...front, ...Array<string>(8 - front.length - back.length).fill('0000'), ...back].join(
    '',
  );
}

/**
 * IPv4 header (RFC 791) with protocol 253, experiments (RFC 3692), and 26 bytes. Its header
 * checksum is not looked at.
 */
function ipv4Packet(source: string, destination: string): string {
  const addresses = `${hexIpv4(source)}${hexIpv4(destination)}`;
  return `4500002e0000000040fd0000${addresses}${'00'.repeat(26)}`;
}

/** IPv6 header (RFC 8200) with next header 59, none. */
function ipv6Packet(source: string, destination: string): string {
  return `6000000000003b40${hexIpv6(source)}${hexIpv6(destination)}`;
}

/** ARP reply (RFC 826). */
function arpReply(
  senderMac: string,
  senderIp: string,
  targetMac: string,
  targetIp: string,
): string {
  const sender = `${bare(senderMac)}${hexIpv4(senderIp)}`;
  const target = `${bare(targetMac)}${hexIpv4(targetIp)}`;
  return `0001080006040002${sender}${target}${'00'.repeat(18)}`;
}

/**
 * Neighbour advertisement (RFC 4861, 4.4) with a target link-layer address option; its checksum is
 * not looked at.
 */
function neighbourAdvertisement(
  source: string,
  destination: string,
  target: string,
  mac: string,
): string {
  const body = `8800000020000000${hexIpv6(target)}0201${bare(mac)}`;
  return `6000000000203aff${hexIpv6(source)}${hexIpv6(destination)}${body}`;
}
