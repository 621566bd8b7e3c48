/** Steps that prove that it works: each of them fails when what its title says is not so. */
import { rmSync } from 'node:fs';
import type { PeerRow } from '@etherloom/api';
import { peerRowSchema, pingResultSchema } from '@etherloom/api';
import { LabError } from '../lab-error.ts';
import { readTail } from '../log-tail.ts';
import { waitFor } from '../wait.ts';
import { sendDatagram, sendFile, writeRandomFile } from './courier-runs.ts';
import type { DemoHost, Stage } from './stage.ts';
import { acrossClouds, all, made, waiting } from './stage.ts';

const FILE_BYTES = 268_435_456;
const PINGS = 10;
const THROUGHPUT_SECONDS = 3;

/** Waits until every host has a direct path to every other one. */
export async function showPeers(stage: Stage): Promise<string> {
  const { hosts } = made(stage, 'hosts');
  const rows = await all(hosts.map((host) => waitForPeers(stage, host, hosts.length - 1)));
  const lines = hosts.map((host, i) => {
    const peers = (rows[i] ?? []).map((peer) => `${peer.name} ${peer.path} at ${peer.endpoint}`);
    return `${host.name}: ${peers.join(', ')}`;
  });
  const { east, west } = acrossClouds(stage);
  const reply = await east.agent.loomJson(['ping', west.name]);
  const results = pingResultSchema.array().parse(field(reply, 'results'));
  const least = Math.min(...results.map((result) => result.latencyMs ?? Infinity));
  return [...lines, `loom ping ${west.name} on ${east.name}: ${least.toFixed(3)} ms`].join('\n');
}

function waitForPeers(stage: Stage, host: DemoHost, number: number): Promise<readonly PeerRow[]> {
  const look = async (): Promise<readonly PeerRow[]> => {
    const peers = peerRowSchema.array().parse(field(await host.agent.loomJson(['peers']), 'peers'));
    const ready = peers.filter((peer) => peer.state === 'up' && peer.path === 'direct');
    if (ready.length === number) return ready;
    const seen = peers.map((peer) => `${peer.name} ${peer.state}`).join(', ') || 'no peers';
    throw new LabError('command_failed', `${host.name} sees ${seen}`);
  };
  const what = `${host.name} to have ${number} direct peers`;
  return waitFor(what, look, waiting(stage, [host.agent.process.logPath]));
}

/**
 * One datagram each, that nothing answers, from a host with an empty neighbour table. Had the
 * question crossed, the kernel of the other host would have learnt who asked, as it does with
 * every ARP request and neighbour solicitation for its own address.
 */
export async function proveLocalAnswers(stage: Stage): Promise<string> {
  const { east, west } = acrossClouds(stage);
  const arp = { name: 'ARP', family: '-4', from: east.ipv4, to: west.ipv4 } as const;
  const nd = { name: 'ND', family: '-6', from: east.ipv6, to: west.ipv6 } as const;
  const lines = [await proveLocalAnswer(stage, arp), await proveLocalAnswer(stage, nd)];
  return lines.join('\n');
}

interface Question {
  readonly name: string;
  readonly family: '-4' | '-6';
  readonly from: string;
  readonly to: string;
}

async function proveLocalAnswer(stage: Stage, question: Question): Promise<string> {
  const { east, west } = acrossClouds(stage);
  for (const host of [east, west]) await flushNeighbours(stage, host);
  const before = await countAnswered(east);
  await sendDatagram(stage, { from: east, to: west, address: question.to });
  const rose = await waitFor(
    `the counter of local answers on ${east.name} to rise by ${question.name}`,
    async () => (await countAnswered(east)) - before || null,
    waiting(stage, [east.agent.process.logPath]),
  );
  const learnt = await findNeighbour(stage, east, question.family, question.to);
  if (!learnt?.includes(west.joined.mac)) {
    throw new LabError(
      'command_failed',
      `${east.name} has not learnt that ${question.to} is at ${west.joined.mac}`,
    );
  }
  const heard = await findNeighbour(stage, west, question.family, question.from);
  if (heard !== undefined) {
    throw new LabError(
      'command_failed',
      `the ${question.name} question crossed: ${west.name} has learnt "${heard}"`,
    );
  }
  const answer = `${question.to} is at ${west.joined.mac}`;
  const seen = `${west.name} heard no question`;
  return `${question.name}: "${answer}" was answered on ${east.name} (counter +${rose}); ${seen}`;
}

async function countAnswered(host: DemoHost): Promise<number> {
  const { networks } = await host.agent.status();
  return networks.reduce((sum, network) => sum + network.answeredLocally, 0);
}

async function flushNeighbours(stage: Stage, host: DemoHost): Promise<void> {
  const flush = ['ip', 'neigh', 'flush', 'dev', host.joined.interface, 'nud', 'all'];
  await stage.world.exec(host.namespace, flush);
}

/** The line of a host's neighbour table for an address, when its MAC is known. */
async function findNeighbour(
  stage: Stage,
  host: DemoHost,
  family: Question['family'],
  address: string,
): Promise<string | undefined> {
  const show = ['ip', family, 'neigh', 'show', 'dev', host.joined.interface];
  const { stdout } = await stage.world.exec(host.namespace, show);
  const lines = stdout.split('\n').map((line) => line.trim());
  return lines.find((line) => line.startsWith(`${address} `) && line.includes('lladdr'));
}

/** Pings over the network, both families; every one must be answered. */
export async function proveNoLoss(stage: Stage): Promise<string> {
  const { east, west } = acrossClouds(stage);
  const lines: string[] = [];
  for (const address of [west.ipv4, west.ipv6]) {
    const ping = ['ping', '-c', String(PINGS), '-i', '0.05', '-W', '2', address];
    const { stdout } = await stage.world.exec(east.namespace, ping);
    const loss = /([\d.]+)% packet loss/.exec(stdout)?.[1];
    if (loss !== '0') throw new LabError('command_failed', `ping ${address} lost ${loss ?? '?'} %`);
    const average = /= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1] ?? '?';
    const way = `${east.name} to ${west.name} (${address})`;
    lines.push(`${way}: ${PINGS} of ${PINGS} answered, ${average} ms on average`);
  }
  return lines.join('\n');
}

/** Sends random bytes and compares what arrived. */
export async function proveSameFile(stage: Stage): Promise<string> {
  const { east, west } = acrossClouds(stage);
  const file = writeRandomFile(stage.world, FILE_BYTES);
  const got = await sendFile(stage, { from: east, to: west, path: file.path });
  rmSync(file.path);
  if (got.bytes !== FILE_BYTES || got.sha256 !== file.sha256) {
    const sent = `${east.name} sent ${FILE_BYTES} bytes with SHA-256 ${file.sha256}`;
    throw new LabError(
      'command_failed',
      `${sent}; ${west.name} got ${got.bytes} with ${got.sha256}`,
    );
  }
  const gbps = ((FILE_BYTES * 8) / got.ms / 1_000_000).toFixed(2);
  const seconds = (got.ms / 1_000).toFixed(2);
  return [
    `${FILE_BYTES / 1_048_576} MB of random bytes in ${seconds} s (${gbps} Gbit/s)`,
    `SHA-256 on both sides ${file.sha256}`,
  ].join('\n');
}

/** Measures one TCP stream. */
export async function measureThroughput(stage: Stage): Promise<string> {
  const { east, west } = acrossClouds(stage);
  const server = await stage.world.spawn({
    label: 'iperf3',
    namespace: west.namespace,
    argv: ['iperf3', '--server', '--one-off', '--bind', west.ipv4, '--forceflush'],
  });
  const isListening = (): boolean => readTail(server.outputPath).includes('listening');
  await waitFor('iperf3 to listen', isListening, waiting(stage, [server.logPath]));
  const client = ['iperf3', '--client', west.ipv4, '--time', String(THROUGHPUT_SECONDS), '--json'];
  const { stdout } = await stage.world.exec(east.namespace, client);
  stage.throughputGbps = readThroughput(stdout);
  const result = `${stage.throughputGbps.toFixed(2)} Gbit/s`;
  return `one TCP stream for ${THROUGHPUT_SECONDS} s: ${result}, AES-256-GCM, both hosts on this machine`;
}

function readThroughput(text: string): number {
  const received = field(field(JSON.parse(text), 'end'), 'sum_received');
  const bitsPerSecond = field(received, 'bits_per_second');
  if (typeof bitsPerSecond === 'number' && bitsPerSecond > 0) return bitsPerSecond / 1e9;
  throw new LabError('command_failed', 'iperf3 gave no result');
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Record<string, unknown>)[name]; // an object has properties
}
