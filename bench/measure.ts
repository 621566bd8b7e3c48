/**
 * Measures one contender once: TCP by iperf3 in three ways, small UDP packets by udp_blast, round
 * trips by ping, and the processor time of the whole machine while one TCP stream runs. Every
 * measurement goes from namespace `a` to the address of `b` inside the contender.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@etherloom/lab';
import type { Background, Namespace, World } from '@etherloom/lab';
import type { Sample } from './result.ts';
import { median } from './statistics.ts';

const UDP_BLAST = fileURLToPath(new URL('../.cache/bench/udp_blast', import.meta.url));
/** Payload of a small packet, bytes. */
const SMALL_PAYLOAD_BYTES = 64;
/**
 * Round trips of one measurement, and the time between them: long enough for neither side to stay
 * hot by chance.
 */
const PING_COUNT = 300;
const PING_INTERVAL_S = 0.002;
/** What a measurement may take beyond its own length: start of programs, draining of queues. */
const GRACE_MS = 20_000;
/**
 * First port of the receivers of small packets; each takes its own, so that a late packet is not
 * counted twice.
 */
const UDP_PORT_FIRST = 20_000;
const UDP_PORT_COUNT = 10_000;

/** Where the traffic flows. */
export interface Pair {
  readonly world: World;
  readonly a: Namespace;
  readonly b: Namespace;
  /** Address of `b` as `a` reaches it through the contender. */
  readonly target: string;
  readonly seconds: number;
}

let udpRuns = 0;

/** All columns of one round. */
export async function measure(pair: Pair): Promise<Sample> {
  const pingMs = await measurePing(pair);
  const busyBefore = busySeconds();
  const tcp = await measureTcp(pair, []);
  const cpuSeconds = busySeconds() - busyBefore;
  return {
    tcpGbps: tcp.gbps,
    tcpReverseGbps: (await measureTcp(pair, ['--reverse'])).gbps,
    tcp4Gbps: (await measureTcp(pair, ['--parallel', '4'])).gbps,
    udp64Kpps: await measureUdp(pair),
    pingMs,
    cpuSecondsPerGbit: cpuSeconds / tcp.gbits,
  };
}

/** One TCP stream, or what `options` of iperf3 make of it. */
export async function measureTcp(
  pair: Pair,
  options: readonly string[],
): Promise<{ gbps: number; gbits: number }> {
  const argv = [
    'iperf3',
    '--client',
    pair.target,
    '--json',
    '--time',
    String(pair.seconds),
    ...options,
  ];
  const { stdout } = await pair.world.exec(pair.a, argv, {
    timeoutMs: pair.seconds * 1_000 + GRACE_MS,
  });
  // Shape of iperf3's report.
  const report = JSON.parse(stdout) as {
    end: { sum_received: { bits_per_second: number; bytes: number } };
  };
  const received = report.end.sum_received;
  return { gbps: received.bits_per_second / 1e9, gbits: (received.bytes * 8) / 1e9 };
}

async function measureUdp(pair: Pair): Promise<number> {
  const port = String(UDP_PORT_FIRST + (udpRuns++ % UDP_PORT_COUNT));
  const receiver = await pair.world.spawn({
    label: `udp-${port}`,
    namespace: pair.b,
    argv: [UDP_BLAST, 'receive', port],
  });
  await waitFor('the receiver of small packets', () =>
    readFileSync(receiver.outputPath, 'utf8').startsWith('ready\n'),
  );
  const argv = [
    UDP_BLAST,
    'send',
    pair.target,
    port,
    String(pair.seconds),
    String(SMALL_PAYLOAD_BYTES),
  ];
  await pair.world.exec(pair.a, argv, { timeoutMs: pair.seconds * 1_000 + GRACE_MS });
  await ended(receiver);
  const line = readFileSync(receiver.outputPath, 'utf8').split('\n')[1] ?? '{}';
  // written by udp_blast.c
  const counted = JSON.parse(line) as { packets?: number; seconds?: number };
  if (counted.packets === undefined || counted.seconds === undefined || counted.packets < 2) {
    throw new Error(`no small packet arrived at ${pair.target}`);
  }
  return counted.packets / Math.max(counted.seconds, pair.seconds) / 1e3;
}

async function ended(receiver: Background): Promise<void> {
  const { status } = await receiver.exited;
  if (status !== 0)
    throw new Error(
      `udp_blast ended with status ${status}: ${readFileSync(receiver.logPath, 'utf8')}`,
    );
}

async function measurePing(pair: Pair): Promise<number> {
  const argv = ['ping', '-n', '-c', String(PING_COUNT), '-i', String(PING_INTERVAL_S), pair.target];
  const { stdout } = await pair.world.exec(pair.a, argv, { timeoutMs: GRACE_MS });
  return median(roundTripsOf(stdout));
}

/** Times of the answers that ping printed, milliseconds. */
export function roundTripsOf(output: string): number[] {
  return [...output.matchAll(/ time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

/** Processor time that the whole machine has spent on anything, seconds. */
function busySeconds(): number {
  return busySecondsOf(readFileSync('/proc/stat', 'utf8'));
}

/**
 * Sum of all but idle and waiting for disks in /proc/stat; the kernel counts in hundredths there
 * (USER_HZ).
 */
export function busySecondsOf(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    stat.split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / 100;
}
