/** What waits for signatures, each with what is in force in its place, in words. */
import type {
  AuthorityStatement,
  CredentialStatement,
  NetworkStatement,
  PendingStatement,
  RevocationStatement,
  RosterStatement,
  SignedStatement,
} from '@etherloom/api';
import { changesRecovery } from '@etherloom/core';
import { sql } from 'kysely';
import { findOrganization } from '../store/organizations.ts';
import { findNetwork } from '../store/networks.ts';
import type { Page, PageGiven } from '../store/page.ts';
import { afterCursor, toPage } from '../store/page.ts';
import type { PendingStatementRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import { currentAuthority } from './authorities.ts';
import { readSignatures } from './pending.ts';
import { readSigned, readText } from './signed.ts';
import { rosterParts } from './roster-content.ts';

/** Each roster comes after what it commits to. */
const KIND_ORDER = sql<number>`case pending_statements.kind
  when 'authority' then 0 when 'network' then 1 when 'revocation' then 2 when 'credential' then 3
  else 4 end`;
/** The version of an authority, which is of no network, comes first. */
const NETWORK_ORDER = sql<string>`coalesce(networks.name, '')`;

/** Filters of the list. */
export interface PendingFilter {
  readonly kind?: PendingStatementRow['kind'] | undefined;
  /** Id or name. */
  readonly network?: string | undefined;
}

/** Pending statements of an organization: by network, each roster after what it commits to. */
export async function listPending(
  tx: Tx,
  idOrName: string,
  given: PageGiven & PendingFilter,
): Promise<Page<PendingStatement>> {
  const { id } = await findOrganization(tx, idOrName);
  const { statement: authority } = await currentAuthority(tx, id);
  let query = tx.db
    .selectFrom('pending_statements')
    .leftJoin('networks', 'networks.id', 'pending_statements.network_id')
    .leftJoin('published_networks', 'published_networks.network_id', 'networks.id')
    .selectAll('pending_statements')
    .select(['networks.name as network_name', 'published_networks.statement as network'])
    .select([KIND_ORDER.as('kind_order'), NETWORK_ORDER.as('network_order')])
    .where('pending_statements.organization_id', '=', id);
  if (given.kind !== undefined) query = query.where('pending_statements.kind', '=', given.kind);
  if (given.network !== undefined) {
    const network = await findNetwork(tx, given.network);
    query = query.where('pending_statements.network_id', '=', network.id);
  }
  const columns = [
    { expression: NETWORK_ORDER, kind: 'text' },
    { expression: KIND_ORDER, kind: 'number' },
    'subject',
  ] as const;
  const rows = await afterCursor(query, columns, given).execute();
  const page = toPage(
    rows,
    given,
    (row) => [row.network_order, Number(row.kind_order), row.subject],
    (row) => row,
  );
  const items: PendingStatement[] = [];
  for (const row of page.items) {
    const signedBy = readSignatures(row.signatures).map(({ key }) => key);
    const counted = signedBy.filter((key) => authority.keys.includes(key)).length;
    items.push({
      hash: row.hash,
      kind: row.kind,
      networkId: row.network_id,
      networkName: row.network_name,
      network: row.network === null ? null : readSigned(row.network),
      summary: summaryOf(row, row.network_name ?? ''),
      statement: row.statement,
      held: await heldOf(tx, row),
      roster: row.kind === 'roster' ? await rosterOf(tx, row) : null,
      signedBy,
      missing:
        row.kind === 'authority'
          ? missingOf(row, authority)
          : Math.max(0, authority.threshold - counted),
      createdAt: row.created_at,
    });
  }
  return { items, next: page.next };
}

/**
 * Of a version of the authority: by its own keys, and by those before or their recovery keys; by
 * the recovery keys alone where it replaces them.
 */
function missingOf(row: PendingStatementRow, before: AuthorityStatement): number {
  const own = readText<AuthorityStatement>(row.statement);
  const keys = readSignatures(row.signatures).map(({ key }) => key);
  const lack = (of: readonly string[], threshold: number) =>
    Math.max(0, threshold - keys.filter((key) => of.includes(key)).length);
  const byKeys = lack(before.keys, before.threshold);
  const byRecovery =
    before.recoveryThreshold === 0 ? byKeys : lack(before.recoveryKeys, before.recoveryThreshold);
  const byFormer = changesRecovery(before, own) ? byRecovery : Math.min(byKeys, byRecovery);
  return byFormer + lack(own.keys, own.threshold);
}

function summaryOf(row: PendingStatementRow, network: string): string {
  switch (row.kind) {
    case 'authority': {
      const said = readText<AuthorityStatement>(row.statement);
      return `version ${said.version} of the authority: ${said.threshold} of ${said.keys.length} keys sign`;
    }
    case 'network': {
      const said = readText<NetworkStatement>(row.statement);
      const pools = [said.ipv4, said.ipv6].filter((pool) => pool !== null).join(' and ');
      return `network ${said.name}: VNI ${said.vni}, ${pools || 'no pools'}, MTU ${said.mtuBytes}`;
    }
    case 'credential': {
      const said = readText<CredentialStatement>(row.statement);
      return `node ${said.name} is a member of ${network} with ${said.addresses.join(', ') || 'no address'} and MAC ${said.mac}`;
    }
    case 'revocation': {
      const said = readText<RevocationStatement>(row.statement);
      return `node ${said.nodeId} is a member of ${network} no more: ${said.reason}`;
    }
    case 'roster': {
      const said = readText<RosterStatement>(row.statement);
      return `network ${network} has ${said.memberCount} members and ${said.revocationCount} revocations`;
    }
    default:
      throw new Error(`unexpected ${JSON.stringify(row.kind satisfies never)}`);
  }
}

async function heldOf(tx: Tx, row: PendingStatementRow): Promise<SignedStatement | null> {
  if (row.kind === 'authority') return (await currentAuthority(tx, row.organization_id)).signed;
  const networkId = row.network_id ?? '';
  if (row.kind === 'network' || row.kind === 'roster') {
    const held = await tx.db
      .selectFrom('published_networks')
      .select(['statement', 'roster'])
      .where('network_id', '=', networkId)
      .executeTakeFirst();
    if (!held) return null;
    return readSigned(row.kind === 'network' ? held.statement : held.roster);
  }
  const member = await tx.db
    .selectFrom('published_members')
    .select('statement')
    .where('network_id', '=', networkId)
    .where('node_id', '=', row.node_id ?? '')
    .executeTakeFirst();
  return member ? readSigned(member.statement) : null;
}

async function rosterOf(tx: Tx, row: PendingStatementRow): Promise<PendingStatement['roster']> {
  const networkId = row.network_id ?? '';
  const pending = await tx.db
    .selectFrom('pending_statements')
    .selectAll()
    .where('network_id', '=', networkId)
    .execute();
  const { issuedAt } = readText<RosterStatement>(row.statement);
  const next = await rosterParts(tx, networkId, { pending, issuedAt });
  const held = await rosterParts(tx, networkId, { pending: [], issuedAt: null });
  return {
    network: next.networkHash,
    credentials: next.credentials,
    revocations: next.revocations,
    heldCredentials: held.credentials,
    heldRevocations: held.revocations,
  };
}
