/** What a member can make others compute, and where it can have them send to. */
import { expect, it } from 'vitest';
import { Gossip } from './gossip.ts';
import { REFUSED_BURST, VERIFY_BURST } from './limits.ts';
import { parseEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { signerOf } from '../trust/ed25519.ts';
import { encodeOrdinal, signEndpointRecord } from '../trust/endpoint-record.ts';

const SIGNER = signerOf(new Uint8Array(32).fill(1));
const NODE_ID = new Uint8Array(16).fill(1);

it('verifies no more records of one member than its share, in however few messages', () => {
  const gossip = room();
  const records = Array.from({ length: 2 * VERIFY_BURST }, (_, at) => record(BigInt(at + 1), []));
  for (let at = 0; at < records.length; at += 64) tell(gossip, records.slice(at, at + 64));
  const heard = gossip.drainActions().filter(({ kind }) => kind === 'endpointsHeard');
  expect(heard).toHaveLength(VERIFY_BURST);
  expect(gossip.refusals().get('gossip_sender_limited')).toBe(VERIFY_BURST);
});

it('stops reading a message when too much of it is refused', () => {
  const gossip = room();
  const forged = Array.from({ length: 4 * REFUSED_BURST }, (_, at) => {
    const bytes = record(BigInt(at + 1), []);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return bytes;
  });
  tell(gossip, forged);
  expect(gossip.refusals().get('gossip_record_unsigned')).toBe(REFUSED_BURST);
});

it('tells no endpoint that does not lead to one other host', () => {
  const gossip = room();
  const good = [parseEndpoint('10.0.0.1:1'), parseEndpoint('[2001:db8::1]:1')];
  const bad = ['0.1.2.3:1', '127.0.0.1:1', '224.0.0.1:1', '255.255.255.255:1', '[::]:1', '[::1]:1']
    .concat(['[ff02::1]:1', '[fe80::1]:1'])
    .map(parseEndpoint);
  const portZero = parseEndpoint('10.0.0.2:1');
  portZero[17] = 0;
  tell(gossip, [record(1n, [...bad, portZero, ...good])]);
  const [told] = gossip.drainActions();
  expect(told?.kind === 'endpointsHeard' && told.endpoints).toEqual(good);
});

function room(): Gossip {
  const random = (bytes: number) => new Uint8Array(bytes);
  const judge = () => ({ verdict: 'refused' }) as const;
  const gossip = new Gossip({ random, ownNodeId: 'f'.repeat(32), judge });
  const nodeId = '01'.repeat(16);
  gossip.setMembers([{ nodeId, peer: 1, signKey: SIGNER.key, networkIds: ['net_a'] }]);
  return gossip;
}

function tell(gossip: Gossip, records: readonly Uint8Array[]): void {
  gossip.handleMessage(1, Uint8Array.from([16, ...records.flatMap((bytes) => [...bytes])]), 0);
}

function record(sequence: bigint, endpoints: readonly Endpoint[]): Uint8Array {
  const ordinal = encodeOrdinal(1, sequence);
  return signEndpointRecord({ nodeId: NODE_ID, ordinal, endpoints }, SIGNER.sign);
}
