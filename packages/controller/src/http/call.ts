/**
 * What a handler gets: the request behind the edge, with credentials checked, scope resolved, query
 * and body parsed.
 */
import type { Readable } from 'node:stream';
import type { AgentProblem, CallReply, ROUTES, RouteName } from '@etherloom/api';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Origin, Principal } from '../access/principal.ts';
import type { ReportAnswer } from '../link/report-book.ts';
import type { AccessParts } from '../access/parts.ts';
import type { Store, Tx } from '../store/store.ts';
import type { WatchHub } from '../watch/watch-hub.ts';
import type { SourceRate } from './token-bucket.ts';

type BodyOf<N extends RouteName> = (typeof ROUTES)[N] extends {
  readonly body: infer B extends z.ZodType;
}
  ? z.output<B>
  : undefined;

type QueryOf<N extends RouteName> = (typeof ROUTES)[N] extends {
  readonly query: infer Q extends z.ZodType;
}
  ? z.output<Q>
  : Readonly<Record<string, never>>;

/** What of HTTP the routes of logins need. */
export interface HttpSide {
  /** Value of a cookie of the request. */
  readonly cookie: (name: string) => string | undefined;
  /** The query as it came, with its question mark; empty without one. */
  readonly rawQuery: string;
  /** Adds a Set-Cookie to the reply. */
  readonly setCookie: (text: string) => void;
  /** Where a reply with status 303 sends the browser. */
  readonly redirect: (location: string) => void;
  /** Id of the last event that the reader of a stream knows. */
  readonly lastEventId: string | undefined;
  /** The principal as it is by then; rejects when it may not make this request any more. */
  readonly checkAgain: (organizationId: string) => Promise<Principal>;
}

export interface Call<N extends RouteName> {
  /** Value of a name in the path's braces. */
  readonly param: (name: string) => string;
  readonly query: QueryOf<N>;
  readonly body: BodyOf<N>;
  /** Address that the request came from. */
  readonly source: string;
  /** null on routes without credentials. */
  readonly principal: Principal | null;
  readonly origin: Origin;
  readonly http: HttpSide;
  /** A transaction in the name and scope of the principal. */
  readonly transact: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
}

/** What a handler gives: the reply, or what a reply that is no JSON is read from. */
export type HandlerReply<N extends RouteName> = (typeof ROUTES)[N] extends {
  readonly media: string;
}
  ? Readable
  : CallReply<N>;

/** Handlers of these routes. */
export type HandlersOf<N extends RouteName> = {
  readonly [K in N]: (call: Call<K>) => Promise<HandlerReply<K>>;
};

export type Handlers = HandlersOf<RouteName>;

export interface HandlerDeps {
  readonly store: Store;
  readonly isConnected: (nodeId: string) => boolean;
  readonly tlsFingerprint: string;
  /** URLs that join tokens carry. */
  readonly joinUrls: () => readonly string[];
  readonly joinRate: SourceRate;
  readonly authFailures: SourceRate;
  readonly hasProblems: (nodeId: string) => boolean;
  readonly problemsOf: (nodeId: string) => Promise<readonly AgentProblem[]>;
  readonly reportOf: (nodeId: string, peersMax: number) => Promise<ReportAnswer>;
  readonly access: AccessParts;
  readonly watch: WatchHub;
  readonly log: Logger;
}
