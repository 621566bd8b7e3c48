/**
 * How the secret of ML-KEM comes into the psk of the Noise pattern (docs/protocol.md 2.4). The
 * pattern mixes the psk into the keys after all Diffie-Hellman results, so who wants the keys has
 * to break both.
 *
 * Key and ciphertext go into the psk by their hashes: the psk is then bound to this one exchange by
 * SHA-256 alone, and needs no binding property of the KEM. The lengths are fixed, so that no two
 * exchanges give the same input.
 */
import { sha256 } from '../noise/symmetric-state.ts';

const PSK_LABEL = new TextEncoder().encode('etherloom psk');

/** The psk of one exchange. */
export function hybridPsk(exchange: {
  readonly sharedSecret: Uint8Array;
  readonly encapsulationKey: Uint8Array;
  readonly ciphertext: Uint8Array;
}): Uint8Array {
  const { sharedSecret, encapsulationKey, ciphertext } = exchange;
  return sha256(PSK_LABEL, sharedSecret, sha256(encapsulationKey), sha256(ciphertext));
}
