import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBase64url } from '@etherloom/api';
import { parseEndpoint } from '../endpoint.ts';
import {
  ENDPOINT_RECORD_BYTES_MAX,
  compareOrdinals,
  decodeEndpointRecord,
  encodeOrdinal,
  signEndpointRecord,
  verifyEndpointRecord,
} from './endpoint-record.ts';
import { hexOf } from '../network-state/canonical.ts';
import { endpointRecordOf } from './member-endpoints.ts';
import { memberOf, signerNumber } from './trust-fixture.ts';

const SIGNER = signerNumber(7);
const RECORD = {
  nodeId: Uint8Array.from({ length: 16 }, (_, at) => at),
  ordinal: encodeOrdinal(3, 9n),
  endpoints: ['192.0.2.1:8002', '[2001:db8::1]:9'].map(parseEndpoint),
};
const BYTES = signEndpointRecord(RECORD, SIGNER.sign);

test('is written as docs/trust.md 6 says', () => {
  const head = '000102030405060708090a0b0c0d0e0f' + '000000030000000000000009' + '02';
  const endpoints = '00000000000000000000ffffc00002011f42' + '20010db80000000000000000000000010009';
  expect(hexOf(BYTES.subarray(0, -64))).toBe(head + endpoints);
});

test('is read back by whoever knows the key', () => {
  expect(verifyEndpointRecord(BYTES, SIGNER.key)).toEqual(RECORD);
  expect(verifyEndpointRecord(BYTES, signerNumber(8).key)).toBe(undefined);
});

test('comes back from any number of endpoints', () => {
  const endpoint = fc.uint8Array({ minLength: 18, maxLength: 18 });
  fc.assert(
    fc.property(
      fc.array(endpoint, { maxLength: 16 }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (endpoints, sequence) => {
        const record = { ...RECORD, endpoints, ordinal: encodeOrdinal(1, sequence) };
        const bytes = signEndpointRecord(record, SIGNER.sign);
        expect(bytes.length).toBeLessThanOrEqual(ENDPOINT_RECORD_BYTES_MAX);
        expect(verifyEndpointRecord(bytes, SIGNER.key)).toEqual(record);
      },
    ),
    { numRuns: 30 },
  );
});

test('is refused with any bit changed, a byte too few or a byte too many', () => {
  for (let at = 0; at < BYTES.length; at++) {
    const changed = BYTES.slice();
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    expect(verifyEndpointRecord(changed, SIGNER.key), `byte ${at}`).toBe(undefined);
  }
  expect(verifyEndpointRecord(BYTES.subarray(1), SIGNER.key)).toBe(undefined);
  expect(verifyEndpointRecord(BYTES.subarray(0, -1), SIGNER.key)).toBe(undefined);
  expect(verifyEndpointRecord(Uint8Array.of(...BYTES, 0), SIGNER.key)).toBe(undefined);
});

test('is refused with more endpoints than a node may announce, whoever signed it', () => {
  const body = Uint8Array.of(...BYTES.subarray(0, 28), 17, ...new Uint8Array(17 * 18));
  const label = new TextEncoder().encode('etherloom endpoints 1\0');
  const signature = SIGNER.sign(Uint8Array.of(...label, ...body));
  expect(decodeEndpointRecord(Uint8Array.of(...body, ...signature))).toBe(undefined);
});

test('never throws for bytes of anybody', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(verifyEndpointRecord(bytes, SIGNER.key)).toBe(undefined);
      const record = decodeEndpointRecord(bytes);
      if (record !== undefined) expect(record.endpoints.length).toBeLessThanOrEqual(16);
    }),
  );
});

test.each([
  ['a short node id', { nodeId: new Uint8Array(15) }],
  ['a short ordinal', { ordinal: new Uint8Array(11) }],
  ['too many endpoints', { endpoints: Array.from({ length: 17 }, () => new Uint8Array(18)) }],
  ['an endpoint of another length', { endpoints: [new Uint8Array(6)] }],
])('is not made of %s', (_name, change) => {
  expect(() => signEndpointRecord({ ...RECORD, ...change }, SIGNER.sign)).toThrow(RangeError);
});

test('is later by start count first, then by sequence', () => {
  const order = [
    encodeOrdinal(1, 0n),
    encodeOrdinal(1, 255n),
    encodeOrdinal(1, 256n),
    encodeOrdinal(2, 0n),
  ];
  for (const [i, a] of order.entries())
    for (const [j, b] of order.entries())
      expect(Math.sign(compareOrdinals(a, b)), `${i} ${j}`).toBe(Math.sign(i - j));
});

test("is a member's own only with its key and its node id", () => {
  const member = memberOf(4);
  expect(endpointRecordOf(member)?.endpoints).toEqual(member.endpoints.map(parseEndpoint));
  expect(endpointRecordOf({ ...member, nodeId: memberOf(5).nodeId })).toBe(undefined);
  expect(endpointRecordOf({ ...member, signKey: memberOf(5).signKey })).toBe(undefined);
  expect(endpointRecordOf({ ...member, endpointRecord: null })).toBe(undefined);
  expect(fromBase64url(member.endpointRecord ?? '').length).toBe(29 + 18 + 64);
});
