import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONTROL_HEADER_BYTES,
  ControlCodecError,
  ControlDeframer,
  decodeControl,
  encodeControl,
  fixedBytes,
} from './codec.ts';
import { CONTROL_FRAME_BYTES_MAX, MESSAGES } from './messages.ts';
import { MESSAGE_NAMES, VECTOR_REQUEST_ID, controlVectorText, vectorValues } from './vectors.ts';

const VECTOR_FILE = new URL('../../../../datapath/vectors/control.hex', import.meta.url);

function framesOfFile(): Map<string, Uint8Array> {
  const lines = readFileSync(VECTOR_FILE, 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', hex = ''] = line.split(' ');
      return [name, Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))];
    }),
  );
}

function withLength(length: number, rest: number): Uint8Array {
  const out = new Uint8Array(4 + rest);
  new DataView(out.buffer).setUint32(0, length);
  return out;
}

describe('control vectors', () => {
  it('equal the committed file', () => {
    expect(readFileSync(VECTOR_FILE, 'utf8')).toBe(controlVectorText());
  });

  it.each(MESSAGE_NAMES)('%s decodes to the agreed values', (name) => {
    const frame = framesOfFile().get(name) ?? new Uint8Array(0);
    expect(decodeControl(frame)).toEqual({
      name,
      requestId: VECTOR_REQUEST_ID,
      values: vectorValues(name),
    });
  });

  it('give every message its own code', () => {
    expect(new Set(MESSAGE_NAMES.map((name) => MESSAGES[name].code)).size).toBe(
      MESSAGE_NAMES.length,
    );
  });
});

describe('encodeControl', () => {
  it.each([
    ['a number that does not fit', () => encodeControl('dump', 1, { kind: 256 })],
    ['a negative number', () => encodeControl('dump', 1, { kind: -1 })],
    [
      'bytes of another length',
      () => encodeControl('fdbDelete', 1, { vni: 1, mac: new Uint8Array(5) }),
    ],
    [
      'a tail beyond the longest frame',
      () => encodeControl('error', 1, { errno: 1, text: new Uint8Array(CONTROL_FRAME_BYTES_MAX) }),
    ],
  ])('refuses %s', (_, encode) => {
    expect(encode).toThrow(RangeError);
  });

  it('takes the longest frame and no byte more', () => {
    const room = CONTROL_FRAME_BYTES_MAX - (CONTROL_HEADER_BYTES - 4) - fixedBytes('error');
    expect(encodeControl('error', 1, { errno: 1, text: new Uint8Array(room) }).length).toBe(
      CONTROL_FRAME_BYTES_MAX + 4,
    );
    expect(() => encodeControl('error', 1, { errno: 1, text: new Uint8Array(room + 1) })).toThrow(
      RangeError,
    );
  });
});

describe('decodeControl', () => {
  const frame = encodeControl('dump', 1, { kind: 1 });

  it.each([
    ['a stump', frame.slice(0, 11)],
    ['a length that is not its own', frame.slice(0, -1)],
    ['an unknown code', Uint8Array.from(frame, (byte, i) => (i === 4 ? 0xff : byte))],
    [
      'a message that is too short',
      encodeControl('ok', 1, {}).map((byte, i) => (i === 5 ? MESSAGES.dump.code : byte)),
    ],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeControl(bytes)).toThrow(ControlCodecError);
  });
});

describe('ControlDeframer', () => {
  const all = MESSAGE_NAMES.map((name) => encodeControl(name, 7, vectorValues(name)));
  const stream = Uint8Array.from(all.flatMap((frame) => [...frame]));

  it('returns the same frames wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
        const deframer = new ControlDeframer();
        const edges = [0, ...cuts.toSorted((x, y) => x - y), stream.length];
        const frames = edges
          .slice(1)
          .flatMap((end, i) => deframer.push(stream.slice(edges[i], end)));
        expect(frames).toEqual(all);
      }),
      { numRuns: 200 },
    );
  });

  it('returns frames that arrive byte by byte', () => {
    const deframer = new ControlDeframer();
    expect([...stream].flatMap((byte) => deframer.push(Uint8Array.of(byte)))).toEqual(all);
  });

  it.each([0, 7, CONTROL_FRAME_BYTES_MAX + 1, 0xffffffff])(
    'refuses the impossible length %d at once',
    (length) => {
      expect(() => new ControlDeframer().push(withLength(length, 0))).toThrow(ControlCodecError);
    },
  );

  it('waits for the rest of a frame of a possible length', () => {
    expect(new ControlDeframer().push(withLength(CONTROL_FRAME_BYTES_MAX, 100))).toEqual([]);
  });
});
