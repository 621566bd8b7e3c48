/**
 * What operators do with an authority over the API: look at it, prepare keys, propose the next
 * version, list what waits, and bring signatures. A version is in force once its predecessor's keys
 * (or enough recovery keys) and its own have signed it; until then it waits like any statement.
 */
import type { AuthorityView, SignedStatement } from '@etherloom/api';
import { authorityStatementSchema } from '@etherloom/api';
import type { Authority, AuthorityRefusal } from '@etherloom/core';
import { addSignature, hashStatement, isSigned, readStatement } from '@etherloom/core';
import { RequestError, invalidField } from '../request-error.ts';
import { record } from '../audit/record.ts';
import { findOrganization } from '../store/organizations.ts';
import type { OrganizationRow, PendingStatementRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import {
  authorityChain,
  currentAuthority,
  makeHeldKey,
  openKeys,
  renewalSigner,
  takeVersion,
} from './authorities.ts';
import { dropPending, putPending, subjectKey, toSigned } from './pending.ts';
import { publishIfSigned } from './publish.ts';
import { readSignatory } from './settle.ts';

/** Shows an authority. */
export async function showAuthority(tx: Tx, idOrName: string): Promise<AuthorityView> {
  return viewOf(tx, await findOrganization(tx, idOrName));
}

async function viewOf(tx: Tx, { id, name }: OrganizationRow): Promise<AuthorityView> {
  const { authority, signers, isHeld } = await readSignatory(tx, id);
  const { count } = await tx.db
    .selectFrom('pending_statements')
    .where('organization_id', '=', id)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return {
    organizationId: id,
    organizationName: name,
    custody: isHeld ? 'held' : 'offline',
    version: authority.statement.version,
    hash: authority.hash,
    chain: await authorityChain(tx, id),
    heldKeys: signers.map(({ key }) => key),
    renewalKey: (await renewalSigner(tx, authority.statement))?.key ?? null,
    pendingCount: Number(count),
    unsettledCount: await countUnsettled(tx, id, authority.statement.version),
  };
}

/** Networks whose statements are not all made for the newest version yet. */
async function countUnsettled(tx: Tx, organizationId: string, version: number): Promise<number> {
  const { count } = await tx.db
    .selectFrom('networks')
    .where('organization_id', '=', organizationId)
    .where('settled_authority', '<', version)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/**
 * Members take what the newest version or the one before it signed. A further version has to wait
 * until the newest has signed everything; one by recovery keys does not, it may be the only way.
 */
async function checkResigned(tx: Tx, held: Authority, next: SignedStatement): Promise<void> {
  const { organizationId, version, recoveryKeys, recoveryThreshold } = held.statement;
  if (isSigned(next, recoveryKeys, recoveryThreshold)) return;
  const behind = await tx.db
    .selectFrom('published_networks')
    .innerJoin('networks', 'networks.id', 'published_networks.network_id')
    .select('networks.name')
    .where('networks.organization_id', '=', organizationId)
    .where('roster_authority_version', '<', version)
    .limit(1)
    .executeTakeFirst();
  if (behind)
    throw new RequestError(
      'authority_outdated',
      `network "${behind.name}" is not yet signed by version ${version}, and its members would not take it from the version after that: sign what waits first`,
    );
}

/**
 * A key of this controller that no version names yet, and its renewal key: made where there is
 * none. Both stay unused until a version names them.
 */
export async function prepareKeys(
  tx: Tx,
  idOrName: string,
): Promise<{ readonly key: string; readonly renewalKey: string }> {
  const organization = await findOrganization(tx, idOrName);
  const { id } = organization;
  const { statement } = await currentAuthority(tx, id);
  const unused = (await openKeys(tx, id, 'authority')).find(
    ({ key }) => !statement.keys.includes(key),
  );
  const renewal = (await openKeys(tx, id, 'renewal'))[0];
  const keys = {
    key: (unused ?? (await makeHeldKey(tx, id, 'authority'))).key,
    renewalKey: (renewal ?? (await makeHeldKey(tx, id, 'renewal'))).key,
  };
  if (unused === undefined || renewal === undefined)
    recordAuthority(tx, organization, 'authority.keys', keys);
  return keys;
}

function recordAuthority(
  tx: Tx,
  { id, name }: OrganizationRow,
  action: string,
  after: object,
): void {
  const target = { noun: 'authority', id, name };
  record(tx, { organizationId: id, action, target, before: null, after });
}

/** Takes the next version of an authority, or lets it wait for signatures. */
export async function proposeAuthority(
  tx: Tx,
  idOrName: string,
  given: SignedStatement,
): Promise<AuthorityView> {
  const organization = await findOrganization(tx, idOrName);
  const { id } = organization;
  const read = readStatement(given, authorityStatementSchema);
  if (!read.ok) throw invalidField('statement', 'it is no authority statement');
  const held = await currentAuthority(tx, id);
  await checkRenewalKey(tx, id, read.statement.renewalKeys);
  let signed = withoutWrong(given, [
    ...held.statement.keys,
    ...held.statement.recoveryKeys,
    ...read.statement.keys,
  ]);
  for (const signer of await openKeys(tx, id, 'authority'))
    if ([...held.statement.keys, ...read.statement.keys].includes(signer.key))
      signed = addSignature(signed, signer);
  await checkResigned(tx, held, signed);
  const taken = await takeVersion(tx, held, signed);
  const subject = { organizationId: id, networkId: null, nodeId: null, kind: 'authority' } as const;
  if (taken.ok) await dropPending(tx, [subjectKey(subject)]);
  else {
    await letWait(tx, held, signed, taken.refusal);
    recordAuthority(tx, organization, 'authority.propose', {
      ...read.statement,
      hash: hashStatement(signed.statement),
      signedBy: signed.signatures.map(({ key }) => key),
    });
  }
  return viewOf(tx, organization);
}

/** A version that lacks nothing but signatures waits; anything else is refused. */
async function letWait(
  tx: Tx,
  held: Authority,
  signed: SignedStatement,
  refusal: AuthorityRefusal,
): Promise<void> {
  if (refusal.code !== 'authority_unsigned' && refusal.code !== 'authority_unproved')
    throw new RequestError('authority_outdated', refusalText(refusal));
  if (signed.signatures.length === 0)
    throw new RequestError(
      'signature_invalid',
      'the proposed version has no signature of a key of the authority in force, of a recovery key or of a key of its own',
    );
  const { organizationId } = held.statement;
  const subject = { organizationId, networkId: null, nodeId: null, kind: 'authority' } as const;
  const nobody = { authority: held, signers: [], isHeld: false };
  const wish = { subject, text: signed.statement, goodUntil: null };
  const row = await putPending(tx, nobody, wish);
  await storeSignatures(tx, row, signed.signatures);
}

/** Without its renewal key this controller could keep nobody alive. */
async function checkRenewalKey(
  tx: Tx,
  organizationId: string,
  renewalKeys: readonly string[],
): Promise<void> {
  const own = await openKeys(tx, organizationId, 'renewal');
  if (own.some(({ key }) => renewalKeys.includes(key))) return;
  throw invalidField(
    'statement',
    `renewalKeys must name ${own[0]?.key ?? 'the renewal key'} of this controller, or members would run out`,
  );
}

/** What a refusal of core means to an operator. */
function refusalText(refusal: AuthorityRefusal): string {
  switch (refusal.code) {
    case 'authority_older':
      return `version ${refusal.held} is in force, proposed is ${refusal.given}`;
    case 'authority_gap':
      return `version ${refusal.held} is in force, the next is ${refusal.held + 1}, proposed is ${refusal.given}`;
    case 'authority_forked':
      return `the proposed version does not follow from version ${refusal.version} in force (${refusal.held.slice(0, 16)}), but from ${refusal.given.slice(0, 16) || 'none'}`;
    case 'authority_other_organization':
      return `the proposed version is of the organization ${refusal.given}, this one is ${refusal.held}`;
    case 'authority_malformed':
      return `the proposed version is malformed: ${refusal.detail}`;
    case 'authority_unknown':
    case 'authority_unsigned':
    case 'authority_unproved':
      return 'the proposed version lacks signatures';
    default:
      throw new Error(`unexpected ${JSON.stringify(refusal satisfies never)}`);
  }
}

/** Signatures of these keys; throws for one that is wrong or of another key. */
function withoutWrong(given: SignedStatement, keys: readonly string[]): SignedStatement {
  for (const { key, signature } of given.signatures)
    checkSignature(given.statement, { key, signature }, keys);
  return given;
}

/** Throws signature_invalid for a signature that does not count. */
export function checkSignature(
  statement: string,
  given: { readonly key: string; readonly signature: string },
  keys: readonly string[],
): void {
  if (!keys.includes(given.key))
    throw new RequestError(
      'signature_invalid',
      `the key ${given.key} may not sign this: it is no key of the authority in force, and the statement names it as none of its own`,
    );
  if (!isSigned({ statement, signatures: [given] }, [given.key], 1))
    throw new RequestError(
      'signature_invalid',
      `the signature of ${given.key} does not fit statement ${hashStatement(statement).slice(0, 16)}`,
    );
}

/** Adds signatures to a pending statement. */
export async function storeSignatures(
  tx: Tx,
  row: PendingStatementRow,
  given: SignedStatement['signatures'],
): Promise<PendingStatementRow> {
  const keys = new Set(given.map(({ key }) => key));
  const signatures = [...toSigned(row).signatures.filter(({ key }) => !keys.has(key)), ...given];
  const stored = JSON.stringify(signatures);
  await tx.db
    .updateTable('pending_statements')
    .set({ signatures: stored })
    .where('subject', '=', row.subject)
    .execute();
  return { ...row, signatures: stored };
}

export interface SignatureGiven {
  readonly hash: string;
  readonly key: string;
  readonly signature: string;
}

/** Adds signatures to what waits, all of them or none, and publishes what has enough by that. */
export async function addSignatures(
  tx: Tx,
  idOrName: string,
  given: readonly SignatureGiven[],
): Promise<{ readonly taken: number; readonly published: number; readonly pendingCount: number }> {
  const organization = await findOrganization(tx, idOrName);
  const before = (await viewOf(tx, organization)).pendingCount;
  const networkIds = new Set<string>();
  let authorityRow: PendingStatementRow | undefined;
  for (const { hash, key, signature } of given) {
    const row = await findPending(tx, organization.id, hash);
    if (row.good_until !== null && row.good_until <= tx.now.toISOString())
      throw new RequestError(
        'pending_unknown',
        `the credential ${hash.slice(0, 16)} ran out at ${row.good_until} while it waited: it is made anew within a minute, list what waits again`,
      );
    const keys = await keysFor(tx, row);
    checkSignature(row.statement, { key, signature }, keys);
    const stored = await storeSignatures(tx, row, [{ key, signature }]);
    if (row.kind === 'authority') authorityRow = stored;
    if (row.network_id !== null) networkIds.add(row.network_id);
  }
  recordAuthority(tx, organization, 'authority.sign', {
    signatures: given.map(({ hash, key }) => ({ hash, key })),
  });
  if (authorityRow !== undefined) await advance(tx, authorityRow);
  const signatory = await readSignatory(tx, organization.id);
  for (const networkId of networkIds) await publishIfSigned(tx, networkId, signatory);
  const { pendingCount } = await viewOf(tx, organization);
  return { taken: given.length, published: Math.max(0, before - pendingCount), pendingCount };
}

async function findPending(
  tx: Tx,
  organizationId: string,
  hash: string,
): Promise<PendingStatementRow> {
  const row = await tx.db
    .selectFrom('pending_statements')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('hash', '=', hash)
    .executeTakeFirst();
  if (row) return row;
  throw new RequestError(
    'pending_unknown',
    `no statement ${hash.slice(0, 16)} waits for a signature: it was changed since, or is in force already`,
  );
}

/** Keys whose signatures count for a pending statement. */
async function keysFor(tx: Tx, row: PendingStatementRow): Promise<readonly string[]> {
  const { statement } = await currentAuthority(tx, row.organization_id);
  if (row.kind !== 'authority') return statement.keys;
  const read = readStatement(toSigned(row), authorityStatementSchema);
  const own = read.ok ? read.statement.keys : [];
  return [...statement.keys, ...statement.recoveryKeys, ...own];
}

async function advance(tx: Tx, row: PendingStatementRow): Promise<void> {
  const held = await currentAuthority(tx, row.organization_id);
  const signed = toSigned(row);
  await checkResigned(tx, held, signed);
  const taken = await takeVersion(tx, held, signed);
  if (taken.ok) await dropPending(tx, [row.subject]);
}
