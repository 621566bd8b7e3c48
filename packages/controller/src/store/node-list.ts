/**
 * Lists, searches and counts nodes. What rows say is asked of the database, always within one
 * organization and by its index; what links alone know (who is connected, who has problems) is
 * compared with the ids in their order, so that pages are the same as of any other filter.
 */
import { wordsOf } from '@etherloom/api';
import type { Expression, ExpressionBuilder, SelectQueryBuilder, SqlBool } from 'kysely';
import { sql } from 'kysely';
import { IN_LIST_MAX, NODE_SCAN_ROWS } from '../limits.ts';
import { readMemberships } from './members.ts';
import { findNetwork } from './networks.ts';
import type { StoredNode } from './nodes.ts';
import { toNode } from './nodes.ts';
import type { Page, PageGiven } from './page.ts';
import { afterCursor, toPage } from './page.ts';
import type { NodeRow, Schema } from './schema.ts';
import type { Tx } from './store.ts';

/** Filters that rows decide. */
export interface NodeFilter {
  readonly name?: string | undefined;
  /** Id or name. */
  readonly network?: string | undefined;
  readonly state?: NodeRow['state'] | undefined;
  /** Words, each a part of the name, the id, an address, a MAC or an endpoint. */
  readonly text?: string | undefined;
  /** With commas between. */
  readonly ids?: string | undefined;
  /** Members since then. */
  readonly memberSince?: string | undefined;
}

export interface NodeListGiven extends PageGiven, NodeFilter {
  /** What links decide; undefined: nothing. */
  readonly isWanted?: ((nodeId: string) => boolean) | undefined;
}

/** What a node is sorted by. */
const KEY = ['name', 'id'] as const;
const keyOf = ({ name, id }: Pick<NodeRow, 'name' | 'id'>): readonly string[] => [name, id];

type NodeQuery<O> = SelectQueryBuilder<Schema, 'nodes', O>;

/** Nodes by name. */
export async function listNodes(tx: Tx, given: NodeListGiven): Promise<Page<StoredNode>> {
  const query = await filtered(tx, given);
  const rows =
    given.isWanted === undefined
      ? await afterCursor(query.selectAll(), KEY, given).execute()
      : await pickRows(tx, query, { ...given, isWanted: given.isWanted });
  const memberships = Map.groupBy(
    await readMemberships(
      tx,
      rows.slice(0, given.limit).map(({ id }) => id),
    ),
    ({ nodeId }) => nodeId,
  );
  return toPage(rows, given, keyOf, (row) => toNode(row, memberships.get(row.id) ?? []));
}

/** Id and state of every node that a filter finds. */
export async function readNodeStates(
  tx: Tx,
  given: NodeFilter,
): Promise<readonly Pick<NodeRow, 'id' | 'state'>[]> {
  return await (await filtered(tx, given)).select(['id', 'state']).execute();
}

async function filtered(tx: Tx, given: NodeFilter): Promise<NodeQuery<object>> {
  let query: NodeQuery<object> = tx.db.selectFrom('nodes').where('removed_at', 'is', null);
  const scope = tx.origin.organizationId;
  if (scope !== null) query = query.where('organization_id', '=', scope);
  if (given.name !== undefined) query = query.where('name', '=', given.name);
  if (given.state !== undefined) query = query.where('state', '=', given.state);
  if (given.ids !== undefined) query = query.where('id', 'in', given.ids.split(','));
  const networkId =
    given.network === undefined ? undefined : (await findNetwork(tx, given.network)).id;
  if (networkId !== undefined || given.memberSince !== undefined)
    query = query.where('id', 'in', (eb) => memberIds(eb, networkId, given.memberSince));
  for (const word of wordsOf(given.text ?? ''))
    query = query.where((eb) => holdsWord(eb, word, scope));
  return query;
}

type NodesOf = ExpressionBuilder<Schema, 'nodes'>;

function memberIds(eb: NodesOf, networkId: string | undefined, since: string | undefined) {
  let members = eb.selectFrom('memberships').select('memberships.node_id');
  if (networkId !== undefined) members = members.where('memberships.network_id', '=', networkId);
  if (since === undefined) return members;
  // As text, times of the database compare in their own form alone.
  return members.where('memberships.created_at', '>=', new Date(since).toISOString());
}

/** What addresses, MACs and endpoints are made of: no other word is looked for in them. */
const ADDRESS_PART = /^[0-9a-f.:[\]]+$/;

function holdsWord(eb: NodesOf, word: string, scope: string | null): Expression<SqlBool> {
  const contains = (column: string): Expression<SqlBool> =>
    sql<SqlBool>`${sql.ref(column)} like ${`%${word.replace(/[!%_]/g, '!$&')}%`} escape '!'`;
  const places = [contains('nodes.name'), contains('nodes.id')];
  if (!ADDRESS_PART.test(word)) return eb.or(places);
  const networks = eb.selectFrom('networks').select('networks.id');
  const own = scope === null ? networks : networks.where('networks.organization_id', '=', scope);
  return eb.or([
    ...places,
    contains('nodes.endpoints'),
    eb(
      'id',
      'in',
      eb
        .selectFrom('memberships')
        .select('memberships.node_id')
        .where('memberships.network_id', 'in', own)
        .where(contains('memberships.mac')),
    ),
    eb(
      'id',
      'in',
      eb
        .selectFrom('addresses')
        .select((inner) => inner.ref('addresses.node_id').$notNull().as('node_id'))
        .where('addresses.network_id', 'in', own)
        .where('addresses.released_at', 'is', null)
        .where('addresses.node_id', 'is not', null)
        .where(contains('addresses.address')),
    ),
  ]);
}

/** Rows of one page, and one more, of those that links decide about. */
async function pickRows(
  tx: Tx,
  query: NodeQuery<object>,
  given: PageGiven & { readonly isWanted: (nodeId: string) => boolean },
): Promise<readonly NodeRow[]> {
  const picked: string[] = [];
  let { cursor } = given;
  do {
    const batch = { limit: NODE_SCAN_ROWS, cursor };
    const keys = await afterCursor(query.select(['name', 'id']), KEY, batch).execute();
    const page = toPage(keys, batch, keyOf, ({ id }) => id);
    picked.push(...page.items.filter(given.isWanted));
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && picked.length <= given.limit);
  const rows: NodeRow[] = [];
  for (let from = 0; from <= given.limit && from < picked.length; from += IN_LIST_MAX) {
    const some = picked.slice(from, Math.min(from + IN_LIST_MAX, given.limit + 1));
    const found = await tx.db.selectFrom('nodes').selectAll().where('id', 'in', some).execute();
    const byId = new Map(found.map((row) => [row.id, row]));
    rows.push(...some.flatMap((id) => byId.get(id) ?? []));
  }
  return rows;
}
