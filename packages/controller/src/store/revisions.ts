/**
 * Revisions: a number for each network that rises by one with every change that members must know.
 * A member carries the revision of its last change; one that is gone leaves a tombstone with the
 * span of revisions at which it was there. From both a delta from any revision not older than the
 * network's delta floor can be made. All of it is about what is published: signed statements, and
 * where members are reached.
 */
import type {
  CredentialStatement,
  Delta,
  Member,
  MemberProof,
  NetworkConfig,
  NetworkProof,
  NetworkProofDelta,
  NetworkState,
  NetworkStatement,
} from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { readSigned, readText } from '../authority/signed.ts';
import { FRESH_STATEMENTS, RESTORED_REVISIONS, TOMBSTONES_MAX } from '../limits.ts';
import { countInNetwork } from './count.ts';
import type { NodeRow, PublishedMemberRow, PublishedNetworkRow } from './schema.ts';
import type { Tx } from './store.ts';

/** Raises the revision of a network and notes it as changed; gives the revision reached. */
export async function raiseRevision(tx: Tx, networkId: string): Promise<number> {
  const row = await tx.db
    .updateTable('networks')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .where('id', '=', networkId)
    .returning('revision')
    .executeTakeFirstOrThrow();
  tx.changes.networkIds.add(networkId);
  return row.revision;
}

/**
 * Lifts every network above any revision and any version that agents may hold of it, so that each
 * of them takes the whole state anew. For a database that was restored from an older backup. The
 * statements are made anew by the upkeep that follows.
 */
export async function supersedeRevisions(tx: Tx): Promise<void> {
  await tx.db
    .updateTable('networks')
    .set((eb) => ({
      revision: eb('revision', '+', RESTORED_REVISIONS),
      config_revision: eb('revision', '+', RESTORED_REVISIONS),
      delta_floor: eb('revision', '+', RESTORED_REVISIONS),
      statement_version: eb('statement_version', '+', RESTORED_REVISIONS),
      roster_version: eb('roster_version', '+', RESTORED_REVISIONS),
      credential_serial: eb('credential_serial', '+', RESTORED_REVISIONS),
      settled_authority: FRESH_STATEMENTS,
    }))
    .execute();
  await tx.db.deleteFrom('tombstones').execute();
}

/** Where a node is reached changed: the members of all its networks learn it. */
export async function raiseRevisionsOfNode(tx: Tx, nodeId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('published_members')
    .select('network_id')
    .where('node_id', '=', nodeId)
    .execute();
  for (const { network_id } of rows) {
    const revision = await raiseRevision(tx, network_id);
    await tx.db
      .updateTable('published_members')
      .set({ changed_revision: revision })
      .where('network_id', '=', network_id)
      .where('node_id', '=', nodeId)
      .execute();
  }
}

/**
 * Remembers the end of a stay at `removedRevision`, and forgets the oldest ones above the limit.
 */
export async function addTombstone(
  tx: Tx,
  stay: {
    readonly networkId: string;
    readonly nodeId: string;
    readonly joinedRevision: number;
    readonly removedRevision: number;
  },
): Promise<void> {
  await tx.db
    .insertInto('tombstones')
    .values({
      network_id: stay.networkId,
      node_id: stay.nodeId,
      joined_revision: stay.joinedRevision,
      removed_revision: stay.removedRevision,
    })
    .execute();
  const excess = (await countInNetwork(tx, 'tombstones', stay.networkId)) - TOMBSTONES_MAX;
  if (excess <= 0) return;
  const last = await tx.db
    .selectFrom('tombstones')
    .select('removed_revision')
    .where('network_id', '=', stay.networkId)
    .orderBy('removed_revision')
    .offset(excess - 1)
    .limit(1)
    .executeTakeFirstOrThrow();
  await tx.db
    .deleteFrom('tombstones')
    .where('network_id', '=', stay.networkId)
    .where('removed_revision', '<=', last.removed_revision)
    .execute();
  await tx.db
    .updateTable('networks')
    .set({ delta_floor: last.removed_revision })
    .where('id', '=', stay.networkId)
    .execute();
}

/** Networks of a node, at their revisions. */
export async function revisionsOfNode(tx: Tx, nodeId: string): Promise<Map<string, number>> {
  const rows = await tx.db
    .selectFrom('published_members')
    .innerJoin('networks', 'networks.id', 'published_members.network_id')
    .select(['networks.id', 'networks.revision'])
    .where('published_members.node_id', '=', nodeId)
    .execute();
  return new Map(rows.map((row) => [row.id, row.revision]));
}

/** Revision of a network for one of its members; null when it is not one. */
export async function revisionForMember(
  tx: Tx,
  networkId: string,
  nodeId: string,
): Promise<number | null> {
  const row = await tx.db
    .selectFrom('published_members')
    .innerJoin('networks', 'networks.id', 'published_members.network_id')
    .select('networks.revision')
    .where('published_members.network_id', '=', networkId)
    .where('published_members.node_id', '=', nodeId)
    .executeTakeFirst();
  return row?.revision ?? null;
}

/** State and proof of a network, as its members are told. */
export interface PublishedState {
  readonly state: NetworkState;
  readonly proof: NetworkProof;
  /** Version of the authority that signed the roster. */
  readonly authorityVersion: number;
}

/**
 * The whole published state of a network, members sorted by node id; null when there is no such
 * network, or nothing of it is signed.
 */
export async function readState(tx: Tx, networkId: string): Promise<PublishedState | null> {
  const network = await tx.db
    .selectFrom('published_networks')
    .innerJoin('networks', 'networks.id', 'published_networks.network_id')
    .selectAll('published_networks')
    .select('networks.revision')
    .where('published_networks.network_id', '=', networkId)
    .executeTakeFirst();
  if (!network) return null;
  const rows = await readMemberRows(tx, networkId);
  const members = rows.map((row) => [row, toProof(row)] as const);
  return {
    state: {
      config: toConfig(network),
      revision: network.revision,
      members: members.map(([row, proof]) => toMember(row, proof)),
    },
    proof: {
      network: readSigned(network.statement),
      roster: readSigned(network.roster),
      revocations: await readRevocations(tx, networkId),
      members: Object.fromEntries(members.map(([row, proof]) => [row.node_id, proof])),
    },
    authorityVersion: network.roster_authority_version,
  };
}

/** What an agent at `fromRevision` lacks of `published`; null when only a snapshot can say it. */
export async function readDelta(
  tx: Tx,
  { state, proof }: PublishedState,
  fromRevision: number,
): Promise<Delta | null> {
  const networkId = state.config.id;
  const network = await tx.db
    .selectFrom('networks')
    .innerJoin('published_networks', 'published_networks.network_id', 'networks.id')
    .select(['config_revision', 'delta_floor', 'roster_revision', 'revocations_revision'])
    .where('id', '=', networkId)
    .executeTakeFirstOrThrow();
  if (fromRevision < network.delta_floor || fromRevision > state.revision) return null;
  const changed = await tx.db
    .selectFrom('published_members')
    .select(['node_id', 'changed_revision', 'proof_revision'])
    .where('network_id', '=', networkId)
    .where((eb) =>
      eb.or([eb('changed_revision', '>', fromRevision), eb('proof_revision', '>', fromRevision)]),
    )
    .execute();
  const gone = await tx.db
    .selectFrom('tombstones')
    .select('node_id')
    .distinct()
    .where('network_id', '=', networkId)
    .where('joined_revision', '<=', fromRevision)
    .where('removed_revision', '>', fromRevision)
    .execute();
  const upserts = new Set(
    changed.filter((row) => row.changed_revision > fromRevision).map((row) => row.node_id),
  );
  const present = new Set(state.members.map((member) => member.nodeId));
  const hasConfig = network.config_revision > fromRevision;
  const proofDelta: NetworkProofDelta = {
    ...(hasConfig ? { network: proof.network } : {}),
    ...(network.roster_revision > fromRevision ? { roster: proof.roster } : {}),
    ...(network.revocations_revision > fromRevision ? { revocations: proof.revocations } : {}),
    members: Object.fromEntries(
      changed.flatMap((row) => {
        const of = proof.members[row.node_id];
        return of && row.proof_revision > fromRevision ? [[row.node_id, of] as const] : [];
      }),
    ),
  };
  return {
    networkId,
    type: 'delta',
    fromRevision,
    toRevision: state.revision,
    ...(hasConfig ? { config: state.config } : {}),
    upserts: state.members.filter((member) => upserts.has(member.nodeId)),
    removals: gone.map((row) => row.node_id).filter((nodeId) => !present.has(nodeId)),
    proof: proofDelta,
    digest: networkDigest(state),
  };
}

type MemberRow = Pick<PublishedMemberRow, 'node_id' | 'statement' | 'renewal'> &
  Pick<NodeRow, 'endpoints' | 'endpoint_record'>;

function readMemberRows(tx: Tx, networkId: string): Promise<MemberRow[]> {
  return tx.db
    .selectFrom('published_members')
    .innerJoin('nodes', 'nodes.id', 'published_members.node_id')
    .select(['node_id', 'statement', 'renewal', 'endpoints', 'endpoint_record'])
    .where('network_id', '=', networkId)
    .orderBy('node_id')
    .execute();
}

function toProof(row: MemberRow): MemberProof {
  return {
    credential: readSigned(row.statement),
    renewal: row.renewal === null ? null : readSigned(row.renewal),
  };
}

/** A member as its credential says, reached where its own record says. */
function toMember(row: MemberRow, proof: MemberProof): Member {
  const credential = readText<CredentialStatement>(proof.credential.statement);
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

async function readRevocations(tx: Tx, networkId: string): Promise<NetworkProof['revocations']> {
  const rows = await tx.db
    .selectFrom('published_revocations')
    .select('statement')
    .where('network_id', '=', networkId)
    .orderBy('node_id')
    .execute();
  return rows.map((row) => readSigned(row.statement));
}

/** Endpoints as they are stored. */
export function parseEndpoints(stored: string): string[] {
  return JSON.parse(stored) as string[]; // written by this program from checked texts
}

function toConfig(row: PublishedNetworkRow): NetworkConfig {
  const said = readText<NetworkStatement>(readSigned(row.statement).statement);
  return {
    id: said.networkId,
    name: said.name,
    vni: said.vni,
    mtuBytes: said.mtuBytes,
    ipv4: said.ipv4,
    ipv6: said.ipv6,
  };
}
