/**
 * What members tell each other besides what keeps sessions alive (docs/protocol.md 4): layout only.
 * The mesh carries these messages and does not read them.
 */
import type { SignedStatement } from '@etherloom/api';
import { ENDPOINT_BYTES } from '../endpoint.ts';
import { CONTROL_BYTES_MAX } from '../mesh/limits.ts';

const MESSAGE_TYPE = { records: 16, statement: 17, ask: 18 } as const;
/** Of an endpoint record: what stands before the count, and what is there without endpoints. */
const RECORD_COUNT_AT = 28;
const RECORD_BYTES_MIN = RECORD_COUNT_AT + 1 + 64;
const STATEMENT_HEADER_BYTES = 3;

export type GossipMessage =
  | { readonly type: 'records'; readonly records: readonly Uint8Array[] }
  | { readonly type: 'statement'; readonly statement: string; readonly signatures: unknown }
  | { readonly type: 'ask' }
  /** A type that this version does not know; to be ignored. */
  | { readonly type: 'unknown' };

/** Asks for what has changed lately. */
export function encodeAsk(): Uint8Array {
  return Uint8Array.of(MESSAGE_TYPE.ask);
}

/** Endpoint records, as many to a message as a datagram takes. */
export function encodeRecords(records: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  let bytes = 1;
  const close = () => {
    if (open.length > 0) messages.push(joined(MESSAGE_TYPE.records, open));
    open = [];
    bytes = 1;
  };
  for (const record of records) {
    if (bytes + record.length > CONTROL_BYTES_MAX) close();
    open.push(record);
    bytes += record.length;
  }
  close();
  return messages;
}

/** A statement: u16 length of its text, the text, and its signatures as JSON. */
export function encodeStatement(signed: SignedStatement): Uint8Array {
  const text = new TextEncoder().encode(signed.statement);
  const head = Uint8Array.of(text.length >> 8, text.length & 0xff);
  const signatures = new TextEncoder().encode(JSON.stringify(signed.signatures));
  return joined(MESSAGE_TYPE.statement, [head, text, signatures]);
}

/** Undefined for a known type of wrong layout. */
export function parseGossip(bytes: Uint8Array): GossipMessage | undefined {
  const [type] = bytes;
  if (type === MESSAGE_TYPE.ask) return bytes.length === 1 ? { type: 'ask' } : undefined;
  if (type === MESSAGE_TYPE.records) return recordsOf(bytes);
  if (type === MESSAGE_TYPE.statement) return statementOf(bytes);
  return { type: 'unknown' };
}

function recordsOf(bytes: Uint8Array): GossipMessage | undefined {
  const records: Uint8Array[] = [];
  for (let at = 1; at < bytes.length;) {
    const count = bytes[at + RECORD_COUNT_AT];
    if (count === undefined) return undefined;
    const end = at + RECORD_BYTES_MIN + count * ENDPOINT_BYTES;
    if (end > bytes.length) return undefined;
    records.push(bytes.slice(at, end));
    at = end;
  }
  return records.length === 0 ? undefined : { type: 'records', records };
}

function statementOf(bytes: Uint8Array): GossipMessage | undefined {
  const [, high = 0, low = 0] = bytes;
  const end = STATEMENT_HEADER_BYTES + ((high << 8) | low);
  if (end >= bytes.length) return undefined;
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const statement = decoder.decode(bytes.subarray(STATEMENT_HEADER_BYTES, end));
    const signatures: unknown = JSON.parse(decoder.decode(bytes.subarray(end)));
    return { type: 'statement', statement, signatures };
  } catch {
    return undefined; // no UTF-8, or no JSON
  }
}

function joined(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(1 + parts.reduce((sum, { length }) => sum + length, 0));
  out[0] = type;
  let at = 1;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
