/**
 * What to tell an agent of a network that is not pushed whole: the members that it deals with, each
 * with a proof against the newest roster, and no others. Everything is read by indexes: what an
 * agent asks for costs the same in a network of any size.
 */
import type { Member, MemberKey, MemberProof, PartialUpdate } from '@etherloom/api';
import { NETWORK_REVOCATIONS_MAX, PARTIAL_PIECE_MAX } from '@etherloom/api';
import { hashStatement, proveRosterEntry } from '@etherloom/core';
import { addressKey, addressNumber } from '../addressing/prefix.ts';
import { readSigned } from '../authority/signed.ts';
import { IN_LIST_MAX } from '../limits.ts';
import { isPublished, memberOf, readHead, readRevocations } from '../store/published-changes.ts';
import type { PublishedHead } from '../store/published-changes.ts';
import { ensureTree, isTreeOf, readBranches } from '../store/roster-nodes.ts';
import type { Store, Tx } from '../store/store.ts';
import type { NetworkInterest } from './interest.ts';
import type { SharedNews } from './partial-news.ts';
import { PartialNewsLog } from './partial-news.ts';

/** What an agent lacks, in the order in which it is sent. */
export interface PartialNews {
  readonly updates: readonly PartialUpdate[];
  readonly revision: number;
  readonly authorityVersion: number;
}

interface ChangedMember {
  readonly member: Member;
  readonly proof: MemberProof;
}

/** Reads for networks that are told in part. */
export class PartialFeed {
  readonly #store: Store;
  /** Revision up to which the links of a network were woken. */
  readonly #woken = new Map<string, number>();
  readonly #news = new PartialNewsLog();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * What an agent lacks of a network in which its node is a member; null: nothing, or there is no
   * such network. The interest is only read.
   */
  async read(networkId: string, interest: NetworkInterest): Promise<PartialNews | null> {
    const news = await this.#store.read((tx) => this.#read(tx, networkId, interest));
    if (news !== 'stale') return news;
    await this.#store.transact((tx) => ensureTree(tx, networkId));
    const again = await this.#store.read((tx) => this.#read(tx, networkId, interest));
    if (again === 'stale') throw new Error(`the tree of network ${networkId} is not its roster's`);
    return again;
  }

  /** The same where it is the same for many, without reading; undefined: it has to be read. */
  readShared(networkId: string, interest: NetworkInterest): SharedNews | null | undefined {
    return this.#news.read(networkId, interest);
  }

  /**
   * The members that changed since the last call for a network; 'all' where that is not known, or
   * everybody is concerned.
   */
  async changedMembers(networkId: string): Promise<ReadonlySet<string> | 'all'> {
    const since = this.#woken.get(networkId);
    const { head, changed, revocations } = await this.#store.read(async (tx) => {
      const newest = await readHead(tx, networkId);
      const isKnown =
        newest !== null &&
        since !== undefined &&
        since >= newest.deltaFloor &&
        since <= newest.revision; // a later one is of a history that is lost
      const hasEnded = isKnown && newest.revocationsRevision > since;
      return {
        head: newest,
        changed: isKnown ? await readChangedIds(tx, networkId, since) : undefined,
        revocations: hasEnded ? await readRevocations(tx, networkId) : undefined,
      };
    });
    if (head === null) this.#woken.delete(networkId);
    else this.#woken.set(networkId, head.revision);
    if (head === null || changed === undefined || since === undefined) {
      this.#news.forget(networkId);
      return 'all';
    }
    this.#news.note(head, since, changed, revocations);
    return head.configRevision > since ? 'all' : changed;
  }

  /** What is known of a network may be behind: each link reads for itself until the next change. */
  forget(networkId: string): void {
    this.#news.forget(networkId);
  }

  /** The same of all, also of what links were woken for. */
  forgetAll(): void {
    this.#news.forgetAll();
    this.#woken.clear();
  }

  /** The member of a network that has this; null: there is none, or the asker is no member. */
  resolve(networkId: string, askerId: string, by: MemberKey): Promise<string | null> {
    return this.#store.read(async (tx) => {
      if (!(await isPublished(tx, networkId, askerId))) return null;
      const nodeId = await findNodeId(tx, networkId, by);
      return nodeId !== null && (await isPublished(tx, networkId, nodeId)) ? nodeId : null;
    });
  }

  async #read(
    tx: Tx,
    networkId: string,
    interest: NetworkInterest,
  ): Promise<PartialNews | null | 'stale'> {
    const head = await readHead(tx, networkId);
    if (head === null) return null;
    const { revision, authorityVersion } = head;
    // The first link is told of all up to here, and every later one of more.
    if (!this.#woken.has(networkId)) {
      const all = await readRevocations(tx, networkId);
      if (!this.#woken.has(networkId)) this.#news.begin(head, all);
      if (!this.#woken.has(networkId)) this.#woken.set(networkId, revision);
    }
    // A revision that this database does not know is that of another one: everything is told.
    const since =
      interest.revision !== null && interest.revision <= revision ? interest.revision : null;
    const rows = await readRows(tx, networkId, interest, since);
    const hasRevocations = since === null || head.revocationsRevision > since;
    const hasConfig = since === null || head.configRevision > since;
    if (rows.length === 0 && !hasRevocations && !hasConfig && !interest.isReplyDue) return null;
    if (rows.length > 0 && !(await isTreeOf(tx, networkId, head.roster))) return 'stale';
    const members = await proveRows(tx, head, rows);
    const ends = hasRevocations ? await this.#readEnds(tx, head, since, interest) : {};
    const updates = updatesOf(head, members, { ends, since, interest });
    return { updates, revision, authorityVersion };
  }

  /** All revocations, or what an agent lacks of them that did not ask for all. */
  async #readEnds(
    tx: Tx,
    { networkId, revision }: PublishedHead,
    since: number | null,
    { isReplyDue }: NetworkInterest,
  ): Promise<EndsProof> {
    const news =
      since === null || isReplyDue ? undefined : this.#news.endsBetween(networkId, since, revision);
    if (news !== undefined)
      return { revocationNews: { added: news.added.map(readSigned), gone: [...news.gone] } };
    const revocations = await readRevocations(tx, networkId);
    if (revocations.length > NETWORK_REVOCATIONS_MAX)
      throw new Error(`network ${networkId} has ${revocations.length} revocations`);
    return { revocations: revocations.map(readSigned) };
  }
}

type EndsProof = Pick<PartialUpdate['proof'], 'revocations' | 'revocationNews'>;

/**
 * Pieces of a bounded size. Each can be verified by itself; the revision is that of the last, so
 * that an agent that got some of them asks for the others.
 */
function updatesOf(
  head: PublishedHead,
  members: readonly ChangedMember[],
  {
    ends,
    since,
    interest,
  }: {
    readonly ends: EndsProof;
    readonly since: number | null;
    readonly interest: NetworkInterest;
  },
): PartialUpdate[] {
  const count = Math.max(1, Math.ceil(members.length / PARTIAL_PIECE_MAX));
  return Array.from({ length: count }, (_, at) => {
    const some = members.slice(at * PARTIAL_PIECE_MAX, (at + 1) * PARTIAL_PIECE_MAX);
    const isLast = at === count - 1;
    return {
      type: 'partial',
      networkId: head.networkId,
      revision: isLast ? head.revision : (since ?? 0),
      isReply: isLast && interest.isReplyDue,
      config: head.config,
      upserts: some.map(({ member }) => member),
      proof: {
        network: readSigned(head.network),
        roster: readSigned(head.roster),
        ...(at === 0 ? ends : {}),
        members: Object.fromEntries(some.map(({ member, proof }) => [member.nodeId, proof])),
      },
    };
  });
}

interface Row {
  readonly node_id: string;
  readonly statement: string;
  readonly renewal: string | null;
  readonly endpoints: string;
  readonly endpoint_record: string | null;
}

/** Members of interest that changed since a revision, or were never told; null: all of them. */
async function readRows(
  tx: Tx,
  networkId: string,
  { nodeIds, unsent }: NetworkInterest,
  since: number | null,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const some of chunks([...nodeIds])) {
    const found = await tx.db
      .selectFrom('published_members')
      .innerJoin('nodes', 'nodes.id', 'published_members.node_id')
      .select(['node_id', 'statement', 'renewal', 'endpoints', 'endpoint_record'])
      .select(['changed_revision', 'proof_revision'])
      .where('network_id', '=', networkId)
      .where('node_id', 'in', some)
      .execute();
    const isNews = (row: (typeof found)[number]): boolean =>
      since === null ||
      row.changed_revision > since ||
      row.proof_revision > since ||
      unsent.has(row.node_id);
    rows.push(...found.filter(isNews));
  }
  return rows;
}

async function proveRows(
  tx: Tx,
  head: PublishedHead,
  rows: readonly Row[],
): Promise<ChangedMember[]> {
  const roster = hashStatement(readSigned(head.roster).statement);
  const members: ChangedMember[] = [];
  for (const some of chunks(rows)) {
    const ids = some.map(({ node_id }) => node_id);
    const branches = await readBranches(tx, head.networkId, ids);
    for (const row of some) {
      const at = branches.get(row.node_id);
      if (at === undefined) continue;
      members.push({
        member: memberOf(row),
        proof: {
          credential: readSigned(row.statement),
          renewal: row.renewal === null ? null : readSigned(row.renewal),
          inclusion: { roster, proof: proveRosterEntry(row.node_id, at.bucket, at.branch) },
        },
      });
    }
  }
  return members;
}

async function readChangedIds(tx: Tx, networkId: string, since: number): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const column of ['changed_revision', 'proof_revision'] as const) {
    const rows = await tx.db
      .selectFrom('published_members')
      .select('node_id')
      .where('network_id', '=', networkId)
      .where(column, '>', since)
      .execute();
    for (const { node_id } of rows) ids.add(node_id);
  }
  const gone = await tx.db
    .selectFrom('tombstones')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('removed_revision', '>', since)
    .execute();
  for (const { node_id } of gone) ids.add(node_id);
  return ids;
}

async function findNodeId(tx: Tx, networkId: string, by: MemberKey): Promise<string | null> {
  if ('nodeId' in by) return by.nodeId;
  if ('sessionKey' in by) {
    const node = await tx.db
      .selectFrom('nodes')
      .select('id')
      .where('session_key', '=', by.sessionKey)
      .executeTakeFirst();
    return node?.id ?? null;
  }
  if ('mac' in by) {
    const membership = await tx.db
      .selectFrom('memberships')
      .select('node_id')
      .where('network_id', '=', networkId)
      .where('mac', '=', by.mac)
      .executeTakeFirst();
    return membership?.node_id ?? null;
  }
  const address = await tx.db
    .selectFrom('addresses')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('address_key', '=', addressKey(addressNumber(by.ip)))
    .where('released_at', 'is', null)
    .executeTakeFirst();
  return address?.node_id ?? null;
}

function* chunks<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += IN_LIST_MAX)
    yield all.slice(from, from + IN_LIST_MAX);
}
