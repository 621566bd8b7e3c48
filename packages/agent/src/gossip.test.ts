import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64url } from '@etherloom/api';
import {
  encodeOrdinal,
  formatEndpoint,
  keyPairOf,
  Mesh,
  parseEndpoint,
  signEndpointRecord,
  signerOf,
} from '@etherloom/core';
import type { MeshEvent, PlanNetwork, StatementVerdict } from '@etherloom/core';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GossipRoom } from './gossip.ts';
import type { DoubledNode } from './gossip.ts';

const OWN = '00'.repeat(16);
const PEER = '11'.repeat(16);
const SIGNER = signerOf(new Uint8Array(32).fill(5));
const SESSION_KEY = keyPairOf(new Uint8Array(32).fill(6)).publicKey;
const PEER_IDS = { next: 8, ids: { [PEER]: 7 } };

let directory = '';
const rooms: GossipRoom[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-gossip-'));
});

afterEach(() => {
  for (const room of rooms.splice(0)) room.stop();
  rmSync(directory, { recursive: true });
});

it('tries a peer where it says it is, and after a restart where it said last', async () => {
  const first = await begin();
  await first.take(recordMessage('192.0.2.7:8002', 1n));
  expect(first.candidates()).toEqual(['192.0.2.7:8002']);
  first.room.stop();
  const second = await begin();
  expect(second.candidates()).toEqual(['192.0.2.7:8002']);
});

it('believes what is later, of disk and state', async () => {
  const first = await begin();
  await first.take(recordMessage('192.0.2.7:8002', 5n));
  first.room.stop();
  expect((await begin(recordOf('192.0.2.8:8002', 4n))).candidates()).toEqual(['192.0.2.7:8002']);
  expect((await begin(recordOf('192.0.2.9:8002', 6n))).candidates()).toEqual(['192.0.2.9:8002']);
});

it('begins without records when their file is damaged, and writes it anew', async () => {
  const path = join(directory, 'endpoint-records.json');
  writeFileSync(path, '{"etherloom":');
  const room = await begin();
  expect(room.candidates()).toEqual([]);
  await room.take(recordMessage('192.0.2.7:8002', 1n));
  room.room.stop();
  expect(readFileSync(path, 'utf8')).toContain(PEER);
});

it('does not believe a file that somebody else has written', async () => {
  const first = await begin();
  await first.take(recordMessage('192.0.2.7:8002', 1n, signerOf(new Uint8Array(32).fill(9))));
  expect(first.candidates()).toEqual([]);
  expect(first.room.refusals().get('gossip_record_unsigned')).toBe(1);
});

it('takes a statement that is judged fresh as a reason to look at the networks again', async () => {
  const room = await begin();
  const text = new TextEncoder().encode('{}');
  const message = Uint8Array.of(17, 0, text.length, ...text, ...new TextEncoder().encode('[]'));
  await room.take({ type: 'message', peer: 7, bytes: message });
  expect(room.taken()).toBe(1);
  expect(room.judged).toEqual([[{ statement: '{}', signatures: [] }, PEER]]);
});

it('names the node of which there are two', async () => {
  const room = await begin();
  const instances = [new Uint8Array(8), new Uint8Array(8).fill(1)] as const;
  const endpoints = [undefined, parseEndpoint('192.0.2.9:1')] as const;
  await room.take({ type: 'peerDoubled', peer: 7, instances, endpoints });
  await room.take({ type: 'peerDoubled', peer: 8, instances, endpoints });
  expect(room.doubled).toEqual([{ nodeId: PEER, instances, endpoints }]);
});

async function begin(endpointRecord: string | null = null) {
  const keys = keyPairOf(new Uint8Array(32).fill(3));
  const staticKeys = { privateKey: new Uint8Array(32).fill(3), publicKey: keys.publicKey };
  const nodeId = new Uint8Array(16);
  const options = { nodeId, staticKeys, startCount: 1, lanes: 1 };
  const mesh = new Mesh(options, { random: (bytes) => new Uint8Array(bytes).fill(1) });
  mesh.setPeers(
    [{ peer: 7, nodeId: new Uint8Array(16).fill(0x11), sessionKey: SESSION_KEY, endpoints: [] }],
    0,
  );
  const doubled: DoubledNode[] = [];
  const judged: unknown[] = [];
  let taken = 0;
  const room = new GossipRoom({
    stateDirectory: directory,
    nodeId: OWN,
    log: pino({ level: 'silent' }),
    driver: {
      run: (step) => step(mesh, 0),
      learnEndpoints: (peer, endpoints) => mesh.learnEndpoints(peer, endpoints, 0),
    },
    judge: (...heard): StatementVerdict => {
      judged.push(heard);
      return { verdict: 'fresh', networkId: 'net_a', topic: 'roster net_a' };
    },
    onStatementTaken: () => taken++,
    onDoubled: (node) => doubled.push(node),
  });
  rooms.push(room);
  room.follow([networkWith(endpointRecord)], PEER_IDS);
  await Promise.resolve();
  const take = async (event: MeshEvent) => {
    room.take(event);
    await Promise.resolve();
  };
  const candidates = () => mesh.status(0)[0]?.candidates.map(formatEndpoint);
  return { room, take, candidates, doubled, judged, taken: () => taken };
}

function networkWith(endpointRecord: string | null): PlanNetwork {
  const member = (nodeId: string, signKey: string) => ({
    nodeId,
    name: 'node',
    sessionKey: toBase64url(SESSION_KEY),
    signKey,
    mac: '02:00:00:00:00:01',
    addresses: [],
    endpoints: [],
    endpointRecord: nodeId === PEER ? endpointRecord : null,
  });
  const config = { id: 'net_a', name: 'a', vni: 1, mtuBytes: 1_400, ipv4: null, ipv6: null };
  const members = [member(OWN, signerOf(new Uint8Array(32)).key), member(PEER, SIGNER.key)];
  return { config, revision: 1, members };
}

function recordMessage(endpoint: string, sequence: bigint, signer = SIGNER): MeshEvent {
  const record = signed(endpoint, sequence, signer);
  return { type: 'message', peer: 7, bytes: Uint8Array.of(16, ...record) };
}

function recordOf(endpoint: string, sequence: bigint): string {
  return toBase64url(signed(endpoint, sequence, SIGNER));
}

function signed(endpoint: string, sequence: bigint, signer: typeof SIGNER): Uint8Array {
  const nodeId = new Uint8Array(16).fill(0x11);
  const ordinal = encodeOrdinal(1, sequence);
  return signEndpointRecord({ nodeId, ordinal, endpoints: [parseEndpoint(endpoint)] }, signer.sign);
}
