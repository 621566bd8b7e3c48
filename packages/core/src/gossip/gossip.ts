/**
 * Gossip between the members of networks (docs/trust.md 6): who tells what to whom. Endpoint
 * records are verified here, statements by their owner through `judge`. Pure, as the mesh is: the
 * shell reports facts, calls handleTimeout when pollTimeout says so, and does what drainActions
 * returns.
 *
 * Bounds: one record for each member, STATEMENTS_MAX statements, six buckets for each member; what
 * a change costs is members times GOSSIP_FANOUT messages, however often it is heard.
 */
import {
  compareOrdinals,
  decodeEndpointRecord,
  verifyEndpointRecord,
} from '../trust/endpoint-record.ts';
import { leadsToOneHost } from '../endpoint.ts';
import { hexOf } from '../network-state/canonical.ts';
import { encodeAsk, encodeRecords, encodeStatement, parseGossip } from './gossip-messages.ts';
import type {
  GossipAction,
  GossipDeps,
  GossipMember,
  GossipRefusal,
  OwnStatement,
} from './gossip-types.ts';
import {
  ANSWER_BURST,
  ANSWERS_PER_SECOND,
  ASK_AGAIN_MS,
  ASK_BURST,
  ASK_PEERS,
  ASKS_PER_SECOND,
  GOSSIP_FANOUT,
  MESSAGE_BURST,
  MESSAGES_PER_SECOND,
  PASS_BURST,
  PASSES_PER_SECOND,
  RECENT_MS,
  RECENT_RECORDS_MAX,
  RECENT_STATEMENTS_MAX,
  REFUSED_BURST,
  REFUSED_PER_SECOND,
  STATEMENTS_MAX,
  VERIFIES_PER_SECOND,
  VERIFY_BURST,
} from './limits.ts';
import { TokenBuckets } from './token-buckets.ts';

interface HeldRecord {
  readonly bytes: Uint8Array;
  readonly ordinal: Uint8Array;
  readonly changedAt: number;
  /** Who told it; it is not told back. */
  readonly from: number | undefined;
  /** When it is passed on; Infinity: it was, or need not be. */
  passAt: number;
}

interface HeldStatement {
  readonly bytes: Uint8Array;
  readonly networkId: string;
  readonly changedAt: number;
}

export class Gossip {
  readonly #deps: GossipDeps;
  #members = new Map<string, GossipMember>();
  #byPeer = new Map<number, GossipMember>();
  readonly #up = new Set<number>();
  readonly #records = new Map<string, HeldRecord>();
  /** In the order in which they were heard. */
  readonly #statements = new Map<string, HeldStatement>();
  #own: Uint8Array | undefined;
  #askAt: number[] = [];
  #actions: GossipAction[] = [];
  readonly #refusals = new Map<GossipRefusal, number>();
  readonly #asks = new TokenBuckets<'own'>({ perSecond: ASKS_PER_SECOND, burst: ASK_BURST });
  readonly #answers = new TokenBuckets<string>({
    perSecond: ANSWERS_PER_SECOND,
    burst: ANSWER_BURST,
  });
  readonly #messages = new TokenBuckets<string>({
    perSecond: MESSAGES_PER_SECOND,
    burst: MESSAGE_BURST,
  });
  readonly #refused = new TokenBuckets<string>({
    perSecond: REFUSED_PER_SECOND,
    burst: REFUSED_BURST,
  });
  readonly #verifies = new TokenBuckets<string>({
    perSecond: VERIFIES_PER_SECOND,
    burst: VERIFY_BURST,
  });
  readonly #passes = new TokenBuckets<string>({ perSecond: PASSES_PER_SECOND, burst: PASS_BURST });

  constructor(deps: GossipDeps) {
    this.#deps = deps;
  }

  /** Replaces the members; what was held of those that go is forgotten. */
  setMembers(members: readonly GossipMember[]): void {
    this.#members = new Map(members.map((member) => [member.nodeId, member]));
    this.#byPeer = new Map(
      members.flatMap((member) => (member.peer === undefined ? [] : [[member.peer, member]])),
    );
    for (const peer of this.#up) if (!this.#byPeer.has(peer)) this.#up.delete(peer);
    for (const nodeId of this.#records.keys())
      if (!this.#members.has(nodeId)) this.#records.delete(nodeId);
    const networks = new Set(members.flatMap(({ networkIds }) => networkIds));
    for (const [topic, { networkId }] of this.#statements)
      if (!networks.has(networkId)) this.#statements.delete(topic);
    const isMember = (nodeId: string) => this.#members.has(nodeId);
    const all = [this.#answers, this.#messages, this.#refused, this.#verifies, this.#passes];
    for (const buckets of all) buckets.keep(isMember);
  }

  /** This host's own record has changed: all are told, and asked for what was missed meanwhile. */
  setOwnRecord(record: Uint8Array, now: number): void {
    if (this.#own !== undefined && hexOf(this.#own) === hexOf(record)) return;
    this.#own = record;
    for (const peer of this.#up) this.#sendRecords(peer, [record]);
    this.#askAt = ASK_AGAIN_MS.map((afterMs) => now + afterMs);
  }

  /**
   * A record from the controller or from disk. It is verified and told when it is later than what
   * is held; who needs it gets it when he asks.
   */
  takeRecord(record: Uint8Array, now: number): void {
    const held = this.#accept(record, undefined, now);
    if (typeof held === 'string') this.#refuse(held);
  }

  /** A statement that came from the controller and is new here. */
  publish({ signed, networkId, topic }: OwnStatement, now: number): void {
    const bytes = encodeStatement(signed);
    this.#keepStatement(topic, { bytes, networkId, changedAt: now });
    this.#passStatement(networkId, bytes, undefined);
  }

  /** Should be called when a session with a peer comes up. */
  handlePeerUp(peer: number, now: number): void {
    if (!this.#byPeer.has(peer)) return;
    this.#up.add(peer);
    if (this.#own !== undefined) this.#sendRecords(peer, [this.#own]);
    if (this.#asks.take('own', now)) this.#send(peer, encodeAsk());
  }

  /** Should be called when a peer is down: who still hears of it may know where it is. */
  handlePeerDown(peer: number, now: number): void {
    this.#up.delete(peer);
    if (this.#up.size > 0 && this.#asks.take('own', now)) this.#ask();
  }

  /** Should be called with each message that the mesh has carried. */
  handleMessage(peer: number, bytes: Uint8Array, now: number): void {
    const sender = this.#byPeer.get(peer);
    if (sender === undefined) return this.#refuse('gossip_sender_unknown');
    const { nodeId } = sender;
    const isHeard = this.#messages.take(nodeId, now) && this.#refused.has(nodeId, now);
    if (!isHeard) return this.#refuse('gossip_sender_limited');
    const message = parseGossip(bytes);
    if (message === undefined) return this.#refuseOf(sender, 'gossip_message_invalid', now);
    if (message.type === 'ask') this.#answer(sender, peer, now);
    else if (message.type === 'records')
      for (const record of message.records) {
        if (!this.#refused.has(nodeId, now)) return this.#refuse('gossip_sender_limited');
        this.#takeHeard(sender, record, now);
      }
    else if (message.type === 'statement') this.#takeStatement(sender, peer, message, bytes, now);
  }

  handleTimeout(now: number): void {
    while ((this.#askAt[0] ?? Infinity) <= now) {
      this.#askAt.shift();
      this.#ask();
    }
    for (const [nodeId, held] of this.#records)
      if (held.passAt <= now) this.#pass(nodeId, held, now);
  }

  /** When handleTimeout is due next; Infinity: never, as things are. */
  pollTimeout(): number {
    let at = this.#askAt[0] ?? Infinity;
    for (const { passAt } of this.#records.values()) at = Math.min(at, passAt);
    return at;
  }

  drainActions(): GossipAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  get hasActions(): boolean {
    return this.#actions.length > 0;
  }

  /** All records that are held, of members other than this host. */
  records(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#records].map(([nodeId, { bytes }]) => [nodeId, bytes]));
  }

  refusals(): ReadonlyMap<GossipRefusal, number> {
    return this.#refusals;
  }

  #takeHeard(sender: GossipMember, bytes: Uint8Array, now: number): void {
    const nodeId = hexOf(bytes.subarray(0, 16));
    if (nodeId === this.#deps.ownNodeId) return; // it comes back by a detour
    const member = this.#members.get(nodeId);
    if (member === undefined || !shareNetwork(member, sender))
      return this.#refuseOf(sender, 'gossip_member_unknown', now);
    const held = this.#accept(bytes, sender, now);
    if (held === 'gossip_sender_limited') return this.#refuse(held);
    if (typeof held === 'string') return this.#refuseOf(sender, held, now);
    if (held !== undefined) this.#pass(nodeId, held, now);
  }

  /** Undefined: what is held is as late. Only what is later is verified. */
  #accept(
    bytes: Uint8Array,
    sender: GossipMember | undefined,
    now: number,
  ): HeldRecord | GossipRefusal | undefined {
    const claimed = decodeEndpointRecord(bytes);
    if (claimed === undefined) return 'gossip_message_invalid';
    const nodeId = hexOf(claimed.nodeId);
    const member = this.#members.get(nodeId);
    if (member === undefined) return 'gossip_member_unknown';
    const former = this.#records.get(nodeId);
    if (former !== undefined && compareOrdinals(claimed.ordinal, former.ordinal) <= 0)
      return undefined;
    if (sender !== undefined && !this.#verifies.take(sender.nodeId, now))
      return 'gossip_sender_limited';
    const record = verifyEndpointRecord(bytes, member.signKey);
    if (record === undefined) return 'gossip_record_unsigned';
    const { ordinal } = record;
    const endpoints = record.endpoints.filter(leadsToOneHost);
    const held = { bytes, ordinal, changedAt: now, from: sender?.peer, passAt: Infinity };
    this.#records.set(nodeId, held);
    const { peer } = member;
    this.#actions.push({ kind: 'endpointsHeard', nodeId, peer, endpoints, record: bytes });
    return held;
  }

  #pass(nodeId: string, held: HeldRecord, now: number): void {
    const member = this.#members.get(nodeId);
    if (member === undefined) return;
    if (!this.#passes.take(nodeId, now)) {
      held.passAt = this.#passes.readyAt(nodeId, now);
      return;
    }
    held.passAt = Infinity;
    const isWanted = (other: GossipMember) => other !== member && shareNetwork(other, member);
    for (const peer of this.#pick(GOSSIP_FANOUT, isWanted, held.from))
      this.#sendRecords(peer, [held.bytes]);
  }

  #takeStatement(
    sender: GossipMember,
    peer: number,
    heard: { readonly statement: string; readonly signatures: unknown },
    bytes: Uint8Array,
    now: number,
  ): void {
    const { statement, signatures } = heard;
    const judged = this.#deps.judge({ statement, signatures }, sender.nodeId);
    if (judged.verdict === 'refused')
      return this.#refuseOf(sender, 'gossip_statement_refused', now);
    if (judged.verdict === 'known') return;
    const { networkId, topic } = judged;
    this.#keepStatement(topic, { bytes, networkId, changedAt: now });
    this.#passStatement(networkId, bytes, peer);
  }

  #keepStatement(topic: string, statement: HeldStatement): void {
    this.#statements.delete(topic);
    this.#statements.set(topic, statement);
    const [oldest] = this.#statements.keys();
    if (this.#statements.size > STATEMENTS_MAX && oldest !== undefined)
      this.#statements.delete(oldest);
  }

  #passStatement(networkId: string, bytes: Uint8Array, from: number | undefined): void {
    const isMember = (member: GossipMember) => member.networkIds.includes(networkId);
    for (const peer of this.#pick(GOSSIP_FANOUT, isMember, from)) this.#send(peer, bytes);
  }

  #ask(): void {
    for (const peer of this.#pick(ASK_PEERS, () => true, undefined)) {
      if (this.#own !== undefined) this.#sendRecords(peer, [this.#own]);
      this.#send(peer, encodeAsk());
    }
  }

  /** Tells the newest of what has changed lately and concerns who asks. */
  #answer(asker: GossipMember, peer: number, now: number): void {
    if (!this.#answers.take(asker.nodeId, now)) return this.#refuse('gossip_ask_limited');
    const isRecent = ({ changedAt }: { changedAt: number }) => now - changedAt < RECENT_MS;
    const records = [...this.#records]
      .filter(([nodeId, held]) => {
        const member = this.#members.get(nodeId);
        const concerns = member !== undefined && member !== asker && shareNetwork(member, asker);
        return concerns && isRecent(held);
      })
      .map(([, held]) => held)
      .toSorted((a, b) => b.changedAt - a.changedAt)
      .slice(0, RECENT_RECORDS_MAX);
    this.#sendRecords(peer, [
      ...(this.#own === undefined ? [] : [this.#own]),
      ...records.map(({ bytes }) => bytes),
    ]);
    const statements = [...this.#statements.values()].filter(
      (held) => asker.networkIds.includes(held.networkId) && isRecent(held),
    );
    for (const { bytes } of statements.slice(-RECENT_STATEMENTS_MAX)) this.#send(peer, bytes);
  }

  /** Some of the peers with a session, by chance. */
  #pick(
    count: number,
    isWanted: (member: GossipMember) => boolean,
    except: number | undefined,
  ): number[] {
    const peers = [...this.#up].filter((peer) => {
      const member = this.#byPeer.get(peer);
      return peer !== except && member !== undefined && isWanted(member);
    });
    return sample(peers, count, this.#deps.random);
  }

  #sendRecords(peer: number, records: readonly Uint8Array[]): void {
    for (const bytes of encodeRecords(records)) this.#send(peer, bytes);
  }

  #send(peer: number, bytes: Uint8Array): void {
    this.#actions.push({ kind: 'send', peer, bytes });
  }

  #refuseOf(sender: GossipMember, reason: GossipRefusal, now: number): void {
    this.#refused.take(sender.nodeId, now);
    this.#refuse(reason);
  }

  #refuse(reason: GossipRefusal): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }
}

function shareNetwork(a: GossipMember, b: GossipMember): boolean {
  return a.networkIds.some((networkId) => b.networkIds.includes(networkId));
}

function sample<T>(items: readonly T[], count: number, random: (bytes: number) => Uint8Array): T[] {
  const rest = [...items];
  const picked: T[] = [];
  while (picked.length < count && rest.length > 0) {
    const bytes = random(4);
    const draw = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
    picked.push(...rest.splice(draw % rest.length, 1));
  }
  return picked;
}
