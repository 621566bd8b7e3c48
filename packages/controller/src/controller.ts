/**
 * Puts the parts together: data directory, identity, store, HTTPS, links; and takes them apart in
 * the opposite order.
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { foundMissingAuthorities } from './authority/authorities.ts';
import { openKeyring } from './authority/open-keyring.ts';
import type { SealingKeySource } from './authority/sealing-key.ts';
import { settle } from './authority/settle.ts';
import { Upkeep, settleAll } from './authority/upkeep.ts';
import type { DataDirectory } from './data/data-directory.ts';
import { loadAdminToken, openDataDirectory } from './data/data-directory.ts';
import type { ListenAddress } from './data/listen-address.ts';
import { joinUrls, localUrl } from './data/listen-address.ts';
import type { TlsIdentity } from './data/tls-identity.ts';
import { loadTlsIdentity } from './data/tls-identity.ts';
import { createAdminAuth } from './http/admin-auth.ts';
import { limitConnections } from './http/connection-limit.ts';
import { createHandlers } from './http/handlers.ts';
import type { HttpServer } from './http/http-server.ts';
import { createHttpServer } from './http/http-server.ts';
import { SourceRate } from './http/token-bucket.ts';
import { AUTH_FAILURES, JOINS, STOP_TIMEOUT_MS } from './limits.ts';
import { LinkServer } from './link/link-server.ts';
import { StartupError, errorText, systemErrorCode } from './startup-error.ts';
import { ensureDefaultOrganization } from './store/organizations.ts';
import { supersedeRevisions } from './store/revisions.ts';
import { openSqlite } from './store/sqlite-engine.ts';
import { Store } from './store/store.ts';

export interface ControllerOptions {
  readonly dataDirectory: string;
  readonly listen: ListenAddress;
  /** URL that join tokens carry in place of the addresses that the controller listens at. */
  readonly publicUrl?: string | undefined;
  /** The database comes from a backup that may be older than what agents hold. */
  readonly isRestored?: boolean;
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
  readonly tlsCertificatePath: string;
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
  const identity = await loadIdentity(options, directory, now);
  const engine = await openSqlite(directory.databasePath);
  undo.push(() => engine.close());
  const keyring = await openKeyring(engine, {
    source: options.sealingKey ?? { kind: 'file', path: directory.sealingKeyPath },
    isLost: options.areAuthorityKeysLost === true,
    random: randomBytes,
    now,
    log: options.log,
  });
  const store = new Store(engine, { now, random: randomBytes, keyring, settle });
  await store.transact(ensureDefaultOrganization);
  await store.transact(foundMissingAuthorities);
  if (options.isRestored === true) {
    await store.transact(supersedeRevisions);
    options.log.warn('revisions were raised above those of agents: each takes the state anew');
  }
  await settleAll(store);

  const parts = createParts({ options, identity, adminToken, store, now });
  undo.push(() => parts.upkeep.stop());
  undo.push(() => parts.links.stop(0));
  undo.push(() => parts.http.close());
  const listening = await listen(parts.http, options.listen);
  parts.onListening(listening);
  return {
    url: options.publicUrl ?? localUrl(listening),
    joinUrls: joinUrls(listening, options.publicUrl),
    tlsFingerprint: identity.fingerprint,
    adminTokenPath: directory.adminTokenPath,
    tlsCertificatePath: directory.tlsCertificatePath,
    renew: () => parts.upkeep.renew(),
    async stop() {
      if (!parts.beginStop()) return;
      await parts.links.stop(STOP_TIMEOUT_MS / 2);
      await closeHttp(parts.http);
      await parts.upkeep.stop();
      await store.close();
      directory.release();
    },
  };
}

async function loadIdentity(
  options: ControllerOptions,
  directory: DataDirectory,
  now: () => number,
): Promise<TlsIdentity> {
  const identity = await loadTlsIdentity({
    keyPath: directory.tlsKeyPath,
    certificatePath: directory.tlsCertificatePath,
    isFirstStart: directory.isFresh,
    hosts: [options.listen.host, ...publicHosts(options.publicUrl)],
    now,
  });
  if (identity.isFresh && !directory.isFresh) {
    options.log.warn(
      { tlsFingerprint: identity.fingerprint },
      'the TLS certificate was made anew: agents and tokens with the former fingerprint are refused',
    );
  }
  return identity;
}

interface Ingredients {
  readonly options: ControllerOptions;
  readonly identity: TlsIdentity;
  readonly adminToken: string;
  readonly store: Store;
  readonly now: () => number;
}

interface Parts {
  readonly http: HttpServer;
  readonly links: LinkServer;
  readonly upkeep: Upkeep;
  onListening(address: ListenAddress): void;
  /** Refuses requests from here on; false when it did so before. */
  beginStop(): boolean;
}

function createParts({ options, identity, adminToken, store, now }: Ingredients): Parts {
  const { log } = options;
  const tlsFingerprint = identity.fingerprint;
  const authFailures = new SourceRate(AUTH_FAILURES, now);
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const links = new LinkServer({ store, tlsFingerprint, authFailures, now, monotonicMs, log });
  const upkeep = new Upkeep(store, log);
  store.onChanged((changes) => {
    links.onChanged(changes);
    upkeep.onChanged(changes);
  });
  let listening: ListenAddress = options.listen;
  let isStopping = false;
  const http = createHttpServer({
    keyPem: identity.keyPem,
    certificatePem: identity.certificatePem,
    adminAuth: createAdminAuth(adminToken, authFailures),
    handlers: createHandlers({
      store,
      isConnected: (nodeId) => links.isConnected(nodeId),
      problemsOf: (nodeId) => links.problemsOf(nodeId),
      tlsFingerprint,
      joinUrls: () => joinUrls(listening, options.publicUrl),
      joinRate: new SourceRate(JOINS, now),
      authFailures,
      log,
    }),
    documents: { serverUrl: () => options.publicUrl ?? localUrl(listening), tlsFingerprint },
    isStopping: () => isStopping,
    log,
  });
  limitConnections(http.server, (source) => links.openFrom(source));
  http.server.on('upgrade', (request, socket, head) => links.handleUpgrade(request, socket, head));
  return {
    http,
    links,
    upkeep,
    onListening: (address) => {
      listening = address;
    },
    beginStop() {
      if (isStopping) return false;
      isStopping = true;
      return true;
    },
  };
}

function publicHosts(publicUrl: string | undefined): string[] {
  return publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')];
}

async function listen(http: HttpServer, address: ListenAddress): Promise<ListenAddress> {
  try {
    await http.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw new StartupError('listen_failed', explainListenError(error, address), error);
  }
  const bound = http.server.address() as AddressInfo; // a TCP server has one
  return { host: address.host, port: bound.port };
}

function explainListenError(error: unknown, { host, port }: ListenAddress): string {
  switch (systemErrorCode(error)) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use by another program: stop it, or choose another port with --listen HOST:PORT`;
    case 'EACCES':
      return `this user may not listen on port ${port}: choose one above 1023 with --listen HOST:PORT`;
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return `this host has no address ${host}: choose one of its own with --listen HOST:PORT`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} does not resolve: name an address with --listen HOST:PORT`;
    default:
      return `listening at ${host} port ${port} failed: ${errorText(error)}`;
  }
}

/** Open requests get their time; connections that are idle, or busy beyond it, are cut. */
async function closeHttp(http: HttpServer): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), STOP_TIMEOUT_MS / 2);
  await http.close();
  clearTimeout(timer);
}
