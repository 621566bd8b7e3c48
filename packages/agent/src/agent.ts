/**
 * The agent: state directory, host, link and local API put together. What a person can ask of it is
 * here (join, leave, ping, status); how the host follows is host.ts, how the link lives is
 * link/controller-link.ts.
 */
import { readFileSync } from 'node:fs';
import type { AgentJoin } from '@etherloom/api';
import type { MeshEvent } from '@etherloom/core';
import type { Logger } from 'pino';
import { StateDirectory } from './disk/state-directory.ts';
import type { ControllerRecord, MembershipRecord } from './disk/state-directory.ts';
import { AgentError, messageOf } from './errors.ts';
import { Host } from './host.ts';
import { assertTapDevices, listInterfaces } from './interfaces/iproute.ts';
import { defaultInterfaceName, planInterfaces } from './interfaces/plan.ts';
import { CONTROLLER_URLS_MAX, JOIN_READY_MS, RESYNC_TRIES_MAX } from './limits.ts';
import { ControllerLink } from './link/controller-link.ts';
import type { LinkMessage, LinkState } from './link/controller-link.ts';
import { assertSameController, readJoinToken, requestJoin, suggestNodeName } from './link/join.ts';
import { findRevisionsBack, forgetNetwork, recordJoin, takeNetworkMessage } from './networks.ts';
import type { NetworkMessage } from './networks.ts';
import { Pinger } from './ping.ts';
import { withObserved } from './underlay/select-endpoints.ts';
import { startUnderlayMonitor } from './underlay/monitor.ts';
import type { UnderlayMonitor } from './underlay/monitor.ts';

export interface AgentOptions {
  readonly stateDirectory: string;
  readonly port: number;
  readonly datapathProgram: string;
  readonly workers: number | null;
  /** Rekeys after this instead of the protocol's time; for tests. */
  readonly rekeyAfterMs?: number | undefined;
}

/** A network that is up on this host. */
export interface JoinedNetwork {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly network: string;
  readonly interface: string;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/** Version of this program. */
export const AGENT_VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;

export class Agent {
  readonly directory: StateDirectory;
  readonly host: Host;
  readonly pinger = new Pinger();
  readonly port: number;
  readonly #log: Logger;
  readonly #resyncs = new Map<string, number>();
  /** Why a network's state is not followed. */
  readonly #problems = new Map<string, string>();
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
    this.host = new Host(
      {
        stateDirectory: directory.path,
        program: options.datapathProgram,
        port: options.port,
        workers: options.workers,
      },
      {
        directory,
        log,
        rekeyAfterMs: options.rekeyAfterMs,
        onEndpointsChanged: () => {
          this.#announce();
          this.#link?.probe();
        },
        onMeshEvent: (event) => this.#takeMeshEvent(event),
      },
    );
  }

  get link(): { readonly state: LinkState; readonly lastConnectedAt: string | null } {
    return { state: this.#linkState, lastConnectedAt: this.#lastConnectedAt };
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
    forgetNetwork(this.directory, record.networkId);
    this.#link?.send({ type: 'leave', networkId: record.networkId });
    this.#log.info({ network: record.networkName }, 'left');
    await this.host.reconcile();
  }

  /** Ends the agent. With `keep`, data path and devices stay for the next one. */
  async stop(keep: boolean): Promise<void> {
    this.#monitor?.stop();
    await this.#link?.stop();
    await this.host.stop(keep);
    this.directory.close();
  }

  async #begin(): Promise<void> {
    const { setAside, memberships } = this.directory;
    for (const aside of setAside)
      this.#log.error(aside, 'a network file was damaged and is set aside; it is fetched again');
    await this.host.start();
    this.#monitor = startUnderlayMonitor(() => {
      this.host.tidy();
      void this.host.reconcile();
    });
    if (memberships.controller !== null) this.#openLink(memberships.controller);
  }

  async #join(wish: AgentJoin): Promise<JoinedNetwork> {
    const token = readJoinToken(wish.token);
    const { memberships } = this.directory;
    assertSameController(memberships.controller, token);
    await this.#assertInterfaceFree(wish.interface, token.networkName);
    const { reply, url } = await requestJoin(this.directory.identity, {
      token,
      name: wish.name,
      suggestedName: memberships.nodeName ?? suggestNodeName(),
    });
    const urls = [...new Set([url, ...token.urls, ...(memberships.controller?.urls ?? [])])].slice(
      0,
      CONTROLLER_URLS_MAX,
    );
    const controller = {
      urls,
      tlsFingerprint: token.tlsFingerprint,
      organizationId: reply.organizationId,
    };
    const record = recordJoin(this.directory, { controller, reply, interfaceName: wish.interface });
    this.#log.info({ network: record.networkName, interface: record.interface }, 'joined');
    this.#openLink(controller);
    this.#link?.send({ type: 'resync', networkId: record.networkId });
    await this.host.reconcile();
    return await this.#untilUp(record);
  }

  /**
   * Before a use of the token is spent: the name must be free and the host able to make the device.
   */
  async #assertInterfaceFree(wished: string | undefined, networkName: string): Promise<void> {
    const { identity } = this.directory;
    const { networks } = this.directory.memberships;
    const held = networks.find((m) => m.networkName === networkName);
    const others = networks.filter((m) => m !== held);
    const name =
      wished ??
      held?.interface ??
      defaultInterfaceName(networkName, new Set(others.map((m) => m.interface)));
    const taken = others.find((m) => m.interface === name);
    if (taken !== undefined) {
      throw new AgentError(
        'interface_taken',
        `the interface ${name} is that of the network ${taken.networkName}; choose another one with --interface`,
      );
    }
    if (held?.interface === name) return;
    assertTapDevices();
    const want = { networkId: '', name, mac: '', mtuBytes: 0, addresses: [] };
    const [conflict] = planInterfaces(identity.nodeId, [want], await listInterfaces()).conflicts;
    if (conflict !== undefined) throw new AgentError('interface_taken', conflict.message);
  }

  async #untilUp(record: MembershipRecord): Promise<JoinedNetwork> {
    const { networkId } = record;
    const outcome = await this.host.until(() => {
      const device = this.host.interfaceOf(networkId);
      if (device?.name !== record.interface) return undefined;
      return device.error ?? this.joined(networkId);
    }, JOIN_READY_MS);
    if (outcome instanceof AgentError) throw outcome;
    if (outcome !== undefined) return outcome;
    const why = this.#linkState.error ?? 'the controller sent no state';
    throw new AgentError(
      'unavailable',
      `joined ${record.networkName}, but it is not up after ${JOIN_READY_MS / 1_000} s: ${why}; the agent goes on trying`,
    );
  }

  /** A network with its interface and addresses; undefined while its state is not there. */
  joined(networkId: string): JoinedNetwork | undefined {
    const state = this.directory.networks.get(networkId)?.state;
    const { nodeId } = this.directory.identity;
    const own = state?.members.find((member) => member.nodeId === nodeId);
    const record = this.directory.memberships.networks.find((m) => m.networkId === networkId);
    const port = this.host.plan.ports.find((planned) => planned.networkId === networkId);
    if (state === undefined || own === undefined || record === undefined || port === undefined)
      return undefined;
    return {
      nodeId,
      nodeName: own.name,
      network: state.config.name,
      interface: record.interface,
      mac: own.mac,
      addresses: port.addresses.map(({ ip, prefixLength }) => `${ip}/${prefixLength}`),
    };
  }

  #openLink(controller: ControllerRecord): void {
    if (this.#link !== undefined) return this.#link.setController(controller);
    this.#link = new ControllerLink(controller, {
      identity: this.directory.identity,
      version: AGENT_VERSION,
      revisions: () =>
        Object.fromEntries(
          [...this.directory.networks].map(([id, { state }]) => [id, state.revision]),
        ),
      onMessage: (message) => this.#takeMessage(message),
      onState: (state) => this.#takeLinkState(state),
    });
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
    this.#linkState = state;
  }

  #takeMessage(message: LinkMessage): void {
    try {
      if (message.type === 'welcome') this.#takeWelcome(message);
      else if (message.type === 'refused') this.#takeRefusal(message.code);
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

  /** Why the state of a network is not followed; null: it is. */
  problemOf(networkId: string): string | null {
    return this.#problems.get(networkId) ?? null;
  }

  #takeWelcome({ revisions, observedAddress }: Extract<LinkMessage, { type: 'welcome' }>): void {
    this.#resyncs.clear();
    this.#compareRevisions(revisions);
    this.#observedAddress = observedAddress;
    this.#announce();
    const { memberships } = this.directory;
    const leaving = memberships.leaving.filter((networkId) => revisions[networkId] !== undefined);
    for (const networkId of leaving) this.#link?.send({ type: 'leave', networkId });
    if (leaving.length < memberships.leaving.length)
      this.directory.saveMemberships({ ...memberships, leaving });
  }

  #compareRevisions(revisions: Readonly<Record<string, number>>): void {
    this.#problems.clear();
    for (const { networkId, held, given } of findRevisionsBack(this.directory, revisions)) {
      const problem =
        `the controller is at revision ${given} and this host at ${held}: the controller's database was restored from an older backup; ` +
        'changes are not taken until it is started once with --restored';
      this.#problems.set(networkId, problem);
      this.#log.error({ networkId }, problem);
    }
  }

  /**
   * A host behind one-to-one address translation does not see its outer address; the controller
   * does.
   */
  #announce(): void {
    const endpoints = withObserved(this.host.endpoints, this.#observedAddress, this.port);
    this.#link?.send({ type: 'endpoints', endpoints });
  }

  #takeRefusal(code: string): void {
    if (code !== 'node_removed') return;
    this.#log.error('the controller has removed this node: its networks are taken down');
    for (const { networkId } of this.directory.memberships.networks)
      forgetNetwork(this.directory, networkId);
    void this.host.reconcile();
  }

  #takeNetworkMessage(message: NetworkMessage): void {
    const outcome = takeNetworkMessage(this.directory, message);
    const { networkId } = outcome;
    if (outcome.kind === 'changed') {
      this.#resyncs.delete(networkId);
      this.#problems.delete(networkId);
      this.#log.info(
        {
          networkId,
          what: outcome.what,
          revision: this.directory.networks.get(networkId)?.state.revision,
        },
        'network changed',
      );
      void this.host.reconcile();
      return;
    }
    this.#log.warn(
      { networkId, reason: outcome.reason },
      outcome.kind === 'resync' ? 'state does not fit; asking anew' : 'state ignored',
    );
    if (outcome.kind === 'resync') this.#resync(networkId);
  }

  #resync(networkId: string): void {
    const tries = (this.#resyncs.get(networkId) ?? 0) + 1;
    this.#resyncs.set(networkId, tries);
    if (tries > RESYNC_TRIES_MAX)
      this.#link?.reopen('the state that the controller sends does not fit its digest');
    else this.#link?.send({ type: 'resync', networkId });
  }

  #takeMeshEvent(event: MeshEvent): void {
    this.pinger.take(event);
    if (event.type === 'peerUp' || event.type === 'peerDown') {
      this.#log.info(
        { peer: event.peer, ...(event.type === 'peerDown' ? { reason: event.reason } : {}) },
        event.type === 'peerUp' ? 'peer up' : 'peer down',
      );
    }
  }
}

function notJoined(network: string, networks: readonly MembershipRecord[]): AgentError {
  const names = networks.map((m) => m.networkName).join(', ');
  return new AgentError(
    'not_found',
    `this host is in no network ${JSON.stringify(network)}; it is in ${names === '' ? 'none' : names}`,
  );
}
