/**
 * How this host comes into a network while no controller answers, and out of that state again
 * (docs/trust.md 7): it lets itself in by the voucher of its join token, fetches the state from the
 * members that took it in, and goes on trying the token with the controllers. For members that come
 * in this way it does the other half: it hears their introductions and hands them the state.
 */
import type { AgentJoin, JoinToken } from '@etherloom/api';
import { applySnapshot, followAuthority, hashStatement, verifyState } from '@etherloom/core';
import type { MeshEvent } from '@etherloom/core';
import { TransportError } from '@etherloom/transport';
import type { Logger } from 'pino';
import { monotonicMs, pause } from '../clock.ts';
import type { MembershipRecord, StateDirectory } from '../disk/state-directory.ts';
import { AgentError, messageOf } from '../errors.ts';
import type { Host } from '../host.ts';
import { SEED_URLS_MAX, VOUCHED_READY_MS, VOUCHED_REJOIN_MS } from '../limits.ts';
import { readJoinToken, requestJoin, suggestNodeName } from '../link/join.ts';
import type { GrantedJoin } from '../link/join.ts';
import { forgetNetwork, recordJoin } from '../networks.ts';
import { randomUnit } from '../random.ts';
import type { AgentTrust } from '../trust/agent-trust.ts';
import { storedAuthorityOf } from '../trust/pinned-authority.ts';
import { openToken } from './own-voucher.ts';
import type { OpenedToken } from './own-voucher.ts';
import type { StateDocument } from './state-document.ts';
import { StateFetcher } from './state-fetcher.ts';
import { STATE_MESSAGE } from './state-messages.ts';
import { StateServer } from './state-server.ts';
import type { Vouching } from './vouching.ts';

export interface LoneMemberDeps {
  readonly directory: StateDirectory;
  readonly trust: AgentTrust;
  readonly vouching: Vouching;
  readonly log: Logger;
  /** Another one once this host has become another node. */
  readonly host: () => Host;
  /** A controller has taken the host in: everything that follows a join. */
  readonly onGranted: (token: JoinToken, granted: GrantedJoin) => void;
}

/** Answers of a controller after which the token is worth nothing to this host. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  'token_invalid',
  'token_used_up',
  'token_expired',
  'token_network_mismatch',
  'node_removed',
  'unauthenticated',
  'forbidden',
]);

export class LoneMember {
  readonly #deps: LoneMemberDeps;
  readonly #server: StateServer;
  #fetcher: StateFetcher | undefined;
  #rejoining: AbortController | undefined;

  constructor(deps: LoneMemberDeps) {
    this.#deps = deps;
    const { directory, trust } = deps;
    this.#server = new StateServer({
      isMember: (peer, networkId) => this.#isMember(peer, networkId),
      versionOf: (networkId) => {
        const verified = trust.verifiedOf(networkId);
        return verified && `${verified.state.revision} ${verified.marks.rosterHash}`;
      },
      documentOf: (networkId) => {
        const { authority } = trust;
        const stored = directory.networks.get(networkId);
        if (authority === undefined || stored === undefined || stored.proof === null)
          return undefined;
        const { state, digest, proof } = stored;
        return { authority: storedAuthorityOf(authority).chain, state, digest, proof };
      },
      send: (peer, bytes) => this.#send(peer, bytes),
      nowMs: monotonicMs,
    });
  }

  /** True while no controller has taken this host in. */
  get isAlone(): boolean {
    return this.#deps.vouching.own?.isGranted === false;
  }

  /** Goes on with what is on disk; should be called when the host has started. */
  start(): void {
    const { vouching, directory } = this.#deps;
    const { own } = vouching;
    if (own === null) return;
    if (!directory.memberships.networks.some((m) => m.networkId === own.networkId))
      return vouching.end(); // the agent died while it joined
    this.#fetch(own.networkId);
    if (own.isGranted || this.#rejoining !== undefined) return;
    this.#rejoining = new AbortController();
    void this.#rejoin(this.#rejoining.signal);
  }

  /** Ends what is under way; what is on disk stays. */
  stop(): void {
    this.#rejoining?.abort();
    this.#rejoining = undefined;
    this.#fetcher?.stop();
    this.#fetcher = undefined;
  }

  /** A network is left. */
  forget(networkId: string): void {
    if (this.#deps.vouching.own?.networkId === networkId) this.stop();
    this.#deps.vouching.forget(networkId);
  }

  /** A controller has taken this host in; its roster will take the place of the voucher. */
  granted(networkId: string): void {
    if (this.#deps.vouching.own?.networkId !== networkId) return;
    this.#rejoining?.abort();
    this.#rejoining = undefined;
    this.#deps.vouching.granted();
  }

  /** Should be called with every event of the mesh. */
  takeMeshEvent(event: MeshEvent): void {
    if (event.type === 'introduced') this.#hear(event.bytes);
    else if (event.type === 'peerUp') this.#fetcher?.start();
    else if (event.type === 'message') {
      const [type] = event.bytes;
      if (type === STATE_MESSAGE.ask) this.#server.take(event.peer, event.bytes);
      else if (type === STATE_MESSAGE.piece) this.#fetcher?.take(event.peer, event.bytes);
    }
  }

  /**
   * Joins without a controller, after `error` has said that none answers. Rejects with that same
   * error when the token is no good for it; changes nothing then.
   */
  async join(wish: AgentJoin, error: unknown): Promise<MembershipRecord> {
    const { directory, vouching } = this.#deps;
    const isUnreached =
      error instanceof AgentError &&
      error.code === 'controller_unreachable' &&
      error.cause instanceof TransportError;
    if (!isUnreached || readJoinToken(wish.token).voucher === undefined) throw error;
    const { networks } = directory.memberships;
    const held = networks.find((m) => m.networkId === vouching.own?.networkId);
    if (held !== undefined && vouching.own?.token === wish.token) return held;
    if (networks.length > 0)
      throw new AgentError(
        error.code,
        `${error.message}; without a controller the token is good only on a host that is in no network yet`,
        { cause: error },
      );
    const opened = openToken(wish.token);
    if (opened === undefined) throw error;
    return await this.#letIn(wish, opened, error);
  }

  async #letIn(wish: AgentJoin, opened: OpenedToken, error: AgentError): Promise<MembershipRecord> {
    const { directory, trust, vouching, log } = this.#deps;
    const before = directory.memberships;
    const { network, token } = opened;
    const { networkId, organizationId, name: networkName } = network;
    const authority = [opened.authority.signed];
    trust.pinForJoin(token.authorityHash, { authority, organizationId });
    const nodeName = wish.name ?? before.nodeName ?? suggestNodeName();
    vouching.begin(wish.token, opened, nodeName);
    const controller = {
      urls: token.urls.slice(0, SEED_URLS_MAX),
      tlsFingerprint: token.tlsFingerprint,
      organizationId,
    };
    const reply = { networkId, networkName, nodeName };
    const record = recordJoin(directory, { controller, reply, interfaceName: wish.interface });
    log.warn(
      { network: networkName },
      'no controller answers: joining by the voucher of the token',
    );
    this.start();
    const host = this.#deps.host();
    await host.reconcile();
    const device = () => host.interfaceOf(networkId);
    const isIn = await host.until(
      () => (device() !== undefined && trust.verifiedOf(networkId) !== undefined) || undefined,
      VOUCHED_READY_MS,
    );
    if (isIn === true) return record;
    this.forget(networkId);
    forgetNetwork(this.#deps, networkId);
    directory.saveMemberships(before);
    await host.reconcile();
    throw new AgentError(
      error.code,
      `${error.message}; and none of the ${opened.contacts.length} members that the token names has taken this host in: they are not reached, or another host has used the token`,
      { cause: error },
    );
  }

  #hear(bytes: Uint8Array): void {
    const { vouching, host } = this.#deps;
    const news = vouching.hear(bytes);
    if (news === undefined) return;
    host().gossip.publish(news);
    void host().reconcile();
  }

  #isMember(peer: number, networkId: string): boolean {
    const { networks, plan } = this.#deps.host();
    const network = networks.find(({ config }) => config.id === networkId);
    return network?.members.some(({ nodeId }) => plan.peerIds.ids[nodeId] === peer) === true;
  }

  #send(peer: number, bytes: Uint8Array): void {
    this.#deps.host().driver.run((mesh, now) => mesh.sendMessage(peer, bytes, now));
  }

  #fetch(networkId: string): void {
    if (this.#fetcher !== undefined || this.#deps.trust.verifiedOf(networkId) !== undefined) return;
    this.#fetcher = new StateFetcher({
      networkId,
      peers: () => {
        const rows = this.#deps.host().driver.status();
        const up = rows.filter(
          ({ state, peer }) => state === 'up' && this.#isMember(peer, networkId),
        );
        return up.map(({ peer }) => peer);
      },
      send: (peer, bytes) => this.#send(peer, bytes),
      onDocument: (document) => this.#takeDocument(networkId, document),
      random: randomUnit,
    });
    this.#fetcher.start();
  }

  /** Verified like what a controller sends, by the authority that the token names. */
  #takeDocument(networkId: string, document: StateDocument): boolean {
    const { trust, vouching, directory, log, host } = this.#deps;
    const { own } = vouching;
    if (own?.networkId !== networkId || trust.authority === undefined) return false;
    const { authority: chain, state, digest, proof } = document;
    const followed = followAuthority(trust.authority, chain);
    const opened = openToken(own.token);
    if (!followed.ok || opened === undefined || state.config.id !== networkId) return false;
    const marks = {
      networkVersion: opened.network.version,
      networkHash: hashStatement(opened.token.voucher?.network.statement ?? ''),
      rosterVersion: 0,
      rosterHash: '',
    };
    const evidence = { state, proof, authority: followed.authority, held: undefined, marks };
    const result = verifyState(evidence);
    const applied = applySnapshot(undefined, { state, digest });
    if (!result.ok || !applied.ok) {
      const detail = result.ok ? 'another digest' : result.refusal.detail;
      log.warn({ networkId, detail }, 'a member gave a state that is not proved');
      return false;
    }
    try {
      trust.takeAuthority(chain);
      if (trust.takeNetwork({ state, digest, proof }) !== undefined) return false;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      log.error({ error: error.message }, 'the state that a member gave could not be stored');
      return false;
    }
    log.info({ networkId, members: state.members.length }, 'a member gave the state');
    if (directory.networks.has(networkId)) void host().reconcile();
    return true;
  }

  /** Tries the token with the controllers until one has answered. */
  async #rejoin(signal: AbortSignal): Promise<void> {
    const { vouching, directory, log, onGranted } = this.#deps;
    for (;;) {
      await pause(VOUCHED_REJOIN_MS * (0.5 + randomUnit() / 2), signal);
      const { own } = vouching;
      if (signal.aborted || own === null || own.isGranted) return;
      const token = readJoinToken(own.token);
      const suggestedName = directory.memberships.nodeName ?? suggestNodeName();
      try {
        const wish = { token, name: undefined, suggestedName };
        const granted = await requestJoin(directory.identity, wish);
        if (!signal.aborted) onGranted(token, granted);
        return;
      } catch (error) {
        const code = error instanceof AgentError ? error.code : '';
        if (signal.aborted) return;
        if (FINAL_CODES.has(code)) return this.#takeRefusal(own.networkId, messageOf(error));
        log.debug({ error: messageOf(error) }, 'no controller takes this host in yet');
      }
    }
  }

  /** A controller wants nothing of the token: the membership that it made is over. */
  #takeRefusal(networkId: string, message: string): void {
    const { directory, trust, log, host } = this.#deps;
    log.error({ networkId, message }, 'the controller refuses the join token: the network is left');
    this.forget(networkId);
    forgetNetwork(this.#deps, networkId);
    if (directory.memberships.networks.length === 0)
      directory.saveMemberships({ ...directory.memberships, controller: null, nodeName: null });
    const detail = `this host was a member by the voucher of its join token, and the controller refuses the token: ${message}`;
    trust.problems.note(null, 'voucher', { code: 'voucher_refused', detail });
    void host().reconcile();
  }
}
