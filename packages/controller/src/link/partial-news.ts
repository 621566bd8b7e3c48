/**
 * What changed lately in networks that are told in part, and the message for all who are concerned
 * by no more than what everybody is: another setting of a network of ten thousand members is one
 * text, and for each link one look at a set.
 */
import type { PublishedHead } from '../store/published-changes.ts';
import { NEWS_CHANGES_MAX, NEWS_NODES_MAX } from '../limits.ts';
import type { NetworkInterest } from './interest.ts';

/** A message for many links. */
export interface SharedNews {
  /** UTF-8. */
  readonly data: Buffer;
  readonly revision: number;
  readonly authorityVersion: number;
}

interface Log {
  head: PublishedHead;
  /** JSON; undefined: they were not read at this revision. */
  revocations: readonly string[] | undefined;
  /** What changed after this revision is known. */
  from: number;
  /** Members that changed, by the revision up to which they did; oldest first. */
  readonly changes: { readonly revision: number; readonly nodeIds: ReadonlySet<string> }[];
  readonly messages: Map<string, Buffer>;
}

export class PartialNewsLog {
  readonly #logs = new Map<string, Log>();

  /** What changed from one revision to that of `head`. */
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
    }
    log.head = head;
    log.revocations = revocations;
    log.messages.clear();
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
    if (hasRevocations && log.revocations === undefined) return undefined;
    const { revision, authorityVersion } = head;
    return { data: messageOf(log, hasRevocations), revision, authorityVersion };
  }
}

function newLog(head: PublishedHead, since: number): Log {
  return { head, revocations: undefined, from: since, changes: [], messages: new Map() };
}

function hasCommon(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [fewer, more] = a.size < b.size ? [a, b] : [b, a];
  for (const id of fewer) if (more.has(id)) return true;
  return false;
}

/** A `partial` that names nobody. */
function messageOf({ head, revocations, messages }: Log, hasRevocations: boolean): Buffer {
  const key = String(hasRevocations);
  const kept = messages.get(key);
  if (kept !== undefined) return kept;
  const { networkId, revision, config, network, roster } = head;
  const ended = hasRevocations ? `"revocations":[${revocations?.join(',') ?? ''}],` : '';
  const message = Buffer.from(
    `{"type":"partial","networkId":"${networkId}","revision":${revision},"isReply":false,` +
      `"config":${JSON.stringify(config)},"upserts":[],` +
      `"proof":{"network":${network},"roster":${roster},${ended}"members":{}}}`,
  );
  messages.set(key, message);
  return message;
}
