/**
 * Encodes and decodes the messages of messages.ts. Used by the agent's data path client and by the
 * tests; the C side has the same layouts as packed structs in control_messages.h.
 */
import { CONTROL_FRAME_BYTES_MAX, MESSAGES } from './messages.ts';
import type { FieldKind, MessageName } from './messages.ts';

type FieldValue<K extends FieldKind> = K extends 'u8' | 'u16' | 'u32'
  ? number
  : K extends 'u64'
    ? bigint
    : Uint8Array;

type FieldsOf<N extends MessageName> = (typeof MESSAGES)[N]['fields'];

/** The values of one message by field name. */
export type MessageValues<N extends MessageName> = {
  readonly [F in FieldsOf<N>[number] as F[0]]: FieldValue<F[1]>;
};

export type ControlMessage = {
  [N in MessageName]: {
    readonly name: N;
    readonly requestId: number;
    readonly values: MessageValues<N>;
  };
}[MessageName];

/** Bytes of the fixed part of every frame: length, code, zero, request id. */
export const CONTROL_HEADER_BYTES = 12;

/** Thrown for bytes that are no message of this version. The connection cannot be used further. */
export class ControlCodecError extends Error {
  override readonly name = 'ControlCodecError';
}

const NAME_BY_CODE = new Map<number, MessageName>(
  // keys of a const table
  (Object.keys(MESSAGES) as MessageName[]).map((name) => [MESSAGES[name].code, name]),
);

export function fieldBytes(kind: FieldKind): number {
  if (kind === 'tail') return 0;
  if (typeof kind === 'object') return kind.bytes;
  return { u8: 1, u16: 2, u32: 4, u64: 8 }[kind];
}

/** Bytes of the fields of a message without its tail. */
export function fixedBytes(name: MessageName): number {
  return MESSAGES[name].fields.reduce((sum, [, kind]) => sum + fieldBytes(kind), 0);
}

/**
 * Encodes one frame, length field included. Throws RangeError when a value does not fit its field.
 */
export function encodeControl<N extends MessageName>(
  name: N,
  requestId: number,
  values: MessageValues<N>,
): Uint8Array {
  const fields: MessageFields = MESSAGES[name].fields;
  // typed at the signature
  const given = values as Readonly<Record<string, number | bigint | Uint8Array>>;
  const tail = fields.some(([, kind]) => kind === 'tail')
    ? (given[fields.at(-1)?.[0] ?? ''] as Uint8Array)
    : undefined; // tail is bytes
  const size = CONTROL_HEADER_BYTES + fixedBytes(name) + (tail?.length ?? 0);
  if (size - 4 > CONTROL_FRAME_BYTES_MAX)
    throw new RangeError(`${name} of ${size} bytes is over ${CONTROL_FRAME_BYTES_MAX}`);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, size - 4);
  view.setUint16(4, MESSAGES[name].code);
  view.setUint32(8, requestId);
  let at = CONTROL_HEADER_BYTES;
  for (const [field, kind] of fields) {
    const value = given[field];
    if (value === undefined) throw new RangeError(`${name}.${field} is missing`);
    at += writeField(out, view, at, kind, value, `${name}.${field}`);
  }
  return out;
}

type MessageFields = readonly (readonly [string, FieldKind, string])[];

function writeField(
  out: Uint8Array,
  view: DataView,
  at: number,
  kind: FieldKind,
  value: number | bigint | Uint8Array,
  label: string,
): number {
  if (value instanceof Uint8Array) {
    const size = kind === 'tail' ? value.length : fieldBytes(kind);
    if (typeof kind === 'string' && kind !== 'tail')
      throw new RangeError(`${label} takes a number, given bytes`);
    if (value.length !== size)
      throw new RangeError(`${label} takes ${size} bytes, given ${value.length}`);
    out.set(value, at);
    return size;
  }
  const bits = fieldBytes(kind) * 8;
  if (BigInt(value) < 0n || BigInt(value) >= 1n << BigInt(bits))
    throw new RangeError(`${label} takes ${bits} bits, given ${value}`);
  if (kind === 'u8') view.setUint8(at, Number(value));
  else if (kind === 'u16') view.setUint16(at, Number(value));
  else if (kind === 'u32') view.setUint32(at, Number(value));
  else if (kind === 'u64') view.setBigUint64(at, BigInt(value));
  else throw new RangeError(`${label} takes bytes, given ${value}`);
  return fieldBytes(kind);
}

/** Decodes one whole frame, length field included. */
export function decodeControl(frame: Uint8Array): ControlMessage {
  if (frame.length < CONTROL_HEADER_BYTES)
    throw new ControlCodecError(`frame of ${frame.length} bytes is shorter than its header`);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (view.getUint32(0) !== frame.length - 4)
    throw new ControlCodecError(`length says ${view.getUint32(0)}, frame has ${frame.length - 4}`);
  const code = view.getUint16(4);
  const name = NAME_BY_CODE.get(code);
  if (name === undefined) throw new ControlCodecError(`unknown message code ${code}`);
  const fields: MessageFields = MESSAGES[name].fields;
  const hasTail = fields.at(-1)?.[1] === 'tail';
  const fixed = CONTROL_HEADER_BYTES + fixedBytes(name);
  if (hasTail ? frame.length < fixed : frame.length !== fixed)
    throw new ControlCodecError(`${name} has ${frame.length} bytes, takes ${fixed}`);
  const values: Record<string, number | bigint | Uint8Array> = {};
  let at = CONTROL_HEADER_BYTES;
  for (const [field, kind] of fields) {
    values[field] = readField(frame, view, at, kind);
    at += fieldBytes(kind);
  }
  // shape proved by the table walked above
  return { name, requestId: view.getUint32(8), values } as unknown as ControlMessage;
}

function readField(
  frame: Uint8Array,
  view: DataView,
  at: number,
  kind: FieldKind,
): number | bigint | Uint8Array {
  if (kind === 'u8') return view.getUint8(at);
  if (kind === 'u16') return view.getUint16(at);
  if (kind === 'u32') return view.getUint32(at);
  if (kind === 'u64') return view.getBigUint64(at);
  return frame.slice(at, kind === 'tail' ? frame.length : at + kind.bytes);
}

/**
 * Cuts a byte stream into frames. `push` returns the whole frames that have arrived; what is
 * incomplete is kept.
 */
export class ControlDeframer {
  #kept: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = this.#kept.length === 0 ? chunk : joined(this.#kept, chunk);
    const frames: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
      if (length < CONTROL_HEADER_BYTES - 4 || length > CONTROL_FRAME_BYTES_MAX)
        throw new ControlCodecError(`frame length ${length} is impossible`);
      if (bytes.length - at < 4 + length) break;
      frames.push(bytes.slice(at, at + 4 + length));
      at += 4 + length;
    }
    this.#kept = bytes.slice(at);
    return frames;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const out = new Uint8Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}
