/**
 * What an authority has to do by itself: sign all statements again after a rotation, a restored
 * backup or an upgrade, network by network, so that no transaction is long; and renew.
 */
import type { Logger } from 'pino';
import { FRESH_STATEMENTS, RENEWAL_STEP_MS } from '../limits.ts';
import type { Changes, Store, Tx } from '../store/store.ts';
import { touchAll } from '../store/store.ts';
import { refreshPending } from './pending.ts';
import { renewDue } from './renew.ts';

/** Settles one network whose statements are of an older authority; false when there is none. */
export async function settleNext(tx: Tx): Promise<boolean> {
  const network = await tx.db
    .selectFrom('networks')
    .select(['id', 'settled_authority'])
    .where('settled_authority', '<', (eb) =>
      eb
        .selectFrom('authorities')
        .select((newest) => newest.fn.max('version').as('version'))
        .whereRef('authorities.organization_id', '=', 'networks.organization_id'),
    )
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (!network) return false;
  touchAll(tx, network.id, network.settled_authority === FRESH_STATEMENTS);
  return true;
}

/** Settles every network that needs it. */
export async function settleAll(store: Store): Promise<void> {
  while (await store.transact(settleNext));
}

/** Runs settling after rotations, and renewing by a timer. */
export class Upkeep {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #isMine: () => boolean;
  readonly #timer: NodeJS.Timeout;
  #work: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** `isMine`: of several controllers this one renews. */
  constructor(store: Store, log: Logger, isMine: () => boolean) {
    this.#store = store;
    this.#log = log;
    this.#isMine = isMine;
    this.#timer = setInterval(() => this.check(), RENEWAL_STEP_MS);
    this.#timer.unref();
  }

  /** Renews if it is this controller's: after a long absence members may be at their end. */
  check(): void {
    if (this.#isMine()) this.#do(() => this.#renew());
  }

  /** To be called after each commit. */
  onChanged({ organizationIds }: Changes): void {
    if (organizationIds.size === 0) return;
    this.#log.info(
      { organizationIds: [...organizationIds] },
      'the authority has a further version: all statements are to be signed again',
    );
    this.#do(() => this.#settle());
  }

  /** Renews what is due; resolves when it is done. */
  async renew(): Promise<void> {
    this.#do(() => this.#renew());
    await this.#work;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#work;
  }

  /** One after the other; a failure is told and tried again with the next step. */
  #do(step: () => Promise<void>): void {
    this.#work = this.#work
      .then(() => (this.#isStopped ? undefined : step()))
      .catch((error: unknown) =>
        this.#log.error({ err: error }, 'the upkeep of credentials failed; it is tried again'),
      );
  }

  async #settle(): Promise<void> {
    while (!this.#isStopped && (await this.#store.transact(settleNext)));
  }

  async #renew(): Promise<void> {
    await this.#settle();
    await this.#store.transact(refreshPending);
    for (let isUrgent = true; isUrgent && !this.#isStopped;) {
      const step = await this.#store.transact(renewDue);
      if (step.count > 0) this.#log.debug({ count: step.count }, 'credentials were renewed');
      ({ isUrgent } = step);
    }
  }
}
