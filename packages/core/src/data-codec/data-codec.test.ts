import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeBody, encodeBody } from './body.ts';
import { DataCodecError, openDatagram, sealDatagram } from './datagram.ts';
import { joinTrain, splitTrain } from './train.ts';
import {
  VECTOR_KEY,
  VECTOR_SEGMENT_BYTES,
  counting,
  dataVectorText,
  dataVectors,
} from './vectors.ts';

const VECTOR_FILE = new URL('../../../../datapath/vectors/data.hex', import.meta.url);
const vectors = new Map(dataVectors());

function vector(name: string): Uint8Array {
  const bytes = vectors.get(name);
  if (bytes === undefined) throw new Error(`no vector ${name}`);
  return bytes;
}

describe('data vectors', () => {
  it('equal the committed file', () => {
    expect(readFileSync(VECTOR_FILE, 'utf8')).toBe(dataVectorText());
  });

  it.each(['single', 'aggregate', 'ping', 'keepalive'])('open %s to its body', (name) => {
    expect(openDatagram(VECTOR_KEY, vector(`${name}.datagram`)).body).toEqual(
      vector(`${name}.body`),
    );
  });

  it.each(['tcp4', 'udp6', 'vlan4', 'qinq6', 'routed6'])('split and join the %s train', (name) => {
    const whole = vector(`${name}.superframe`);
    const entries = splitTrain(whole, VECTOR_SEGMENT_BYTES);
    expect(entries.map((entry) => entry.frame)).toEqual(
      [0, 1, 2].map((i) => vector(`${name}.frame.${i}`)),
    );
    expect(joinTrain(entries)).toEqual(whole);
  });

  it('split the long6 train into frames with complete checksums', () => {
    const entries = splitTrain(vector('long6.superframe'), VECTOR_SEGMENT_BYTES);
    expect(entries).toEqual(
      [0, 1, 2].map((i) => ({
        frame: vector(`long6.frame.${i}`),
        checksumStart: 0,
        checksumOffset: 0,
      })),
    );
  });
});

describe('datagram', () => {
  const header = { flags: 0, trainIndex: 0, receiver: 7, lane: 15, sequence: (1n << 60n) - 1n };

  it('opens what was sealed, with its header', () => {
    const body = counting(100);
    expect(openDatagram(VECTOR_KEY, sealDatagram(VECTOR_KEY, header, body))).toEqual({
      header,
      body,
    });
  });

  it('refuses any flipped bit', () => {
    const datagram = sealDatagram(VECTOR_KEY, header, counting(20));
    for (let bit = 0; bit < datagram.length * 8; bit++) {
      const changed = datagram.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => openDatagram(VECTOR_KEY, changed), `bit ${bit}`).toThrow(DataCodecError);
    }
  });

  it('refuses every truncation', () => {
    const datagram = sealDatagram(VECTOR_KEY, header, counting(20));
    for (let length = 0; length < datagram.length; length++) {
      expect(() => openDatagram(VECTOR_KEY, datagram.slice(0, length)), `${length} bytes`).toThrow(
        DataCodecError,
      );
    }
  });

  it('refuses a sequence of more than 60 bits', () => {
    expect(() => sealDatagram(VECTOR_KEY, { ...header, sequence: 1n << 60n }, counting(1))).toThrow(
      RangeError,
    );
  });
});

describe('body', () => {
  it('returns the entries of an aggregate', () => {
    const body = decodeBody(vector('aggregate.body'));
    expect(body.kind === 'frames' && body.entries.map((entry) => entry.frame)).toEqual(
      [0, 1, 2].map((i) => vector(`aggregate.frame.${i}`)),
    );
    expect(encodeBody(body)).toEqual(vector('aggregate.body'));
  });

  it.each([
    ['nothing', []],
    ['half a header', [1, 0, 0]],
    ['an unknown kind', [2, 0, 0, 1]],
    ['control with a VNI', [0, 0, 0, 1]],
    ['no entry', [1, 0, 0, 1]],
    ['an entry cut short', [1, 0, 0, 1, 0, 14, 0]],
    ['a frame that is longer than the body', [1, 0, 0, 1, 0, 15, 0, 0, ...counting(14)]],
    ['a frame without an Ethernet header', [1, 0, 0, 1, 0, 13, 0, 0, ...counting(13)]],
    ['a checksum outside its frame', [1, 0, 0, 1, 0, 14, 13, 0, ...counting(14)]],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeBody(Uint8Array.from(bytes))).toThrow(DataCodecError);
  });
});
