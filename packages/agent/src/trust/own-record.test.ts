import { fromBase64url } from '@etherloom/api';
import { decodeEndpointRecord, encodeOrdinal } from '@etherloom/core';
import { describe, expect, test } from 'vitest';
import { generateIdentity, openIdentity } from '../disk/identity.ts';
import { START_COUNT_TRUSTED_MAX } from '../limits.ts';
import { OwnRecord } from './own-record.ts';

const IDENTITY = openIdentity(generateIdentity());
const recordOf = (startCount: number, identity = IDENTITY): OwnRecord =>
  new OwnRecord({ identity, startCount });
const ENDPOINTS = ['192.0.2.7:8002'];

test('a record is made anew only when the endpoints differ', () => {
  const own = recordOf(3);
  const first = own.of(ENDPOINTS);
  expect(own.of(ENDPOINTS)).toBe(first);
  const second = decodeEndpointRecord(fromBase64url(own.of([])));
  expect(second?.ordinal).toEqual(encodeOrdinal(3, 2n));
});

describe('a host that was put back to an older disk', () => {
  test('learns the start of the newest record that it signed', () => {
    expect(recordOf(3).laterStart(recordOf(9).of(ENDPOINTS))).toBe(9);
  });

  test('of the same start too, when it cannot have signed it', () => {
    expect(recordOf(3).laterStart(recordOf(3).of(ENDPOINTS))).toBe(3);
  });

  test.each([
    ['no record', null],
    ['an older one', recordOf(2).of(ENDPOINTS)],
    ['one of another node', recordOf(9, openIdentity(generateIdentity())).of(ENDPOINTS)],
    ['one that uses the counts up', recordOf(START_COUNT_TRUSTED_MAX + 1).of(ENDPOINTS)],
    ['what is no record', 'AAAA'],
  ])('learns nothing from %s', (_, record) => {
    expect(recordOf(3).laterStart(record)).toBeUndefined();
  });

  test('nor from the record that it has made itself', () => {
    const own = recordOf(3);
    expect(own.laterStart(own.of(ENDPOINTS))).toBeUndefined();
  });
});
