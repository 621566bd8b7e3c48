/** What is mixed into every handshake (docs/protocol.md, section 2). */

export const PROLOGUE = new TextEncoder().encode('etherloom v2');
/** The psk of a handshake without a post-quantum secret. */
export const CLASSIC_PSK = new Uint8Array(32);
