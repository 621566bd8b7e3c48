/** Reservations: addresses of a pool that are kept out of it, for one node or for nobody. */
import type { Reservation } from '@etherloom/api';
import {
  addressKey,
  addressNumber,
  addressText,
  contains,
  familyOf,
  memberRange,
  parsePrefix,
} from '../addressing/prefix.ts';
import { record } from '../audit/record.ts';
import { makeId } from '../identifiers.ts';
import { RESERVATIONS_MAX } from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import { countInNetwork } from './count.ts';
import { findNode } from './find-node.ts';
import { findNetwork } from './networks.ts';
import type { Page, PageGiven } from './page.ts';
import { afterCursor, toPage } from './page.ts';
import type { NetworkRow, ReservationRow } from './schema.ts';
import type { Tx } from './store.ts';

export interface ReservationGiven {
  readonly address: string;
  readonly nodeId?: string | undefined;
  readonly note: string;
}

/** By address. */
export async function listReservations(
  tx: Tx,
  networkText: string,
  given: PageGiven & { readonly node?: string | undefined },
): Promise<Page<Reservation>> {
  const network = await findNetwork(tx, networkText);
  let query = tx.db.selectFrom('reservations').selectAll().where('network_id', '=', network.id);
  if (given.node !== undefined) {
    const { id } = await findNode(tx, given.node, network.organization_id);
    query = query.where('node_id', '=', id);
  }
  const rows = await afterCursor(query, ['address_key', 'id'], given).execute();
  return toPage(rows, given, (row) => [row.address_key, row.id], toReservation);
}

export async function createReservation(
  tx: Tx,
  networkText: string,
  given: ReservationGiven,
): Promise<Reservation> {
  const network = await findNetwork(tx, networkText);
  const number = addressNumber(given.address);
  checkAddress(network, given.address, number);
  const key = addressKey(number);
  await checkFree(tx, network, key, given);
  if ((await countInNetwork(tx, 'reservations', network.id)) >= RESERVATIONS_MAX) {
    throw new RequestError(
      'limit_reached',
      `a network holds ${RESERVATIONS_MAX} reservations at most`,
    );
  }
  const row: ReservationRow = {
    id: makeId('rsv', tx.random),
    network_id: network.id,
    address_key: key,
    address: addressText(number),
    family: familyOf(number),
    node_id: given.nodeId ?? null,
    note: given.note,
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('reservations').values(row).execute();
  // Whoever had the address before cannot return to it.
  await tx.db
    .deleteFrom('addresses')
    .where('network_id', '=', network.id)
    .where('address_key', '=', key)
    .where('released_at', 'is not', null)
    .execute();
  const made = toReservation(row);
  recordReservation(tx, network, 'reservation.create', { before: null, after: made });
  return made;
}

function recordReservation(
  tx: Tx,
  network: NetworkRow,
  action: string,
  change: { readonly before: Reservation | null; readonly after: Reservation | null },
): void {
  const { id = '', address = null } = change.after ?? change.before ?? {};
  record(tx, {
    organizationId: network.organization_id,
    action,
    target: { noun: 'reservation', id, name: address },
    networkId: network.id,
    ...change,
  });
}

function checkAddress(network: NetworkRow, text: string, number: bigint): void {
  const family = familyOf(number);
  const poolText = family === 4 ? network.ipv4 : network.ipv6;
  if (poolText === null)
    throw invalidField('address', `network "${network.name}" has no IPv${family} pool`);
  const pool = parsePrefix(poolText);
  if (!contains(pool, number))
    throw invalidField(
      'address',
      `${text} is not in pool ${pool.text} of network "${network.name}"`,
    );
  const range = memberRange(pool);
  if (number < range.first || number > range.last) {
    throw invalidField(
      'address',
      `${text} is the ${number < range.first ? (family === 4 ? 'network' : 'subnet-router anycast') : 'broadcast'} address of ${pool.text}`,
    );
  }
}

async function checkFree(
  tx: Tx,
  network: NetworkRow,
  key: string,
  given: ReservationGiven,
): Promise<void> {
  const reserved = await tx.db
    .selectFrom('reservations')
    .select('id')
    .where('network_id', '=', network.id)
    .where('address_key', '=', key)
    .executeTakeFirst();
  if (reserved)
    throw new RequestError(
      'reservation_overlaps',
      `${given.address} is reserved already (${reserved.id})`,
    );
  const assigned = await tx.db
    .selectFrom('addresses')
    .select('node_id')
    .where('network_id', '=', network.id)
    .where('address_key', '=', key)
    .where('released_at', 'is', null)
    .executeTakeFirst();
  if (assigned && assigned.node_id !== (given.nodeId ?? null)) {
    throw new RequestError(
      'reservation_overlaps',
      `${given.address} is assigned to node ${assigned.node_id}`,
    );
  }
}

export async function deleteReservation(tx: Tx, networkText: string, id: string): Promise<void> {
  const network = await findNetwork(tx, networkText);
  const row = await tx.db
    .selectFrom('reservations')
    .selectAll()
    .where('id', '=', id)
    .where('network_id', '=', network.id)
    .executeTakeFirst();
  if (!row)
    throw new RequestError(
      'not_found',
      `network "${network.name}" has no reservation "${id.slice(0, 80)}"`,
    );
  const before = toReservation(row);
  recordReservation(tx, network, 'reservation.delete', { before, after: null });
  await tx.db.deleteFrom('reservations').where('id', '=', row.id).execute();
  const cursor = row.family === 4 ? network.ipv4_cursor : network.ipv6_cursor;
  const known = await tx.db
    .selectFrom('addresses')
    .select('address_key')
    .where('network_id', '=', network.id)
    .where('address_key', '=', row.address_key)
    .executeTakeFirst();
  // Allocation passed over it: it comes back to the pool as a released one.
  if (!known && cursor !== null && row.address_key < cursor) {
    await tx.db
      .insertInto('addresses')
      .values({
        network_id: network.id,
        address_key: row.address_key,
        address: row.address,
        family: row.family,
        node_id: null,
        released_at: tx.now.toISOString(),
      })
      .execute();
  }
}

function toReservation(row: ReservationRow): Reservation {
  return {
    id: row.id,
    networkId: row.network_id,
    address: row.address,
    nodeId: row.node_id,
    note: row.note,
    createdAt: row.created_at,
  };
}
