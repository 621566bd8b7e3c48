/** Fills the tables of a data path as a host has them that is in a large network. */
import { randomBytes } from 'node:crypto';
import { SESSION_ACTIVATION, parseEndpoint } from '@etherloom/core';
import type { MessageValues } from '@etherloom/core';
import type { ControlConnection } from './control-connection.ts';
import { GENERATION, SESSION_LIFETIME_MS, VNI, ipBytes, macBytes } from './drive-datapath.ts';

/** Sizes of the promise: peers with a session each, and FDB entries. */
export const PEERS = 1_000;
export const FDB_ENTRIES = 100_000;
/** Peers and sessions of full tables begin here; lower ones belong to the pair itself. */
const FIRST_PEER = 2;
const FIRST_SESSION = 0x10_0000;

/** 999 peers beside the one that has the traffic, a session with each, and all FDB entries. */
export async function fillPeersAndFdb(control: ControlConnection): Promise<void> {
  const peers = Array.from({ length: PEERS - 1 }, (_, index) => FIRST_PEER + index);
  await control.askMany(
    'peerSet',
    peers.map((peer) => ({ generation: GENERATION, peer, endpoint: endpointOf(peer) })),
  );
  await control.askMany('sessionSet', peers.map(sessionOf));
  await control.askMany(
    'fdbSet',
    entries((index, peer) => ({ mac: macOf(index), peer })),
  );
}

/** As many neighbour entries, one for each FDB entry. */
export function fillNeighbours(control: ControlConnection): Promise<void> {
  return control.askMany(
    'neighbourSet',
    entries((index, peer) => ({ ip: ipOf(index), mac: macOf(index), peer })),
  );
}

function entries<T>(
  entryOf: (index: number, peer: number) => T,
): (T & { generation: number; vni: number })[] {
  return Array.from({ length: FDB_ENTRIES - 1 }, (_, index) => {
    const peer = FIRST_PEER + (index % (PEERS - 1));
    return { ...entryOf(index, peer), generation: GENERATION, vni: VNI };
  });
}

/** Addresses for benchmarks (RFC 2544) that no host of ours has. */
const endpointOf = (peer: number): Uint8Array =>
  parseEndpoint(`198.19.${peer >> 8}.${peer & 255}:8002`);

const hex = (value: number): string => value.toString(16).padStart(2, '0');

const macOf = (index: number): Uint8Array =>
  macBytes(`02:4d:00:${hex(index >> 16)}:${hex((index >> 8) & 255)}:${hex(index & 255)}`);

const ipOf = (index: number): Uint8Array =>
  ipBytes(`10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`);

const sessionOf = (peer: number): MessageValues<'sessionSet'> => ({
  localId: FIRST_SESSION + peer,
  remoteId: FIRST_SESSION + peer,
  peer,
  activation: SESSION_ACTIVATION.now,
  initiator: 1,
  receiveLanes: 1,
  lifetimeMs: SESSION_LIFETIME_MS,
  sendKey: new Uint8Array(randomBytes(32)),
  receiveKey: new Uint8Array(randomBytes(32)),
});
