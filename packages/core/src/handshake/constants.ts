/** What is mixed into every handshake (docs/protocol.md, section 2). */

export const PROLOGUE = new TextEncoder().encode('etherloom v1');
/** The slot in which a post-quantum secret is mixed. */
export const PSK = new Uint8Array(32);
