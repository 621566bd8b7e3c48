/**
 * The agent: state directory, host, link and local API put together. What a person can ask of it is
 * here (join, leave, ping, status); how the host follows is host.ts, how the link lives is
 * link/controller-link.ts, what becomes of a copy of a node is identity/.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AgentJoin, JoinToken, NodeReport } from '@etherloom/api';
import type { MeshEvent } from '@etherloom/core';
import type { Logger } from 'pino';
import type { DatapathProcessOptions } from './datapath/process.ts';
import { StateDirectory } from './disk/state-directory.ts';
import type { ControllerRecord, MembershipRecord } from './disk/state-directory.ts';
import { AgentError, messageOf } from './errors.ts';
import { Host } from './host.ts';
import { DoubledNodes } from './identity/doubled-nodes.ts';
import { Place } from './identity/place.ts';
import type { AfterRefusal } from './identity/place.ts';
import { Rebirths } from './identity/rebirth.ts';
import { frameCounts } from './interest/frame-counts.ts';
import { MetPeers } from './interest/met-peers.ts';
import { assertInterfaceFree } from './interfaces/free-name.ts';
import { joinedNetwork, notJoined, untilUp } from './joined-network.ts';
import type { JoinedNetwork } from './joined-network.ts';
import { SEED_URLS_MAX, REJECTED_RETRY_MS } from './limits.ts';
import { ControllerLink } from './link/controller-link.ts';
import type { LinkMessage, LinkState } from './link/controller-link.ts';
import { assertSameController, readJoinToken, suggestNodeName } from './link/join.ts';
import type { GrantedJoin } from './link/join.ts';
import { forgetNetwork, recordJoin } from './networks.ts';
import type { NetworkMessage } from './networks.ts';
import { Pinger } from './ping.ts';
import { Reporter } from './report.ts';
import { AGENT_VERSION } from './version.ts';
import { StateFollower } from './state-follower.ts';
import type { AgentTrust } from './trust/agent-trust.ts';
import { OwnRecord } from './trust/own-record.ts';
import { withObserved } from './underlay/select-endpoints.ts';
import { startUnderlayMonitor } from './underlay/monitor.ts';
import type { UnderlayMonitor } from './underlay/monitor.ts';
import { LoneMember } from './vouching/lone-member.ts';
import type { Vouching } from './vouching/vouching.ts';

export interface AgentOptions {
  readonly stateDirectory: string;
  readonly port: number;
  readonly datapathProgram: string;
  readonly workers: number | null;
  /** Rekeys after this instead of the protocol's time; for tests. */
  readonly rekeyAfterMs?: number | undefined;
  /** Last lines of the log, for reports. */
  readonly recentLog?: (() => NodeReport['log']) | undefined;
}

/** What of the link is shown. */
export interface AgentLinkView {
  readonly state: LinkState;
  readonly lastConnectedAt: string | null;
  /** As the controller of the last link said; null: nobody did. */
  isUp(controllerId: string): boolean | null;
}

export class Agent {
  readonly directory: StateDirectory;
  readonly place: Place;
  readonly pinger = new Pinger();
  readonly port: number;
  readonly #log: Logger;
  readonly #options: AgentOptions;
  readonly #rebirths: Rebirths;
  readonly #doubled: DoubledNodes;
  readonly #reporter: Reporter;
  #host: Host;
  readonly #follower: StateFollower;
  readonly #metPeers = new MetPeers(
    () => this.#follower,
    () => this.host,
  );
  readonly #lone: LoneMember;
  #ownRecord: OwnRecord;
  #link: ControllerLink | undefined;
  #linkState: LinkState = { isConnected: false, url: null, error: null };
  #lastConnectedAt: string | null = null;
  #observedAddress: string | undefined;
  #monitor: UnderlayMonitor | undefined;
  #joining: Promise<unknown> = Promise.resolve();

  /**
   * Starts all of it. Rejects with AgentError when the state, the data path or the lock forbid it.
   */
  static async start(options: AgentOptions, log: Logger): Promise<Agent> {
    const directory = StateDirectory.open(options.stateDirectory);
    try {
      const agent = new Agent(directory, options, log);
      await agent.#begin();
      return agent;
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  private constructor(directory: StateDirectory, options: AgentOptions, log: Logger) {
    this.directory = directory;
    this.port = options.port;
    this.#log = log;
    this.#options = options;
    this.#ownRecord = new OwnRecord(directory);
    this.#follower = new StateFollower({
      directory,
      log,
      reconcile: () => this.host.reconcile(),
      isGone: (networkId) => this.host.isSettled && this.host.interfaceOf(networkId) === undefined,
      send: (message) => this.#link?.send(message),
      onStatement: (own) => this.host.gossip.publish(own),
      reopenLink: (reason) => this.#link?.reopen(reason),
      isLinked: () => this.#linkState.isConnected,
      frames: () => frameCounts(this.host),
      onFound: (found) => this.#metPeers.firstPackets.note(found),
    });
    const instance = (): string => Buffer.from(this.host.instance).toString('hex');
    this.place = new Place({ directory, instance, log, signedRule: () => this.trust.cloneRule });
    this.#lone = new LoneMember({
      directory,
      trust: this.trust,
      vouching: this.vouching,
      log,
      host: () => this.host,
      onGranted: (token, granted) => void this.#finishJoin(token, granted, undefined),
    });
    this.#host = this.#makeHost();
    this.#rebirths = this.#makeRebirths();
    this.#reporter = new Reporter(this, log, (report) => this.#link?.send(report));
    this.#doubled = new DoubledNodes({ log, host: () => this.host, trust: () => this.trust });
  }

  /** What this node believes of what it is told. */
  get trust(): AgentTrust {
    return this.#follower.trust;
  }

  /** Members that vouchers have let in. */
  get vouching(): Vouching {
    return this.#follower.vouching;
  }

  /** How this host follows; another one once it has become another node. */
  get host(): Host {
    return this.#host;
  }

  #datapathOptions(): DatapathProcessOptions {
    const { datapathProgram: program, port, workers } = this.#options;
    return { stateDirectory: this.directory.path, program, port, workers };
  }

  #makeHost(): Host {
    return new Host(this.#datapathOptions(), {
      directory: this.directory,
      log: this.#log,
      rekeyAfterMs: this.#options.rekeyAfterMs,
      networks: () => (this.place.isDown ? [] : this.#follower.planNetworks()),
      onEndpointsChanged: () => {
        this.#announce();
        this.#link?.probe();
      },
      onMeshEvent: (event) => this.#takeMeshEvent(event),
      onMiss: (miss) => this.#follower.interest.miss(miss),
      introduction: () => this.vouching.introduction,
      judgeStatement: (heard, from) =>
        this.vouching.judge(heard) ?? this.trust.judgeStatement(heard, from),
      ownStatements: () => [...this.trust.ownStatements(), ...this.vouching.ownStatements()],
      onDoubled: (doubled) => this.#doubled.note(doubled),
    });
  }

  get link(): AgentLinkView {
    return {
      state: this.#linkState,
      lastConnectedAt: this.#lastConnectedAt,
      isUp: (controllerId) => this.#link?.isUp(controllerId) ?? null,
    };
  }

  /**
   * Takes the node into a network; resolves when its interface is up. Idempotent. Rejects with
   * AgentError.
   */
  join(wish: AgentJoin): Promise<JoinedNetwork> {
    const result = this.#joining.then(() => this.#join(wish));
    // The caller has the error; the next join only waits.
    this.#joining = result.catch(() => undefined);
    return result;
  }

  /** Takes the node out of a network, named by name or id. */
  async leave(network: string): Promise<void> {
    const { memberships } = this.directory;
    const record = memberships.networks.find(
      (m) => m.networkId === network || m.networkName === network,
    );
    if (record === undefined) throw notJoined(network, memberships.networks);
    this.directory.saveMemberships({
      ...memberships,
      leaving: [...memberships.leaving, record.networkId],
    });
    this.#lone.forget(record.networkId);
    forgetNetwork(this, record.networkId);
    this.#link?.send({ type: 'leave', networkId: record.networkId });
    this.#log.info({ network: record.networkName }, 'left');
    await this.host.reconcile();
  }

  /** Ends the agent. With `keep`, data path and devices stay for the next one. */
  async stop(keep: boolean): Promise<void> {
    this.#monitor?.stop();
    this.#follower.stop();
    this.#lone.stop();
    await this.#rebirths.stop();
    await this.#link?.stop();
    await this.host.stop(keep);
    this.directory.close();
  }

  async #begin(): Promise<void> {
    const { setAside } = this.directory;
    for (const aside of setAside)
      this.#log.error(aside, 'a network file cannot be used and is set aside; it is fetched again');
    await this.#rebirths.finish();
    await this.host.start();
    this.#monitor = startUnderlayMonitor(() => {
      this.host.tidy();
      this.#doubled.look();
      void this.host.reconcile();
    });
    this.#followController();
  }

  /** Opens the link, or presents the ticket of a clone; a replaced host does neither. */
  #followController(): void {
    const { controller } = this.directory.memberships;
    if (controller === null || this.place.standing?.state === 'replaced') return;
    this.#lone.start();
    if (this.#lone.isAlone) return;
    if (!this.#rebirths.presentTicket(controller)) this.#openLink(controller);
  }

  #makeRebirths(): Rebirths {
    const { directory, place } = this;
    return new Rebirths({
      directory,
      place,
      log: this.#log,
      datapath: this.#datapathOptions(),
      endLink: () => this.#endLink(),
      forgetNode: () => {
        for (const { networkId } of directory.memberships.networks) {
          this.#lone.forget(networkId);
          forgetNetwork(this, networkId);
        }
        this.#observedAddress = undefined;
      },
      stopHost: (keep) => this.#host.stop(keep),
      onNodeChanged: () => {
        this.#ownRecord = new OwnRecord(directory);
      },
      startHost: async () => {
        const host = this.#makeHost();
        await host.start();
        this.#host = host;
        this.#announce();
      },
      follow: () => this.#followController(),
      onError: (error) => {
        this.#linkState = { ...this.#linkState, isConnected: false, error };
      },
    });
  }

  async #join(wish: AgentJoin): Promise<JoinedNetwork> {
    const token = readJoinToken(wish.token);
    const { memberships } = this.directory;
    assertSameController(memberships.controller, token);
    await assertInterfaceFree(this.directory, wish.interface, token.networkName);
    const suggestedName = memberships.nodeName ?? suggestNodeName();
    let granted: GrantedJoin;
    try {
      granted = await this.#rebirths.join({ token, name: wish.name, suggestedName });
    } catch (error) {
      if (this.place.isDown) throw error;
      return await this.#untilUp(await this.#lone.join(wish, error));
    }
    const record = this.#finishJoin(token, granted, wish.interface);
    await this.host.reconcile();
    if (granted.reply.isPending)
      throw new AgentError(
        'unavailable',
        `joined ${record.networkName}; the membership waits for a signature of the authority (\`loom authority pending\`), and the network comes up by itself then`,
      );
    return await this.#untilUp(record);
  }

  /** What a controller has granted is stored, and followed from here on. */
  #finishJoin(
    token: JoinToken,
    { reply, url }: GrantedJoin,
    interfaceName: string | undefined,
  ): MembershipRecord {
    const { memberships } = this.directory;
    this.#follower.tellAuthority(this.trust.pinForJoin(token.authorityHash, reply));
    const urls = [...new Set([url, ...token.urls, ...(memberships.controller?.urls ?? [])])].slice(
      0,
      SEED_URLS_MAX,
    );
    const controller = {
      urls,
      known: memberships.controller?.known,
      tlsFingerprint: token.tlsFingerprint,
      organizationId: reply.organizationId,
    };
    const record = recordJoin(this.directory, { controller, reply, interfaceName });
    this.#lone.granted(record.networkId);
    this.#log.info({ network: record.networkName, interface: record.interface }, 'joined');
    this.#openLink(controller);
    this.#link?.send({ type: 'resync', networkId: record.networkId });
    return record;
  }

  #untilUp(record: MembershipRecord): Promise<JoinedNetwork> {
    return untilUp(this.host, this.directory, record, () => this.#linkState.error);
  }

  /** A network with its interface and addresses; undefined while its state is not there. */
  joined(networkId: string): JoinedNetwork | undefined {
    return joinedNetwork(this.host, this.directory, networkId);
  }

  #openLink(controller: ControllerRecord): void {
    if (this.#link !== undefined) return this.#link.setController(controller);
    this.#link = new ControllerLink(controller, {
      identity: this.directory.identity,
      version: AGENT_VERSION,
      revisions: () => this.#linkRevisions(),
      authority: () => this.trust.authority?.hash ?? null,
      showPlace: () => this.place.show(),
      takeEpoch: (epoch) => this.place.takeEpoch(epoch),
      onMessage: (message) => this.#takeMessage(message),
      onState: (state) => this.#takeLinkState(state),
    });
  }

  /** What came from a member is asked for again: its revision is nobody's word. */
  #linkRevisions(): Record<string, number> {
    const held = Object.entries(this.trust.revisions());
    return Object.fromEntries(held.filter(([id]) => !this.vouching.isBorrowed(id)));
  }

  #takeLinkState(state: LinkState): void {
    if (state.isConnected) this.#lastConnectedAt = new Date().toISOString(); // for display
    if (state.error !== null && state.error !== this.#linkState.error) {
      this.#log.warn(
        { url: state.url, error: state.error },
        'no link to the controller; everything configured goes on',
      );
    }
    if (state.isConnected) this.#log.info({ url: state.url }, 'linked to the controller');
    if (!state.isConnected) this.#follower.interest.unlinked();
    this.#linkState = state;
  }

  #takeMessage(message: LinkMessage): void {
    try {
      if (message.type === 'welcome') this.#takeWelcome(message);
      else if (message.type === 'refused') this.#takeRefusal(message);
      else if (message.type === 'split') this.#takeTicket(message);
      else if (message.type === 'holder') this.#doubled.takeHolder(message);
      else if (message.type === 'controllers') this.#takeControllers(message);
      else if (message.type === 'reportWanted') void this.#reporter.answer(message);
      else if (message.type === 'authority') this.#follower.takeAuthority(message);
      else if (message.type === 'interestWanted' || message.type === 'resolved')
        this.#follower.takeInterest(message);
      else this.#takeNetworkMessage(message);
    } catch (error) {
      // State that cannot be stored must not be acted on: the link begins anew, later.
      this.#log.error(
        { error: messageOf(error) },
        'a message of the controller could not be stored',
      );
      this.#link?.reopen(`what the controller sent could not be stored: ${messageOf(error)}`);
    }
  }

  /** The last lines of the log. */
  recentLog(): NodeReport['log'] {
    return this.#options.recentLog?.() ?? [];
  }

  /** Why the state of a network is not followed; null: it is. */
  problemOf(networkId: string): string | null {
    return this.#follower.problemOf(networkId);
  }

  #takeWelcome(welcome: Extract<LinkMessage, { type: 'welcome' }>): void {
    const { revisions, observedAddress } = welcome;
    if (this.place.takeWelcome(welcome.nodeState)) void this.host.reconcile();
    this.#followStarts(welcome.record);
    this.#follower.takeWelcome(welcome);
    this.#observedAddress = observedAddress;
    this.#announce();
    const { memberships } = this.directory;
    const leaving = memberships.leaving.filter((networkId) => revisions[networkId] !== undefined);
    for (const networkId of leaving) this.#link?.send({ type: 'leave', networkId });
    if (leaving.length < memberships.leaving.length)
      this.directory.saveMemberships({ ...memberships, leaving });
  }

  /**
   * Peers take only what is of a later start than they have seen: a host that was put back to an
   * older disk begins again above the newest record that it once signed.
   */
  #followStarts(record: string | null): void {
    const startCount = this.#ownRecord.laterStart(record);
    if (startCount === undefined) return;
    this.directory.skipStarts(startCount);
    this.#ownRecord = new OwnRecord(this.directory);
    this.#log.warn({ startCount }, 'this host was started more often than its disk knows');
    this.#rebirths.restartHost();
  }

  /**
   * A host behind one-to-one address translation does not see its outer address; the controller
   * does.
   */
  #announce(): void {
    const endpoints = withObserved(this.host.endpoints, this.#observedAddress, this.port);
    const record = this.#ownRecord.of(endpoints);
    if (this.#ownRecord.bytes !== undefined) this.host.gossip.setOwnRecord(this.#ownRecord.bytes);
    this.#link?.send({ type: 'endpoints', endpoints, record });
  }

  /** Kept on disk: where to go when this controller, and then all, are away. */
  #takeControllers({ controllers }: Extract<LinkMessage, { type: 'controllers' }>): void {
    const { memberships } = this.directory;
    if (memberships.controller === null) return;
    const known = controllers.map(({ id, urls }) => ({ id, urls }));
    const controller = { ...memberships.controller, known };
    if (!isDeepStrictEqual(known, memberships.controller.known))
      this.directory.saveMemberships({ ...memberships, controller });
    this.#link?.setKnown(controller);
  }

  #takeTicket({ ticket, message }: Extract<LinkMessage, { type: 'split' }>): void {
    const after = this.place.takeTicket(ticket, message);
    this.#followVerdict(after, message);
    if (after === 'end') this.#followController();
  }

  /** Does what follows from a verdict about copies of this node. */
  #followVerdict(after: AfterRefusal, message: string): void {
    if (after === 'try again') return;
    if (after === 'end') void this.#endLink();
    else this.#link?.holdOff(REJECTED_RETRY_MS);
    if (after === 'disputed') this.#follower.noteDispute(message);
    else void this.host.reconcile();
  }

  /** The link is not opened again. */
  async #endLink(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.stop();
  }

  #takeRefusal(refusal: Extract<LinkMessage, { type: 'refused' }>): void {
    const { code, message } = refusal;
    this.#followVerdict(this.place.takeRefusal(code, message), message);
    if (code === 'node_removed') this.#follower.takeNodeRemoval(refusal);
  }

  #takeNetworkMessage(message: NetworkMessage): void {
    const outcome = this.#follower.takeNetworkMessage(message);
    if (outcome.kind === 'changed' && outcome.what === 'updated') this.place.takeNetwork();
  }

  #takeMeshEvent(event: MeshEvent): void {
    this.pinger.take(event);
    this.#lone.takeMeshEvent(event);
    this.#metPeers.take(event);
    if (event.type === 'peerUp' || event.type === 'peerDown') {
      this.#log.info(
        { peer: event.peer, ...(event.type === 'peerDown' ? { reason: event.reason } : {}) },
        event.type === 'peerUp' ? 'peer up' : 'peer down',
      );
    }
  }
}
