/**
 * What handshakes cost: full ones for each second of processor time with both ends on one thread,
 * through the whole mesh (gate, parts, Noise, ML-KEM, session book), and the memory of a host under
 * a flood of first parts whose mac1 is right. Prints one line for each figure. Time inside the mesh
 * is virtual; processor time is counted, so that other programs on the machine change little.
 *
 *   node bench/handshakes.ts [--seconds N]
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { keyPairOf, makeEndpoint, Mesh } from '@etherloom/core';
import type { Endpoint, PeerConfig, PostQuantum } from '@etherloom/core';

const PEER = 1;
/** Virtual time between two handshakes: over the interval at which a peer is answered. */
const STEP_MS = 100;
const FLOOD_PER_SECOND = 10_000;
const FLOOD_SECONDS = 8;
const FLOOD_PART_BYTES = 700;

interface End {
  readonly mesh: Mesh;
  readonly at: Endpoint;
  readonly config: Omit<PeerConfig, 'postQuantum'>;
}

function makeEnd(last: number): End {
  const privateKey = Uint8Array.from(randomBytes(32));
  const { publicKey } = keyPairOf(privateKey);
  const nodeId = new Uint8Array(16).fill(last);
  const at = makeEndpoint(Uint8Array.of(192, 0, 2, last), 8002);
  const options = { nodeId, staticKeys: { privateKey, publicKey }, startCount: 1, lanes: 1 };
  const mesh = new Mesh(options, { random: (bytes) => Uint8Array.from(randomBytes(bytes)) });
  return { mesh, at, config: { peer: PEER, nodeId, sessionKey: publicKey, endpoints: [at] } };
}

/** Carries what the ends send until nothing is left; counts the sessions that `a` sets. */
function settle(a: End, b: End, now: number): number {
  let sessions = 0;
  for (let isBusy = true; isBusy;) {
    isBusy = false;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const)
      for (const action of from.mesh.drainActions()) {
        isBusy = true;
        if (action.kind === 'sendDatagram') to.mesh.handleDatagram(from.at, action.bytes, now);
        if (action.kind !== 'setSession') continue;
        if (from === a) sessions++;
        // The data path of the initiator sends a first datagram under it.
        to.mesh.handleSessionConfirmed(action.session.remoteId, now);
        from.mesh.handleSessionConfirmed(action.session.localId, now);
      }
  }
  return sessions;
}

function measureRate(postQuantum: PostQuantum, seconds: number): number {
  const [a, b] = [makeEnd(1), makeEnd(2)];
  a.mesh.setPeers([{ ...b.config, postQuantum }], 0);
  b.mesh.setPeers([{ ...a.config, endpoints: [], postQuantum }], 0);
  let [now, count] = [0, 0];
  const startedAt = cpuSeconds();
  while (cpuSeconds() - startedAt < seconds) {
    now += STEP_MS;
    const [status] = a.mesh.status(now);
    if (status?.session !== undefined) a.mesh.handleSessionSpent(status.session.localId, now);
    a.mesh.handleTimeout(now);
    count += settle(a, b, now);
  }
  return count / (cpuSeconds() - startedAt);
}

/** User and system time of this process. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

/** A first part with a right mac1, whose second one never comes. */
function forgedPart(receiver: Uint8Array): Uint8Array {
  const part = Uint8Array.from(randomBytes(FLOOD_PART_BYTES));
  part.set([0xe1, 2, 0, 2]);
  const key = createHash('sha256').update('etherloom mac1').update(receiver).digest();
  const mac = createHmac('sha256', key).update(part.subarray(0, -32)).digest();
  part.set(mac.subarray(0, 16), FLOOD_PART_BYTES - 32);
  return part;
}

function usedBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Memory before a flood and its highest after each second of it, in bytes. */
function measureFlood(seconds: number): { before: number; most: number; perSecond: number } {
  const victim = makeEnd(1);
  victim.mesh.setPeers([{ ...makeEnd(2).config, postQuantum: 'required' }], 0);
  const parts = Array.from({ length: 2_048 }, () => forgedPart(victim.config.sessionKey));
  const before = usedBytes();
  let [most, sent] = [0, 0];
  const startedAt = cpuSeconds();
  for (let second = 0; second < seconds; second++) {
    for (let index = 0; index < FLOOD_PER_SECOND; index++, sent++) {
      const from = makeEndpoint(Uint8Array.from(randomBytes(4)), 8002);
      const part = parts[sent % parts.length] ?? new Uint8Array(0);
      victim.mesh.handleDatagram(from, part, second * 1_000 + (index * 1_000) / FLOOD_PER_SECOND);
      if (index % 64 === 0) victim.mesh.drainActions();
    }
    most = Math.max(most, usedBytes());
  }
  return { before, most, perSecond: sent / (cpuSeconds() - startedAt) };
}

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' } } });
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new RangeError(`--seconds is a number above 0, given ${values.seconds}`);
for (const postQuantum of ['required', 'off'] as const) {
  measureRate(postQuantum, seconds / 3);
  const rate = measureRate(postQuantum, seconds);
  const name = postQuantum === 'required' ? 'hybrid' : 'classic';
  console.log(`${name}: ${rate.toFixed(0)} full handshakes for each second of one core, both ends`);
}
const { before, most, perSecond } = measureFlood(FLOOD_SECONDS);
const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
console.log(
  `flood of first parts: ${FLOOD_SECONDS * FLOOD_PER_SECOND} of ${FLOOD_PART_BYTES} bytes, ` +
    `${perSecond.toFixed(0)} looked at for each second of one core; memory ${mib(before)} MiB before, ${mib(most)} MiB at most`,
);
