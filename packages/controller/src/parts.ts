/**
 * The parts of a running controller and who hears whom: links, watchers, upkeep, credentials,
 * handlers, metrics. Nothing here listens yet.
 */
import { randomBytes } from 'node:crypto';
import { CONTROLLER_URLS_MAX } from '@etherloom/api';
import type { Logger } from 'pino';
import { LoginThrottle } from './access/login-throttle.ts';
import type { AccessParts } from './access/parts.ts';
import { Passwords } from './access/password.ts';
import type { SetupCode } from './access/setup-code.ts';
import { SingleSignOn } from './access/single-sign-on.ts';
import { LedgerUpkeep } from './audit/ledger-upkeep.ts';
import { countLedgerEntries } from './audit/read-ledger.ts';
import type { Keyring } from './authority/keyring.ts';
import { Upkeep } from './authority/upkeep.ts';
import { Cluster } from './cluster/cluster.ts';
import { tokenUrls } from './cluster/token-urls.ts';
import type { ControllerOptions } from './controller.ts';
import { loadControllerId } from './data/controller-id.ts';
import type { DataDirectory } from './data/data-directory.ts';
import type { ListenAddress } from './data/listen-address.ts';
import { joinUrls, localUrl } from './data/listen-address.ts';
import type { TlsIdentity } from './data/tls-identity.ts';
import { createAdminAuth } from './http/admin-auth.ts';
import { limitConnections, limitHandshakes } from './http/connection-limit.ts';
import { createCredentials } from './http/credentials.ts';
import { createHandlers } from './http/handlers.ts';
import type { HttpServer } from './http/http-server.ts';
import { createHttpServer } from './http/http-server.ts';
import { RequestRates } from './http/request-rates.ts';
import { SourceRate } from './http/token-bucket.ts';
import { AUTH_FAILURES, JOINS } from './limits.ts';
import { LinkServer } from './link/link-server.ts';
import type { Metrics } from './metrics/metrics.ts';
import { createMetrics } from './metrics/metrics.ts';
import type { Bus } from './store/bus.ts';
import type { Engine } from './store/engine.ts';
import type { Store } from './store/store.ts';
import { VERSION } from './version.ts';
import { WatchHub } from './watch/watch-hub.ts';

/** What the parts are made of. */
export interface Ingredients {
  readonly options: ControllerOptions;
  readonly identity: TlsIdentity;
  readonly adminToken: string;
  readonly store: Store;
  readonly now: () => number;
  readonly keyring: Keyring;
  readonly setup: SetupCode;
  readonly ownEntry: OwnController | null;
}

/** This controller among several. */
export interface OwnController {
  readonly bus: Bus;
  readonly id: string;
  /** Of this start. */
  readonly instance: string;
}

/** null: nobody shares the database. */
export function entryOf({ bus }: Engine, directory: DataDirectory): OwnController | null {
  if (bus === null) return null;
  const instance = randomBytes(8).toString('hex');
  return { bus, id: loadControllerId(directory.path, randomBytes), instance };
}

function makeCluster(
  own: OwnController | null,
  deps: {
    readonly urls: () => readonly string[];
    readonly monotonicMs: () => number;
    readonly log: Logger;
  },
): Cluster | null {
  if (own === null) return null;
  const entry = () => ({ ...own, urls: deps.urls(), version: VERSION });
  return new Cluster({ ...deps, bus: own.bus, own: entry });
}

export interface Parts {
  readonly cluster: Cluster | null;
  /** Says that this controller serves, and follows what others tell. */
  joinCluster(): Promise<void>;
  readonly http: HttpServer;
  readonly links: LinkServer;
  readonly upkeep: Upkeep;
  readonly ledgers: LedgerUpkeep;
  readonly metrics: Metrics;
  onListening(address: ListenAddress): void;
  /** Refuses requests from here on; false when it did so before. */
  beginStop(): boolean;
}

/** Where this controller is reached; known in full once it listens. */
interface Place {
  listening: ListenAddress;
  isStopping: boolean;
}

/** What follows changes and links. */
interface Followers {
  readonly place: Place;
  readonly ownUrl: () => string;
  readonly ownUrls: () => readonly string[];
  readonly authFailures: SourceRate;
  readonly cluster: Cluster | null;
  readonly watch: WatchHub;
  readonly links: LinkServer;
  readonly upkeep: Upkeep;
  readonly ledgers: LedgerUpkeep;
}

/** Makes them all, and connects them. */
export function createParts(ingredients: Ingredients): Parts {
  const { store } = ingredients;
  const followers = createFollowers(ingredients);
  const { place, cluster, watch, links, upkeep, ledgers } = followers;
  const access = createAccess(ingredients, followers);
  const metrics = createMetrics({
    links: () => links.openCount,
    pendingLinks: () => links.pendingCount,
    watchers: () => watch.count,
    passwordQueue: () => access.passwords.queued,
    transactions: () => store.counts,
    ledgerEntries: () => store.read(countLedgerEntries),
    isReady: () => !place.isStopping && cluster?.isReached !== false,
  });
  const http = createHttp(ingredients, followers, access, metrics);
  return {
    http,
    links,
    upkeep,
    ledgers,
    metrics,
    cluster,
    async joinCluster() {
      await cluster?.start({
        ...watch.follow(links.clusterEvents((lists) => store.takeRemote(lists))),
        onAttempts: (attempts) => attempts.forEach((attempt) => access.throttle.take(attempt)),
      });
      upkeep.check();
    },
    onListening: (address) => {
      place.listening = address;
    },
    beginStop() {
      if (place.isStopping) return false;
      place.isStopping = true;
      watch.stop();
      return true;
    },
  };
}

function createFollowers({
  options,
  identity,
  store,
  now,
  keyring,
  ownEntry,
}: Ingredients): Followers {
  const { log, pushedWholeMax } = options;
  const place: Place = { listening: options.listen, isStopping: false };
  const authFailures = new SourceRate(AUTH_FAILURES, now);
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const ownUrls = () => joinUrls(place.listening, options.publicUrl).slice(0, CONTROLLER_URLS_MAX);
  const cluster = makeCluster(ownEntry, { urls: ownUrls, monotonicMs, log });
  const watch = new WatchHub(store, log, (nodeId) => links.isConnected(nodeId));
  const links: LinkServer = new LinkServer({
    store,
    tlsFingerprint: identity.fingerprint,
    authFailures,
    now,
    monotonicMs,
    log,
    cluster,
    pushedWholeMax,
    onLive: (kind, nodeId, organizationId) => watch.onLive(kind, nodeId, organizationId),
  });
  const upkeep = new Upkeep(store, log, () => cluster === null || cluster.isFirst);
  store.onChanged((changes, isRemote) => {
    links.onChanged(changes);
    watch.onLedger(changes.ledger);
    if (!isRemote) return upkeep.onChanged(changes);
    for (const id of changes.organizationIds) keyring.forgetOrganization(id);
  });
  const ownUrl = (): string => options.publicUrl ?? localUrl(place.listening);
  const ledgers = new LedgerUpkeep(store, log);
  return { place, ownUrl, ownUrls, authFailures, cluster, watch, links, upkeep, ledgers };
}

function createHttp(
  { options, identity, adminToken, store, now }: Ingredients,
  { place, ownUrl, ownUrls, authFailures, cluster, watch, links }: Followers,
  access: AccessParts,
  metrics: Metrics,
): HttpServer {
  const tlsFingerprint = identity.fingerprint;
  const http = createHttpServer({
    keyPem: identity.keyPem,
    certificatePem: identity.certificatePem,
    credentials: createCredentials({
      adminAuth: createAdminAuth(adminToken, authFailures),
      store,
      authFailures,
      ownOrigin: () => new URL(ownUrl()).origin,
      now,
    }),
    store,
    rates: new RequestRates(now, options.requestRates),
    handlers: createHandlers({
      store,
      isConnected: (nodeId) => links.isConnected(nodeId),
      hasProblems: (nodeId) => links.hasProblems(nodeId),
      problemsOf: (nodeId) => links.problemsOf(nodeId),
      reportOf: (nodeId, peersMax) => links.reports.read(nodeId, peersMax),
      tlsFingerprint,
      joinUrls: () => allUrls(cluster, ownUrls()),
      joinRate: new SourceRate(JOINS, now),
      authFailures,
      access,
      watch,
      log: options.log,
    }),
    documents: { serverUrl: ownUrl, tlsFingerprint },
    isStopping: () => place.isStopping,
    observe: (request, elapsedMs) => metrics.observeRequest(request, elapsedMs),
    log: options.log,
  });
  limitHandshakes(http.server);
  limitConnections(http.server, (source) => links.openFrom(source));
  http.server.on('upgrade', (request, socket, head) => links.handleUpgrade(request, socket, head));
  return http;
}

/** Of all controllers that are up: what join tokens carry. */
function allUrls(cluster: Cluster | null, own: readonly string[]): string[] {
  const others = cluster?.controllers.filter(({ id, isUp }) => isUp && id !== cluster.id) ?? [];
  return tokenUrls(own, others, CONTROLLER_URLS_MAX);
}

function createAccess(
  { options, now, keyring, setup }: Ingredients,
  { ownUrl, cluster }: Pick<Followers, 'ownUrl' | 'cluster'>,
): AccessParts {
  const { log } = options;
  return {
    passwords: new Passwords(randomBytes),
    throttle: new LoginThrottle(now, (attempt) => cluster?.tellAttempt(attempt)),
    setup,
    singleSignOn: new SingleSignOn({ keyring, random: randomBytes, now, ownUrl, log }),
    ownUrl,
  };
}
