/**
 * Puts the parts together: data directory, identity, store, HTTPS, links; and takes them apart in
 * the opposite order.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { writeRestores } from './audit/restore-entry.ts';
import { foundMissingAuthorities } from './authority/authorities.ts';
import type { Keyring } from './authority/keyring.ts';
import { openKeyring } from './authority/open-keyring.ts';
import type { SealingKeySource } from './authority/sealing-key.ts';
import { settle } from './authority/settle.ts';
import { settleAll } from './authority/upkeep.ts';
import type { DataDirectory } from './data/data-directory.ts';
import { loadAdminToken, openDataDirectory } from './data/data-directory.ts';
import type { ListenAddress } from './data/listen-address.ts';
import { joinUrls, localUrl } from './data/listen-address.ts';
import type { TlsIdentity, TlsIdentityOptions } from './data/tls-identity.ts';
import { loadSharedTlsIdentity, loadTlsIdentity } from './data/tls-identity.ts';
import { hasUsers, openSetupCode } from './access/setup-code.ts';
import type { RequestRateOptions } from './http/request-rates.ts';
import type { MetricsAddress } from './metrics/metrics-address.ts';
import type { MetricsServer } from './metrics/metrics-server.ts';
import { listenForMetrics } from './metrics/metrics-server.ts';
import type { Metrics } from './metrics/metrics.ts';
import { STOP_TIMEOUT_MS } from './limits.ts';
import { forgetCounts } from './store/count.ts';
import { ensureDefaultOrganization } from './store/organizations.ts';
import { closeHttp, listen } from './http/listen.ts';
import { createParts, entryOf } from './parts.ts';
import { openPostgres } from './store/postgres-engine.ts';
import type { PostgresTarget } from './store/postgres-target.ts';
import { supersedeRevisions } from './store/revisions.ts';
import { openSqlite } from './store/sqlite-engine.ts';
import type { Engine } from './store/engine.ts';
import { Store } from './store/store.ts';

export interface ControllerOptions {
  readonly dataDirectory: string;
  readonly listen: ListenAddress;
  /** A database of PostgreSQL; default: SQLite in the data directory. */
  readonly database?: PostgresTarget | undefined;
  /** URL that join tokens carry in place of the addresses that the controller listens at. */
  readonly publicUrl?: string | undefined;
  /** The database comes from a backup that may be older than what agents hold. */
  readonly isRestored?: boolean;
  /** Members up to which a network is pushed whole; default: PUSHED_WHOLE_MAX. */
  readonly pushedWholeMax?: number | undefined;
  /** Where metrics are served; absent: nowhere. */
  readonly metricsListen?: MetricsAddress | undefined;
  /** Requests that each may make; for tests. */
  readonly requestRates?: RequestRateOptions | undefined;
  /** What seals the private keys; default: authority.kek in the data directory. */
  readonly sealingKey?: SealingKeySource | undefined;
  /** The key that sealed them is lost: go on without the keys that it sealed. */
  readonly areAuthorityKeysLost?: boolean;
  readonly log: Logger;
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
  /** Milliseconds of a clock that nobody sets; for tests. */
  readonly monotonicMs?: () => number;
}

export interface Controller {
  /** Where this host reaches it. */
  readonly url: string;
  /** What join tokens carry. */
  readonly joinUrls: readonly string[];
  readonly tlsFingerprint: string;
  readonly adminTokenPath: string;
  /** Makes the first user; null once there is one. */
  readonly setupCode: string | null;
  /** Port of the metrics; null: none, or a unix socket. */
  readonly metricsPort: number | null;
  readonly tlsCertificatePath: string;
  /** Signs checkpoints and drops what is old, as its timer does; for tests. */
  tendLedgers(): Promise<void>;
  /** Renews what is due, as its timer does; for tests. */
  renew(): Promise<void>;
  /** Finishes open requests, closes links and the database. */
  stop(): Promise<void>;
}

/**
 * Starts a controller; resolves when it serves. Rejects with StartupError, having changed nothing
 * that was there.
 */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await start(options, undo);
  } catch (error) {
    for (const step of undo.toReversed()) await step();
    throw error;
  }
}

/** Steps that a failed start takes back, last first. */
type Undo = (() => Promise<void> | void)[];

async function start(options: ControllerOptions, undo: Undo): Promise<Controller> {
  const now = options.now ?? Date.now;
  const directory = openDataDirectory(options.dataDirectory);
  undo.push(() => directory.release());
  const adminToken = loadAdminToken(directory.adminTokenPath, randomBytes);
  // Before the database is made: without one, a key that has no certificate is a start cut short.
  const ownIdentity =
    options.database === undefined ? await loadIdentity(options, directory, now) : null;
  const opened = await openStore(options, directory, ownIdentity, undo);
  const { store, engine, identity, keyring } = opened;
  await prepareStore(store, options);

  const ownEntry = entryOf(engine, directory);
  const setup = openSetupCode(directory.setupCodePath, await store.read(hasUsers), randomBytes);
  const given = { options, identity, adminToken, store, now, ownEntry, keyring, setup };
  const parts = createParts(given);
  undo.push(() => parts.cluster?.leave());
  undo.push(() => parts.upkeep.stop());
  undo.push(() => parts.ledgers.stop());
  undo.push(() => parts.links.stop(0));
  undo.push(() => parts.http.close());
  const metricsServer = await serveMetrics(options, parts.metrics);
  undo.push(() => metricsServer?.stop());
  const listening = await listen(parts.http, options.listen);
  parts.onListening(listening);
  await parts.joinCluster();
  return {
    url: options.publicUrl ?? localUrl(listening),
    joinUrls: joinUrls(listening, options.publicUrl),
    tlsFingerprint: identity.fingerprint,
    adminTokenPath: directory.adminTokenPath,
    setupCode: setup.code(),
    metricsPort: metricsServer?.port ?? null,
    tlsCertificatePath: directory.tlsCertificatePath,
    renew: () => parts.upkeep.renew(),
    tendLedgers: () => parts.ledgers.run(),
    async stop() {
      if (!parts.beginStop()) return;
      await parts.cluster?.leave();
      await parts.links.stop(STOP_TIMEOUT_MS / 2);
      await closeHttp(parts.http);
      await parts.upkeep.stop();
      await parts.ledgers.stop();
      await metricsServer?.stop();
      await store.close();
      directory.release();
    },
  };
}

interface OpenedStore {
  readonly engine: Engine;
  readonly keyring: Keyring;
  readonly identity: TlsIdentity;
  readonly store: Store;
}

/** The database, the keys in it, and the identity: this controller's own, or that of all. */
async function openStore(
  options: ControllerOptions,
  directory: DataDirectory,
  ownIdentity: TlsIdentity | null,
  undo: Undo,
): Promise<OpenedStore> {
  const now = options.now ?? Date.now;
  const isSealLost = options.areAuthorityKeysLost === true;
  const engine = await (options.database === undefined
    ? openSqlite(directory.databasePath)
    : openPostgres(options.database, options.log));
  undo.push(() => engine.close());
  const keyring = await openKeyring(engine, {
    source: options.sealingKey ?? { kind: 'file', path: directory.sealingKeyPath },
    isLost: isSealLost,
    random: randomBytes,
    now,
    log: options.log,
  });
  const identity =
    ownIdentity ??
    (await loadSharedTlsIdentity({
      ...identityOptions(options, directory, now),
      engine,
      keyring,
      random: randomBytes,
      isSealLost,
    }));
  const store = new Store(engine, { now, random: randomBytes, keyring, settle });
  return { engine, keyring, identity, store };
}

/** Brings the database to where operations may begin. */
async function prepareStore(store: Store, options: ControllerOptions): Promise<void> {
  await store.transact(forgetCounts);
  await store.transact(ensureDefaultOrganization);
  await store.transact(foundMissingAuthorities);
  if (options.isRestored === true) {
    await store.transact(supersedeRevisions);
    await store.transact((tx) => writeRestores(tx, null));
    options.log.warn('revisions were raised above those of agents: each takes the state anew');
  }
  await settleAll(store);
}

async function serveMetrics(
  { metricsListen, log }: ControllerOptions,
  metrics: Metrics,
): Promise<MetricsServer | null> {
  return metricsListen === undefined ? null : listenForMetrics(metricsListen, metrics, log);
}

async function loadIdentity(
  options: ControllerOptions,
  directory: DataDirectory,
  now: () => number,
): Promise<TlsIdentity> {
  const identity = await loadTlsIdentity(identityOptions(options, directory, now));
  if (identity.isFresh && !directory.isFresh) {
    options.log.warn(
      { tlsFingerprint: identity.fingerprint },
      'the TLS certificate was made anew: agents and tokens with the former fingerprint are refused',
    );
  }
  return identity;
}

function identityOptions(
  options: ControllerOptions,
  directory: DataDirectory,
  now: () => number,
): TlsIdentityOptions {
  return {
    keyPath: directory.tlsKeyPath,
    certificatePath: directory.tlsCertificatePath,
    isFirstStart: directory.isFresh,
    hosts: [options.listen.host, ...publicHosts(options.publicUrl)],
    now,
  };
}

function publicHosts(publicUrl: string | undefined): string[] {
  return publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')];
}
