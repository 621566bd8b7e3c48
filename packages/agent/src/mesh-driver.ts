/**
 * The one place that feeds the mesh: events of the data path, time and timers go in, its actions go
 * to the data path in the order in which the mesh gave them. Nothing that an action fails with
 * comes back through here; failures are counted and told.
 */
import { UNKNOWN_ENDPOINT, endpointAddress } from '@etherloom/core';
import type {
  Endpoint,
  Mesh,
  MeshAction,
  MeshEvent,
  PeerConfig,
  PeerStatus,
  RefusalReason,
} from '@etherloom/core';
import { monotonicMs } from './clock.ts';
import type { DatapathClient, DatapathEvent } from './datapath/client.ts';
import { assertNever } from './assert-never.ts';
import { PUNT_STRANGER_SHARE } from './limits.ts';
import { PUNT_REFUSAL, PuntQueue } from './punt-queue.ts';

/** Longest timer that node takes. */
const TIMER_MS_MAX = 0x7fff_ffff;

export interface MeshDriverDeps {
  /**
   * The data path that is attached; undefined: actions are dropped, the mesh is told of the restart
   * afterwards.
   */
  readonly client: () => DatapathClient | undefined;
  readonly generation: () => number;
  readonly onEvent: (event: MeshEvent) => void;
  readonly onActionFailed: (action: MeshAction['kind'], error: unknown) => void;
}

export class MeshDriver {
  readonly #mesh: Mesh;
  readonly #deps: MeshDriverDeps;
  readonly #endpoints = new Map<number, Endpoint>();
  #candidates: readonly Endpoint[] = [];
  /** What peers say of themselves. */
  readonly #heard = new Map<number, readonly Endpoint[]>();
  /** Addresses of peers; made when it is asked for after a change. */
  #known: ReadonlySet<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #arming: NodeJS.Immediate | undefined;
  /** A flood would have to guess whose address to send from to get into the queue of peers. */
  readonly #ofPeers = new PuntQueue<DatapathEvent>(1, (event) => this.#feed(event));
  readonly #ofStrangers = new PuntQueue<DatapathEvent>(PUNT_STRANGER_SHARE, (event) =>
    this.#feed(event),
  );
  readonly #punts = { handshake: 0, control: 0 };
  #refusedPunts = 0;
  #isStopped = false;

  constructor(mesh: Mesh, deps: MeshDriverDeps) {
    this.#mesh = mesh;
    this.#deps = deps;
  }

  /** Where the data path sends a peer's datagrams. */
  endpointOf(peer: number): Endpoint {
    return this.#endpoints.get(peer) ?? UNKNOWN_ENDPOINT;
  }

  /** Takes over what a running data path has. */
  adoptEndpoint(peer: number, endpoint: Endpoint): void {
    this.#endpoints.set(peer, endpoint);
    this.#known = undefined;
  }

  /** Keeps what concerns these peers, and knows their addresses from here on. */
  keepPeers(peers: readonly Pick<PeerConfig, 'peer' | 'endpoints'>[]): void {
    this.#candidates = peers.flatMap(({ endpoints }) => endpoints);
    this.#known = undefined;
    const ids = new Set(peers.map(({ peer }) => peer));
    for (const held of [this.#endpoints, this.#heard])
      for (const peer of held.keys()) if (!ids.has(peer)) held.delete(peer);
  }

  /** A peer has said itself where it is. */
  learnEndpoints(peer: number, endpoints: readonly Endpoint[]): void {
    this.#heard.set(peer, endpoints);
    this.#known = undefined;
    this.run((mesh, now) => mesh.learnEndpoints(peer, endpoints, now));
  }

  /**
   * Calls the mesh and carries out what it wants done. Every use of the mesh that changes it goes
   * through here.
   */
  run<T>(step: (mesh: Mesh, now: number) => T): T {
    const result = step(this.#mesh, monotonicMs());
    for (const action of this.#mesh.drainActions()) this.#carryOut(action);
    this.#armSoon();
    return result;
  }

  /** How each peer is. */
  status(): PeerStatus[] {
    return this.#mesh.status(monotonicMs());
  }

  /** Refused messages by reason. */
  refusals(): ReadonlyMap<RefusalReason | typeof PUNT_REFUSAL, number> {
    const all = new Map<RefusalReason | typeof PUNT_REFUSAL, number>(this.#mesh.refusals());
    return all.set(PUNT_REFUSAL, this.#refusedPunts);
  }

  /** Datagrams that the data path handed over, by kind. */
  get punts(): Readonly<Record<'handshake' | 'control', number>> {
    return this.#punts;
  }

  /** Feeds an event of the data path. */
  handle(event: DatapathEvent): void {
    if (event.name === 'datagramReceived') {
      this.#punts.handshake++;
      const { bytes, endpoint } = event.values;
      const queue = this.#isKnown(endpoint) ? this.#ofPeers : this.#ofStrangers;
      if (!queue.push(bytes[0] ?? 0, event)) this.#refusedPunts++;
      return;
    }
    if (event.name === 'controlReceived') this.#punts.control++;
    this.#feed(event);
  }

  stop(): void {
    this.#isStopped = true;
    this.#ofPeers.clear();
    this.#ofStrangers.clear();
    clearTimeout(this.#timer);
  }

  #feed(event: DatapathEvent): void {
    this.run((mesh, now) => feed(mesh, event, now));
  }

  #isKnown(source: Endpoint): boolean {
    this.#known ??= new Set(
      [...this.#candidates, ...this.#endpoints.values(), ...[...this.#heard.values()].flat()].map(
        (endpoint) => endpointAddress(endpoint).join(),
      ),
    );
    return this.#known.has(endpointAddress(source).join());
  }

  /** Asking for the next timeout looks at every peer: once for all events that came together. */
  #armSoon(): void {
    if (this.#arming !== undefined) return;
    this.#arming = setImmediate(() => {
      this.#arming = undefined;
      this.#arm();
    });
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const timeout = this.#mesh.pollTimeout();
    if (timeout === undefined || this.#isStopped) return;
    const waitMs = Math.min(Math.max(0, Math.ceil(timeout.at - monotonicMs())), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.run((mesh, now) => mesh.handleTimeout(now)), waitMs);
  }

  #carryOut(action: MeshAction): void {
    if (action.kind === 'event') return this.#deps.onEvent(action.event);
    if (action.kind === 'setEndpoint') {
      this.#endpoints.set(action.peer, action.endpoint);
      this.#known = undefined;
    }
    const client = this.#deps.client();
    if (client === undefined) return;
    this.#send(client, action).catch((error: unknown) =>
      this.#deps.onActionFailed(action.kind, error),
    );
  }

  #send(client: DatapathClient, action: Exclude<MeshAction, { kind: 'event' }>): Promise<unknown> {
    switch (action.kind) {
      case 'sendDatagram':
        return client.request('sendDatagram', { endpoint: action.endpoint, bytes: action.bytes });
      case 'sendControl':
        return client.request('sendControl', {
          peer: action.peer,
          endpoint: action.endpoint ?? UNKNOWN_ENDPOINT,
          bytes: action.bytes,
        });
      case 'setSession':
        return client.request('sessionSet', action.session);
      case 'deleteSession':
        return client.request('sessionDelete', { localId: action.localId });
      case 'setGuard':
        return client.request('guardSet', action.guard);
      case 'setEndpoint':
        return client.request('peerSet', {
          generation: this.#deps.generation(),
          peer: action.peer,
          endpoint: action.endpoint,
        });
      default:
        return assertNever(action);
    }
  }
}

function feed(mesh: Mesh, event: DatapathEvent, now: number): void {
  switch (event.name) {
    case 'datagramReceived':
      return mesh.handleDatagram(event.values.endpoint, event.values.bytes, now);
    case 'controlReceived':
      return mesh.handleControl(
        event.values.peer,
        event.values.localId,
        event.values.endpoint,
        event.values.bytes,
        now,
      );
    case 'sessionConfirmed':
      return mesh.handleSessionConfirmed(event.values.localId, now);
    case 'sessionNeeded':
      return mesh.handleSessionNeeded(event.values.peer, now);
    case 'sessionSpent':
      return mesh.handleSessionSpent(event.values.localId, now);
    case 'peerActivity':
      return mesh.handleActivity(event.values.peer, event.values.flags, now);
    default:
      return; // events of a later minor version
  }
}
