/** Networks: creating with a VNI and pools, finding by id or name, deleting. */
import type { Network, NetworkSettings } from '@etherloom/api';
import { LIST_ROWS_MAX, NETWORK_SETTINGS_DEFAULT } from '@etherloom/api';
import { parseSettings } from '../authority/wanted.ts';
import type { Prefix } from '../addressing/prefix.ts';
import {
  addressKey,
  memberRange,
  overlaps,
  parseGivenPrefix,
  parsePrefix,
  tenSlash24,
  uniqueLocalSlash64,
} from '../addressing/prefix.ts';
import { record } from '../audit/record.ts';
import { makeId } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';
import { settle } from '../authority/settle.ts';
import { countNetworks } from './count.ts';
import { organizationIdFor } from './organizations.ts';
import type { Page, PageGiven } from './page.ts';
import { afterCursor, toPage } from './page.ts';
import type { NetworkRow } from './schema.ts';
import type { Tx } from './store.ts';
import { touchAll } from './store.ts';
import { allocateVni, quarantineVni } from './vni.ts';

export interface NetworkGiven {
  readonly name: string;
  readonly organizationId?: string | undefined;
  /** undefined: choose one; null: none. */
  readonly ipv4?: string | null | undefined;
  readonly ipv6?: string | null | undefined;
  readonly mtuBytes: number;
  readonly settings?: SettingsGiven | undefined;
}

/** Settings to set; what is left out stays as it is. */
export type SettingsGiven = {
  readonly [Name in keyof NetworkSettings]?: NetworkSettings[Name] | undefined;
};

/** /24 prefixes in 10.0.0.0/8. */
const TEN_SLASH_24_COUNT = 65_536;

export async function createNetwork(tx: Tx, given: NetworkGiven): Promise<Network> {
  const organizationId = await organizationIdFor(tx, given.organizationId);
  const ipv4 =
    given.ipv4 === undefined
      ? await freeTenSlash24(tx, organizationId)
      : given.ipv4 === null
        ? null
        : parseGivenPrefix(given.ipv4, 'ipv4');
  const ipv6 =
    given.ipv6 === undefined
      ? uniqueLocalSlash64(tx.random(7))
      : given.ipv6 === null
        ? null
        : parseGivenPrefix(given.ipv6, 'ipv6');
  const taken = await tx.db
    .selectFrom('networks')
    .select('id')
    .where('organization_id', '=', organizationId)
    .where('name', '=', given.name)
    .executeTakeFirst();
  if (taken)
    throw new RequestError(
      'name_taken',
      `a network named "${given.name}" exists in this organization`,
    );
  if ((await countNetworks(tx, organizationId)) >= LIST_ROWS_MAX) {
    throw new RequestError(
      'limit_reached',
      `an organization has ${LIST_ROWS_MAX} networks at most`,
    );
  }
  const row: NetworkRow = {
    id: makeId('net', tx.random),
    organization_id: organizationId,
    name: given.name,
    vni: await allocateVni(tx),
    mtu_bytes: given.mtuBytes,
    ipv4: ipv4?.text ?? null,
    ipv6: ipv6?.text ?? null,
    settings: mergeSettings(NETWORK_SETTINGS_DEFAULT, given.settings ?? {}),
    ipv4_cursor: cursorOf(ipv4),
    ipv6_cursor: cursorOf(ipv6),
    revision: 0,
    config_revision: 0,
    delta_floor: 1,
    statement_version: 0,
    roster_version: 0,
    credential_serial: 0,
    settled_authority: 0,
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('networks').values(row).execute();
  touchAll(tx, row.id);
  await settle(tx);
  const made = await showNetwork(tx, row.id);
  recordNetwork(tx, 'network.create', null, made);
  return made;
}

function recordNetwork(
  tx: Tx,
  action: string,
  before: Network | null,
  after: Network | null,
): void {
  const { id, name, organizationId } = after ?? before ?? unchanged();
  const target = { noun: 'network', id, name };
  record(tx, { organizationId, action, target, networkId: id, before, after });
}

function unchanged(): never {
  throw new Error('a change has something before or after it');
}

/**
 * Pool of members when none is asked for. It starts at a random place, so that it seldom meets a
 * prefix of the underlay.
 */
async function freeTenSlash24(tx: Tx, organizationId: string): Promise<Prefix> {
  const rows = await tx.db
    .selectFrom('networks')
    .select('ipv4')
    .where('organization_id', '=', organizationId)
    .execute();
  const others = rows.flatMap((row) => (row.ipv4 === null ? [] : [parsePrefix(row.ipv4)]));
  const [high = 0, low = 0] = tx.random(2);
  for (let i = 0; i < TEN_SLASH_24_COUNT; i += 1) {
    const candidate = tenSlash24(((high << 8) + low + i) % TEN_SLASH_24_COUNT);
    if (!others.some((other) => overlaps(other, candidate))) return candidate;
  }
  throw new RequestError(
    'pool_exhausted',
    'no /24 of 10.0.0.0/8 is free in this organization: name a prefix of your own',
  );
}

function cursorOf(prefix: Prefix | null): string | null {
  return prefix === null ? null : addressKey(memberRange(prefix).first);
}

export async function listNetworks(
  tx: Tx,
  given: PageGiven & { readonly name?: string | undefined },
): Promise<Page<Network>> {
  let query = networksInScope(tx);
  if (given.name !== undefined) query = query.where('name', '=', given.name);
  const rows = await afterCursor(query, ['name', 'id'], given).execute();
  const ids = rows.map((row) => row.id);
  if (ids.length === 0) return { items: [], next: null };
  const counts = await tx.db
    .selectFrom('memberships')
    .select((eb) => ['network_id', eb.fn.countAll<number | string | bigint>().as('count')])
    .where('network_id', 'in', ids)
    .groupBy('network_id')
    .execute();
  const countOf = new Map(counts.map((row) => [row.network_id, Number(row.count)]));
  const waiting = await tx.db
    .selectFrom('pending_statements')
    .select('network_id')
    .distinct()
    .where('network_id', 'in', ids)
    .execute();
  const isPending = new Set(waiting.map((row) => row.network_id));
  return toPage(
    rows,
    given,
    (row) => [row.name, row.id],
    (row) => toNetwork(row, countOf.get(row.id) ?? 0, isPending.has(row.id)),
  );
}

export async function showNetwork(tx: Tx, idOrName: string): Promise<Network> {
  const row = await findNetwork(tx, idOrName);
  const members = await tx.db
    .selectFrom('memberships')
    .select('node_id')
    .where('network_id', '=', row.id)
    .execute();
  const waiting = await tx.db
    .selectFrom('pending_statements')
    .select('subject')
    .where('network_id', '=', row.id)
    .limit(1)
    .executeTakeFirst();
  return toNetwork(row, members.length, waiting !== undefined);
}

/**
 * Finds a network by id or name. Rejects with not_found, or invalid_request where organizations
 * share the name.
 */
export async function findNetwork(tx: Tx, idOrName: string): Promise<NetworkRow> {
  const rows = await networksInScope(tx)
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .limit(2)
    .execute();
  const [row, other] = rows;
  if (!row)
    throw new RequestError('not_found', `no network has the id or name "${idOrName.slice(0, 80)}"`);
  if (other)
    throw new RequestError(
      'invalid_request',
      `several organizations have a network named "${idOrName}": use its id`,
    );
  return row;
}

function networksInScope(tx: Tx) {
  const query = tx.db.selectFrom('networks').selectAll();
  const scope = tx.origin.organizationId;
  return scope === null ? query : query.where('organization_id', '=', scope);
}

/** The row of a network id, whoever asks. */
export function networkById(tx: Tx, id: string): Promise<NetworkRow | undefined> {
  return tx.db.selectFrom('networks').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Changes settings of a network; members follow when the change is signed. */
export async function setNetworkSettings(
  tx: Tx,
  idOrName: string,
  given: SettingsGiven,
): Promise<Network> {
  const row = await findNetwork(tx, idOrName);
  const before = await showNetwork(tx, row.id);
  const settings = mergeSettings(parseSettings(row.settings), given);
  await tx.db.updateTable('networks').set({ settings }).where('id', '=', row.id).execute();
  touchAll(tx, row.id);
  await settle(tx);
  const after = await showNetwork(tx, row.id);
  recordNetwork(tx, 'network.settings', before, after);
  return after;
}

/** JSON of settings, always in the same order. */
function mergeSettings(held: NetworkSettings, given: SettingsGiven): string {
  const settings: NetworkSettings = {
    clones: given.clones ?? held.clones,
    cloneAdmission: given.cloneAdmission ?? held.cloneAdmission,
    stalenessDays: given.stalenessDays ?? held.stalenessDays,
    postQuantum: given.postQuantum ?? held.postQuantum,
  };
  return JSON.stringify(settings);
}

/** Deletes a network with all that hangs on it; its VNI goes to quarantine. */
export async function deleteNetwork(tx: Tx, idOrName: string): Promise<void> {
  const row = await findNetwork(tx, idOrName);
  recordNetwork(tx, 'network.delete', await showNetwork(tx, row.id), null);
  const members = await tx.db
    .selectFrom('memberships')
    .select('node_id')
    .where('network_id', '=', row.id)
    .execute();
  await quarantineVni(tx, row.id);
  await tx.db.deleteFrom('networks').where('id', '=', row.id).execute();
  tx.changes.networkIds.add(row.id);
  for (const member of members) tx.changes.nodeIds.add(member.node_id);
}

function toNetwork(row: NetworkRow, memberCount: number, isPending: boolean): Network {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    vni: row.vni,
    mtuBytes: row.mtu_bytes,
    ipv4: row.ipv4,
    ipv6: row.ipv6,
    settings: parseSettings(row.settings),
    revision: row.revision,
    isPending,
    memberCount,
    createdAt: row.created_at,
  };
}
