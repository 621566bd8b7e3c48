/**
 * Vouchers (docs/trust.md 7): what a join token needs to be good without a controller. The
 * addresses that a voucher allows are reserved until it is used, revoked, or nothing that it made
 * can be valid any more.
 */
import { VOUCHER_CONTACTS_MAX, toBase64url, voucherNote } from '@etherloom/api';
import type {
  NetworkStatement,
  SignedStatement,
  TokenVoucher,
  VoucherContact,
  VoucherStatement,
} from '@etherloom/api';
import type { Authority, Signer } from '@etherloom/core';
import { INTRODUCTION_BYTES_MAX, makeIntroduction, signStatement, signerOf } from '@etherloom/core';
import { parsePrefix } from '../addressing/prefix.ts';
import { currentAuthority, heldSigners } from '../authority/authorities.ts';
import { readSigned, readText } from '../authority/signed.ts';
import { parseSettings } from '../authority/wanted.ts';
import { RequestError, invalidField } from '../request-error.ts';
import { takeFreeAddress } from './addresses.ts';
import { createReservation, deleteReservation } from './reservations.ts';
import type { JoinTokenRowStored, NetworkRow } from './schema.ts';
import type { Tx } from './store.ts';

const DAY_MS = 86_400_000;

/**
 * Makes the voucher of a token that is stored already. Rejects with RequestError when this
 * controller cannot sign it, or no member could take its holder in.
 */
export async function createVoucher(
  tx: Tx,
  network: NetworkRow,
  token: JoinTokenRowStored,
): Promise<TokenVoucher> {
  // Without a controller, its addresses are what keeps a voucher to one use.
  if (network.ipv4 === null && network.ipv6 === null)
    throw invalidField(
      'offlineOk',
      `a token that is good without a controller needs an address pool, and network "${network.name}" has none`,
    );
  const { stalenessDays } = parseSettings(network.settings);
  const lifeMs = Date.parse(token.expires_at) - tx.now.getTime();
  if (lifeMs > stalenessDays * DAY_MS)
    throw invalidField(
      'lifetimeSeconds',
      `a token that is good without a controller lives for ${stalenessDays} days at most, the stalenessDays of network "${network.name}"`,
    );
  const authority = await currentAuthority(tx, network.organization_id);
  const signers = await signersOf(tx, authority);
  const contacts = await findContacts(tx, network);
  const published = await publishedNetwork(tx, network);
  const reserved = await reserveAddresses(tx, network, token.id);
  const privateBytes = tx.random(32);
  const statement: VoucherStatement = {
    type: 'voucher',
    organizationId: network.organization_id,
    networkId: network.id,
    voucherId: token.id,
    vni: network.vni,
    key: signerOf(privateBytes).key,
    addresses: reserved.map(({ address }) => address),
    groups: [],
    issuedAt: tx.now.toISOString(),
    expiresAt: token.expires_at,
  };
  const voucher = signStatement(statement, signers);
  assertShort(voucher, statement, privateBytes);
  const keepUntil = new Date(Date.parse(token.expires_at) + stalenessDays * DAY_MS).toISOString();
  await tx.db
    .insertInto('vouchers')
    .values({
      token_id: token.id,
      reservation_ids: JSON.stringify(reserved.map(({ id }) => id)),
      keep_until: keepUntil,
    })
    .execute();
  // Nobody may be told whether it was used: the VNI is held as if it was.
  const holder = { vni: network.vni, network_id: network.id, node_id: token.id };
  await tx.db
    .insertInto('vni_holders')
    .values({ ...holder, until: keepUntil })
    .execute();
  return {
    voucher,
    privateKey: toBase64url(privateBytes),
    authority: authority.signed,
    network: published,
    contacts,
  };
}

/** Until when a token is good at this controller; null: it has no voucher, its own life counts. */
export async function voucherEnd(tx: Tx, tokenId: string): Promise<string | null> {
  const row = await voucherOf(tx, tokenId);
  return row?.keep_until ?? null;
}

/** The node that joins gets the addresses that the voucher allowed it. */
export async function bindVoucher(tx: Tx, tokenId: string, nodeId: string): Promise<void> {
  const row = await voucherOf(tx, tokenId);
  const ids = row === undefined ? [] : idsOf(row.reservation_ids);
  for (const id of ids)
    await tx.db.updateTable('reservations').set({ node_id: nodeId }).where('id', '=', id).execute();
}

/** The voucher is used or revoked: its addresses are free. */
export async function endVoucher(tx: Tx, tokenId: string, networkId: string): Promise<void> {
  const row = await voucherOf(tx, tokenId);
  if (row === undefined) return;
  for (const id of idsOf(row.reservation_ids)) {
    const held = await tx.db
      .selectFrom('reservations')
      .select('id')
      .where('id', '=', id)
      .executeTakeFirst();
    if (held !== undefined) await deleteReservation(tx, networkId, id);
  }
  await tx.db.deleteFrom('vouchers').where('token_id', '=', tokenId).execute();
}

/** Ends those of which nothing can be valid any more. */
export async function endOldVouchers(tx: Tx): Promise<void> {
  const rows = await tx.db
    .selectFrom('vouchers')
    .innerJoin('join_tokens', 'join_tokens.id', 'vouchers.token_id')
    .select(['vouchers.token_id', 'join_tokens.network_id'])
    .where('vouchers.keep_until', '<=', tx.now.toISOString())
    .execute();
  for (const { token_id, network_id } of rows) await endVoucher(tx, token_id, network_id);
}

function voucherOf(tx: Tx, tokenId: string) {
  return tx.db
    .selectFrom('vouchers')
    .selectAll()
    .where('token_id', '=', tokenId)
    .executeTakeFirst();
}

function idsOf(stored: string): string[] {
  return JSON.parse(stored) as string[]; // written above
}

async function signersOf(tx: Tx, authority: Authority): Promise<Signer[]> {
  const { statement } = authority;
  const signers = await heldSigners(tx, statement);
  if (signers.length >= statement.threshold) return signers.slice(0, statement.threshold);
  throw invalidField(
    'offlineOk',
    'a token that is good without a controller has to be signed by the authority, whose keys this controller does not hold',
  );
}

/** Those that were heard of last, with what proves them. */
async function findContacts(tx: Tx, network: NetworkRow): Promise<VoucherContact[]> {
  const rows = await tx.db
    .selectFrom('published_members')
    .innerJoin('nodes', 'nodes.id', 'published_members.node_id')
    .select(['published_members.statement', 'nodes.endpoint_record'])
    .where('published_members.network_id', '=', network.id)
    .where('nodes.endpoint_record', 'is not', null)
    .where('nodes.endpoints', '<>', '[]')
    .orderBy('nodes.last_seen_at', 'desc')
    .orderBy('nodes.id')
    .limit(VOUCHER_CONTACTS_MAX)
    .execute();
  const contacts = rows.flatMap(({ statement, endpoint_record: endpointRecord }) =>
    endpointRecord === null ? [] : [{ credential: readSigned(statement), endpointRecord }],
  );
  if (contacts.length > 0) return contacts;
  throw invalidField(
    'network',
    `no member of network "${network.name}" has said where it is reached, so none could take in who joins without a controller`,
  );
}

async function publishedNetwork(tx: Tx, network: NetworkRow): Promise<SignedStatement> {
  const row = await tx.db
    .selectFrom('published_networks')
    .select('statement')
    .where('network_id', '=', network.id)
    .executeTakeFirstOrThrow();
  const signed = readSigned(row.statement);
  const { vni } = readText<NetworkStatement>(signed.statement);
  if (vni === network.vni) return signed;
  throw new Error(`the statement of ${network.id} is of another VNI than its row`);
}

async function reserveAddresses(tx: Tx, network: NetworkRow, tokenId: string) {
  const reserved = [];
  for (const pool of [network.ipv4, network.ipv6]) {
    if (pool === null) continue;
    const address = await takeFreeAddress(tx, network, parsePrefix(pool));
    const note = voucherNote(tokenId);
    reserved.push(await createReservation(tx, network.id, { address, note }));
  }
  return reserved;
}

/** With many signatures of the authority an introduction would not fit a handshake. */
function assertShort(
  voucher: SignedStatement,
  statement: VoucherStatement,
  privateBytes: Uint8Array,
): void {
  const longest = makeIntroduction(
    {
      nodeId: '0'.repeat(32),
      name: 'n'.repeat(63),
      signKey: statement.key,
      sessionKey: statement.key,
    },
    {
      voucher,
      statement,
      signer: signerOf(privateBytes),
      stalenessDays: 1,
      issuedAt: statement.issuedAt,
    },
  );
  const bytes = longest.statement.length + JSON.stringify(longest.signatures).length + 3;
  if (bytes <= INTRODUCTION_BYTES_MAX) return;
  throw new RequestError(
    'limit_reached',
    `the voucher has too many signatures: who uses it would have to say ${bytes} bytes in one handshake, of ${INTRODUCTION_BYTES_MAX}`,
  );
}
