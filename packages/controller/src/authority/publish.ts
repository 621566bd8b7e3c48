/**
 * Publishes what waited for a network, as one: its roster commits to all of it. From then on
 * members are told it.
 */
import type { CredentialStatement, RevocationStatement, RosterStatement } from '@etherloom/api';
import { rosterBucketOf } from '@etherloom/core';
import { addTombstone, raiseRevision } from '../store/revisions.ts';
import { ensureTree, rebuildTree, updateTree } from '../store/roster-nodes.ts';
import { ROSTER_CHANGES_MAX } from '../limits.ts';
import type { NetworkRow, PendingStatementRow, PublishedMemberRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import { noteHolder, noteHolderEnd } from '../store/vni.ts';
import type { Signatory } from './pending.ts';
import { isComplete, pendingOf, toSigned } from './pending.ts';
import { readText } from './signed.ts';
import { parseSettings } from './wanted.ts';
import { renewalDue } from './terms.ts';

/** Publishes the pending statements of a network when all have the signatures they need. */
export async function publishIfSigned(
  tx: Tx,
  networkId: string,
  signatory: Signatory,
): Promise<boolean> {
  const pending = await pendingOf(tx, networkId);
  const isReady = pending.every((row) => isComplete(row, signatory.authority));
  if (pending.length === 0 || !isReady) return false;
  const network = await tx.db
    .selectFrom('networks')
    .selectAll()
    .where('id', '=', networkId)
    .executeTakeFirstOrThrow();
  await publish({
    tx,
    network,
    pending,
    authorityVersion: signatory.authority.statement.version,
    revision: await raiseRevision(tx, networkId),
  });
  return true;
}

interface Publication {
  readonly tx: Tx;
  readonly network: NetworkRow;
  readonly pending: readonly PendingStatementRow[];
  readonly authorityVersion: number;
  readonly revision: number;
}

async function publish(given: Publication): Promise<void> {
  const { tx, network, pending } = given;
  await ensureTree(tx, network.id);
  await publishNetwork(given);
  for (const row of pending) {
    if (row.kind === 'revocation') await publishRevocation(given, row);
  }
  for (const row of pending) {
    if (row.kind === 'credential') await publishCredential(given, row);
  }
  await publishTree(given);
  await tx.db.deleteFrom('pending_statements').where('network_id', '=', network.id).execute();
}

/** Moves the tree on, and makes sure that the roster says its root: else nobody would take it. */
async function publishTree({ tx, network, pending }: Publication): Promise<void> {
  const nodeIds = pending.flatMap(({ node_id }) => node_id ?? []);
  const root =
    nodeIds.length > ROSTER_CHANGES_MAX
      ? await rebuildTree(tx, network.id)
      : await updateTree(tx, network.id, nodeIds);
  const roster = pending.find(({ kind }) => kind === 'roster');
  const said = roster && readText<RosterStatement>(roster.statement).credentials;
  if (said !== undefined && said !== root)
    throw new Error(`the roster of network ${network.id} says ${said}, its members are ${root}`);
}

/** The network statement and the roster; of one that is published either may stay. */
async function publishNetwork(given: Publication): Promise<void> {
  const { tx, network, pending, authorityVersion, revision } = given;
  const statement = pending.find(({ kind }) => kind === 'network');
  const roster = pending.find(({ kind }) => kind === 'roster');
  const revocations = pending.some(({ kind }) => kind === 'revocation');
  const isCut = roster !== undefined && (await cutRevocations(given, roster));
  const said = {
    ...(statement === undefined
      ? {}
      : {
          statement: JSON.stringify(toSigned(statement)),
          hash: statement.hash,
          authority_version: authorityVersion,
        }),
    ...(roster === undefined
      ? {}
      : {
          roster: JSON.stringify(toSigned(roster)),
          roster_authority_version: authorityVersion,
          roster_revision: revision,
        }),
    ...(revocations || isCut ? { revocations_revision: revision } : {}),
  };
  const updated = await tx.db
    .updateTable('published_networks')
    .set({ network_id: network.id, ...said })
    .where('network_id', '=', network.id)
    .returning('network_id')
    .executeTakeFirst();
  if (!updated && statement !== undefined && roster !== undefined)
    await tx.db
      .insertInto('published_networks')
      .values({
        network_id: network.id,
        statement: JSON.stringify(toSigned(statement)),
        hash: statement.hash,
        authority_version: authorityVersion,
        roster: JSON.stringify(toSigned(roster)),
        roster_authority_version: authorityVersion,
        roster_revision: revision,
        revocations_revision: revision,
      })
      .execute();
  if (statement === undefined) return;
  await tx.db
    .updateTable('networks')
    .set({ config_revision: revision })
    .where('id', '=', network.id)
    .execute();
}

/** Forgets the revocations that the roster does not commit to any more; true when it did. */
async function cutRevocations(given: Publication, roster: PendingStatementRow): Promise<boolean> {
  const { issuedAt } = readText<RosterStatement>(roster.statement);
  const cut = await given.tx.db
    .deleteFrom('published_revocations')
    .where('network_id', '=', given.network.id)
    .where('keep_until', '<=', issuedAt)
    .returning('node_id')
    .execute();
  return cut.length > 0;
}

async function publishRevocation(given: Publication, row: PendingStatementRow): Promise<void> {
  const { tx, network, authorityVersion, revision } = given;
  const { nodeId, serial } = readText<RevocationStatement>(row.statement);
  const known = await tx.db
    .selectFrom('published_revocations')
    .select(['hash', 'keep_until'])
    .where('network_id', '=', network.id)
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  const ended = known?.hash === row.hash ? undefined : await endPublished(given, nodeId);
  const values = {
    network_id: network.id,
    node_id: nodeId,
    statement: JSON.stringify(toSigned(row)),
    hash: row.hash,
    serial,
    authority_version: authorityVersion,
    keep_until: ended?.renewable_until ?? known?.keep_until ?? tx.now.toISOString(),
  };
  await tx.db
    .insertInto('published_revocations')
    .values(values)
    .onConflict((conflict) => conflict.columns(['network_id', 'node_id']).doUpdateSet(values))
    .execute();
  if (ended === undefined) return;
  await noteHolderEnd(tx, { networkId: network.id, nodeId, until: ended.expires_at });
  await addTombstone(tx, {
    networkId: network.id,
    nodeId,
    joinedRevision: ended.joined_revision,
    removedRevision: revision,
  });
}

async function endPublished(
  given: Publication,
  nodeId: string,
): Promise<PublishedMemberRow | undefined> {
  given.tx.changes.nodeIds.add(nodeId);
  return given.tx.db
    .deleteFrom('published_members')
    .where('network_id', '=', given.network.id)
    .where('node_id', '=', nodeId)
    .returningAll()
    .executeTakeFirst();
}

async function publishCredential(given: Publication, row: PendingStatementRow): Promise<void> {
  const { tx, network, authorityVersion, revision } = given;
  const credential = readText<CredentialStatement>(row.statement);
  const { nodeId } = credential;
  const before = await tx.db
    .selectFrom('published_members')
    .selectAll()
    .where('network_id', '=', network.id)
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  const isSame = before?.hash === row.hash;
  const { stalenessDays } = parseSettings(network.settings);
  const values: PublishedMemberRow = {
    network_id: network.id,
    node_id: nodeId,
    statement: JSON.stringify(toSigned(row)),
    hash: row.hash,
    serial: credential.serial,
    authority_version: authorityVersion,
    renewal: isSame ? before.renewal : null,
    expires_at: isSame ? before.expires_at : credential.expiresAt,
    renew_at: isSame ? before.renew_at : renewalDue(new Date(credential.issuedAt), stalenessDays),
    renewable_until: credential.renewableUntil,
    joined_revision: before?.joined_revision ?? revision,
    changed_revision: isSame ? before.changed_revision : revision,
    proof_revision: revision,
    bucket: rosterBucketOf(nodeId),
  };
  await tx.db
    .insertInto('published_members')
    .values(values)
    .onConflict((conflict) => conflict.columns(['network_id', 'node_id']).doUpdateSet(values))
    .execute();
  await noteHolder(tx, { vni: network.vni, networkId: network.id, nodeId });
  if (before === undefined) tx.changes.nodeIds.add(nodeId);
}
