/**
 * The authority of each organization as rows: its versions, the keys that this controller holds of
 * it, and its founding. What a version may say and who must sign it is core's to judge.
 */
import type { AuthorityStatement, SignedStatement } from '@etherloom/api';
import { AUTHORITY_CHAIN_MAX } from '@etherloom/api';
import type { Authority, Signer } from '@etherloom/core';
import { advanceAuthority, hashStatement, openAuthority, signStatement } from '@etherloom/core';
import { record } from '../audit/record.ts';
import { AUTHORITIES_KEPT_MAX } from '../limits.ts';
import type { AuthorityRow, SealedKeyRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import { readSigned } from './signed.ts';

/** The newest version of an organization's authority. Throws when it has none: a fault of ours. */
export async function currentAuthority(tx: Tx, organizationId: string): Promise<Authority> {
  const rows = await chainRows(tx, organizationId, 2);
  const key = rows.join('\n');
  const known = verified.get(key);
  if (known !== undefined) return known;
  const chain = rows.map(readSigned);
  const newest = chain.at(-1);
  if (newest === undefined) throw new Error(`organization ${organizationId} has no authority`);
  const opened = openAuthority(hashStatement(newest.statement), chain);
  if (!opened.ok)
    throw new Error(`the authority of ${organizationId} is damaged: ${opened.refusal.code}`);
  if (verified.size >= AUTHORITIES_KEPT_MAX) verified.clear();
  verified.set(key, opened.authority);
  return opened.authority;
}

/** By the stored texts, which alone decide. Every join asks, and signatures are slow to verify. */
const verified = new Map<string, Authority>();

/** The last versions of an authority, oldest first. */
export async function authorityChain(
  tx: Tx,
  organizationId: string,
  limit: number = AUTHORITY_CHAIN_MAX,
): Promise<SignedStatement[]> {
  return (await chainRows(tx, organizationId, limit)).map(readSigned);
}

async function chainRows(tx: Tx, organizationId: string, limit: number): Promise<string[]> {
  const rows = await tx.db
    .selectFrom('authorities')
    .select('statement')
    .where('organization_id', '=', organizationId)
    .orderBy('version', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => row.statement).toReversed();
}

/** Hash of the newest version: what join tokens pin. */
export async function authorityHash(tx: Tx, organizationId: string): Promise<string> {
  const row = await tx.db
    .selectFrom('authorities')
    .select('hash')
    .where('organization_id', '=', organizationId)
    .orderBy('version', 'desc')
    .executeTakeFirstOrThrow();
  return row.hash;
}

/** Makes the first version with a key of this controller, and its renewal key. */
export async function foundAuthority(tx: Tx, organizationId: string): Promise<void> {
  const key = await makeHeldKey(tx, organizationId, 'authority');
  const renewal = await makeHeldKey(tx, organizationId, 'renewal');
  const statement: AuthorityStatement = {
    type: 'authority',
    organizationId,
    version: 1,
    keys: [key.key],
    threshold: 1,
    recoveryKeys: [],
    recoveryThreshold: 0,
    renewalKeys: [renewal.key],
    previous: null,
    issuedAt: tx.now.toISOString(),
  };
  await storeVersion(tx, statement, signStatement(statement, [key]));
}

/** Founds the authority of organizations that a former program made without one. */
export async function foundMissingAuthorities(tx: Tx): Promise<void> {
  const rows = await tx.db
    .selectFrom('organizations')
    .select('id')
    .where('id', 'not in', tx.db.selectFrom('authorities').select('organization_id'))
    .execute();
  for (const { id } of rows) await foundAuthority(tx, id);
}

/** Makes and stores a key pair of this controller. */
export async function makeHeldKey(
  tx: Tx,
  organizationId: string,
  purpose: SealedKeyRow['purpose'],
): Promise<Signer> {
  const row = tx.keyring.make(
    { organization_id: organizationId, purpose, created_at: tx.now.toISOString() },
    tx.random,
  );
  await tx.db.insertInto('sealed_keys').values(row).execute();
  const signer = tx.keyring.open(row);
  if (signer === null) throw new Error('a key that was sealed does not open');
  return signer;
}

/** Keys of this controller that open, whether or not a version names them. */
export async function openKeys(
  tx: Tx,
  organizationId: string,
  purpose: SealedKeyRow['purpose'],
): Promise<Signer[]> {
  const rows = await tx.db
    .selectFrom('sealed_keys')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('purpose', '=', purpose)
    .where('lost_at', 'is', null)
    .orderBy('created_at')
    .orderBy('public_key')
    .execute();
  return rows.flatMap((row) => tx.keyring.open(row) ?? []);
}

/** Signers that this controller has for a version of the authority. */
export async function heldSigners(tx: Tx, statement: AuthorityStatement): Promise<Signer[]> {
  const open = await openKeys(tx, statement.organizationId, 'authority');
  return open.filter(({ key }) => statement.keys.includes(key));
}

/** The renewal key that the authority names and this controller holds; null: it may not renew. */
export async function renewalSigner(tx: Tx, statement: AuthorityStatement): Promise<Signer | null> {
  const open = await openKeys(tx, statement.organizationId, 'renewal');
  return open.find(({ key }) => statement.renewalKeys.includes(key)) ?? null;
}

/** Takes the next version when it may follow; else gives core's refusal. */
export async function takeVersion(
  tx: Tx,
  held: Authority,
  next: SignedStatement,
): Promise<ReturnType<typeof advanceAuthority>> {
  const result = advanceAuthority(held, next);
  if (!result.ok || result.authority.hash === held.hash) return result;
  const { statement } = result.authority;
  await storeVersion(tx, statement, next);
  await dropUnusedKeys(tx, statement);
  tx.changes.organizationIds.add(statement.organizationId);
  return result;
}

async function storeVersion(
  tx: Tx,
  statement: AuthorityStatement,
  signed: SignedStatement,
): Promise<void> {
  const row: AuthorityRow = {
    organization_id: statement.organizationId,
    version: statement.version,
    statement: JSON.stringify(signed),
    hash: hashStatement(signed.statement),
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('authorities').values(row).execute();
  record(tx, {
    organizationId: statement.organizationId,
    action: 'authority.version',
    target: { noun: 'authority', id: statement.organizationId, name: `version ${row.version}` },
    before: null,
    after: { ...statement, hash: row.hash },
  });
}

/** Private keys that no version in force names are of use to a thief alone. */
async function dropUnusedKeys(tx: Tx, statement: AuthorityStatement): Promise<void> {
  const used = [...statement.keys, ...statement.renewalKeys];
  const dropped = await tx.db
    .deleteFrom('sealed_keys')
    .where('organization_id', '=', statement.organizationId)
    .where('public_key', 'not in', used)
    .returning('public_key')
    .execute();
  for (const { public_key } of dropped) tx.keyring.forget(public_key);
}
