/**
 * Brings the statements of networks in line with the rows that operators changed. Runs at the end
 * of every transaction, over what it touched: compares what is wanted with what is published or
 * waits, and lets what differs wait for signatures. What has them all is published in the same
 * transaction, which is always so where this controller holds the keys.
 *
 * It compares and is not told: whatever way a row changed, running it again changes nothing.
 */
import type { CredentialStatement, RosterStatement } from '@etherloom/api';
import type { NetworkRow, PendingStatementRow, PublishedMemberRow } from '../store/schema.ts';
import type { Touched, Tx } from '../store/store.ts';
import { currentAuthority, heldSigners } from './authorities.ts';
import type { Signatory } from './pending.ts';
import { dropPending, pendingOf, putPending, subjectKey } from './pending.ts';
import { publishIfSigned } from './publish.ts';
import type { RosterContent } from './roster-content.ts';
import { rosterContent, saysRoster } from './roster-content.ts';
import { readSigned, readText } from './signed.ts';
import { credentialTerms, daysAfter, isNearEnd } from './terms.ts';
import type { CredentialContent } from './wanted.ts';
import { parseSettings, saysSame, wantedCredentials, wantedNetwork } from './wanted.ts';

/** Settles all networks that a transaction touched. */
export async function settle(tx: Tx): Promise<void> {
  const signatories = new Map<string, Signatory>();
  for (const [networkId, touched] of tx.touched) {
    const network = await tx.db
      .selectFrom('networks')
      .selectAll()
      .where('id', '=', networkId)
      .executeTakeFirst();
    if (!network) continue; // it was deleted with all that was about it
    const organizationId = network.organization_id;
    const signatory = signatories.get(organizationId) ?? (await readSignatory(tx, organizationId));
    signatories.set(organizationId, signatory);
    await settleNetwork(await readWork(tx, network, touched, signatory));
  }
  tx.touched.clear();
}

/** The authority of an organization, and what this controller can sign of it. */
export async function readSignatory(tx: Tx, organizationId: string): Promise<Signatory> {
  const authority = await currentAuthority(tx, organizationId);
  const signers = await heldSigners(tx, authority.statement);
  return { authority, signers, isHeld: signers.length >= authority.statement.threshold };
}

/** One network at work. */
interface Work {
  readonly tx: Tx;
  readonly network: NetworkRow;
  readonly touched: Touched;
  readonly signatory: Signatory;
  readonly stalenessDays: number;
  /** By subject. */
  readonly pending: Map<string, PendingStatementRow>;
  /** Touched ones, by node id. */
  readonly published: ReadonlyMap<string, PublishedMemberRow>;
}

async function readWork(
  tx: Tx,
  network: NetworkRow,
  touched: Touched,
  signatory: Signatory,
): Promise<Work> {
  let members = tx.db
    .selectFrom('published_members')
    .selectAll()
    .where('network_id', '=', network.id);
  if (touched.nodeIds !== 'all') members = members.where('node_id', 'in', [...touched.nodeIds]);
  const published = await members.execute();
  const pending = await pendingOf(tx, network.id);
  return {
    tx,
    network,
    touched,
    signatory,
    stalenessDays: parseSettings(network.settings).stalenessDays,
    pending: new Map(pending.map((row) => [row.subject, row])),
    published: new Map(published.map((row) => [row.node_id, row])),
  };
}

async function settleNetwork(work: Work): Promise<void> {
  await settleNetworkStatement(work);
  await settleMembers(work);
  if (work.touched.nodeIds === 'all') await settleRevocations(work);
  await settleRoster(work);
  if (work.touched.nodeIds === 'all')
    await work.tx.db
      .updateTable('networks')
      .set({ settled_authority: work.signatory.authority.statement.version })
      .where('id', '=', work.network.id)
      .execute();
  await publishIfSigned(work.tx, work.network.id, work.signatory);
}

async function settleNetworkStatement(work: Work): Promise<void> {
  const { tx, network } = work;
  const content = wantedNetwork(network);
  const published = await tx.db
    .selectFrom('published_networks')
    .select(['statement', 'authority_version'])
    .where('network_id', '=', network.id)
    .executeTakeFirst();
  const text = published === undefined ? undefined : readSigned(published.statement).statement;
  if (text !== undefined && !work.touched.isFresh && saysSame(text, content)) {
    if (published?.authority_version === versionOf(work)) await drop(work, 'network', null);
    else await put(work, 'network', null, text);
    return;
  }
  const waiting = pendingText(work, 'network', null);
  if (waiting !== undefined && !work.touched.isFresh && saysSame(waiting, content))
    return put(work, 'network', null, waiting);
  const version = await nextNumber(work, 'statement_version');
  const issuedAt = tx.now.toISOString();
  const { type, organizationId, networkId, ...said } = content;
  const statement = { type, organizationId, networkId, version, ...said, issuedAt };
  await put(work, 'network', null, JSON.stringify(statement));
}

async function settleMembers(work: Work): Promise<void> {
  const wanted = await wantedCredentials(work.tx, work.network, work.touched.nodeIds);
  for (const [nodeId, content] of wanted) {
    await dropEnd(work, nodeId);
    await settleCredential(work, nodeId, content);
  }
  const touched =
    work.touched.nodeIds === 'all'
      ? [...work.published.keys(), ...waitingNodes(work)]
      : work.touched.nodeIds;
  for (const nodeId of touched) {
    if (wanted.has(nodeId)) continue;
    await drop(work, 'credential', nodeId);
    const published = work.published.get(nodeId);
    if (published !== undefined) await settleEnd(work, published);
  }
}

/** A member's end is wanted no more; one that members hold already stays true. */
async function dropEnd(work: Work, nodeId: string): Promise<void> {
  const waiting = work.pending.get(keyOf(work, 'revocation', nodeId));
  if (waiting === undefined) return;
  const published = await work.tx.db
    .selectFrom('published_revocations')
    .select('hash')
    .where('network_id', '=', work.network.id)
    .where('hash', '=', waiting.hash)
    .executeTakeFirst();
  if (published === undefined) await drop(work, 'revocation', nodeId);
}

function waitingNodes(work: Work): string[] {
  return [...work.pending.values()].flatMap(({ kind, node_id }) =>
    kind === 'credential' && node_id !== null ? [node_id] : [],
  );
}

async function settleCredential(
  work: Work,
  nodeId: string,
  content: CredentialContent,
): Promise<void> {
  const published = work.published.get(nodeId);
  if (published !== undefined && !work.touched.isFresh) {
    const isCurrent = published.authority_version === versionOf(work);
    const { statement } = readSigned(published.statement);
    if (isCurrent && holdsGood(work, published, content)) return drop(work, 'credential', nodeId);
    // After a rotation the same text is signed first: nothing else may hold that up.
    const isRenewable = published.renewable_until > work.tx.now.toISOString();
    if (!isCurrent && isRenewable && saysSame(statement, content))
      return put(work, 'credential', nodeId, statement, published.renewable_until);
  }
  const waiting = pendingText(work, 'credential', nodeId);
  if (waiting !== undefined && !work.touched.isFresh && waitsGood(work, waiting, content))
    return put(work, 'credential', nodeId, waiting, endOf(waiting));
  const serial = await nextNumber(work, 'credential_serial');
  const terms = credentialTerms(work.tx.now, work.stalenessDays, work.signatory.isHeld);
  const statement: CredentialStatement = { ...content, serial, ...terms };
  await put(work, 'credential', nodeId, JSON.stringify(statement), statement.expiresAt);
}

function endOf(credential: string): string {
  return readText<CredentialStatement>(credential).expiresAt;
}

/** A published credential that says what is wanted, and neither ends soon nor too late. */
function holdsGood(work: Work, row: PublishedMemberRow, content: CredentialContent): boolean {
  const { tx, stalenessDays, signatory } = work;
  return (
    saysSame(readSigned(row.statement).statement, content) &&
    row.expires_at <= daysAfter(tx.now, stalenessDays) &&
    !isNearEnd(tx.now, row.renewable_until, stalenessDays, signatory.isHeld)
  );
}

/** A waiting credential that says what is wanted and still is of use when it is signed. */
function waitsGood(work: Work, text: string, content: CredentialContent): boolean {
  const { expiresAt, renewableUntil } = readText<CredentialStatement>(text);
  const { tx, stalenessDays, signatory } = work;
  return (
    saysSame(text, content) &&
    expiresAt > tx.now.toISOString() &&
    expiresAt <= daysAfter(tx.now, stalenessDays) &&
    !isNearEnd(tx.now, renewableUntil, stalenessDays, signatory.isHeld)
  );
}

async function settleEnd(work: Work, published: PublishedMemberRow): Promise<void> {
  const { node_id: nodeId, serial } = published;
  const waiting = pendingText(work, 'revocation', nodeId);
  if (waiting !== undefined && readText<{ serial: number }>(waiting).serial === serial)
    return put(work, 'revocation', nodeId, waiting);
  const node = await work.tx.db
    .selectFrom('nodes')
    .select('removed_at')
    .where('id', '=', nodeId)
    .executeTakeFirst();
  const statement = {
    type: 'revocation',
    organizationId: work.network.organization_id,
    networkId: work.network.id,
    nodeId,
    serial,
    reason: node?.removed_at ? 'the node was removed' : 'the node is no member any more',
    issuedAt: work.tx.now.toISOString(),
  };
  await put(work, 'revocation', nodeId, JSON.stringify(statement));
}

/** After a rotation those that are published are signed again. */
async function settleRevocations(work: Work): Promise<void> {
  const outdated = await work.tx.db
    .selectFrom('published_revocations')
    .select(['node_id', 'statement'])
    .where('network_id', '=', work.network.id)
    .where('authority_version', '<', versionOf(work))
    .where('keep_until', '>', work.tx.now.toISOString())
    .execute();
  for (const { node_id, statement } of outdated) {
    // A later end of the same node covers this one.
    if (!work.pending.has(keyOf(work, 'revocation', node_id)))
      await put(work, 'revocation', node_id, readSigned(statement).statement);
  }
}

async function settleRoster(work: Work): Promise<void> {
  const { tx, network } = work;
  const published = await tx.db
    .selectFrom('published_networks')
    .select(['roster', 'roster_authority_version'])
    .where('network_id', '=', network.id)
    .executeTakeFirst();
  const text = published === undefined ? undefined : readSigned(published.roster).statement;
  const waiting = pendingText(work, 'roster', null);
  const isUsable = (candidate: string | undefined, content: RosterContent): candidate is string =>
    candidate !== undefined && !work.touched.isFresh && saysRoster(readText(candidate), content);
  const kept = await contentAt(work, null);
  if (isUsable(text, kept)) {
    const isSigned = published?.roster_authority_version === versionOf(work);
    const isAlone = [...work.pending.values()].every(({ kind }) => kind === 'roster');
    if (isSigned && isAlone) return drop(work, 'roster', null);
    return put(work, 'roster', null, text);
  }
  if (waiting !== undefined) {
    const { issuedAt } = readText<RosterStatement>(waiting);
    if (isUsable(waiting, await contentAt(work, issuedAt)))
      return put(work, 'roster', null, waiting);
  }
  const issuedAt = tx.now.toISOString();
  const statement: RosterStatement = {
    type: 'roster',
    organizationId: network.organization_id,
    networkId: network.id,
    version: await nextNumber(work, 'roster_version'),
    ...(await contentAt(work, issuedAt)),
    issuedAt,
  };
  await put(work, 'roster', null, JSON.stringify(statement));
}

function contentAt(work: Work, issuedAt: string | null): Promise<RosterContent> {
  return rosterContent(work.tx, work.network.id, {
    pending: [...work.pending.values()],
    issuedAt,
    isWhole: work.touched.nodeIds === 'all',
  });
}

function versionOf(work: Work): number {
  return work.signatory.authority.statement.version;
}

type NetworkKind = 'network' | 'credential' | 'revocation' | 'roster';

function subjectOf(work: Work, kind: NetworkKind, nodeId: string | null) {
  const { id, organization_id } = work.network;
  return { organizationId: organization_id, networkId: id, nodeId, kind };
}

function keyOf(work: Work, kind: NetworkKind, nodeId: string | null): string {
  return subjectKey(subjectOf(work, kind, nodeId));
}

function pendingText(work: Work, kind: NetworkKind, nodeId: string | null): string | undefined {
  return work.pending.get(keyOf(work, kind, nodeId))?.statement;
}

async function put(
  work: Work,
  kind: NetworkKind,
  nodeId: string | null,
  text: string,
  goodUntil: string | null = null,
): Promise<void> {
  const subject = subjectOf(work, kind, nodeId);
  const row = await putPending(work.tx, work.signatory, { subject, text, goodUntil });
  work.pending.set(row.subject, row);
}

async function drop(work: Work, kind: NetworkKind, nodeId: string | null): Promise<void> {
  const key = keyOf(work, kind, nodeId);
  if (work.pending.delete(key)) await dropPending(work.tx, [key]);
}

/** Counters of a network only rise, also past what was never published. */
async function nextNumber(
  work: Work,
  counter: 'statement_version' | 'roster_version' | 'credential_serial',
): Promise<number> {
  const row = await work.tx.db
    .updateTable('networks')
    .set((eb) => ({ [counter]: eb(counter, '+', 1) }))
    .where('id', '=', work.network.id)
    .returning(counter)
    .executeTakeFirstOrThrow();
  return row[counter];
}
