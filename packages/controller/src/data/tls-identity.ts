/**
 * The controller's TLS key and certificate. Clients pin the certificate's SHA-256, so it is made
 * once and lives long; no authority signs it. Both files missing makes both; one missing is damage,
 * as another certificate would lock out every agent and token.
 */
import 'reflect-metadata';
import { X509Certificate, createHash, createPrivateKey, webcrypto } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Keyring } from '../authority/keyring.ts';
import type { RandomBytes } from '../identifiers.ts';
import type { Engine } from '../store/engine.ts';
import type { TlsIdentityRow } from '../store/cluster-schema.ts';
import { StartupError, errorText } from '../startup-error.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { readOwnFile } from './data-directory.ts';

export interface TlsIdentity {
  readonly keyPem: string;
  readonly certificatePem: string;
  /** SHA-256 of the certificate (DER), 64 lower-case hex digits. */
  readonly fingerprint: string;
  /** It was made by this start. */
  readonly isFresh: boolean;
}

export interface TlsIdentityOptions {
  readonly keyPath: string;
  readonly certificatePath: string;
  /**
   * The database is not there yet: a key without certificate is a first start that was cut short.
   */
  readonly isFirstStart: boolean;
  /** Names and addresses that the certificate is also for; only for clients that do not pin. */
  readonly hosts: readonly string[];
  readonly now: () => number;
}

const LIFETIME_YEARS = 20;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Names in a certificate: an address for each of a few interfaces. */
const HOSTS_MAX = 64;

/** Reads the identity, or makes it. Rejects with StartupError. */
export async function loadTlsIdentity(options: TlsIdentityOptions): Promise<TlsIdentity> {
  const hasKey = existsSync(options.keyPath);
  const hasCertificate = existsSync(options.certificatePath);
  if (!hasCertificate && (!hasKey || options.isFirstStart)) {
    const made = await makeIdentity(options);
    writeFileAtomic(options.keyPath, made.keyPem);
    writeFileAtomic(options.certificatePath, made.certificatePem);
    return { ...made, fingerprint: fingerprintOf(made.certificatePem), isFresh: true };
  }
  const advice =
    'restore both tls.key and tls.crt from a backup, or remove both: the next start makes others, and every agent and join token must get the new fingerprint';
  if (!hasKey || !hasCertificate) {
    throw new StartupError(
      'tls_invalid',
      `${hasKey ? options.certificatePath : options.keyPath} is missing; ${advice}`,
    );
  }
  const keyPem = readOwnFile(options.keyPath, 'tls_invalid', advice);
  const certificatePem = readOwnFile(options.certificatePath, 'tls_invalid', advice);
  checkPair(options, keyPem, certificatePem, advice);
  return { keyPem, certificatePem, fingerprint: fingerprintOf(certificatePem), isFresh: false };
}

/** What is shared through the database. */
export interface SharedTlsOptions extends TlsIdentityOptions {
  readonly engine: Engine;
  readonly keyring: Keyring;
  readonly random: RandomBytes;
  /** The key that sealed it is lost: where it does not open, another identity is made. */
  readonly isSealLost: boolean;
}

/** To what the key in the database is sealed. */
const SEALED_TO = 'tls key';

/**
 * The identity that all controllers of a database present: that of the database, where it is sealed
 * by the sealing key. The first controller brings that of its files, so that a database which was
 * moved from SQLite keeps its fingerprint, or makes one. The certificate is written to the data
 * directory as well, for people. Rejects with StartupError.
 */
export async function loadSharedTlsIdentity(options: SharedTlsOptions): Promise<TlsIdentity> {
  const { engine, keyring, random, now } = options;
  const stored = await readShared(engine);
  const isLost = stored !== undefined && options.isSealLost && openKey(stored, keyring) === null;
  if (stored !== undefined && !isLost) return openShared(stored, options);
  const hasKey = existsSync(options.keyPath);
  const hasFiles = hasKey || (!isLost && existsSync(options.certificatePath));
  const brought = hasFiles
    ? await loadTlsIdentity(options)
    : { ...(await makeIdentity(options)), isFresh: true };
  const row: TlsIdentityRow = {
    id: 1,
    sealed_key: keyring.sealSecret(SEALED_TO, brought.keyPem, random),
    certificate: brought.certificatePem,
    created_at: new Date(now()).toISOString(),
  };
  // Another controller may have been first: then its identity is the one.
  await engine.transact((db) =>
    db
      .insertInto('tls_identity')
      .values(row)
      .onConflict((conflict) =>
        isLost ? conflict.column('id').doUpdateSet(row) : conflict.doNothing(),
      )
      .execute(),
  );
  const identity = openShared((await readShared(engine)) ?? row, options);
  return { ...identity, isFresh: brought.isFresh };
}

function readShared(engine: Engine): Promise<TlsIdentityRow | undefined> {
  return engine.read((db) => db.selectFrom('tls_identity').selectAll().executeTakeFirst());
}

function openKey(row: TlsIdentityRow, keyring: Keyring): string | null {
  return keyring.openSecret(SEALED_TO, row.sealed_key);
}

function openShared(row: TlsIdentityRow, options: SharedTlsOptions): TlsIdentity {
  const { certificate: certificatePem } = row;
  const keyPem = openKey(row, options.keyring);
  if (keyPem === null)
    throw new StartupError(
      'tls_invalid',
      'the TLS key in the database does not open with the sealing key of this controller: give it the authority.kek of the others',
    );
  writeFileAtomic(options.certificatePath, certificatePem);
  return { keyPem, certificatePem, fingerprint: fingerprintOf(certificatePem), isFresh: false };
}

function checkPair(
  options: TlsIdentityOptions,
  keyPem: string,
  certificatePem: string,
  advice: string,
): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch (error) {
    throw new StartupError(
      'tls_invalid',
      `${options.certificatePath} is no certificate (${errorText(error)}); ${advice}`,
      error,
    );
  }
  try {
    if (certificate.checkPrivateKey(createPrivateKey(keyPem))) return;
  } catch (error) {
    throw new StartupError('tls_invalid', `${options.keyPath} is no private key; ${advice}`, error);
  }
  throw new StartupError(
    'tls_invalid',
    `${options.keyPath} is not the key of ${options.certificatePath}; ${advice}`,
  );
}

function fingerprintOf(certificatePem: string): string {
  return createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('hex');
}

async function makeIdentity(
  options: TlsIdentityOptions,
): Promise<{ keyPem: string; certificatePem: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(options.now() - 86_400_000); // clocks of clients may be behind
  const notAfter = new Date(notBefore);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + LIFETIME_YEARS);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=etherloom controller',
      notBefore,
      notAfter,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames(options.hosts)),
      ],
    },
    webcrypto,
  );
  const pkcs8 = new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    keyPem: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
    certificatePem: `${certificate.toString('pem')}\n`,
  };
}

function alternativeNames(hosts: readonly string[]): x509.JsonGeneralName[] {
  const own = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map((entry) => entry.address),
  );
  const names = new Set(['localhost', '127.0.0.1', '::1', hostname(), ...hosts, ...own]);
  return [...names]
    .filter((name) => isIP(name) !== 0 || /^[A-Za-z0-9.-]{1,253}$/.test(name))
    .slice(0, HOSTS_MAX)
    .map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }));
}
