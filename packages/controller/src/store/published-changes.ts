/**
 * What of a network's published state changed since a revision, found by indexes: a change of one
 * member reads that member. Statements stay the texts that are stored.
 */
import type { CredentialStatement, Member, NetworkConfig, RosterStatement } from '@etherloom/api';
import { canonicalJson } from '@etherloom/core';
import { readSigned, readText } from '../authority/signed.ts';
import { parseEndpoints, toConfig } from './revisions.ts';
import type { Tx } from './store.ts';

/** A member, as JSON. */
export interface MemberTexts {
  readonly nodeId: string;
  /** Canonical text of what its peers know of it: its part of the network's digest. */
  readonly member: string;
  /** Of its credential and renewal. */
  readonly proof: string;
  readonly changedRevision: number;
  readonly proofRevision: number;
}

/** The stay of a member that has ended. */
export interface Stay {
  readonly nodeId: string;
  readonly joinedRevision: number;
  readonly removedRevision: number;
}

/** What a network is at a revision, but for its members. */
export interface PublishedHead {
  readonly networkId: string;
  readonly revision: number;
  readonly deltaFloor: number;
  readonly configRevision: number;
  readonly rosterRevision: number;
  readonly revocationsRevision: number;
  /** Version of the authority that signed the roster. */
  readonly authorityVersion: number;
  readonly config: NetworkConfig;
  /** JSON of the signed statements. */
  readonly network: string;
  readonly roster: string;
  readonly memberCount: number;
  readonly revocationCount: number;
}

export interface PublishedChanges extends PublishedHead {
  /** Those that changed. */
  readonly members: readonly MemberTexts[];
  /** Those that ended; oldest first. */
  readonly stays: readonly Stay[];
  /** All of them, as JSON; undefined: as before. */
  readonly revocations: readonly string[] | undefined;
  /** It is everything, whatever was asked for. */
  readonly isWhole: boolean;
}

/** The newest revision; null when there is no such network, or nothing of it is signed. */
export async function readHead(tx: Tx, networkId: string): Promise<PublishedHead | null> {
  const row = await tx.db
    .selectFrom('published_networks')
    .innerJoin('networks', 'networks.id', 'published_networks.network_id')
    .selectAll('published_networks')
    .select(['networks.revision', 'networks.config_revision', 'networks.delta_floor'])
    .where('published_networks.network_id', '=', networkId)
    .executeTakeFirst();
  if (!row) return null;
  const roster = readText<RosterStatement>(readSigned(row.roster).statement);
  return {
    networkId,
    revision: row.revision,
    deltaFloor: row.delta_floor,
    configRevision: row.config_revision,
    rosterRevision: row.roster_revision,
    revocationsRevision: row.revocations_revision,
    authorityVersion: row.roster_authority_version,
    config: toConfig(row),
    network: row.statement,
    roster: row.roster,
    memberCount: roster.memberCount,
    revocationCount: roster.revocationCount,
  };
}

/** What changed since a revision, everything where that is not known any more. */
export async function readChanges(
  tx: Tx,
  head: PublishedHead,
  since: number,
): Promise<PublishedChanges> {
  const isWhole = since < head.deltaFloor || since > head.revision;
  const from = isWhole ? Number.MIN_SAFE_INTEGER : since;
  return {
    ...head,
    isWhole,
    members: await readMembers(tx, head.networkId, isWhole ? null : since),
    stays: await readStays(tx, head.networkId, from),
    revocations:
      head.revocationsRevision > from ? await readRevocations(tx, head.networkId) : undefined,
  };
}

/** Members that changed since a revision; null: all of them. */
async function readMembers(
  tx: Tx,
  networkId: string,
  since: number | null,
): Promise<MemberTexts[]> {
  let query = tx.db
    .selectFrom('published_members')
    .innerJoin('nodes', 'nodes.id', 'published_members.node_id')
    .select(['node_id', 'statement', 'renewal', 'endpoints', 'endpoint_record'])
    .select(['changed_revision', 'proof_revision'])
    .where('network_id', '=', networkId);
  if (since !== null)
    query = query.where((eb) =>
      eb.or([eb('changed_revision', '>', since), eb('proof_revision', '>', since)]),
    );
  return (await query.execute()).map((row) => ({
    nodeId: row.node_id,
    member: canonicalJson(memberOf(row)),
    proof: `{"credential":${row.statement},"renewal":${row.renewal ?? 'null'}}`,
    changedRevision: row.changed_revision,
    proofRevision: row.proof_revision,
  }));
}

/** A member as its credential says, reached where its own record says. */
export function memberOf(row: {
  readonly statement: string;
  readonly endpoints: string;
  readonly endpoint_record: string | null;
}): Member {
  const credential = readText<CredentialStatement>(readSigned(row.statement).statement);
  return {
    nodeId: credential.nodeId,
    name: credential.name,
    sessionKey: credential.sessionKey,
    signKey: credential.signKey,
    mac: credential.mac,
    addresses: credential.addresses,
    endpoints: row.endpoint_record === null ? [] : parseEndpoints(row.endpoints),
    endpointRecord: row.endpoint_record,
  };
}

async function readStays(tx: Tx, networkId: string, since: number): Promise<Stay[]> {
  const rows = await tx.db
    .selectFrom('tombstones')
    .select(['node_id', 'joined_revision', 'removed_revision'])
    .where('network_id', '=', networkId)
    .where('removed_revision', '>', since)
    .orderBy('removed_revision')
    .execute();
  return rows.map((row) => ({
    nodeId: row.node_id,
    joinedRevision: row.joined_revision,
    removedRevision: row.removed_revision,
  }));
}

/** Revocations of a network, as JSON, by node id. */
export async function readRevocations(tx: Tx, networkId: string): Promise<string[]> {
  const rows = await tx.db
    .selectFrom('published_revocations')
    .select('statement')
    .where('network_id', '=', networkId)
    .orderBy('node_id')
    .execute();
  return rows.map((row) => row.statement);
}

/** Whether a node is a member by what is signed. */
export async function isPublished(tx: Tx, networkId: string, nodeId: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('published_members')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  return row !== undefined;
}
