/**
 * Members without a controller (docs/trust.md 7): keeps the book of those that vouchers have let
 * in, adds them to what is planned, and holds the membership that this host made for itself. How it
 * meets the others is the mesh's matter, how it fetches their state that of state-fetcher.ts.
 */
import type { Member, SignedStatement } from '@etherloom/api';
import { signedStatementSchema } from '@etherloom/api';
import {
  VouchedBook,
  encodeStatement,
  isRevokedBy,
  isValidAt,
  memberOfIntroduction,
  nextValidityChange,
  parseGossip,
} from '@etherloom/core';
import type {
  BookContext,
  Introduction,
  OwnStatement,
  PlanNetwork,
  StatementVerdict,
  VouchingNetwork,
} from '@etherloom/core';
import type { Logger } from 'pino';
import type { Identity } from '../disk/identity.ts';
import { AgentError } from '../errors.ts';
import type { AgentTrust } from '../trust/agent-trust.ts';
import type { PlanTimes } from '../trust/plan-networks.ts';
import { introduce, openToken } from './own-voucher.ts';
import type { OpenedToken } from './own-voucher.ts';
import { readVouched, writeVouched } from './vouched-store.ts';
import type { OwnVouching } from './vouched-store.ts';

export interface VouchingDeps {
  readonly stateDirectory: string;
  /** Of this host; another one once it has become another node. */
  readonly identity: () => Identity;
  readonly trust: AgentTrust;
  readonly log: Logger;
}

export class Vouching {
  readonly #deps: VouchingDeps;
  readonly #book = new VouchedBook();
  #own: OwnVouching | null;
  #opened: OpenedToken | undefined;
  #stored = '';

  /** Reads what is on disk. Throws AgentError when it is damaged. */
  constructor(deps: VouchingDeps) {
    this.#deps = deps;
    const record = readVouched(deps.stateDirectory);
    this.#own = record.own;
    this.#opened = record.own === null ? undefined : openToken(record.own.token);
    this.#stored = JSON.stringify(record);
    const own = record.own === null ? [] : [record.own.introduction];
    for (const signed of [...own, ...record.introductions])
      this.#book.restore(signed, this.#context());
  }

  /** The membership that this host has made for itself; null: none. */
  get own(): OwnVouching | null {
    return this.#own;
  }

  /** What this host says of itself to who may not know it. */
  get introduction(): Uint8Array | undefined {
    return this.#own === null ? undefined : encodeStatement(this.#own.introduction);
  }

  /** True for a network whose state did not come from a controller. */
  isBorrowed(networkId: string): boolean {
    return this.#own?.networkId === networkId;
  }

  /** Makes this host a member by the voucher of a token. Throws AgentError. */
  begin(tokenText: string, opened: OpenedToken, name: string): OwnVouching {
    const { trust, identity } = this.#deps;
    const { networkId } = opened.network;
    const introduction = introduce(opened, identity(), { name, issuedAt: trust.now() });
    const own = { networkId, introduction, token: tokenText, isGranted: false };
    const before = this.#opened;
    this.#opened = opened;
    const taken = this.#book.take(introduction, this.#context());
    if (taken.verdict !== 'fresh') {
      this.#opened = before;
      const why = taken.verdict === 'refused' ? taken.refusal.detail : 'it has been used';
      throw new AgentError(
        'token_expired',
        `the join token is no good without a controller: ${why}`,
      );
    }
    this.#own = own;
    this.#save();
    return own;
  }

  /** A controller has taken the token; its roster will name this host. */
  granted(): void {
    if (this.#own === null) return;
    this.#own = { ...this.#own, isGranted: true };
    this.#save();
  }

  /** The membership that this host made for itself is over. */
  end(): void {
    const networkId = this.#own?.networkId;
    if (networkId !== undefined) this.forget(networkId);
  }

  /** A network is left. */
  forget(networkId: string): void {
    this.#book.forget(networkId);
    if (this.#own?.networkId === networkId) this.#clearOwn();
    this.#save();
    this.#deps.trust.problems.end(networkId, 'voucher');
  }

  /** What a peer has passed on; undefined: it is no introduction. */
  judge(heard: {
    readonly statement: string;
    readonly signatures: unknown;
  }): StatementVerdict | undefined {
    if (!heard.statement.startsWith('{"type":"introduction"')) return undefined;
    const parsed = signedStatementSchema.safeParse(heard);
    if (!parsed.success) return { verdict: 'refused' };
    return this.#take(parsed.data);
  }

  /** What a stranger says in a handshake; what is to be told others when it is news. */
  hear(bytes: Uint8Array): OwnStatement | undefined {
    const message = parseGossip(bytes);
    if (message?.type !== 'statement') return undefined;
    const parsed = signedStatementSchema.safeParse({
      statement: message.statement,
      signatures: message.signatures,
    });
    if (!parsed.success) return undefined;
    const judged = this.#take(parsed.data);
    if (judged.verdict !== 'fresh') return undefined;
    const { networkId, topic } = judged;
    return { signed: parsed.data, networkId, topic };
  }

  /** What peers should hear of after a start. */
  ownStatements(): OwnStatement[] {
    return this.#book.entries.map(({ signed, credential, voucher }) => ({
      signed,
      networkId: credential.networkId,
      topic: topicOf(voucher.voucherId),
    }));
  }

  /** Adds the members that vouchers have let in to what is planned. */
  planInto(networks: readonly PlanNetwork[], times: PlanTimes): PlanNetwork[] {
    this.#prune(times.trustedMs);
    const own = this.#opened;
    const isHeld = networks.some(({ config }) => config.id === own?.network.networkId);
    const all = own === undefined || isHeld ? networks : [...networks, networkOfToken(own, times)];
    return all.map((network) => this.#planOne(network, times));
  }

  /** When the plan has to be looked at again; undefined: never by itself. */
  nextChange(nowMs: number): number | undefined {
    return nextValidityChange(this.#book.entries, nowMs);
  }

  /** True while a voucher alone makes this host a member of a network. */
  isOwnValid(networkId: string, nowMs: number): boolean {
    const own = this.#ownEntry(networkId);
    return own !== undefined && isValidAt(own, nowMs);
  }

  /** When that ends, Unix milliseconds; undefined: no voucher makes this host a member. */
  ownEndMs(networkId: string): number | undefined {
    return this.#ownEntry(networkId)?.endMs;
  }

  #ownEntry(networkId: string): Introduction | undefined {
    const { nodeId } = this.#deps.identity();
    return this.#book.of(networkId).find(({ credential }) => credential.nodeId === nodeId);
  }

  #planOne(network: PlanNetwork, { trustedMs, meshMs }: PlanTimes): PlanNetwork {
    const entries = this.#book.of(network.config.id).filter((entry) => isValidAt(entry, trustedMs));
    if (entries.length === 0) return network;
    const ends = entries.map(
      ({ credential, endMs }) => [credential.nodeId, meshMs + endMs - trustedMs] as const,
    );
    return {
      ...network,
      members: [...network.members, ...entries.map(memberOfIntroduction)],
      endsAt: new Map([...(network.endsAt ?? []), ...ends]),
    };
  }

  #take(signed: SignedStatement): StatementVerdict {
    const { log } = this.#deps;
    const taken = this.#book.take(signed, this.#context());
    if (taken.verdict === 'known') return { verdict: 'known' };
    if (taken.verdict === 'refused') {
      log.debug(taken.refusal, 'an introduction is refused');
      return { verdict: 'refused' };
    }
    if (taken.verdict === 'used') {
      this.#noteDoubled(taken.by, taken.refused);
      return { verdict: 'known' };
    }
    const { introduction, displaced } = taken;
    const { networkId, nodeId, name } = introduction.credential;
    log.info({ networkId, nodeId, name }, 'a voucher lets a member in');
    if (displaced !== undefined) this.#noteDoubled(introduction, displaced);
    this.#saveOrNote();
    return { verdict: 'fresh', networkId, topic: topicOf(introduction.voucher.voucherId) };
  }

  #noteDoubled(stays: Introduction, goes: Introduction): void {
    const { networkId } = stays.credential;
    const [first, second] = [stays, goes].map(
      ({ credential }) => `${credential.name} (${credential.nodeId})`,
    );
    this.#deps.trust.problems.note(networkId, 'doubled', {
      code: 'voucher_doubled',
      detail: `two hosts use the join token ${stays.voucher.voucherId} without a controller: ${first}, who used it first and stays, and ${second}, who is no member`,
    });
  }

  #prune(nowMs: number): void {
    const gone = this.#book.prune({ ...this.#context(), nowMs });
    const { nodeId } = this.#deps.identity();
    const { trust } = this.#deps;
    for (const { credential } of gone) trust.problems.end(credential.networkId, 'doubled');
    if (this.#own !== null) {
      const { networkId } = this.#own;
      const isNamed = trust.verifiedOf(networkId)?.members.has(nodeId) === true;
      if (isNamed) this.#clearOwn();
      if (isNamed) trust.problems.end(networkId, 'voucher');
      else this.#noteOwn(networkId, nowMs);
    }
    this.#saveOrNote();
  }

  #noteOwn(networkId: string, nowMs: number): void {
    const detail = this.isOwnValid(networkId, nowMs)
      ? 'this host is a member by the voucher of its join token; a controller has not taken it in yet'
      : 'the voucher of the join token holds no longer, or another host has used it: this host is no member until a controller takes it in';
    this.#deps.trust.problems.note(networkId, 'voucher', { code: 'membership_vouched', detail });
  }

  #clearOwn(): void {
    this.#own = null;
    this.#opened = undefined;
  }

  #context(): BookContext {
    return {
      networkOf: (networkId) => this.#networkOf(networkId),
      nowMs: this.#deps.trust.nowMs(),
    };
  }

  #networkOf(networkId: string): VouchingNetwork | undefined {
    const { trust } = this.#deps;
    const verified = trust.verifiedOf(networkId);
    const authority = trust.authority ?? this.#opened?.authority;
    if (authority === undefined) return undefined;
    if (verified !== undefined)
      return {
        authority,
        network: verified.network,
        isResigned: verified.isResigned,
        members: verified.state.members,
        isRevoked: (credential) =>
          verified.revocations.some((revocation) => isRevokedBy(revocation, credential)),
      };
    const opened = this.#opened;
    if (opened?.network.networkId !== networkId) return undefined;
    const { network, contacts } = opened;
    return { authority, network, members: contacts, isRevoked: () => false };
  }

  #record() {
    const ownText = this.#own?.introduction.statement;
    const introductions = this.#book.entries
      .map(({ signed }) => signed)
      .filter(({ statement }) => statement !== ownText);
    return { introductions, own: this.#own };
  }

  /** What the disk does not take acts all the same, and is written with the next pass. */
  #saveOrNote(): void {
    try {
      this.#save();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#deps.trust.problems.note(null, 'disk', { code: error.code, detail: error.message });
    }
  }

  #save(): void {
    const record = this.#record();
    const text = JSON.stringify(record);
    if (text === this.#stored) return;
    writeVouched(this.#deps.stateDirectory, record);
    this.#stored = text;
  }
}

/** A network of which only the token tells: its members are those that the token names. */
function networkOfToken(opened: OpenedToken, { trustedMs, meshMs }: PlanTimes): PlanNetwork {
  const { networkId: id, name, vni, mtuBytes, ipv4, ipv6, settings } = opened.network;
  const members: Member[] = [...opened.contacts];
  const endMs = meshMs + opened.voucher.latestEndMs - trustedMs;
  return {
    config: { id, name, vni, mtuBytes, ipv4, ipv6 },
    revision: 0,
    members,
    postQuantum: settings.postQuantum,
    endsAt: new Map(members.map(({ nodeId }) => [nodeId, endMs])),
  };
}

function topicOf(voucherId: string): string {
  return `introduction ${voucherId}`;
}
