/**
 * The members that a voucher has let in and no controller has taken in yet (docs/trust.md 7). Every
 * host keeps its own book, and hosts that have heard the same introductions hold the same: of two
 * nodes that use one voucher the one whose credential was issued first stays, of one time the
 * smaller node id.
 */
import { NETWORK_VOUCHED_MAX } from '@etherloom/api';
import type { CredentialStatement, Member, SignedStatement } from '@etherloom/api';
import { readIntroduction } from './introduction.ts';
import type { Introduction, IntroductionRefusal, VouchingContext } from './introduction.ts';
import { VOUCHER_DISPLACED_MAX } from './limits.ts';
import { firstRepeatedBinding } from './member-binding.ts';
import { hashStatement } from './statement.ts';
import { isValidAt } from './validity.ts';

/** A network as the book looks at it. */
export interface VouchingNetwork extends VouchingContext {
  /** The members of its roster. */
  readonly members: readonly Member[];
  readonly isRevoked: (credential: CredentialStatement) => boolean;
}

export interface BookContext {
  readonly networkOf: (networkId: string) => VouchingNetwork | undefined;
  /** Trusted time, Unix milliseconds. */
  readonly nowMs: number;
}

export type IntroductionVerdict =
  /** It holds a place from here on; `displaced` is who had used the same voucher. */
  | {
      readonly verdict: 'fresh';
      readonly introduction: Introduction;
      readonly displaced: Introduction | undefined;
    }
  | { readonly verdict: 'known' }
  /** Another node has used the voucher, and stays. */
  | { readonly verdict: 'used'; readonly by: Introduction; readonly refused: Introduction }
  | { readonly verdict: 'refused'; readonly refusal: IntroductionRefusal };

export class VouchedBook {
  /** By voucher id. */
  readonly #entries = new Map<string, Introduction>();
  /** How often an entry made room for an earlier one, by voucher id. */
  readonly #displaced = new Map<string, number>();

  get entries(): readonly Introduction[] {
    return [...this.#entries.values()];
  }

  of(networkId: string): readonly Introduction[] {
    return this.entries.filter(({ credential }) => credential.networkId === networkId);
  }

  /** Takes an introduction that somebody sent. */
  take(signed: SignedStatement, context: BookContext): IntroductionVerdict {
    return this.#take(signed, context, true);
  }

  /** Takes one from this host's own disk: the voucher was used in time. */
  restore(signed: SignedStatement, context: BookContext): IntroductionVerdict {
    return this.#take(signed, context, false);
  }

  /** Forgets those who need no voucher any more, or whose membership has ended. */
  prune({ networkOf, nowMs }: BookContext): Introduction[] {
    const gone = this.entries.filter((entry) => {
      const network = networkOf(entry.credential.networkId);
      if (network === undefined) return true; // it was left
      return (
        nowMs >= entry.endMs ||
        network.isRevoked(entry.credential) ||
        takenBy(entry.credential, network.members) !== undefined
      );
    });
    for (const { voucher } of gone) this.#drop(voucher.voucherId);
    return gone;
  }

  /** Forgets a network that is left. */
  forget(networkId: string): void {
    for (const { voucher } of this.of(networkId)) this.#drop(voucher.voucherId);
  }

  #drop(voucherId: string): void {
    this.#entries.delete(voucherId);
    this.#displaced.delete(voucherId);
  }

  #take(signed: SignedStatement, context: BookContext, isNews: boolean): IntroductionVerdict {
    const hash = hashStatement(signed.statement);
    if (this.entries.some((entry) => entry.hash === hash)) return { verdict: 'known' };
    const read = readIntroduction(signed, (id) => contextOf(context.networkOf(id), isNews));
    if (!read.ok) return { verdict: 'refused', refusal: read.refusal };
    const given = read.value;
    const { credential, voucher } = given;
    const network = context.networkOf(credential.networkId);
    const roster = network?.members ?? [];
    if (roster.some(({ nodeId }) => nodeId === credential.nodeId)) return { verdict: 'known' };
    const held = this.#entries.get(voucher.voucherId);
    if (held !== undefined && isSameNode(held.credential, credential)) return { verdict: 'known' };
    const refusal =
      refusalByTime(given, context.nowMs, isNews) ??
      (network?.isRevoked(credential) === true
        ? { code: 'credential_revoked' as const, detail: 'its membership was revoked' }
        : undefined) ??
      this.#refusalByOthers(given, roster);
    if (refusal !== undefined) return { verdict: 'refused', refusal };
    const displaced = this.#displaced.get(voucher.voucherId) ?? 0;
    if (held !== undefined)
      if (!isBefore(credential, held.credential) || displaced >= VOUCHER_DISPLACED_MAX)
        return { verdict: 'used', by: held, refused: given };
    if (held !== undefined) this.#displaced.set(voucher.voucherId, displaced + 1);
    this.#entries.set(voucher.voucherId, given);
    return { verdict: 'fresh', introduction: given, displaced: held };
  }

  #refusalByOthers(
    { credential, voucher }: Introduction,
    roster: readonly Member[],
  ): IntroductionRefusal | undefined {
    const others = this.of(credential.networkId).filter(
      (entry) => entry.voucher.voucherId !== voucher.voucherId,
    );
    if (others.length >= NETWORK_VOUCHED_MAX)
      return {
        code: 'vouched_full',
        detail: `a network has ${NETWORK_VOUCHED_MAX} members at most that a controller has not taken in`,
      };
    const members = [...roster, ...others.map(memberOfIntroduction)];
    const taken = takenBy(credential, members);
    return taken === undefined ? undefined : { code: 'binding_taken', detail: taken };
  }
}

/** A vouched node as a member of a state; where it is reached comes by gossip. */
export function memberOfIntroduction({ credential }: Introduction): Member {
  const { nodeId, name, sessionKey, signKey, mac, addresses } = credential;
  const endpoints: string[] = [];
  return { nodeId, name, sessionKey, signKey, mac, addresses, endpoints, endpointRecord: null };
}

/** What is on this host's own disk was taken before the network was signed anew. */
function contextOf(
  network: VouchingNetwork | undefined,
  isNews: boolean,
): VouchingNetwork | undefined {
  return isNews || network === undefined ? network : { ...network, isResigned: false };
}

/** What of a credential one of the members has; undefined: nothing. */
function takenBy(credential: CredentialStatement, members: readonly Member[]): string | undefined {
  const { nodeId, name, sessionKey, signKey, mac, addresses } = credential;
  const own = { nodeId, name, sessionKey, signKey, mac, addresses, endpoints: [] };
  return firstRepeatedBinding([...members, { ...own, endpointRecord: null }]);
}

function refusalByTime(
  given: Introduction,
  nowMs: number,
  isNews: boolean,
): IntroductionRefusal | undefined {
  const { voucher, credential } = given;
  if (isNews && nowMs >= Date.parse(voucher.expiresAt))
    return { code: 'voucher_ended', detail: `the voucher was to be used by ${voucher.expiresAt}` };
  if (isNews ? isValidAt(given, nowMs) : nowMs < given.endMs) return undefined;
  const { issuedAt, expiresAt } = credential;
  return { code: 'voucher_ended', detail: `it is valid from ${issuedAt} to ${expiresAt}` };
}

function isSameNode(a: CredentialStatement, b: CredentialStatement): boolean {
  return a.nodeId === b.nodeId && a.signKey === b.signKey && a.sessionKey === b.sessionKey;
}

/** The order that decides between two nodes with one voucher; every host has the same. */
function isBefore(a: CredentialStatement, b: CredentialStatement): boolean {
  const [aMs, bMs] = [Date.parse(a.issuedAt), Date.parse(b.issuedAt)];
  if (aMs !== bMs) return aMs < bMs;
  if (a.nodeId !== b.nodeId) return a.nodeId < b.nodeId;
  return `${a.signKey} ${a.sessionKey}` < `${b.signKey} ${b.sessionKey}`;
}
