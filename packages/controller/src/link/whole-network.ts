/**
 * A network that is pushed whole, as the texts of which messages to its members are made. It is
 * read once; from then on a change costs the reading of what changed, and a message is a joining of
 * texts that are there. Members are mostly at the same revision, so messages are kept made.
 */
import { digestOfTexts } from '@etherloom/core';
import { FEED_MESSAGES_MAX, TOMBSTONES_MAX } from '../limits.ts';
import type { MemberTexts, PublishedChanges, Stay } from '../store/published-changes.ts';

/** Revision of an agent that holds nothing of a network. */
export const NO_REVISION = -1;

/** The network at one revision. */
export class WholeNetwork {
  readonly #members = new Map<string, MemberTexts>();
  #head: Omit<PublishedChanges, 'members' | 'stays' | 'revocations'>;
  #revocations: readonly string[] = [];
  /** Oldest first. */
  #stays: Stay[] = [];
  #sorted: MemberTexts[] = [];
  #digest = '';
  /** Messages that lead to this revision, by the one that they start from. */
  readonly #messages = new Map<number, Buffer>();

  /** Takes everything that is published. */
  constructor(all: PublishedChanges) {
    this.#head = all;
    this.apply(all);
  }

  get revision(): number {
    return this.#head.revision;
  }

  /** Version of the authority that signed the roster. */
  get authorityVersion(): number {
    return this.#head.authorityVersion;
  }

  get size(): number {
    return this.#members.size;
  }

  has(nodeId: string): boolean {
    return this.#members.has(nodeId);
  }

  /** Takes what changed since this revision. */
  apply(changes: PublishedChanges): void {
    this.#head = changes;
    this.#revocations = changes.revocations ?? this.#revocations;
    // A node that left and came again is among the members that changed.
    for (const { nodeId } of changes.stays) this.#members.delete(nodeId);
    for (const member of changes.members) this.#members.set(member.nodeId, member);
    this.#stays.push(...changes.stays);
    this.#stays = this.#stays
      .filter(({ removedRevision }) => removedRevision > changes.deltaFloor)
      .slice(-TOMBSTONES_MAX);
    this.#sorted = [...this.#members.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    this.#digest = '';
    this.#messages.clear();
  }

  /** What an agent at `from` lacks, as UTF-8: a delta, or a snapshot where that is shorter. */
  messageFrom(from: number): Buffer {
    const kept = this.#messages.get(from);
    if (kept !== undefined) return kept;
    const delta = from < this.#head.deltaFloor || from > this.revision ? null : this.#delta(from);
    const message = delta === null ? this.#snapshotMessage() : Buffer.from(delta);
    if (this.#messages.size >= FEED_MESSAGES_MAX) this.#messages.clear();
    this.#messages.set(from, message);
    return message;
  }

  #snapshotMessage(): Buffer {
    const kept = this.#messages.get(NO_REVISION) ?? Buffer.from(this.#snapshot());
    this.#messages.set(NO_REVISION, kept);
    return kept;
  }

  #snapshot(): string {
    const { config, revision, network, roster } = this.#head;
    const state = object({
      config: JSON.stringify(config),
      revision: String(revision),
      members: array(this.#sorted.map(({ member }) => member)),
    });
    const proof = object({
      network,
      roster,
      revocations: array(this.#revocations),
      members: object(proofsOf(this.#sorted)),
    });
    return object({ type: '"snapshot"', state, proof, digest: JSON.stringify(this.#ownDigest()) });
  }

  /** null: a snapshot is no longer than that. */
  #delta(from: number): string | null {
    const { config, revision, networkId } = this.#head;
    const upserts = this.#sorted.filter(({ changedRevision }) => changedRevision > from);
    const proofs = this.#sorted.filter(({ proofRevision }) => proofRevision > from);
    const removals = new Set(
      this.#stays
        .filter((stay) => stay.joinedRevision <= from && stay.removedRevision > from)
        .map(({ nodeId }) => nodeId)
        .filter((nodeId) => !this.#members.has(nodeId)),
    );
    if (Math.max(upserts.length + removals.size, proofs.length) > this.#members.size) return null;
    const hasConfig = this.#head.configRevision > from;
    return object({
      type: '"delta"',
      networkId: JSON.stringify(networkId),
      fromRevision: String(from),
      toRevision: String(revision),
      ...(hasConfig ? { config: JSON.stringify(config) } : {}),
      upserts: array(upserts.map(({ member }) => member)),
      removals: JSON.stringify([...removals]),
      proof: this.#proofDelta(from, proofs),
      digest: JSON.stringify(this.#ownDigest()),
    });
  }

  #proofDelta(from: number, proofs: readonly MemberTexts[]): string {
    const { network, roster, configRevision, rosterRevision, revocationsRevision } = this.#head;
    return object({
      ...(configRevision > from ? { network } : {}),
      ...(rosterRevision > from ? { roster } : {}),
      ...(revocationsRevision > from ? { revocations: array(this.#revocations) } : {}),
      members: object(proofsOf(proofs)),
    });
  }

  #ownDigest(): string {
    const { config, revision } = this.#head;
    if (this.#digest === '')
      this.#digest = digestOfTexts(
        config,
        revision,
        this.#sorted.map(({ member }) => member),
      );
    return this.#digest;
  }
}

function proofsOf(members: readonly MemberTexts[]): Record<string, string> {
  return Object.fromEntries(members.map(({ nodeId, proof }) => [nodeId, proof]));
}

/** JSON of an object whose values are JSON; its keys need no escape. */
function object(fields: Readonly<Record<string, string>>): string {
  return `{${Object.entries(fields)
    .map(([key, json]) => `"${key}":${json}`)
    .join(',')}}`;
}

function array(items: readonly string[]): string {
  return `[${items.join(',')}]`;
}
