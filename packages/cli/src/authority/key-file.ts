/**
 * Key files of an authority whose keys are not in the controller: JSON of mode 0600, each with one
 * private key, the organization that it is of, and the hash of the version of the authority that
 * first names it. By that hash whoever signs knows the authority without trusting the controller.
 * With a passphrase the private key is sealed (AES-256-GCM under scrypt).
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  fromBase64url,
  idSchema,
  nameSchema,
  publicKeySchema,
  statementHashSchema,
  toBase64url,
} from '@etherloom/api';
import type { Signer } from '@etherloom/core';
import { signerOf } from '@etherloom/core';
import { CliError } from '../failure.ts';
import { KEY_FILE_BYTES_MAX, PASSPHRASE_CHARS_MIN } from '../limits.ts';

export type KeyPurpose = 'authority' | 'recovery';

/** A private key that was made here and is on no disk yet. */
export interface FreshKey {
  readonly seed: Uint8Array;
  readonly signer: Signer;
  readonly purpose: KeyPurpose;
}

/** What a key file says beside its private key. */
export interface KeyFile {
  readonly path: string;
  readonly purpose: KeyPurpose;
  readonly organizationId: string;
  readonly organizationName: string;
  /** Hash of the version of the authority that first names the key. */
  readonly anchor: string;
  readonly signer: Signer;
}

interface Scrypt {
  readonly salt: string;
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

interface FileContent {
  readonly type: 'etherloom authority key 1';
  readonly purpose: KeyPurpose;
  readonly organizationId: string;
  readonly organizationName: string;
  readonly publicKey: string;
  readonly anchor: string;
  /** base64url; null when it is sealed. */
  readonly privateKey: string | null;
  readonly sealed: { readonly scrypt: Scrypt; readonly bytes: string } | null;
}

/** Cost of scrypt: 128 MB and about half a second for each guess. */
const SCRYPT = { logN: 17, r: 8, p: 1 } as const;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Makes a key pair. */
export function makeKey(purpose: KeyPurpose): FreshKey {
  const seed = new Uint8Array(randomBytes(32));
  return { seed, signer: signerOf(seed), purpose };
}

/** Writes a key file; rejects when there is one already. */
export async function writeKeyFile(
  path: string,
  key: FreshKey,
  of: {
    readonly organizationId: string;
    readonly organizationName: string;
    readonly anchor: string;
    readonly passphrase: string | null;
  },
): Promise<void> {
  const head = {
    type: 'etherloom authority key 1',
    purpose: key.purpose,
    organizationId: of.organizationId,
    organizationName: of.organizationName,
    publicKey: key.signer.key,
    anchor: of.anchor,
  } as const;
  const content: FileContent =
    of.passphrase === null
      ? { ...head, privateKey: toBase64url(key.seed), sealed: null }
      : { ...head, privateKey: null, sealed: sealSeed(key.seed, of.passphrase, head.publicKey) };
  await writeNew(path, `${JSON.stringify(content, null, 2)}\n`);
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw new CliError(
      'file_unwritable',
      isThere
        ? `${path} exists and is left as it is: name another directory with --out`
        : `${path} cannot be written: ${String(error)}`,
      error,
    );
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw new CliError('file_unwritable', `${path} cannot be written: ${String(error)}`, error);
  } finally {
    await file.close();
  }
  const directory = await open(dirname(path), 'r');
  await directory.sync();
  await directory.close();
}

/** Reads a key file. `readPassphrase` is asked for a sealed one alone. */
export async function readKeyFile(
  path: string,
  readPassphrase: () => Promise<string>,
): Promise<KeyFile> {
  const content = parseFile(path, await readText(path));
  const seed =
    content.sealed === null
      ? content.privateKey
      : openSeed(path, content.sealed, await readPassphrase(), content.publicKey);
  const bytes = typeof seed === 'string' ? decode(seed) : seed;
  const signer = bytes?.length === 32 ? signerOf(bytes) : null;
  if (signer?.key !== content.publicKey)
    throw new CliError(
      'key_file_invalid',
      `${path} is damaged: its private key does not fit its public key`,
    );
  const { purpose, organizationId, organizationName, anchor } = content;
  return { path, purpose, organizationId, organizationName, anchor, signer };
}

async function readText(path: string): Promise<string> {
  try {
    const { mode, size } = await stat(path);
    if (size > KEY_FILE_BYTES_MAX)
      throw new CliError('key_file_invalid', `${path} is no key file: it has ${size} bytes`);
    if ((mode & 0o077) !== 0)
      throw new CliError(
        'key_file_invalid',
        `${path} may be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 it`,
      );
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('file_unreadable', `${path} cannot be read: ${String(error)}`, error);
  }
}

function parseFile(path: string, text: string): FileContent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (isContent(value)) return value;
  throw new CliError(
    'key_file_invalid',
    `${path} is no key file of an authority, or it is damaged: name one that \`loom authority init\` or \`rotate\` made`,
  );
}

function isContent(value: unknown): value is FileContent {
  if (!isRecord(value)) return false;
  const { type, purpose, privateKey, sealed }: Record<string, unknown> = value;
  return (
    type === 'etherloom authority key 1' &&
    (purpose === 'authority' || purpose === 'recovery') &&
    idSchema.safeParse(value['organizationId']).success &&
    nameSchema.safeParse(value['organizationName']).success &&
    publicKeySchema.safeParse(value['publicKey']).success &&
    statementHashSchema.safeParse(value['anchor']).success &&
    (typeof privateKey === 'string' ? sealed === null : privateKey === null && isSealed(sealed))
  );
}

function isSealed(value: unknown): value is NonNullable<FileContent['sealed']> {
  if (!isRecord(value) || typeof value['bytes'] !== 'string') return false;
  const { scrypt } = value;
  if (!isRecord(scrypt) || typeof scrypt['salt'] !== 'string') return false;
  return (
    isBetween(scrypt['logN'], 10, 20) &&
    isBetween(scrypt['r'], 1, 16) &&
    isBetween(scrypt['p'], 1, 4)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

function sealSeed(seed: Uint8Array, passphrase: string, context: string): FileContent['sealed'] {
  const scrypt = { salt: toBase64url(randomBytes(16)), ...SCRYPT };
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', derive(passphrase, scrypt), nonce);
  cipher.setAAD(Buffer.from(context));
  const parts = [nonce, cipher.update(seed), cipher.final(), cipher.getAuthTag()];
  return { scrypt, bytes: toBase64url(Buffer.concat(parts)) };
}

function openSeed(
  path: string,
  sealed: NonNullable<FileContent['sealed']>,
  passphrase: string,
  context: string,
): Uint8Array {
  try {
    const bytes = fromBase64url(sealed.bytes);
    const key = derive(passphrase, sealed.scrypt);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    return new Uint8Array(Buffer.concat([decipher.update(body), decipher.final()]));
  } catch (error) {
    throw new CliError('key_file_invalid', `the passphrase does not open ${path}`, error);
  }
}

function derive(passphrase: string, { salt, logN, r, p }: Scrypt): Buffer {
  const N = 2 ** logN;
  const maxmem = 256 * N * r; // twice what it needs
  return scryptSync(passphrase.normalize('NFC'), fromBase64url(salt), 32, { N, r, p, maxmem });
}

function decode(text: string): Uint8Array | null {
  try {
    return fromBase64url(text);
  } catch {
    return null;
  }
}

/** The passphrase in a file: its one line. */
export async function readPassphraseFile(path: string): Promise<string> {
  const text = (await readText(path)).replace(/\r?\n$/, '');
  if (text.length >= PASSPHRASE_CHARS_MIN) return text;
  throw new CliError(
    'key_file_invalid',
    `${path} holds ${text.length} characters: a passphrase has ${PASSPHRASE_CHARS_MIN} at least`,
  );
}
