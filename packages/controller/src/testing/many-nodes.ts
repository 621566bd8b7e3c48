/**
 * For tests: thousands of nodes as rows of a controller's database, put there behind its back:
 * joining each takes minutes. They are members whose credentials wait for a signature.
 */
import { createHash } from 'node:crypto';
import type { Network } from '@etherloom/api';
import { addressKey, addressNumber, addressText } from '../addressing/prefix.ts';
import type { RunSql } from './test-database.ts';
import { lookInto } from './test-database.ts';

export interface ManyNodes {
  readonly count: number;
  readonly network: Pick<Network, 'id' | 'organizationId' | 'ipv4'>;
  /** Default: many-00000, many-00001, ... */
  readonly nameOf?: (index: number) => string;
  /** Default: none waits. */
  readonly isPending?: (index: number) => boolean;
}

/** Puts them in; gives their ids in order. */
export async function insertManyNodes(
  dataDirectory: string,
  given: ManyNodes,
): Promise<readonly string[]> {
  const ids: string[] = [];
  await lookInto(dataDirectory, async (run) => {
    await run('begin');
    for (let index = 0; index < given.count; index += 1)
      ids.push(await insertNode(run, given, index));
    await run('commit');
  });
  return ids;
}

async function insertNode(run: RunSql, given: ManyNodes, index: number): Promise<string> {
  const { network } = given;
  const name = given.nameOf?.(index) ?? `many-${String(index).padStart(5, '0')}`;
  const [id, ...keys] = ['id', 'sign', 'session'].map((part) =>
    createHash('sha256').update(`${network.id} ${name} ${part}`).digest(),
  );
  const nodeId = (id as Buffer).subarray(0, 16).toString('hex'); // one of three
  const at = '2026-01-01T00:00:00.000Z';
  await run(
    `insert into nodes (id, organization_id, name, sign_key, session_key, endpoints, state, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      nodeId,
      network.organizationId,
      name,
      ...keys.map((key) => key.toString('base64url')),
      JSON.stringify([`203.0.113.${index % 250}:${8_000 + (index % 1_000)}`]),
      given.isPending?.(index) === true ? 'pending' : 'active',
      at,
    ],
  );
  if (given.isPending?.(index) === true) return nodeId;
  const mac = `02:4d:${(index + 0x1_0000_0000)
    .toString(16)
    .slice(1)
    .replace(/..(?!$)/g, '$&:')}`;
  await run('insert into memberships (network_id, node_id, mac, created_at) values (?, ?, ?, ?)', [
    network.id,
    nodeId,
    mac,
    at,
  ]);
  const pool = network.ipv4;
  if (pool === null) return nodeId;
  const number = addressNumber(pool.replace(/\/.*/, '')) + BigInt(index + 1);
  await run(
    `insert into addresses (network_id, address_key, address, family, node_id) values (?, ?, ?, 4, ?)`,
    [network.id, addressKey(number), addressText(number), nodeId],
  );
  return nodeId;
}
