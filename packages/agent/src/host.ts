/**
 * The host's side of the networks: one pass brings devices, the data path's tables and the mesh's
 * peers in line with the states on disk. Everything that happens (a message of the controller, a
 * change of the underlay, another data path) only asks for a pass.
 */
import { MeshDriver } from './mesh-driver.ts';
import { TABLE_KIND, Mesh, planTables } from '@etherloom/core';
import type {
  AdoptedSession,
  Endpoint,
  MeshAction,
  MeshEvent,
  OwnStatement,
  PlanNetwork,
  TablePlan,
} from '@etherloom/core';
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { BackOff } from './back-off.ts';
import { Condition } from './condition.ts';
import type { DatapathEvent } from './datapath/client.ts';
import { DatapathKeeper } from './datapath/keeper.ts';
import { DatapathProcess } from './datapath/process.ts';
import type { AttachedDatapath, DatapathProcessOptions } from './datapath/process.ts';
import { TableProgrammer } from './datapath/programmer.ts';
import { rowsOf } from './datapath/tables.ts';
import type { StateDirectory } from './disk/state-directory.ts';
import { AgentError, messageOf } from './errors.ts';
import { GossipRoom } from './gossip.ts';
import type { GossipRoomDeps } from './gossip.ts';
import { listDefaultRouteInterfaces, listInterfaces } from './interfaces/iproute.ts';
import { bindingsOf, forgetStaleNeighbours, isSameBindings } from './interfaces/neighbour-cache.ts';
import type { Bindings } from './interfaces/neighbour-cache.ts';
import { reconcileInterfaces, removeInterfaces } from './interfaces/reconcile.ts';
import type { ReconciledInterface } from './interfaces/reconcile.ts';
import type { Miss } from './interest/member-keys.ts';
import type { WantedInterface } from './interfaces/plan.ts';
import { EARLY_EVENTS_MAX, RECONCILE_RETRY_MS_MAX, RECONCILE_RETRY_MS_MIN } from './limits.ts';
import { randomUnit } from './random.ts';
import { SerialJob } from './serial.ts';
import { selectEndpoints } from './underlay/select-endpoints.ts';

export interface HostDeps {
  readonly directory: StateDirectory;
  readonly log: Logger;
  readonly rekeyAfterMs: number | undefined;
  /** The networks that may be acted on, with those members that are valid. */
  readonly networks: () => readonly PlanNetwork[];
  /** The host's own endpoints are others than before. */
  readonly onEndpointsChanged: () => void;
  readonly onMeshEvent: (event: MeshEvent) => void;
  /** A frame looked for an address that no table knows. */
  readonly onMiss: (miss: Miss) => void;
  /** Says of a statement that a peer passed on whether it counts. */
  readonly judgeStatement: GossipRoomDeps['judge'];
  /** Statements that are held from the start on. */
  readonly ownStatements: () => readonly OwnStatement[];
  /** What this host says of itself to peers that may not know it. */
  readonly introduction: () => Uint8Array | undefined;
  /** Two agents hold the key of one peer. */
  readonly onDoubled: GossipRoomDeps['onDoubled'];
}

const NO_PLAN: TablePlan = {
  peerIds: { next: 1, ids: {} },
  ports: [],
  peers: [],
  fdb: [],
  neighbours: [],
  flood: [],
  skipped: [],
};

export class Host {
  /** Drawn at each start: tells this agent from another that holds the same keys. */
  readonly instance: Uint8Array = Uint8Array.from(randomBytes(8));
  readonly #deps: HostDeps;
  readonly #port: number;
  readonly #process: DatapathProcess;
  readonly #keeper: DatapathKeeper;
  readonly #programmer = new TableProgrammer();
  readonly #job = new SerialJob(() => this.#pass());
  readonly #condition = new Condition();
  readonly #failedActions = new Map<MeshAction['kind'], number>();
  #driver: MeshDriver | undefined;
  #gossip: GossipRoom | undefined;
  /** Networks of the last plan. */
  #networks: readonly PlanNetwork[] = [];
  #plan: TablePlan = NO_PLAN;
  #interfaces: ReadonlyMap<string, ReconciledInterface> = new Map();
  /** What the kernel's neighbour caches were last compared with. */
  #bindings: Bindings = new Map();
  #endpoints: readonly string[] = [];
  #hasLookedAtUnderlay = false;
  /** What was left out by the last plan: passes are many, and each thing is told once. */
  #toldSkips: ReadonlySet<string> = new Set();
  /** Attached, but not yet with the tables that are wanted. */
  #unprogrammed: AttachedDatapath | undefined;
  #earlyEvents: DatapathEvent[] = [];
  #retry: NodeJS.Timeout | undefined;
  readonly #retryBackOff = new BackOff({
    minMs: RECONCILE_RETRY_MS_MIN,
    maxMs: RECONCILE_RETRY_MS_MAX,
    random: randomUnit,
    jitter: 'half',
  });
  #isStopped = false;
  #isSettled = false;

  constructor(options: DatapathProcessOptions, deps: HostDeps) {
    this.#deps = deps;
    this.#port = options.port;
    this.#process = new DatapathProcess(options);
    this.#keeper = new DatapathKeeper(this.#process, {
      onEvent: (event) => this.#takeEvent(event),
      onLost: (reason) => deps.log.warn({ reason: reason.message }, 'data path lost'),
      onReattached: (attached) => this.#takeReattached(attached),
      onAttachFailed: (error, waitMs) =>
        deps.log.error({ error: error.message, waitMs }, 'data path cannot be had'),
    });
  }

  /** Attaches to the data path and makes the first pass. Rejects when no data path can be had. */
  async start(): Promise<void> {
    const attached = await this.#keeper.start();
    const { hello } = attached;
    this.#deps.log.info(
      { pid: hello.pid, lanes: hello.lanes, isFresh: attached.isFresh },
      'data path attached',
    );
    const { identity, startCount } = this.#deps.directory;
    const mesh = new Mesh(
      {
        nodeId: identity.nodeIdBytes,
        staticKeys: identity.staticKeys,
        startCount,
        instance: this.instance,
        lanes: hello.lanes,
        rekeyAfterMs: this.#deps.rekeyAfterMs,
      },
      { random: (bytes) => Uint8Array.from(randomBytes(bytes)) },
    );
    this.#driver = new MeshDriver(mesh, {
      client: () => this.#keeper.attached?.client,
      generation: () => this.#programmer.generation,
      onEvent: (event) => this.#takeMeshEvent(event),
      onActionFailed: (action, error) => this.#countFailure(action, error),
    });
    this.#gossip = this.#makeGossip(this.#driver);
    this.#process.keepWorkers(hello.lanes);
    this.#unprogrammed = attached;
    await this.#job.request();
  }

  get plan(): TablePlan {
    return this.#plan;
  }

  /** The networks of the last plan. */
  get networks(): readonly PlanNetwork[] {
    return this.#networks;
  }

  get endpoints(): readonly string[] {
    return this.#endpoints;
  }

  get keeper(): Pick<DatapathKeeper, 'attached' | 'restarts'> {
    return this.#keeper;
  }

  get driver(): MeshDriver {
    if (this.#driver === undefined) throw new TypeError('the host is used before it was started');
    return this.#driver;
  }

  /** What members tell each other. */
  get gossip(): GossipRoom {
    if (this.#gossip === undefined) throw new TypeError('the host is used before it was started');
    return this.#gossip;
  }

  /** How the device of a network is; undefined before the first pass that wanted it. */
  interfaceOf(networkId: string): ReconciledInterface | undefined {
    return this.#interfaces.get(networkId);
  }

  /** True when the last pass left nothing undone. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Asks for a pass; resolves when one that began later has ended. */
  reconcile(): Promise<void> {
    return this.#job.request();
  }

  /**
   * Waits until `probe` gives something; it is asked after each pass and each event of the mesh.
   */
  until<T>(probe: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    return this.#condition.until(probe, timeoutMs);
  }

  /** Housekeeping that is due now and then. */
  tidy(): void {
    this.#process.boundLog();
  }

  /** Stops deciding. With `keep`, devices and data path stay and go on. */
  async stop(keep: boolean): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    this.#gossip?.stop();
    this.#driver?.stop();
    await this.#job.idle();
    await this.#keeper.stop(!keep);
    if (!keep) await removeInterfaces(this.#deps.directory.identity.nodeId);
  }

  #makeGossip(driver: MeshDriver): GossipRoom {
    const { directory, log, judgeStatement, ownStatements, onDoubled } = this.#deps;
    const room = new GossipRoom({
      stateDirectory: directory.path,
      nodeId: directory.identity.nodeId,
      log,
      driver,
      judge: judgeStatement,
      onStatementTaken: () => void this.reconcile(),
      onDoubled,
    });
    for (const own of ownStatements()) room.publish(own);
    return room;
  }

  async #pass(): Promise<void> {
    if (this.#isStopped) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      const actual = await listInterfaces();
      this.#compareEndpoints(
        selectEndpoints(actual, await listDefaultRouteInterfaces(), this.#port),
      );
      this.#planTables();
      const results = await reconcileInterfaces(
        this.#deps.directory.identity.nodeId,
        this.#wantedInterfaces(),
        actual,
      );
      this.#keepInterfaces(results);
      await this.#program(results);
      await this.#compareNeighbours();
      this.#isSettled = this.#retry === undefined;
      if (this.#isSettled) this.#retryBackOff.reset();
    } catch (error) {
      this.#isSettled = false;
      this.#deps.log.error({ error: messageOf(error) }, 'networks could not be set up');
      this.#retryLater();
    }
    this.#condition.changed();
  }

  #planTables(): void {
    const { directory, log } = this.#deps;
    const networks = this.#deps.networks();
    this.#networks = networks;
    const plan = planTables(directory.identity.nodeId, networks, directory.peerIds);
    if (plan.peerIds !== directory.peerIds) directory.savePeerIds(plan.peerIds);
    const skips = new Map(plan.skipped.map((skipped) => [JSON.stringify(skipped), skipped]));
    for (const [key, skipped] of skips)
      if (!this.#toldSkips.has(key)) log.warn(skipped, 'member left out');
    this.#toldSkips = new Set(skips.keys());
    const own = directory.identity.staticKeys.publicKey;
    const introduction = this.#deps.introduction();
    const peers = withoutStolenKeys(plan.peers, own, log);
    this.#plan = {
      ...plan,
      peers: introduction === undefined ? peers : peers.map((peer) => ({ ...peer, introduction })),
    };
  }

  #wantedInterfaces(): WantedInterface[] {
    const { directory } = this.#deps;
    const names = new Map(directory.memberships.networks.map((m) => [m.networkId, m.interface]));
    return this.#plan.ports.flatMap(({ networkId, mac, mtuBytes, addresses }) => {
      const name = names.get(networkId);
      const macText = Buffer.from(mac).toString('hex').match(/../g)?.join(':') ?? '';
      return name === undefined ? [] : [{ networkId, name, mac: macText, mtuBytes, addresses }];
    });
  }

  #keepInterfaces(results: readonly ReconciledInterface[]): void {
    for (const { networkId, name, error } of results) {
      const before = this.#interfaces.get(networkId)?.error?.message;
      if (error !== undefined && error.message !== before) {
        this.#deps.log.error(
          { networkId, interface: name, error: error.message },
          'interface cannot be set up',
        );
      }
    }
    this.#interfaces = new Map(results.map((result) => [result.networkId, result]));
    if (results.some((result) => result.error !== undefined)) this.#retryLater();
  }

  async #program(results: readonly ReconciledInterface[]): Promise<void> {
    const attached = this.#keeper.attached;
    if (attached === undefined) return;
    const isNew = attached === this.#unprogrammed;
    const adopted = isNew ? await this.#takeOver(attached) : undefined;
    const created = new Set(
      results.filter((result) => result.isCreated).map((result) => result.networkId),
    );
    this.#programmer.forget(
      this.#plan.ports
        .filter((port) => created.has(port.networkId))
        .map((port) => `port ${port.vni}`),
    );
    const rows = rowsOf(this.#plan, {
      interfaceOf: (networkId) => {
        const device = this.#interfaces.get(networkId);
        return device?.error === undefined ? device?.name : undefined;
      },
      endpointOf: (peer) => this.driver.endpointOf(peer),
    });
    const refusals = await this.#programmer.apply(rows, () => this.#setPeers(adopted));
    if (refusals.length > 0) {
      this.#deps.log.error(
        { count: refusals.length, first: refusals[0]?.message },
        'the data path refused entries',
      );
      this.#retryLater();
    }
    if (isNew && this.#unprogrammed === attached) this.#openGate();
  }

  /** After #program: what the kernel forgets it asks the data path for. */
  async #compareNeighbours(): Promise<void> {
    const ports = new Map(this.#plan.ports.map(({ vni, networkId }) => [vni, networkId]));
    const usable = [...this.#interfaces.values()].filter(({ error }) => error === undefined);
    const names = new Map(usable.map(({ networkId, name }) => [networkId, name]));
    const bindings = bindingsOf(this.#plan.neighbours, (vni) => names.get(ports.get(vni) ?? ''));
    if (isSameBindings(bindings, this.#bindings)) return;
    await forgetStaleNeighbours(bindings, new Set(names.values()));
    this.#bindings = bindings;
  }

  /** Reads what a data path that is newly attached holds; what it gives is for #setPeers. */
  async #takeOver(attached: AttachedDatapath): Promise<AdoptedSession[]> {
    const { client, hello, isFresh } = attached;
    this.#programmer.attach(client, hello);
    if (isFresh || this.#keeper.restarts > 0) return [];
    const endpoints = new Map<number, Endpoint>();
    for (const row of await client.request('dump', { kind: TABLE_KIND.peer })) {
      if (row.name === 'peerSet') endpoints.set(row.values.peer, row.values.endpoint);
    }
    for (const [peer, endpoint] of endpoints) this.driver.adoptEndpoint(peer, endpoint);
    const sessions = await client.request('dump', { kind: TABLE_KIND.session });
    return sessions.flatMap((row) => {
      if (row.name !== 'sessionEntry') return [];
      const endpoint = endpoints.get(row.values.peer);
      return [{ ...row.values, ...(endpoint === undefined ? {} : { endpoint }) }];
    });
  }

  /** `adopted` is given for a data path that is newly attached. */
  #setPeers(adopted: readonly AdoptedSession[] | undefined): void {
    const peers = this.#plan.peers;
    // First: peers that are up as soon as they are adopted have to be known there.
    this.gossip.follow(this.#networks, this.#plan.peerIds);
    this.driver.run((mesh, now) => {
      mesh.setPeers(peers, now);
      if (adopted === undefined) return;
      if (this.#keeper.restarts > 0) mesh.handleDatapathRestarted(now);
      else if (adopted.length > 0) mesh.adoptSessions(adopted, now);
      mesh.setGuard(now);
    });
    this.driver.keepPeers(peers);
  }

  #takeReattached(attached: AttachedDatapath): void {
    this.#deps.log.info(
      { pid: attached.hello.pid, isFresh: attached.isFresh },
      'data path attached again',
    );
    this.#unprogrammed = attached;
    this.#earlyEvents = [];
    void this.#job.request();
  }

  #takeEvent(event: DatapathEvent): void {
    if (event.name === 'memberNeeded') return this.#deps.onMiss(event.values);
    if (
      this.#driver !== undefined &&
      this.#unprogrammed === undefined &&
      this.#keeper.attached !== undefined
    ) {
      this.#driver.handle(event);
    } else if (this.#earlyEvents.length < EARLY_EVENTS_MAX) {
      this.#earlyEvents.push(event);
    }
  }

  #openGate(): void {
    this.#unprogrammed = undefined;
    const early = this.#earlyEvents;
    this.#earlyEvents = [];
    for (const event of early) this.driver.handle(event);
  }

  #compareEndpoints(endpoints: readonly string[]): void {
    const isFirst = !this.#hasLookedAtUnderlay;
    this.#hasLookedAtUnderlay = true;
    if (endpoints.join() === this.#endpoints.join()) return;
    this.#endpoints = endpoints;
    this.#deps.log.info({ endpoints }, 'own endpoints');
    if (!isFirst) this.driver.run((mesh, now) => mesh.handleUnderlayChanged(now));
    this.#deps.onEndpointsChanged();
  }

  #takeMeshEvent(event: MeshEvent): void {
    this.#gossip?.take(event);
    this.#deps.onMeshEvent(event);
    this.#condition.changed();
  }

  #countFailure(action: MeshAction['kind'], error: unknown): void {
    const count = (this.#failedActions.get(action) ?? 0) + 1;
    this.#failedActions.set(action, count);
    // Sending may fail all the time (no route); only what should not happen is worth a line.
    const level = action === 'setSession' || action === 'setEndpoint' ? 'error' : 'debug';
    if (error instanceof AgentError && error.code === 'datapath_closed') return;
    this.#deps.log[level](
      { action, count, error: messageOf(error) },
      'the data path did not do what the mesh wanted',
    );
  }

  #retryLater(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#job.request(), this.#retryBackOff.nextMs());
  }
}

/**
 * A node that registers with the public key of another must not take the others down: the peer that
 * was known first keeps the key.
 */
function withoutStolenKeys(
  peers: TablePlan['peers'],
  own: Uint8Array,
  log: Logger,
): TablePlan['peers'] {
  const holders = new Map([[own.join(), 0]]);
  for (const { peer, sessionKey } of peers.toSorted((a, b) => a.peer - b.peer)) {
    if (!holders.has(sessionKey.join())) holders.set(sessionKey.join(), peer);
  }
  return peers.filter(({ peer, sessionKey }) => {
    if (holders.get(sessionKey.join()) === peer) return true;
    log.warn({ peer }, 'peer left out: its session key is that of another node');
    return false;
  });
}
