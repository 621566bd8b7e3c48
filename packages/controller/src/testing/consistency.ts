/**
 * For tests: whether what a database holds fits together. A database that was restored, or whose
 * controller was killed, must.
 */
import type { CredentialStatement } from '@etherloom/api';
import { openAuthority, verifyNetworkState } from '@etherloom/core';
import { authorityChain, authorityHash } from '../authority/authorities.ts';
import { readSigned, readText } from '../authority/signed.ts';
import { addressKey, memberRange, parsePrefix } from '../addressing/prefix.ts';
import type { NetworkRow } from '../store/schema.ts';
import type { Store, Tx } from '../store/store.ts';
import { readState } from './published-state.ts';

/** Everything that does not fit; empty when all does. */
export async function findInconsistencies(store: Store): Promise<string[]> {
  return await store.read(async (tx) => {
    const networks = await tx.db.selectFrom('networks').selectAll().execute();
    const found = [
      ...doubles(
        'VNI',
        networks.map(({ vni }) => vni),
      ),
    ];
    for (const network of networks) {
      const say = (problem: string) => found.push(`${network.name}: ${problem}`);
      for (const problem of await addressProblems(tx, network)) say(problem);
      for (const problem of await revisionProblems(tx, network)) say(problem);
      for (const problem of await rosterProblems(tx, network)) say(problem);
    }
    return [...found, ...(await ledgerProblems(tx))];
  });
}

/** Each member has one address of each pool, within it, that no other has. */
async function addressProblems(tx: Tx, network: NetworkRow): Promise<string[]> {
  const members = await memberIds(tx, network.id);
  const rows = await tx.db
    .selectFrom('addresses')
    .selectAll()
    .where('network_id', '=', network.id)
    .where('released_at', 'is', null)
    .execute();
  const found = rows
    .filter(({ node_id }) => !members.has(node_id ?? ''))
    .map(({ address }) => `${address} is of no member`);
  for (const [family, text] of [
    [4, network.ipv4],
    [6, network.ipv6],
  ] as const) {
    if (text === null) continue;
    const { first, last } = memberRange(parsePrefix(text));
    const held = rows.filter((row) => row.family === family);
    for (const nodeId of members)
      if (held.filter(({ node_id }) => node_id === nodeId).length !== 1)
        found.push(`${nodeId} has not one address of IPv${family}`);
    for (const { address, address_key: key } of held)
      if (key < addressKey(first) || key > addressKey(last))
        found.push(`${address} is not in ${text}`);
  }
  return found;
}

/** Nothing carries a revision or version that its network has not reached. */
async function revisionProblems(tx: Tx, network: NetworkRow): Promise<string[]> {
  const rows = await tx.db
    .selectFrom('published_members')
    .selectAll()
    .where('network_id', '=', network.id)
    .execute();
  const found = [];
  for (const row of rows) {
    const newest = Math.max(row.joined_revision, row.changed_revision, row.proof_revision);
    if (newest > network.revision) found.push(`${row.node_id} is ahead of the revision`);
    if (row.serial > network.credential_serial) found.push(`${row.node_id} has a later serial`);
  }
  if (network.delta_floor > network.revision) found.push('the delta floor is above the revision');
  return found;
}

/** What is signed is what is stored, it verifies, and its members hold the VNI. */
async function rosterProblems(tx: Tx, network: NetworkRow): Promise<string[]> {
  const published = await readState(tx, network.id);
  if (published === null) return ['nothing of it is published'];
  const chain = await authorityChain(tx, network.organization_id);
  const opened = openAuthority(await authorityHash(tx, network.organization_id), chain);
  if (!opened.ok) return [`its authority does not verify: ${opened.refusal.code}`];
  const { authority } = opened;
  const verified = verifyNetworkState({ ...published, authority, held: undefined });
  const found = verified.ok ? [] : [`its state does not verify: ${verified.refusal.code}`];
  const signed = Object.values(published.proof.members).map(
    ({ credential }) => readText<CredentialStatement>(credential.statement).nodeId,
  );
  const members = await memberIds(tx, network.id);
  if (signed.toSorted().join() !== [...members].toSorted().join())
    found.push(`${signed.length} members are signed, ${members.size} are stored`);
  const holders = await tx.db
    .selectFrom('vni_holders')
    .select('node_id')
    .where('network_id', '=', network.id)
    .where('vni', '=', network.vni)
    .execute();
  const holding = new Set(holders.map(({ node_id }) => node_id));
  for (const nodeId of members) if (!holding.has(nodeId)) found.push(`${nodeId} holds no VNI`);
  const row = await tx.db
    .selectFrom('published_networks')
    .select('statement')
    .where('network_id', '=', network.id)
    .executeTakeFirstOrThrow();
  const { vni } = readText<{ readonly vni: number }>(readSigned(row.statement).statement);
  if (vni !== network.vni) found.push('its statement has another VNI');
  return found;
}

/** Numbers of a ledger without a gap, up to its head. */
async function ledgerProblems(tx: Tx): Promise<string[]> {
  const heads = await tx.db.selectFrom('ledger_heads').selectAll().execute();
  const found = [];
  for (const head of heads) {
    const rows = await tx.db
      .selectFrom('ledger_entries')
      .select(['number', 'hash'])
      .where('organization_id', '=', head.organization_id)
      .orderBy('number')
      .execute();
    const last = rows.at(-1);
    if (rows.length !== head.number - head.first_number + 1) found.push('a ledger has a gap');
    if (last !== undefined && (last.number !== head.number || last.hash !== head.hash))
      found.push('a ledger does not end at its head');
  }
  return found;
}

async function memberIds(tx: Tx, networkId: string): Promise<Set<string>> {
  const rows = await tx.db
    .selectFrom('memberships')
    .select('node_id')
    .where('network_id', '=', networkId)
    .execute();
  return new Set(rows.map(({ node_id }) => node_id));
}

function doubles(noun: string, values: readonly (string | number)[]): string[] {
  return values
    .filter((value, index) => values.indexOf(value) !== index)
    .map((value) => `${noun} ${value} is there twice`);
}
