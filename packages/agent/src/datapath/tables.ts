/**
 * The data path's tables as rows: what a plan wants, and the requests that lead there from what is
 * set. Pure. A row's request is made when it is sent, with the generation of the attachment and the
 * endpoint that the mesh has learnt since the plan was made.
 */
import { encodeControl } from '@etherloom/core';
import type { Endpoint, TablePlan } from '@etherloom/core';
import type { DatapathRequest } from './client.ts';

/** One entry of a table of the data path. */
export interface TableRow {
  /** Table and key; one row each. */
  readonly key: string;
  /** Differs when the entry has to be set again. */
  readonly signature: string;
  readonly set: (generation: number) => DatapathRequest;
  readonly remove: DatapathRequest;
  /** The entry has to be deleted before it is set: the data path has to open the device anew. */
  readonly replaceBy: 'set' | 'delete-then-set';
}

export interface RowSources {
  /** Name of the usable device of a network; undefined: the network has no port and no entries. */
  readonly interfaceOf: (networkId: string) => string | undefined;
  readonly endpointOf: (peer: number) => Endpoint;
}

/** Rows in the order in which they are set: ports and peers before what refers to them. */
export function rowsOf(plan: TablePlan, sources: RowSources): Map<string, TableRow> {
  const rows: TableRow[] = [];
  const vnis = new Set<number>();
  for (const port of plan.ports) {
    const name = sources.interfaceOf(port.networkId);
    if (name === undefined) continue;
    vnis.add(port.vni);
    const values = {
      vni: port.vni,
      name: interfaceNameBytes(name),
      mac: port.mac,
      mtu: port.mtuBytes,
    };
    rows.push(
      row(`port ${port.vni}`, { name: 'portDelete', values: { vni: port.vni } }, (generation) => ({
        name: 'portSet',
        values: { generation, ...values },
      })),
    );
  }
  for (const { peer } of plan.peers) {
    rows.push({
      ...row(`peer ${peer}`, { name: 'peerDelete', values: { peer } }, (generation) => ({
        name: 'peerSet',
        values: { generation, peer, endpoint: sources.endpointOf(peer) },
      })),
      signature: '', // the endpoint is the mesh's to move
    });
  }
  for (const { vni, mac, peer } of plan.fdb.filter((entry) => vnis.has(entry.vni))) {
    rows.push(
      row(`fdb ${vni} ${hex(mac)}`, { name: 'fdbDelete', values: { vni, mac } }, (generation) => ({
        name: 'fdbSet',
        values: { generation, vni, mac, peer },
      })),
    );
  }
  for (const { vni, ip, mac, peer } of plan.neighbours.filter((entry) => vnis.has(entry.vni))) {
    rows.push(
      row(
        `neighbour ${vni} ${hex(ip)}`,
        { name: 'neighbourDelete', values: { vni, ip } },
        (generation) => ({
          name: 'neighbourSet',
          values: { generation, vni, ip, mac, peer },
        }),
      ),
    );
  }
  for (const { vni, peer } of plan.flood.filter((entry) => vnis.has(entry.vni))) {
    rows.push(
      row(`flood ${vni} ${peer}`, { name: 'floodDelete', values: { vni, peer } }, (generation) => ({
        name: 'floodSet',
        values: { generation, vni, peer },
      })),
    );
  }
  return new Map(rows.map((entry) => [entry.key, entry]));
}

export interface TableDifference {
  readonly sets: readonly DatapathRequest[];
  /**
   * Sent after the sets: an entry that moves from a peer to another must not be missing in between.
   */
  readonly removals: readonly DatapathRequest[];
}

/** Requests that lead from the rows that are set to the wanted ones. */
export function differenceOf(
  held: ReadonlyMap<string, TableRow>,
  wanted: ReadonlyMap<string, TableRow>,
  generation: number,
): TableDifference {
  const sets: DatapathRequest[] = [];
  for (const [key, entry] of wanted) {
    const before = held.get(key);
    if (before?.signature === entry.signature) continue;
    if (before !== undefined && entry.replaceBy === 'delete-then-set') sets.push(before.remove);
    sets.push(entry.set(generation));
  }
  const removals = [...held]
    .flatMap(([key, entry]) => (wanted.has(key) ? [] : [entry.remove]))
    .toReversed();
  return { sets, removals };
}

function row(key: string, remove: DatapathRequest, set: TableRow['set']): TableRow {
  const request = set(0);
  const signature = hex(encodeControl(request.name, 0, request.values as never)); // one member
  return {
    key,
    signature,
    set,
    remove,
    replaceBy: key.startsWith('port ') ? 'delete-then-set' : 'set',
  };
}

function interfaceNameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(name));
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
