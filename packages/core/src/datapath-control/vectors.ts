/**
 * The vectors of datapath/vectors/control.hex: one frame for each message. Integers hold 0x01,
 * 0x0102, 0x01020304 or 0x0102030405060708 by their width, byte fields count from 0x00, tails are
 * the bytes "tail", and the request id is 0x01020304.
 */
import { encodeControl } from './codec.ts';
import type { MessageValues } from './codec.ts';
import { MESSAGES } from './messages.ts';
import type { FieldKind, MessageName } from './messages.ts';

export const VECTOR_REQUEST_ID = 0x01020304;

function valueOf(kind: FieldKind): number | bigint | Uint8Array {
  if (typeof kind === 'object') return Uint8Array.from({ length: kind.bytes }, (_, i) => i);
  return {
    u8: 0x01,
    u16: 0x0102,
    u32: 0x01020304,
    u64: 0x0102030405060708n,
    tail: Uint8Array.from('tail', (letter) => letter.charCodeAt(0)),
  }[kind];
}

export function vectorValues<N extends MessageName>(name: N): MessageValues<N> {
  const fields: readonly (readonly [string, FieldKind, string])[] = MESSAGES[name].fields;
  return Object.fromEntries(
    fields.map(([field, kind]) => [field, valueOf(kind)]),
  ) as MessageValues<N>; // made from its own table
}

export const MESSAGE_NAMES = Object.keys(MESSAGES) as MessageName[]; // keys of a const table

/** The text of control.hex. */
export function controlVectorText(): string {
  return MESSAGE_NAMES.map((name) => {
    const frame = encodeControl(name, VECTOR_REQUEST_ID, vectorValues(name));
    return `${name} ${[...frame].map((byte) => byte.toString(16).padStart(2, '0')).join('')}\n`;
  }).join('');
}
