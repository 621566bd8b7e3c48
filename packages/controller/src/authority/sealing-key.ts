/**
 * The key under which this controller's private keys are sealed: in a key file of mode 0600, or
 * made of a passphrase with scrypt. The database knows which of both, and a sealed proof, so that a
 * wrong key is told at the start and nothing is ever written under it.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { scryptSync } from 'node:crypto';
import { fromBase64url, toBase64url } from '@etherloom/api';
import { z } from 'zod';
import { writeFileAtomic } from '../data/atomic-file.ts';
import type { RandomBytes } from '../identifiers.ts';
import { KEY_FILE_BYTES_MAX, PASSPHRASE_CHARS_MIN } from '../limits.ts';
import { StartupError, errorText } from '../startup-error.ts';
import type { CustodyRow } from '../store/schema.ts';
import { SEALING_KEY_BYTES, seal, unseal } from './sealing.ts';

/** Where the key comes from, as the command line says. */
export type SealingKeySource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'passphrase'; readonly path: string };

/** An opened key; `custody` is the row to store where there was none. */
export interface SealingKey {
  readonly key: Uint8Array;
  readonly custody: CustodyRow;
}

const PROOF_CONTEXT = 'etherloom custody 1';
const PROOF_TEXT = 'this is the key';
const KEY_FORM = /^[A-Za-z0-9_-]{43}$/;

/**
 * Cost of scrypt: 128 MB and a third of a second at each start, against guesses that need the same
 * each (N = 2^17, r = 8, p = 1; OWASP's cheat sheet for passwords names these).
 */
const SCRYPT = { logN: 17, r: 8, p: 1 } as const;
const derivationSchema = z.strictObject({
  salt: z.string(),
  logN: z.int().min(10).max(22),
  r: z.int().min(1).max(32),
  p: z.int().min(1).max(16),
});

/**
 * Opens the key that `custody` was made with, or makes one where there is none. Throws
 * StartupError; nothing that was there is changed.
 */
export function openSealingKey(
  source: SealingKeySource,
  custody: CustodyRow | undefined,
  random: RandomBytes,
): SealingKey {
  if (custody === undefined) return makeSealingKey(source, random);
  if (custody.kind !== source.kind) throw refuse(otherKindText(source, custody));
  const key = source.kind === 'file' ? readKeyFile(source.path) : deriveFrom(source.path, custody);
  if (isProved(key, custody)) return { key, custody };
  throw refuse(
    source.kind === 'file'
      ? `${source.path} is not the key file that the authority keys of this database are sealed with; ${FILE_ADVICE}`
      : `the passphrase in ${source.path} is not the one that the authority keys of this database are sealed with; ${PASSPHRASE_ADVICE}`,
  );
}

const LOST_ADVICE =
  'if it is lost, start with --authority-keys-lost and follow "A lost key" in docs/operations.md';
const FILE_ADVICE = `restore the right one from a backup, or name it with --authority-key-file FILE; ${LOST_ADVICE}. Nothing was changed`;
const PASSPHRASE_ADVICE = `name the right file with --authority-passphrase-file FILE; ${LOST_ADVICE}. Nothing was changed`;

function otherKindText(source: SealingKeySource, custody: CustodyRow): string {
  return custody.kind === 'passphrase'
    ? `the authority keys of this database are sealed with a passphrase and ${source.path} is a key file; ${PASSPHRASE_ADVICE}`
    : `the authority keys of this database are sealed with a key file and ${source.path} is said to hold a passphrase; ${FILE_ADVICE}`;
}

function makeSealingKey(source: SealingKeySource, random: RandomBytes): SealingKey {
  if (source.kind === 'passphrase') {
    const derivation = JSON.stringify({ salt: toBase64url(random(16)), ...SCRYPT });
    const key = derive(readPassphrase(source.path), derivation);
    return { key, custody: makeCustody('passphrase', derivation, key, random) };
  }
  if (!existsSync(source.path))
    writeFileAtomic(source.path, `${toBase64url(random(SEALING_KEY_BYTES))}\n`);
  const key = readKeyFile(source.path);
  return { key, custody: makeCustody('file', null, key, random) };
}

function makeCustody(
  kind: CustodyRow['kind'],
  derivation: string | null,
  key: Uint8Array,
  random: RandomBytes,
): CustodyRow {
  const proof = seal(key, PROOF_CONTEXT, Buffer.from(PROOF_TEXT), random);
  return { id: 1, kind, derivation, proof };
}

function isProved(key: Uint8Array, custody: CustodyRow): boolean {
  const plain = unseal(key, PROOF_CONTEXT, custody.proof);
  return plain !== null && Buffer.from(plain).toString() === PROOF_TEXT;
}

function readKeyFile(path: string): Uint8Array {
  const text = readSecretFile(path, FILE_ADVICE);
  if (KEY_FORM.test(text)) return fromBase64url(text);
  throw refuse(`${path} holds no key (43 characters of base64url); ${FILE_ADVICE}`);
}

function deriveFrom(path: string, custody: CustodyRow): Uint8Array {
  return derive(readPassphrase(path), custody.derivation ?? '');
}

function readPassphrase(path: string): string {
  const text = readSecretFile(path, PASSPHRASE_ADVICE);
  if (text.length >= PASSPHRASE_CHARS_MIN) return text;
  throw refuse(
    `${path} holds ${text.length} characters: a passphrase has ${PASSPHRASE_CHARS_MIN} at least`,
  );
}

/** The line of a file that nobody but its owner can read. */
function readSecretFile(path: string, advice: string): string {
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if ((mode & 0o077) !== 0)
      throw refuse(
        `${path} may be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 it`,
      );
    if (size > KEY_FILE_BYTES_MAX)
      throw refuse(`${path} has ${size} bytes: it must hold one line; ${advice}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw refuse(`${path} cannot be read (${errorText(error)}); ${advice}`, error);
  }
  return text.replace(/\r?\n$/, '');
}

function derive(passphrase: string, derivation: string): Uint8Array {
  const parsed = derivationSchema.safeParse(parseJson(derivation));
  if (!parsed.success)
    throw refuse('the custody row of the database is damaged: restore a backup of the database');
  const { salt, logN, r, p } = parsed.data;
  const N = 2 ** logN;
  return scryptSync(passphrase.normalize('NFC'), fromBase64url(salt), SEALING_KEY_BYTES, {
    N,
    r,
    p,
    maxmem: 256 * N * r, // twice what it needs
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refuse(message: string, cause?: unknown): StartupError {
  return new StartupError('authority_key_invalid', message, cause);
}
