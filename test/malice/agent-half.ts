/**
 * An agent without its host: state directory, trust, place and link are those of the product, put
 * together as agent.ts does; data path, devices and the mesh are left out. Needs no root.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentProblem, JoinToken } from '@etherloom/api';
import type { OwnStatement, PlanNetwork } from '@etherloom/core';
import { pino } from 'pino';
import { monotonicMs } from '../../packages/agent/src/clock.ts';
import { StateDirectory } from '../../packages/agent/src/disk/state-directory.ts';
import { Place } from '../../packages/agent/src/identity/place.ts';
import { ControllerLink } from '../../packages/agent/src/link/controller-link.ts';
import type { LinkMessage, LinkState } from '../../packages/agent/src/link/controller-link.ts';
import { requestJoin } from '../../packages/agent/src/link/join.ts';
import { forgetNetwork, isNetworkMessage, recordJoin } from '../../packages/agent/src/networks.ts';
import { StateFollower } from '../../packages/agent/src/state-follower.ts';
import type { AgentTrust } from '../../packages/agent/src/trust/agent-trust.ts';
import { OwnRecord } from '../../packages/agent/src/trust/own-record.ts';
import { planNetworks } from '../../packages/agent/src/trust/plan-networks.ts';

const LOG = pino({ level: 'silent' });

export class AgentHalf {
  readonly name: string;
  readonly path: string;
  /** How far the wall clock is set wrong, and how long ago the host booted; set before `open`. */
  wallMs: () => number = () => Date.now();
  bootMs: () => number = () => monotonicMs();
  /** What peers would hear of. */
  readonly published: OwnStatement[] = [];
  endpoints: readonly string[];
  linkState: LinkState = { isConnected: false, url: null, error: null };
  /** Openings of the link that ended. */
  failures = 0;
  #directory: StateDirectory | undefined;
  #follower: StateFollower | undefined;
  #place: Place | undefined;
  #record: OwnRecord | undefined;
  #link: ControllerLink | undefined;

  constructor(name: string, number: number) {
    this.name = name;
    this.path = mkdtempSync(join(tmpdir(), `loom-malice-${name}-`));
    this.endpoints = [`192.0.2.${number}:8002`];
  }

  /** Reads what is on disk, as a start of the agent does, and opens the link. */
  open(): void {
    const directory = StateDirectory.open(join(this.path, 'agent'));
    this.#directory = directory;
    this.#record = new OwnRecord(directory);
    const follower = new StateFollower({
      directory,
      log: LOG,
      reconcile: () => Promise.resolve(),
      isGone: () => true,
      send: (message) => this.#link?.send(message),
      reopenLink: (reason) => this.#link?.reopen(reason),
      onStatement: (own) => this.published.push(own),
      clocks: { wallMs: this.wallMs, sinceBootMs: this.bootMs },
    });
    this.#follower = follower;
    const instance = (): string => '0'.repeat(16);
    const signedRule = () => follower.trust.cloneRule;
    this.#place = new Place({ directory, instance, log: LOG, signedRule });
    this.#openLink();
  }

  /** Ends it as a stop does; what is on disk stays. */
  async close(): Promise<void> {
    await this.#link?.stop();
    this.#link = undefined;
    this.#follower?.stop();
    this.#directory?.close();
    this.#directory = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.path, { recursive: true, force: true });
  }

  async join(token: JoinToken): Promise<void> {
    const { directory, follower } = this;
    const wish = { token, name: this.name, suggestedName: this.name };
    const { reply, url } = await requestJoin(directory.identity, wish);
    follower.tellAuthority(follower.trust.pinForJoin(token.authorityHash, reply));
    const { tlsFingerprint } = token;
    const { organizationId } = reply;
    const controller = { urls: [url], tlsFingerprint, organizationId };
    recordJoin(directory, { controller, reply, interfaceName: undefined });
    this.#openLink();
    this.#link?.send({ type: 'resync', networkId: reply.networkId });
  }

  get directory(): StateDirectory {
    if (this.#directory === undefined) throw new TypeError('it is not open');
    return this.#directory;
  }

  get follower(): StateFollower {
    if (this.#follower === undefined) throw new TypeError('it is not open');
    return this.#follower;
  }

  get place(): Place {
    if (this.#place === undefined) throw new TypeError('it is not open');
    return this.#place;
  }

  get trust(): AgentTrust {
    return this.follower.trust;
  }

  get nodeId(): string {
    return this.directory.identity.nodeId;
  }

  get problems(): readonly AgentProblem[] {
    return this.trust.problems.all;
  }

  codes(): string[] {
    return this.problems.map(({ code }) => code).toSorted();
  }

  /** What the host would program; nothing while a verdict keeps it down. */
  planned(): PlanNetwork[] {
    if (this.place.isDown) return [];
    const trustedMs = Math.floor(this.trust.nowMs());
    // One clock for both: ends are days, and do not move while a test runs.
    return planNetworks(this.trust, this.nodeId, { trustedMs, meshMs: trustedMs });
  }

  /** Names of the members that it has, or would take, sessions with; those of all networks. */
  peers(): string[] {
    const names = this.planned().flatMap(({ members }) =>
      members.filter(({ nodeId }) => nodeId !== this.nodeId).map(({ name }) => name),
    );
    return [...new Set(names)].toSorted();
  }

  /** Asks for everything anew. */
  resync(networkId: string): void {
    this.#link?.send({ type: 'resync', networkId });
  }

  /** Opens the link without waiting. */
  relink(): void {
    const { controller } = this.directory.memberships;
    if (controller !== null) this.#link?.setController(controller);
  }

  leave(networkId: string): void {
    const { memberships } = this.directory;
    const leaving = [...memberships.leaving, networkId];
    this.directory.saveMemberships({ ...memberships, leaving });
    forgetNetwork(this, networkId);
    this.#link?.send({ type: 'leave', networkId });
  }

  #openLink(): void {
    const { controller } = this.directory.memberships;
    if (controller === null) return;
    if (this.#link !== undefined) return this.#link.setController(controller);
    this.#link = new ControllerLink(controller, {
      identity: this.directory.identity,
      version: '0.0.0',
      revisions: () => this.trust.revisions(),
      authority: () => this.trust.authority?.hash ?? null,
      showPlace: () => this.place.show(),
      takeEpoch: (epoch) => this.place.takeEpoch(epoch),
      onMessage: (message) => this.#take(message),
      onState: (state) => {
        if (!state.isConnected) this.failures += 1;
        this.linkState = state;
      },
    });
  }

  #take(message: LinkMessage): void {
    if (message.type === 'welcome') {
      this.place.takeWelcome(message.nodeState);
      this.follower.takeWelcome(message);
      const { endpoints } = this;
      const record = this.#record?.of(endpoints) ?? '';
      this.#link?.send({ type: 'endpoints', endpoints: [...endpoints], record });
    } else if (message.type === 'refused') {
      const after = this.place.takeRefusal(message.code, message.message);
      this.#followVerdict(after, message.message);
      if (message.code === 'node_removed') this.follower.takeNodeRemoval(message);
    } else if (message.type === 'split') {
      this.#followVerdict(this.place.takeTicket(message.ticket, message.message), message.message);
    } else if (message.type === 'authority') this.follower.takeAuthority(message);
    else if (message.type === 'interestWanted' || message.type === 'resolved')
      this.follower.takeInterest(message);
    else if (isNetworkMessage(message)) this.follower.takeNetworkMessage(message);
  }

  /** As agent.ts does, but that the link is opened again at once: a test has no minute. */
  #followVerdict(after: ReturnType<Place['takeRefusal']>, message: string): void {
    if (after === 'disputed') this.follower.noteDispute(message);
    if (after === 'end') void this.#link?.stop();
  }
}
