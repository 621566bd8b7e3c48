/**
 * What changed lately in networks that are told in part, and the message for all who are concerned
 * by no more than what everybody is: another setting of a network of ten thousand members is one
 * text, and for each link one look at a set.
 */
import { hashStatement } from '@etherloom/core';
import { readSigned } from '../authority/signed.ts';
import type { PublishedHead } from '../store/published-changes.ts';
import { NEWS_CHANGES_MAX, NEWS_NODES_MAX, NEWS_TEXTS_MAX } from '../limits.ts';
import type { NetworkInterest } from './interest.ts';

/** A message for many links. */
export interface SharedNews {
  /** UTF-8. */
  readonly data: Buffer;
  readonly revision: number;
  readonly authorityVersion: number;
}

/** Revocations that an agent lacks, as JSON, and hashes of those that it holds too many. */
export interface RevocationTexts {
  readonly added: readonly string[];
  readonly gone: readonly string[];
}

/** Revocations that came and went between two revisions, as JSON. */
interface Ends {
  /** Who holds one within knows some of them, and which is not known. */
  readonly from: number;
  readonly revision: number;
  readonly added: ReadonlySet<string>;
  readonly gone: ReadonlySet<string>;
}

interface Log {
  head: PublishedHead;
  /** JSON, of `head`; undefined: they were not read. */
  revocations: ReadonlySet<string> | undefined;
  /** What changed after this revision is known. */
  from: number;
  /** Members that changed, by the revision up to which they did; oldest first. */
  readonly changes: { readonly revision: number; readonly nodeIds: ReadonlySet<string> }[];
  /** The same of revocations that came and went; undefined: not known, or too many. */
  endsFrom: number | undefined;
  readonly ends: Ends[];
  readonly messages: Map<string, Buffer>;
}

export class PartialNewsLog {
  readonly #logs = new Map<string, Log>();

  /** What is known of a network begins here, with all its revocations. */
  begin(head: PublishedHead, revocations: readonly string[]): void {
    const log = newLog(head, head.revision);
    log.revocations = new Set(revocations);
    log.endsFrom = head.revision;
    this.#logs.set(head.networkId, log);
  }

  /** What changed from one revision to that of `head`; `revocations`: all, when any changed. */
  note(
    head: PublishedHead,
    since: number,
    nodeIds: ReadonlySet<string>,
    revocations: readonly string[] | undefined,
  ): void {
    const log = this.#logs.get(head.networkId) ?? newLog(head, since);
    this.#logs.set(head.networkId, log);
    const isNext = since <= log.head.revision && log.from <= since;
    if (!isNext) {
      log.changes.length = 0;
      log.from = since;
      forgetEnds(log);
    }
    const from = log.head.revision;
    log.head = head;
    log.messages.clear();
    if (revocations !== undefined) noteEnds(log, from, new Set(revocations));
    else if (head.revocationsRevision > since) forgetEnds(log);
    if (nodeIds.size > 0) log.changes.push({ revision: head.revision, nodeIds });
    let count = log.changes.reduce((sum, change) => sum + change.nodeIds.size, 0);
    while (log.changes.length > NEWS_CHANGES_MAX || count > NEWS_NODES_MAX) {
      const oldest = log.changes.shift();
      log.from = oldest?.revision ?? log.head.revision;
      count -= oldest?.nodeIds.size ?? 0;
    }
  }

  forget(networkId: string): void {
    this.#logs.delete(networkId);
  }

  forgetAll(): void {
    this.#logs.clear();
  }

  /**
   * What an agent lacks by what is known here; null: nothing; undefined: it has to be read, since
   * members of its interest changed, or too much.
   */
  read(networkId: string, interest: NetworkInterest): SharedNews | null | undefined {
    const log = this.#logs.get(networkId);
    const { revision: held, unsent, isReplyDue } = interest;
    if (log === undefined || held === null || unsent.size > 0 || isReplyDue) return undefined;
    const { head } = log;
    if (held < log.from || held > head.revision) return undefined;
    for (const { revision, nodeIds } of log.changes)
      if (revision > held && hasCommon(nodeIds, interest.nodeIds)) return undefined;
    const hasConfig = head.configRevision > held;
    const hasRevocations = head.revocationsRevision > held;
    if (!hasConfig && !hasRevocations) return null;
    const { revision, authorityVersion } = head;
    const data = messageOf(log, hasRevocations ? held : null);
    return data === undefined ? undefined : { data, revision, authorityVersion };
  }

  /** Revocations that came and went from one revision to another; undefined: not known. */
  endsBetween(networkId: string, since: number, until: number): RevocationTexts | undefined {
    const log = this.#logs.get(networkId);
    return log?.head.revision === until ? endsSince(log, since) : undefined;
  }
}

function newLog(head: PublishedHead, since: number): Log {
  const none = { revocations: undefined, endsFrom: undefined, ends: [], changes: [] };
  return { head, from: since, ...none, messages: new Map() };
}

function forgetEnds(log: Log): void {
  log.revocations = undefined;
  log.endsFrom = undefined;
  log.ends.length = 0;
}

function noteEnds(log: Log, from: number, revocations: ReadonlySet<string>): void {
  const { revision } = log.head;
  const before = log.revocations;
  log.revocations = revocations;
  if (before === undefined) {
    log.endsFrom = revision;
    return;
  }
  const added = new Set([...revocations].filter((text) => !before.has(text)));
  const gone = new Set([...before].filter((text) => !revocations.has(text)));
  log.ends.push({ from, revision, added, gone });
  const sizeOf = (ends: Ends): number => ends.added.size + ends.gone.size;
  let count = log.ends.reduce((sum, ends) => sum + sizeOf(ends), 0);
  while (log.ends.length > NEWS_CHANGES_MAX || count > NEWS_NODES_MAX) {
    const oldest = log.ends.shift();
    if (oldest === undefined) return;
    log.endsFrom = oldest.revision;
    count -= sizeOf(oldest);
  }
}

/** What an agent that holds the revocations of `held` lacks; undefined: not known. */
function endsSince({ ends, endsFrom }: Log, held: number): RevocationTexts | undefined {
  if (endsFrom === undefined || held < endsFrom || isWithin(ends, held)) return undefined;
  const added = new Set<string>();
  const gone = new Set<string>();
  for (const step of ends) {
    if (step.revision <= held) continue;
    for (const text of step.gone) if (!added.delete(text)) gone.add(text);
    for (const text of step.added) if (!gone.delete(text)) added.add(text);
  }
  const hashes = [...gone].map((text) => hashStatement(readSigned(text).statement));
  return { added: [...added], gone: hashes };
}

/** Whether a revision lies between the two of a step. */
function isWithin(ends: readonly Ends[], held: number): boolean {
  return ends.some(({ from, revision }) => from < held && held < revision);
}

function hasCommon(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [fewer, more] = a.size < b.size ? [a, b] : [b, a];
  for (const id of fewer) if (more.has(id)) return true;
  return false;
}

/**
 * A `partial` that names nobody, with what an agent that holds revision `held` lacks of the
 * revocations, or all of them; null: it lacks none. undefined: it has to be read.
 */
function messageOf(log: Log, held: number | null): Buffer | undefined {
  const { head, revocations, messages } = log;
  const { networkId, revision, config, network, roster } = head;
  const step = held === null ? undefined : log.ends.findIndex((ends) => ends.revision > held);
  const ownKey = `after ${step}`;
  const isNews =
    held !== null &&
    log.endsFrom !== undefined &&
    held >= log.endsFrom &&
    !isWithin(log.ends, held) &&
    (messages.has(ownKey) || messages.size < NEWS_TEXTS_MAX);
  const key = isNews ? ownKey : String(held === null);
  const kept = messages.get(key);
  if (kept !== undefined) return kept;
  const news = isNews ? endsSince(log, held) : undefined;
  if (held !== null && news === undefined && revocations === undefined) return undefined;
  const message = Buffer.from(
    `{"type":"partial","networkId":"${networkId}","revision":${revision},"isReply":false,` +
      `"config":${JSON.stringify(config)},"upserts":[],` +
      `"proof":{"network":${network},"roster":${roster},` +
      `${held === null ? '' : revocationText(news, revocations)}"members":{}}}`,
  );
  messages.set(key, message);
  return message;
}

function revocationText(
  news: RevocationTexts | undefined,
  all: ReadonlySet<string> | undefined,
): string {
  if (news === undefined) return `"revocations":[${[...(all ?? [])].join()}],`;
  const { added, gone } = news;
  return `"revocationNews":{"added":[${added.join()}],"gone":${JSON.stringify(gone)}},`;
}
