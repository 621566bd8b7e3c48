/**
 * Renewals: when a quarter of stalenessDays has passed since a credential was issued or renewed,
 * its end is moved on with the renewal key, in bounded steps. A credential that cannot be renewed
 * much longer is touched, so that a further one is made, or asked for where people sign.
 */
import type { RenewalStatement } from '@etherloom/api';
import { signStatement } from '@etherloom/core';
import { RENEWALS_PER_NETWORK, RENEWALS_PER_STEP, RENEWAL_RETRY_MS } from '../limits.ts';
import { raiseRevision } from '../store/revisions.ts';
import type { PublishedMemberRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import { touchMember } from '../store/store.ts';
import { renewalSigner } from './authorities.ts';
import type { Signatory } from './pending.ts';
import { readSignatory } from './settle.ts';
import { daysAfter, isNearEnd, renewalDue, renewedEnd } from './terms.ts';
import { parseSettings } from './wanted.ts';

type DueRow = PublishedMemberRow & {
  readonly organization_id: string;
  readonly settings: string;
};

export interface RenewalStep {
  /** Credentials that it looked at. */
  readonly count: number;
  /** Some were so near their end, or past it, that the next step should not wait. */
  readonly isUrgent: boolean;
}

/** One step. */
export async function renewDue(tx: Tx): Promise<RenewalStep> {
  const due = await readDue(tx);
  const signatories = new Map<string, Signatory>();
  let count = 0;
  let isUrgent = false;
  for (const [networkId, rows] of Map.groupBy(due, (row) => row.network_id)) {
    const organizationId = rows[0]?.organization_id ?? '';
    const signatory = signatories.get(organizationId) ?? (await readSignatory(tx, organizationId));
    signatories.set(organizationId, signatory);
    const step = rows.slice(0, RENEWALS_PER_NETWORK);
    count += step.length;
    isUrgent ||= step.some((row) => isUrgentAt(tx.now, row));
    await renewOfNetwork(tx, networkId, step, signatory);
  }
  return { count, isUrgent };
}

/**
 * Less than a quarter of the time that a renewal gives is left: the controller was away for long.
 */
function isUrgentAt(now: Date, row: DueRow): boolean {
  return row.expires_at <= daysAfter(now, parseSettings(row.settings).stalenessDays / 4);
}

/** Members alone: the credential of a node whose end waits for a signature is left to run out. */
function readDue(tx: Tx): Promise<DueRow[]> {
  return tx.db
    .selectFrom('published_members')
    .innerJoin('memberships', (join) =>
      join
        .onRef('memberships.network_id', '=', 'published_members.network_id')
        .onRef('memberships.node_id', '=', 'published_members.node_id'),
    )
    .innerJoin('networks', 'networks.id', 'published_members.network_id')
    .selectAll('published_members')
    .select(['networks.organization_id', 'networks.settings'])
    .where('renew_at', '<=', tx.now.toISOString())
    .orderBy('renew_at')
    .limit(RENEWALS_PER_STEP)
    .execute();
}

async function renewOfNetwork(
  tx: Tx,
  networkId: string,
  rows: readonly DueRow[],
  signatory: Signatory,
): Promise<void> {
  const signer = await renewalSigner(tx, signatory.authority.statement);
  const renewed: PublishedMemberRow[] = [];
  for (const { organization_id, settings, ...row } of rows) {
    const { stalenessDays } = parseSettings(settings);
    if (isNearEnd(tx.now, row.renewable_until, stalenessDays, signatory.isHeld)) {
      touchMember(tx, networkId, row.node_id);
      if (signatory.isHeld) continue;
    }
    const expiresAt = renewedEnd(tx.now, stalenessDays, row.renewable_until);
    if (signer === null || expiresAt <= row.expires_at) {
      await putOff(tx, row);
      continue;
    }
    const statement: RenewalStatement = {
      type: 'renewal',
      organizationId: organization_id,
      networkId,
      nodeId: row.node_id,
      credential: row.hash,
      issuedAt: tx.now.toISOString(),
      expiresAt,
    };
    renewed.push({
      ...row,
      renewal: JSON.stringify(signStatement(statement, [signer])),
      expires_at: expiresAt,
      renew_at: renewalDue(tx.now, stalenessDays),
    });
  }
  if (renewed.length === 0) return;
  const revision = await raiseRevision(tx, networkId);
  for (const { renewal, expires_at, renew_at, node_id } of renewed)
    await tx.db
      .updateTable('published_members')
      .set({ renewal, expires_at, renew_at, proof_revision: revision })
      .where('network_id', '=', networkId)
      .where('node_id', '=', node_id)
      .execute();
}

async function putOff(tx: Tx, row: PublishedMemberRow): Promise<void> {
  await tx.db
    .updateTable('published_members')
    .set({ renew_at: new Date(tx.now.getTime() + RENEWAL_RETRY_MS).toISOString() })
    .where('network_id', '=', row.network_id)
    .where('node_id', '=', row.node_id)
    .execute();
}
