/**
 * A world of hosts in virtual time: each has the real Mesh, a fake data path and one address;
 * between them lies a network that loses, repeats, delays and reorders. Everything is decided by
 * one seed, so that a failure can be played again.
 */
import {
  encodeOrdinal,
  formatEndpoint,
  Gossip,
  keyPairOf,
  makeEndpoint,
  Mesh,
  signEndpointRecord,
  signerOf,
} from '@etherloom/core';
import type { Endpoint, MeshEvent, PeerConfig, Signer } from '@etherloom/core';
import { FakeDatapath } from './fake-datapath.ts';
import type { DatapathEvent } from './fake-datapath.ts';
import { Random } from './random.ts';

export interface Weather {
  /** Part of the datagrams that is lost, and that is repeated. */
  readonly loss: number;
  readonly repeat: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

export const FAIR: Weather = { loss: 0, repeat: 0, delayMsMin: 1, delayMsMax: 30 };

export interface Host {
  readonly index: number;
  readonly nodeId: Uint8Array;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly signer: Signer;
  readonly datapath: FakeDatapath;
  /** Where the agent is: none while it restarts. */
  mesh: Mesh | undefined;
  gossip: Gossip | undefined;
  /** Gossip messages that left. */
  gossipSent: number;
  address: Endpoint;
  startCount: number;
  wakeAt: number;
  readonly framesSent: Map<number, number>;
  readonly framesReceived: Map<number, number>;
  readonly events: MeshEvent[];
  /** What this host believes where the others are. */
  readonly known: Map<number, Endpoint>;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  readonly random: Random;
  readonly hosts: Host[] = [];
  /** Copies of hosts: same keys and node id, another address. */
  readonly clones: Host[] = [];
  readonly refusals = new Map<string, number>();
  now = 0;
  weather: Weather = FAIR;
  steps = 0;
  /** Pairs "a>b" of host indexes between which nothing passes. */
  readonly cut = new Set<string>();
  #queue: Due[] = [];
  #order = 0;
  readonly #witnessed = new Set<string>();
  #addressCount = 0;

  constructor(seed: number, hostCount: number) {
    this.random = new Random(seed);
    for (let index = 0; index < hostCount; index++) this.#addHost(index);
    for (const host of this.hosts) this.#startAgent(host, false);
    this.#every(250, () => {
      for (const host of this.hosts) host.datapath.flushActivity();
    });
  }

  /** Runs until the virtual time. */
  runUntil(end: number): void {
    for (;;) {
      const due = this.#nextDue();
      const waker = this.#nextWaker();
      const at = Math.min(due?.at ?? Infinity, waker?.wakeAt ?? Infinity);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      this.steps++;
      if (due !== undefined && due.at === at) {
        this.#pop();
        due.run();
      } else if (waker !== undefined) {
        waker.mesh?.handleTimeout(this.now);
        waker.gossip?.handleTimeout(this.now);
        this.settle(waker);
      }
    }
    this.now = end;
  }

  at(at: number, run: () => void): void {
    const due = { at, order: this.#order++, run };
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#queue[middle];
      if (other !== undefined && (other.at > at || (other.at === at && other.order > due.order)))
        low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, due);
  }

  /** The agent ends and another takes over after `downMs`; the data path goes on. */
  restartAgent(host: Host, downMs: number): void {
    this.#collectRefusals(host);
    host.mesh = undefined;
    host.gossip = undefined;
    host.wakeAt = Infinity;
    this.at(this.now + downMs, () => {
      if (host.mesh === undefined) this.#startAgent(host, true);
    });
  }

  restartDatapath(host: Host): void {
    host.datapath.restart();
    host.mesh?.handleDatapathRestarted(this.now);
    this.settle(host);
  }

  /** The host moves. It may notice itself; the others hear of it from the controller later. */
  changeAddress(
    host: Host,
    options: {
      readonly isNoticed: boolean;
      readonly announcedAfterMs: number;
      readonly isIpv6?: boolean;
    },
  ): void {
    host.address = this.#newAddress(options.isIpv6);
    if (options.isNoticed) {
      host.mesh?.handleUnderlayChanged(this.now);
      this.#signRecord(host);
      this.settle(host);
    }
    this.at(this.now + options.announcedAfterMs, () => {
      for (const other of this.hosts) {
        if (other === host) continue;
        other.known.set(host.index, host.address);
        other.mesh?.setPeers(this.#peersOf(other), this.now);
        this.settle(other);
      }
    });
  }

  /** A copy of a host's disk is started elsewhere, beside the host. */
  startClone(of: Host): Host {
    const clone = this.#makeHost(of.index, of);
    this.clones.push(clone);
    this.#startAgent(clone, false);
    return clone;
  }

  /** The host is gone: nothing leaves it and nothing reaches it. */
  powerOff(host: Host): void {
    host.mesh = undefined;
    host.gossip = undefined;
    host.wakeAt = Infinity;
    host.address = this.#newAddress();
    host.datapath.restart();
  }

  /** It is started again, where it was or elsewhere; memory is gone, the disk is kept. */
  powerOn(host: Host): void {
    this.#startAgent(host, false);
  }

  sendFrame(from: Host, to: Host): boolean {
    const frame = new Uint8Array(8);
    const hasLeft = from.datapath.sendFrame(to.index + 1, frame, this.now);
    if (hasLeft) from.framesSent.set(to.index, (from.framesSent.get(to.index) ?? 0) + 1);
    this.settle(from);
    return hasLeft;
  }

  /** Does what the mesh wants and notes when it wants to be called. */
  settle(host: Host): void {
    const { mesh, gossip } = host;
    if (mesh === undefined || gossip === undefined) return;
    do {
      this.#carryOut(host, mesh);
      for (const action of gossip.drainActions()) {
        if (action.kind === 'endpointsHeard') {
          if (action.peer !== undefined)
            mesh.learnEndpoints(action.peer, action.endpoints, this.now);
        } else if (mesh.sendMessage(action.peer, action.bytes, this.now)) host.gossipSent++;
      }
      this.#carryOut(host, mesh);
    } while (gossip.hasActions);
    host.wakeAt = Math.min(mesh.pollTimeout()?.at ?? Infinity, gossip.pollTimeout());
  }

  #carryOut(host: Host, mesh: Mesh): void {
    const { datapath } = host;
    for (const action of mesh.drainActions()) {
      if (action.kind === 'sendDatagram') datapath.sendDatagram(action.endpoint, action.bytes);
      else if (action.kind === 'sendControl')
        datapath.sendControl(action.peer, action.endpoint, action.bytes, this.now);
      else if (action.kind === 'setSession') datapath.setSession(action.session, this.now);
      else if (action.kind === 'deleteSession') datapath.deleteSession(action.localId);
      else if (action.kind === 'setEndpoint') datapath.setEndpoint(action.peer, action.endpoint);
      else if (action.kind === 'event') this.#takeMeshEvent(host, action.event);
    }
  }

  #takeMeshEvent(host: Host, event: MeshEvent): void {
    host.events.push(event);
    if (event.type === 'peerUp') host.gossip?.handlePeerUp(event.peer, this.now);
    else if (event.type === 'peerDown') host.gossip?.handlePeerDown(event.peer, this.now);
    else if (event.type === 'message')
      host.gossip?.handleMessage(event.peer, event.bytes, this.now);
  }

  #signRecord(host: Host): void {
    const { nodeId, startCount, address } = host;
    const ordinal = encodeOrdinal(startCount, BigInt(Math.floor(this.now)));
    const record = signEndpointRecord({ nodeId, ordinal, endpoints: [address] }, (bytes) =>
      host.signer.sign(bytes),
    );
    host.gossip?.setOwnRecord(record, this.now);
  }

  /** Why the pair cannot talk, or undefined when it can. */
  faultOf(a: Host, b: Host): string | undefined {
    const peer = a.datapath.peers.get(b.index + 1);
    const session = peer?.active;
    if (peer === undefined || session === undefined)
      return `${a.index} has no session with ${b.index}`;
    const other = b.datapath.sessions.get(session.set.remoteId);
    if (other === undefined)
      return `${a.index} sends to ${b.index} with a session that it does not hold`;
    if (other.set.receiveKey.join() !== session.set.sendKey.join())
      return `${a.index} and ${b.index} hold other keys`;
    if (formatEndpoint(peer.endpoint) !== formatEndpoint(b.address)) {
      const [sentTo, at] = [formatEndpoint(peer.endpoint), formatEndpoint(b.address)];
      return `${a.index} sends to ${sentTo}, ${b.index} is at ${at}`;
    }
    const status = a.mesh?.status(this.now).find((row) => row.peer === b.index + 1);
    if (status?.state !== 'up') return `${a.index} holds ${b.index} for ${status?.state}`;
    if (status.session?.localId !== session.set.localId)
      return `${a.index} believes in another session with ${b.index}`;
    return undefined;
  }

  faults(): string[] {
    const pairs = this.hosts.flatMap((a) =>
      this.hosts.filter((b) => b !== a).map((b) => [a, b] as const),
    );
    return pairs.flatMap(([a, b]) => this.faultOf(a, b) ?? []);
  }

  collectRefusals(): ReadonlyMap<string, number> {
    for (const host of this.hosts) this.#collectRefusals(host);
    return this.refusals;
  }

  #addHost(index: number): void {
    this.hosts.push(this.#makeHost(index));
  }

  #makeHost(index: number, origin?: Host): Host {
    const privateKey = origin?.privateKey ?? this.random.bytes(32);
    const { publicKey } = keyPairOf(privateKey);
    const datapath = new FakeDatapath({
      transmit: (to, bytes) => this.#transmit(host, to, bytes),
      report: (event) => this.#report(host, event),
      deliver: (peer) =>
        host.framesReceived.set(peer - 1, (host.framesReceived.get(peer - 1) ?? 0) + 1),
      witness: (kind, key, counter) => this.#witness(kind, key, counter),
    });
    const host: Host = {
      index,
      nodeId: origin?.nodeId ?? this.random.bytes(16),
      signer: origin?.signer ?? signerOf(this.random.bytes(32)),
      privateKey,
      publicKey,
      datapath,
      mesh: undefined,
      gossip: undefined,
      gossipSent: 0,
      address: this.#newAddress(),
      startCount: origin?.startCount ?? 0,
      wakeAt: Infinity,
      framesSent: new Map(),
      framesReceived: new Map(),
      events: [],
      known: new Map(),
    };
    return host;
  }

  #startAgent(host: Host, isTakeover: boolean): void {
    host.startCount++;
    const { nodeId, startCount } = host;
    const staticKeys = { privateKey: host.privateKey, publicKey: host.publicKey };
    const options = { nodeId, staticKeys, startCount, lanes: 1 };
    host.mesh = new Mesh(options, { random: (count) => this.random.bytes(count) });
    host.gossip = new Gossip({
      random: (count) => this.random.bytes(count),
      ownNodeId: hexOf(nodeId),
      judge: () => ({ verdict: 'refused' }),
    });
    host.gossip.setMembers(
      this.#othersOf(host).map((other) => ({
        nodeId: hexOf(other.nodeId),
        peer: other.index + 1,
        signKey: other.signer.key,
        networkIds: ['net'],
      })),
    );
    host.mesh.setPeers(this.#peersOf(host), this.now);
    this.#signRecord(host);
    if (isTakeover) host.mesh.adoptSessions(host.datapath.dumpSessions(this.now), this.now);
    this.settle(host);
  }

  #othersOf(host: Host): Host[] {
    return this.hosts.filter(({ index }) => index !== host.index);
  }

  #peersOf(host: Host): PeerConfig[] {
    return this.#othersOf(host).map((other) => ({
      peer: other.index + 1,
      nodeId: other.nodeId,
      sessionKey: other.publicKey,
      endpoints: [host.known.get(other.index) ?? other.address],
    }));
  }

  #report(host: Host, event: DatapathEvent): void {
    const { mesh } = host;
    if (mesh === undefined) return; // agent_absent
    if (event.kind === 'datagram') mesh.handleDatagram(event.from, event.bytes, this.now);
    else if (event.kind === 'confirmed') mesh.handleSessionConfirmed(event.localId, this.now);
    else if (event.kind === 'needed') mesh.handleSessionNeeded(event.peer, this.now);
    else if (event.kind === 'activity') mesh.handleActivity(event.peer, event.flags, this.now);
    else mesh.handleControl(event.peer, event.localId, event.from, event.bytes, this.now);
    this.at(this.now, () => this.settle(host)); // as over a socket: not inside the data path's call
  }

  #transmit(from: Host, to: Endpoint, bytes: Uint8Array): void {
    const { loss, repeat, delayMsMin, delayMsMax } = this.weather;
    const source = from.address;
    const copies = this.random.chance(loss) ? 0 : this.random.chance(repeat) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.random.between(delayMsMin, delayMsMax);
      this.at(this.now + delayMs, () => {
        const host = [...this.hosts, ...this.clones].find(
          (candidate) => formatEndpoint(candidate.address) === formatEndpoint(to),
        );
        if (host === undefined || this.cut.has(`${from.index}>${host.index}`)) return;
        host.datapath.receive(source, bytes, this.now);
      });
    }
  }

  /**
   * Keys are installed once a host, counters used once a key; anything else would repeat an AES-GCM
   * nonce.
   */
  #witness(kind: string, key: Uint8Array, counter: bigint): void {
    const entry = `${kind} ${key.join()} ${counter}`;
    if (this.#witnessed.has(entry)) throw new Error(`repeated: ${kind} at counter ${counter}`);
    this.#witnessed.add(entry);
  }

  #collectRefusals(host: Host): void {
    for (const [reason, count] of host.mesh?.refusals() ?? []) {
      this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + count);
    }
  }

  #newAddress(isIpv6 = false): Endpoint {
    const count = ++this.#addressCount;
    if (isIpv6)
      return makeEndpoint(Uint8Array.of(0xfd, ...Array(13).fill(0), count >> 8, count & 255), 8002);
    return makeEndpoint(Uint8Array.of(10, 0, count >> 8, count & 0xff), 8002);
  }

  #every(periodMs: number, run: () => void): void {
    const again = () => {
      run();
      this.at(this.now + periodMs, again);
    };
    this.at(this.now + periodMs, again);
  }

  #nextDue(): Due | undefined {
    return this.#queue.at(-1);
  }

  #pop(): void {
    this.#queue.pop();
  }

  #nextWaker(): Host | undefined {
    let next: Host | undefined;
    for (const host of [...this.hosts, ...this.clones]) {
      if (host.mesh !== undefined && host.wakeAt < (next?.wakeAt ?? Infinity)) next = host;
    }
    return next;
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
