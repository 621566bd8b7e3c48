/**
 * Judges every host that opens a link: one after the other for each node, so that fifty copies of
 * one image cost one ping at a time and never two holders. What is compared and decided is pure
 * (core/lease); here are the store, the links and the words.
 *
 *   newcomer -> queue of its node -> lease read -> open link of the node pinged -> verdict
 *            -> lease written -> its link opened, all before the next newcomer's turn
 */
import type { HostHints, Lease } from '@etherloom/api';
import type { HostMarks, LeaseFacts, LeaseRecord, LeaseVerdict } from '@etherloom/core';
import { advanceLease, compareLease, judgeLease, kinshipOf } from '@etherloom/core';
import { leaseHash, passOnLease } from '@etherloom/core';
import type { Logger } from 'pino';
import type { Cluster, HolderAnswer } from '../cluster/cluster.ts';
import { toRequestError } from '../http/error-reply.ts';
import { LEASE_QUEUE_MAX } from '../limits.ts';
import { record } from '../audit/record.ts';
import { RequestError } from '../request-error.ts';
import { cloneRuleOf, makeSplitTicket } from '../store/clones.ts';
import { nodeById } from '../store/find-node.ts';
import { isRetiredLease, readLease, retireLease, saveLease } from '../store/leases.ts';
import type { StoredLease } from '../store/leases.ts';
import { noteSeen } from '../store/nodes.ts';
import { linkOf } from '../store/links.ts';
import type { KnownLink } from '../store/links.ts';
import type { Store, Tx } from '../store/store.ts';
import type { Silence } from './silence.ts';

/** A host that has proved its key and shows its lease. */
export interface Newcomer {
  readonly nodeId: string;
  readonly lease: Lease;
  readonly instance: string;
  readonly hints: HostHints;
  readonly source: string;
  readonly cameAtMs: number;
  /** Its link has closed. */
  readonly isGone: () => boolean;
  /** It is the holder; its link is open when this returns. */
  readonly open: (epoch: number) => void;
}

/** The open link of a node. */
export interface HolderLink {
  readonly marks: HostMarks | null;
  readonly source: string;
  readonly heardAtMs: number;
  /** Whether its agent answers a ping that is not older than `sinceMs`. */
  answers(sinceMs: number): Promise<boolean>;
  refuse(code: string, message: string): void;
}

export type Judgement =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'split'; readonly ticket: string; readonly message: string };

export interface LeaseJudgeDeps {
  readonly store: Store;
  readonly silence: Silence;
  readonly linkOf: (nodeId: string) => HolderLink | undefined;
  /** Other controllers, which may have the link of a node; null: there are none. */
  readonly cluster: JudgeCluster | null;
  readonly monotonicMs: () => number;
  /** Two hosts were found with one identity, and it is decided which of them is the node. */
  readonly onHolderKnown: (nodeId: string, instance: string) => void;
  readonly log: Logger;
}

/** What the judge needs of other controllers. */
export type JudgeCluster = Pick<Cluster, 'id' | 'ask' | 'enterLink'>;

interface Case {
  readonly newcomer: Newcomer;
  readonly marks: HostMarks;
  readonly stored: StoredLease | undefined;
  readonly facts: LeaseFacts;
  readonly holder: HolderLink | undefined;
}

/** The lease was moved on meanwhile, by another controller: the case is heard again. */
class LeaseMoved extends Error {
  override readonly name = 'LeaseMoved';
}

/** Hearings of one newcomer; each but the last found the lease moved on. */
const HEARINGS_MAX = 3;

export class LeaseJudge {
  readonly #deps: LeaseJudgeDeps;
  readonly #queues = new Map<string, { length: number; last: Promise<unknown> }>();

  constructor(deps: LeaseJudgeDeps) {
    this.#deps = deps;
  }

  /** Rejects with RequestError when the newcomer may not be: its code says for how long. */
  judge(newcomer: Newcomer): Promise<Judgement> {
    const { nodeId } = newcomer;
    const queue = this.#queues.get(nodeId) ?? { length: 0, last: Promise.resolve() };
    if (queue.length >= LEASE_QUEUE_MAX)
      throw new RequestError('too_many_requests', 'many hosts come as this node: come again');
    this.#queues.set(nodeId, queue);
    queue.length += 1;
    const result = queue.last.then(() => this.#judgeAgain(newcomer));
    queue.last = result
      .catch(() => undefined) // the newcomer's own
      .finally(() => {
        queue.length -= 1;
        if (queue.length === 0) this.#queues.delete(nodeId);
      });
    return result;
  }

  /** For another controller: whether the agent of the link that is open here answers. */
  async askHolder(nodeId: string): Promise<HolderAnswer> {
    await this.#queues.get(nodeId)?.last; // whoever is let in at this moment is the holder
    const holder = this.#deps.linkOf(nodeId);
    const isAnswered = holder !== undefined && (await holder.answers(this.#deps.monotonicMs()));
    return { isAnswered, silentMs: this.#deps.silence.silentMs(nodeId, holder?.heardAtMs) };
  }

  async #judgeAgain(newcomer: Newcomer): Promise<Judgement> {
    for (let hearing = 1; ; hearing += 1) {
      try {
        return await this.#judge(newcomer);
      } catch (error) {
        if (!(error instanceof LeaseMoved)) throw error;
        if (hearing >= HEARINGS_MAX)
          throw new RequestError('too_many_requests', 'many hosts come as this node: come again');
      }
    }
  }

  async #judge(newcomer: Newcomer): Promise<Judgement> {
    if (newcomer.isGone()) return { kind: 'accepted' };
    const heard = await this.#hear(newcomer);
    const verdict = judgeLease(heard.facts);
    this.#log(heard, verdict);
    switch (verdict.kind) {
      case 'accept':
        return await this.#accept(heard);
      case 'wait':
        throw new RequestError('lease_waits', waitText(verdict.waitMs));
      case 'replaced':
        throw replaced();
      case 'clone':
        return await this.#dealWithClone(heard);
    }
  }

  async #hear(newcomer: Newcomer): Promise<Case> {
    const { nodeId, lease, hints, instance } = newcomer;
    const marks = { instance, hints };
    const presented = { epoch: lease.epoch, hash: leaseHash(lease.secret) };
    const { cluster } = this.#deps;
    const { stored, isRetired, known } = await this.#deps.store.read(async (tx) => ({
      stored: await readLease(tx, nodeId),
      isRetired: await isRetiredLease(tx, nodeId, presented),
      known: cluster === null ? undefined : await linkOf(tx, nodeId),
    }));
    const use = compareLease(stored?.record, isRetired, lease);
    const holder = this.#deps.linkOf(nodeId);
    const holderMarks = holder?.marks ?? null;
    // An agent that opens its link anew has closed the former one: there is nobody to ask.
    const isItself =
      use !== 'older' && holderMarks !== null && kinshipOf(holderMarks, marks) === 'process';
    const remote = await this.#hearElsewhere(nodeId, known, use, stored, marks);
    const isAnswered =
      remote.isAnswered ||
      (holder !== undefined && !isItself && (await holder.answers(newcomer.cameAtMs)));
    const silentMs = Math.min(
      this.#deps.silence.silentMs(nodeId, holder?.heardAtMs),
      remote.silentMs,
    );
    const kinship = stored === undefined ? 'process' : kinshipOf(marks, stored.marks);
    return { newcomer, marks, stored, holder, facts: { use, isAnswered, silentMs, kinship } };
  }

  /** What other controllers know of the holder: the marks of its lease are the holder's. */
  async #hearElsewhere(
    nodeId: string,
    known: KnownLink | undefined,
    use: LeaseFacts['use'],
    stored: StoredLease | undefined,
    marks: HostMarks,
  ): Promise<HolderAnswer> {
    const { cluster } = this.#deps;
    if (cluster === null || known === undefined) return NOBODY_ELSEWHERE;
    if (known.controllerId === cluster.id) return NOBODY_ELSEWHERE;
    const unheard = { isAnswered: false, silentMs: known.quietMs };
    const isItself =
      use !== 'older' && stored !== undefined && kinshipOf(stored.marks, marks) === 'process';
    if (isItself || !known.isOpen) return unheard;
    return (await cluster.ask(known.controllerId, nodeId)) ?? unheard;
  }

  async #accept({ newcomer, marks, stored, facts }: Case): Promise<Judgement> {
    const { nodeId, lease } = newcomer;
    const record = advanceLease(stored?.record, lease, facts.use);
    let epoch = record.epoch;
    try {
      await this.#deps.store.transact(async (tx) => {
        await assertUnmoved(tx, nodeId, stored);
        await saveLease(tx, nodeId, { record, marks });
        await noteSeen(tx, nodeId);
        await this.#enterLink(tx, newcomer, record.epoch, false);
      });
    } catch (error) {
      // A disk that cannot be written is no reason to leave agents without what is known.
      if (facts.use === 'older' || toRequestError(error).code !== 'unavailable') throw error;
      this.#deps.log.error({ nodeId, err: error }, 'a lease could not be moved on');
      epoch = lease.epoch;
    }
    newcomer.open(epoch);
    return { kind: 'accepted' };
  }

  async #dealWithClone(heard: Case): Promise<Judgement> {
    const { newcomer, holder } = heard;
    const { nodeId } = newcomer;
    const rule = await this.#deps.store.read((tx) => cloneRuleOf(tx, nodeId));
    this.#deps.log.warn(
      { nodeId, rule, source: newcomer.source, holder: holder?.source ?? null },
      'two hosts use one identity',
    );
    const survivor = rule === 'replace' ? newcomer.instance : holder?.marks?.instance;
    if (survivor !== undefined) this.#deps.onHolderKnown(nodeId, survivor);
    const elsewhere = holder === undefined ? '' : `, which runs at ${holder.source}`;
    switch (rule) {
      case 'reject':
        throw new RequestError(
          'clone_rejected',
          `this host is a copy of the node${elsewhere}; its networks take no copies`,
        );
      case 'replace':
        return await this.#replace(heard);
      case 'split':
        return {
          kind: 'split',
          ticket: await this.#deps.store.transact((tx) => makeSplitTicket(tx, nodeId)),
          message: `this host is a copy of the node${elsewhere}; it becomes a node of its own`,
        };
    }
  }

  async #replace({ newcomer, marks, stored, holder }: Case): Promise<Judgement> {
    const lease: LeaseRecord = passOnLease(stored?.record, newcomer.lease);
    await this.#deps.store.transact(async (tx) => {
      await assertUnmoved(tx, newcomer.nodeId, stored);
      if (stored !== undefined) await retireLease(tx, newcomer.nodeId, stored.record);
      await saveLease(tx, newcomer.nodeId, { record: lease, marks });
      await noteSeen(tx, newcomer.nodeId);
      await this.#enterLink(tx, newcomer, lease.epoch, true);
      await recordReplacement(tx, newcomer, stored?.marks.instance ?? null);
    });
    const told = replaced();
    holder?.refuse(told.code, told.message);
    newcomer.open(lease.epoch);
    return { kind: 'accepted' };
  }

  async #enterLink(
    tx: Tx,
    { nodeId, instance }: Newcomer,
    epoch: number,
    isReplaced: boolean,
  ): Promise<void> {
    await this.#deps.cluster?.enterLink(tx, { nodeId, instance, epoch }, isReplaced);
  }

  #log({ newcomer, facts, stored }: Case, verdict: LeaseVerdict): void {
    const { nodeId, source, lease } = newcomer;
    const about = { nodeId, source, epoch: lease.epoch, newest: stored?.record.epoch ?? null };
    if (verdict.kind === 'wait' || verdict.kind === 'replaced')
      this.#deps.log.warn({ ...about, use: facts.use }, `a lease is refused: ${verdict.kind}`);
    if (verdict.kind !== 'accept') return;
    if (verdict.why === 'first') this.#deps.log.info(about, 'first lease of a node');
    if (verdict.why === 'ahead')
      this.#deps.log.warn(about, 'a lease is ahead of this database, as after a restored backup');
    if (verdict.why === 'rollback')
      this.#deps.log.warn(about, 'a host was put back to an older disk and goes on from there');
  }
}

/** Tells the ledger which start of an agent is the node from here on, and which was. */
async function recordReplacement(
  tx: Tx,
  { nodeId, instance, source }: Newcomer,
  former: string | null,
): Promise<void> {
  const node = await nodeById(tx, nodeId);
  if (node === undefined) return;
  record(tx, {
    organizationId: node.organization_id,
    action: 'node.replace',
    target: { noun: 'node', id: node.id, name: node.name },
    actor: { kind: 'node', id: node.id, name: node.name },
    before: former === null ? null : { instance: former },
    after: { instance, source },
  });
}

const NOBODY_ELSEWHERE: HolderAnswer = {
  isAnswered: false,
  silentMs: Number.POSITIVE_INFINITY,
};

/** Two controllers that hear a newcomer each must not both move the same lease on. */
async function assertUnmoved(
  tx: Tx,
  nodeId: string,
  heard: StoredLease | undefined,
): Promise<void> {
  const newest = await readLease(tx, nodeId);
  if (newest?.record.epoch !== heard?.record.epoch || newest?.record.hash !== heard?.record.hash)
    throw new LeaseMoved();
}

/** Said to a host whose place another one got by the rule `replace`. */
export const REPLACED_TEXT =
  'a copy of this host came later and is the node now: this one stays down until it joins anew';

function replaced(): RequestError {
  return new RequestError('clone_replaced', REPLACED_TEXT);
}

function waitText(waitMs: number): string {
  return (
    'this host shows an older state of its node, or comes from another boot: ' +
    `it waits ${Math.ceil(waitMs / 1_000)} s for the last holder to come first`
  );
}
