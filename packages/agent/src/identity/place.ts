/**
 * The node's place among copies of itself, as this host sees it: shows and stores the lease, and
 * keeps the host down when a controller says that another one is the node.
 *
 *   member   -> rejected   refused as a clone; asks again, at most every REJECTED_RETRY_MS
 *   member   -> replaced   a copy came later; asks no more until `loom join`
 *   member   -> split      was given a ticket; becomes a node of its own (split-off.ts)
 *   rejected -> member     welcomed: the other one is gone
 *   split    -> waits      is a node of its own that has to be approved
 *   waits    -> member     welcomed as an active node, or let into a network
 *
 * No verdict is signed, so a controller that lies could take every host down by one word. What the
 * signed rule of the networks does not give is not followed (#judge): a host that is the node
 * already goes on, another one stays down without giving up anything, until it is welcomed.
 */
import { randomBytes } from 'node:crypto';
import { toBase64url } from '@etherloom/api';
import type { CloneRule, NodeState, Standing } from '@etherloom/api';
import { firstLease, presentLease, takeEpoch, withNext } from '@etherloom/core';
import type { Logger } from 'pino';
import type { Rebirth, StoredStanding } from '../disk/lease.ts';
import { generateIdentity } from '../disk/identity.ts';
import type { StateDirectory } from '../disk/state-directory.ts';
import { messageOf } from '../errors.ts';
import type { ShownPlace } from '../link/controller-link.ts';
import { readHostHints } from './host-hints.ts';

export interface PlaceDeps {
  readonly directory: StateDirectory;
  /** 16 hex digits, made at this start of the agent: those of its handshakes. */
  readonly instance: () => string;
  readonly log: Logger;
  /** What the authority has signed that becomes of copies; undefined: nothing is held. */
  readonly signedRule?: () => CloneRule | undefined;
}

/** What a refusal of the controller means for the link; disputed: it is not followed. */
export type AfterRefusal = 'try again' | 'hold off' | 'end' | 'disputed';

export class Place {
  readonly #deps: PlaceDeps;
  /** A controller took this host for the node since its agent began. */
  #wasWelcome = false;

  constructor(deps: PlaceDeps) {
    this.#deps = deps;
  }

  /** The host has to stay out of its networks. */
  get isDown(): boolean {
    const { standing } = this.#deps.directory.place;
    return standing !== null && standing.state !== 'waits';
  }

  /** null: this host may act as its node. */
  get standing(): Standing | null {
    const { standing } = this.#deps.directory.place;
    return standing === null ? null : { state: standing.state, message: standing.message };
  }

  /** Makes and stores the next secret. Throws AgentError when the disk does not take it. */
  show(): ShownPlace {
    const { directory, instance } = this.#deps;
    const held = directory.place.lease ?? firstLease(makeSecret());
    const offered = withNext(held, makeSecret());
    if (offered.next === null) throw new TypeError('withNext gives a next secret');
    if (offered !== directory.place.lease) directory.place.saveLease(offered);
    const lease = presentLease({ ...offered, next: offered.next });
    return { instance: instance(), lease, host: readHostHints() };
  }

  /** Stores the lease of a welcome; gives why the link cannot be used, if so. */
  takeEpoch(epoch: number): string | undefined {
    const { directory, log } = this.#deps;
    const held = directory.place.lease;
    const taken = held === null ? undefined : takeEpoch(held, epoch);
    if (held === null || taken === undefined)
      return `the controller named epoch ${epoch} after ${held?.epoch ?? 'none'}: leases only rise`;
    try {
      if (taken !== held) directory.place.saveLease(taken);
    } catch (error) {
      return `the lease cannot be stored: ${messageOf(error)}`;
    }
    if (held.epoch === 0 && epoch > 0) log.info({ epoch }, 'first lease: trust on first use');
    return undefined;
  }

  /** Welcomed: this host is the node. Gives whether it was down. */
  takeWelcome(nodeState: NodeState): boolean {
    const wasDown = this.isDown;
    this.#wasWelcome = true;
    if (wasDown) this.#deps.log.info('this host is the node again: its networks come up');
    if (wasDown || nodeState === 'active') this.#clear();
    return wasDown;
  }

  /** A network was given to this node. */
  takeNetwork(): void {
    if (!this.isDown) this.#clear();
  }

  takeRefusal(code: string, message: string): AfterRefusal {
    if (code !== 'clone_rejected' && code !== 'clone_replaced') return 'try again';
    const judged = this.#judge(code === 'clone_rejected' ? 'reject' : 'replace');
    if (judged === 'disputed') return judged;
    const { standing } = this.#deps.directory.place;
    this.#keepDown(judged === 'replace' ? 'replaced' : 'rejected', message, standing?.rebirth);
    return judged === 'replace' ? 'end' : 'hold off';
  }

  /** A ticket came: keeps it with the identity that it is for, when it is followed. */
  takeTicket(ticket: string, message: string): AfterRefusal {
    const judged = this.#judge('split');
    if (judged === 'disputed') return judged;
    if (judged === 'split') this.#keepDown('split', message, { ...this.rebirth(), ticket });
    else this.#keepDown('rejected', message, this.#deps.directory.place.standing?.rebirth);
    return judged === 'split' ? 'end' : 'hold off';
  }

  /** The ticket is of no use; the link brings another one. */
  dropTicket(): void {
    const { standing } = this.#deps.directory.place;
    if (standing === null || standing.rebirth === null) return;
    const rebirth = { ...standing.rebirth, ticket: null };
    this.#deps.directory.place.saveStanding({ ...standing, rebirth });
  }

  /** The identity that this host would take in place of the copied one: always the same. */
  rebirth(): Rebirth {
    const { directory } = this.#deps;
    const held = directory.place.standing?.rebirth;
    if (held !== undefined && held !== null) return held;
    const originNodeId = directory.identity.nodeId;
    return { originNodeId, identity: generateIdentity(), ticket: null, granted: null };
  }

  /** On disk when it returns: from here on the host becomes the other node, whatever happens. */
  grant(rebirth: Rebirth, granted: NonNullable<Rebirth['granted']>): void {
    const standing: StoredStanding = this.#deps.directory.place.standing ?? {
      state: 'split',
      message: 'becomes a node of its own',
      rebirth: null,
    };
    this.#deps.directory.place.saveStanding({ ...standing, rebirth: { ...rebirth, granted } });
  }

  /** What becomes of a verdict under the rule that is signed. */
  #judge(verdict: CloneRule): CloneRule | 'disputed' {
    const rule = this.#deps.signedRule?.();
    if (rule === undefined || (rule === verdict && rule === 'replace')) return verdict;
    if (this.#wasWelcome && !this.isDown) return 'disputed';
    return rule === verdict ? verdict : 'reject';
  }

  #keepDown(state: StoredStanding['state'], message: string, rebirth: Rebirth | null = null): void {
    const { directory, log } = this.#deps;
    const { standing } = directory.place;
    if (standing?.state !== state) log.error({ state, reason: message }, 'taking networks down');
    directory.place.saveStanding({ state, message, rebirth });
  }

  #clear(): void {
    const { place } = this.#deps.directory;
    if (place.standing !== null) place.saveStanding(null);
  }
}

function makeSecret(): string {
  return toBase64url(randomBytes(32));
}
