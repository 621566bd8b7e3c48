/**
 * The private keys that this controller holds: sealed rows of the database, opened when they are
 * needed and kept open. All open with the sealing key, or the controller has refused to start;
 * those that the operator gave up as lost are not asked for.
 */
import type { Signer } from '@etherloom/core';
import { signerOf } from '@etherloom/core';
import { OPEN_KEYS_MAX } from '../limits.ts';
import type { RandomBytes } from '../identifiers.ts';
import type { SealedKeyRow } from '../store/schema.ts';
import { seal, unseal } from './sealing.ts';

const SEED_BYTES = 32;

/** Seals and opens keys. */
export class Keyring {
  readonly #sealingKey: Uint8Array;
  /**
   * Opened keys by what they are sealed to, so that a row that was moved is not taken for the one
   * that was opened; the one opened first is forgotten first.
   */
  readonly #opened = new Map<string, Signer>();

  constructor(sealingKey: Uint8Array) {
    this.#sealingKey = sealingKey;
  }

  /** Makes a key pair; its row is the caller's to store. */
  make(
    given: Pick<SealedKeyRow, 'organization_id' | 'purpose' | 'created_at'>,
    random: RandomBytes,
  ): SealedKeyRow {
    const seed = random(SEED_BYTES);
    const signer = signerOf(seed);
    const row = { ...given, public_key: signer.key, lost_at: null };
    return { ...row, sealed: seal(this.#sealingKey, contextOf(row), seed, random) };
  }

  /** The signer of a row; null when it does not open with this keyring's key. */
  open(row: SealedKeyRow): Signer | null {
    const context = contextOf(row);
    const known = this.#opened.get(context);
    if (known) return known;
    const seed = unseal(this.#sealingKey, context, row.sealed);
    if (seed === null) return null;
    const signer = signerOf(seed);
    if (signer.key !== row.public_key) return null;
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size < OPEN_KEYS_MAX) break;
      this.#opened.delete(oldest);
    }
    this.#opened.set(context, signer);
    return signer;
  }

  /** Seals a secret that is no key; `context` says whose it is and what for. */
  sealSecret(context: string, secret: string, random: RandomBytes): string {
    const plain = new TextEncoder().encode(secret);
    return seal(this.#sealingKey, secretContext(context), plain, random);
  }

  /** Opens what sealSecret() made; null with another key or context, or when it was damaged. */
  openSecret(context: string, sealed: string): string | null {
    const plain = unseal(this.#sealingKey, secretContext(context), sealed);
    return plain === null ? null : new TextDecoder().decode(plain);
  }

  /** Forgets the keys of an organization: another controller may have removed some. */
  forgetOrganization(organizationId: string): void {
    for (const context of this.#opened.keys())
      if (context.split('\n')[1] === organizationId) this.#opened.delete(context);
  }

  /** Forgets a key that was removed from the database. */
  forget(publicKey: string): void {
    for (const [context, { key }] of this.#opened)
      if (key === publicKey) this.#opened.delete(context);
  }
}

function secretContext(context: string): string {
  return ['etherloom secret 1', context].join('\n');
}

function contextOf(row: Pick<SealedKeyRow, 'organization_id' | 'purpose' | 'public_key'>): string {
  return ['etherloom key 1', row.organization_id, row.purpose, row.public_key].join('\n');
}
