/**
 * Opens the keyring at a start: checks the sealing key against the database, and that every private
 * key opens with it, before anything is changed.
 */
import type { Logger } from 'pino';
import type { RandomBytes } from '../identifiers.ts';
import { StartupError } from '../startup-error.ts';
import type { Engine } from '../store/engine.ts';
import { Keyring } from './keyring.ts';
import type { SealingKeySource } from './sealing-key.ts';
import { openSealingKey } from './sealing-key.ts';

export interface KeyringOptions {
  readonly source: SealingKeySource;
  /** Keys that do not open are lost: start without them. */
  readonly isLost: boolean;
  readonly random: RandomBytes;
  readonly now: () => number;
  readonly log: Logger;
}

/** The keyring of a database. Rejects with StartupError. */
export async function openKeyring(engine: Engine, options: KeyringOptions): Promise<Keyring> {
  const { source, isLost, random, log } = options;
  const custody = await engine.db.selectFrom('custody').selectAll().executeTakeFirst();
  const opened = openSealingKey(source, isLost ? undefined : custody, random);
  const keyring = new Keyring(opened.key);
  const rows = await engine.db
    .selectFrom('sealed_keys')
    .selectAll()
    .where('lost_at', 'is', null)
    .execute();
  const damaged = rows.filter((row) => keyring.open(row) === null);
  if (damaged.length > 0 && !isLost)
    throw new StartupError(
      'authority_key_invalid',
      `${damaged.length} of ${rows.length} private keys in the database do not open: restore a backup of it, ` +
        'or start with --authority-keys-lost and follow "A lost key" in docs/operations.md. Nothing was changed',
    );
  await engine.transact(async (db) => {
    if (damaged.length > 0)
      await db
        .updateTable('sealed_keys')
        .set({ lost_at: new Date(options.now()).toISOString() })
        .where(
          'public_key',
          'in',
          damaged.map((row) => row.public_key),
        )
        .execute();
    if (isLost)
      await db
        .insertInto('custody')
        .values(opened.custody)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(opened.custody))
        .execute();
    else if (custody === undefined)
      await db
        .insertInto('custody')
        .values(opened.custody)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
  });
  if (custody === undefined && !isLost) {
    const first = await engine.db.selectFrom('custody').selectAll().executeTakeFirst();
    // Another controller was first to seal this database: its key is the one.
    if (first !== undefined && first.proof !== opened.custody.proof)
      return openKeyring(engine, options);
  }
  if (damaged.length > 0)
    log.warn(
      { organizationIds: [...new Set(damaged.map((row) => row.organization_id))] },
      'authority keys are given up as lost: changes wait until loom authority recover has made others',
    );
  return keyring;
}
