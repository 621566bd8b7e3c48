/**
 * How members hand each other the state of a network (docs/protocol.md 4): layout only. Who came in
 * by a voucher asks for it piece by piece; nothing is kept for who asks.
 */
export const STATE_MESSAGE = { ask: 19, piece: 20 } as const;

const NETWORK_ID_BYTES = 24;
const HASH_BYTES = 32;
const ASK_BYTES = 1 + NETWORK_ID_BYTES + HASH_BYTES + 4;
const PIECE_HEADER_BYTES = ASK_BYTES + 4;

/** Asks for what follows `offset` in the document with this hash; zeros: whichever is newest. */
export interface StateAsk {
  readonly networkId: string;
  readonly hash: Uint8Array;
  readonly offset: number;
}

export interface StatePiece extends StateAsk {
  readonly totalBytes: number;
  readonly bytes: Uint8Array;
}

export const ANY_HASH: Uint8Array = new Uint8Array(HASH_BYTES);

export function encodeStateAsk(ask: StateAsk): Uint8Array {
  return encodeHead(STATE_MESSAGE.ask, ask, new Uint8Array(ASK_BYTES));
}

export function encodeStatePiece(piece: StatePiece): Uint8Array {
  const out = new Uint8Array(PIECE_HEADER_BYTES + piece.bytes.length);
  encodeHead(STATE_MESSAGE.piece, piece, out);
  new DataView(out.buffer).setUint32(ASK_BYTES, piece.totalBytes);
  out.set(piece.bytes, PIECE_HEADER_BYTES);
  return out;
}

/** Undefined for another layout. */
export function parseStateAsk(message: Uint8Array): StateAsk | undefined {
  return message.length === ASK_BYTES ? parseHead(message) : undefined;
}

/** Undefined for another layout. */
export function parseStatePiece(message: Uint8Array): StatePiece | undefined {
  if (message.length < PIECE_HEADER_BYTES) return undefined;
  const totalBytes = viewOf(message).getUint32(ASK_BYTES);
  return { ...parseHead(message), totalBytes, bytes: message.slice(PIECE_HEADER_BYTES) };
}

function encodeHead(type: number, { networkId, hash, offset }: StateAsk, out: Uint8Array) {
  out[0] = type;
  out.set(new TextEncoder().encode(networkId).subarray(0, NETWORK_ID_BYTES), 1);
  out.set(hash, 1 + NETWORK_ID_BYTES);
  new DataView(out.buffer).setUint32(1 + NETWORK_ID_BYTES + HASH_BYTES, offset);
  return out;
}

function parseHead(message: Uint8Array): StateAsk {
  const hashAt = 1 + NETWORK_ID_BYTES;
  return {
    networkId: new TextDecoder().decode(message.subarray(1, hashAt)),
    hash: message.slice(hashAt, hashAt + HASH_BYTES),
    offset: viewOf(message).getUint32(hashAt + HASH_BYTES),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
