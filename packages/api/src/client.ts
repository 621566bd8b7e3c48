/**
 * The API as typed calls: `client.call('networkCreate', { body })`. Typed by ROUTES, so that a call
 * that the server does not know does not compile, and replies are parsed, so that what a caller
 * holds is what the schema says.
 *
 * How bytes travel is the caller's: `Send` is given by packages/transport on hosts and can be made
 * of `fetch` in a browser.
 */
import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import { errorBodySchema } from './errors.ts';
import type { Route, RouteName } from './routes.ts';
import { LIST_LIMIT_MAX } from './limits.ts';
import { ROUTES } from './routes.ts';

export interface SendRequest {
  readonly method: string;
  /** Absolute URL; over a unix socket the path alone. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface SendReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Carries one request; rejects when no whole reply came. */
export type Send = (request: SendRequest) => Promise<SendReply>;

/** A field that was refused, and why. */
export interface ErrorDetail {
  readonly field: string;
  readonly reason: string;
}

/**
 * What a server answered in place of the reply; `reply_invalid` when its answer is none of this
 * API.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode | 'reply_invalid';
  readonly status: number;
  readonly requestId: string | null;
  readonly details: readonly ErrorDetail[];

  constructor(fields: {
    code: ErrorCode | 'reply_invalid';
    message: string;
    status: number;
    requestId?: string | null;
    details?: readonly ErrorDetail[] | undefined;
  }) {
    super(fields.message);
    this.code = fields.code;
    this.status = fields.status;
    this.requestId = fields.requestId ?? null;
    this.details = fields.details ?? [];
  }
}

type ParamNames<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

type ParamsOf<R extends Route> = [ParamNames<R['path']>] extends [never]
  ? { readonly params?: undefined }
  : { readonly params: { readonly [K in ParamNames<R['path']>]: string } };

type BodyOf<R extends Route> = R extends { readonly body: infer B extends z.ZodType }
  ? { readonly body: z.input<B> }
  : { readonly body?: undefined };

/** Values as the server reads them; the client writes them as text. */
type QueryOf<R extends Route> = R extends { readonly query: infer Q extends z.ZodType }
  ? { readonly [K in keyof z.output<Q>]?: z.output<Q>[K] | undefined }
  : Readonly<Record<never, never>>;

/** Options of every call. */
export interface CommonOptions {
  readonly signal?: AbortSignal;
  /** ETag of the resource as the caller knows it: the change is refused when it is another. */
  readonly ifMatch?: string;
  /** Makes a POST that is repeated after a lost reply one change. */
  readonly idempotencyKey?: string;
  /** Why, for the ledger. */
  readonly reason?: string;
}

/** What a call of a route takes. */
export type CallOptions<N extends RouteName> = ParamsOf<(typeof ROUTES)[N]> &
  BodyOf<(typeof ROUTES)[N]> & {
    readonly query?: QueryOf<(typeof ROUTES)[N]> & { readonly organization?: string | undefined };
  } & CommonOptions;

/** What a call of a route gives. */
export type CallReply<N extends RouteName> = (typeof ROUTES)[N]['reply'] extends z.ZodType
  ? z.output<(typeof ROUTES)[N]['reply']>
  : undefined;

/** Options may be left out where a route needs none. */
export type CallArguments<N extends RouteName> =
  Record<never, never> extends CallOptions<N>
    ? [options?: CallOptions<N>]
    : [options: CallOptions<N>];

/** A reply with what its headers say. */
export interface Exchanged<N extends RouteName> {
  readonly reply: CallReply<N>;
  /** For `ifMatch` of a later change; null: the reply is no resource. */
  readonly etag: string | null;
  readonly requestId: string | null;
}

export interface Client {
  call<N extends RouteName>(route: N, ...args: CallArguments<N>): Promise<CallReply<N>>;
  /** The same, with headers. */
  exchange<N extends RouteName>(route: N, ...args: CallArguments<N>): Promise<Exchanged<N>>;
}

/** Routes that answer with a list. */
export type ListRouteName = {
  [N in RouteName]: CallReply<N> extends { readonly items: readonly unknown[] } ? N : never;
}[RouteName];

/** An item of a list. */
export type ItemOf<N extends ListRouteName> =
  CallReply<N> extends { readonly items: readonly (infer I)[] } ? I : never;

/** Options of `collect`: the filters of the list; how many come at once is its own business. */
export type CollectOptions<N extends ListRouteName> = Omit<CallOptions<N>, 'ifMatch'>;

/** Options may be left out where a route needs none. */
export type CollectArguments<N extends ListRouteName> =
  Record<never, never> extends CollectOptions<N>
    ? [options?: CollectOptions<N>]
    : [options: CollectOptions<N>];

/** All items of a list, request by request. */
export async function collect<N extends ListRouteName>(
  client: Pick<Client, 'call'>,
  route: N,
  ...args: CollectArguments<N>
): Promise<ItemOf<N>[]> {
  const items: ItemOf<N>[] = [];
  for await (const page of pagesOf(client, route, args[0] ?? {})) items.push(...page.items);
  return items;
}

/** An item with its ETag, for `ifMatch` of a later change of it. */
export interface Tagged<T> {
  readonly item: T;
  readonly etag: string;
}

/** The same, each item with its ETag. */
export async function collectTagged<N extends ListRouteName>(
  client: Pick<Client, 'call'>,
  route: N,
  ...args: CollectArguments<N>
): Promise<Tagged<ItemOf<N>>[]> {
  const query = { ...args[0]?.query, etags: true };
  const tagged: Tagged<ItemOf<N>>[] = [];
  for await (const { items, etags = [] } of pagesOf(client, route, { ...args[0], query }))
    tagged.push(...items.map((item, i) => ({ item, etag: etags[i] ?? etagMissing(route) })));
  return tagged;
}

function etagMissing(route: ListRouteName): never {
  throw new ApiError({
    code: 'reply_invalid',
    message: `${ROUTES[route].path} gave no ETags: the controller is of another version`,
    status: 200,
  });
}

interface ListPage<T> {
  readonly items: readonly T[];
  readonly next: string | null;
  readonly etags?: readonly string[] | undefined;
}

async function* pagesOf<N extends ListRouteName>(
  client: Pick<Client, 'call'>,
  route: N,
  given: { readonly query?: object | undefined },
): AsyncGenerator<ListPage<ItemOf<N>>> {
  let cursor: string | null = null;
  do {
    const query = {
      ...given.query,
      limit: LIST_LIMIT_MAX,
      ...(cursor === null ? {} : { cursor }),
    };
    const options = [{ ...given, query }] as unknown as CallArguments<N>; // of every list
    const reply = await client.call(route, ...options);
    const page = reply as unknown as ListPage<ItemOf<N>>; // a list
    yield page;
    cursor = page.next;
  } while (cursor !== null);
}

export interface ClientOptions {
  /** For example https://192.0.2.1:8443; a trailing slash does no harm. */
  readonly baseUrl: string;
  readonly send: Send;
  /** Bearer token: an API token, or that of admin.token; joining needs none. */
  readonly token?: string;
  /** Organization of every call that names no other; default: the only one of the caller. */
  readonly organization?: string;
  /**
   * Where a cookie is the credential: the value that logging in and `sessionShow` gave; null while
   * nobody is logged in.
   */
  readonly csrf?: () => string | null;
}

/** Makes a client. Calls reject with ApiError, or with whatever `send` rejects with. */
export function createClient(options: ClientOptions): Client {
  const exchange = async <N extends RouteName>(
    name: N,
    ...args: CallArguments<N>
  ): Promise<Exchanged<N>> => {
    const route: Route = ROUTES[name];
    const reply = await options.send(toRequest(options, route, args[0] ?? {}));
    return {
      reply: readReply(route, reply) as CallReply<N>, // parsed by its schema
      etag: reply.headers['etag'] ?? null,
      requestId: reply.headers['x-request-id'] ?? null,
    };
  };
  return { exchange, call: async (name, ...args) => (await exchange(name, ...args)).reply };
}

/** What any call may be given. */
export interface AnyCallOptions extends CommonOptions {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
}

/** The request of a call. */
export function toRequest(
  options: Pick<ClientOptions, 'baseUrl' | 'token' | 'organization' | 'csrf'>,
  route: Route,
  given: AnyCallOptions,
): SendRequest {
  const { baseUrl, token } = options;
  const headers: Record<string, string> = { accept: 'application/json' };
  const csrf = route.method === 'GET' ? null : (options.csrf?.() ?? null);
  if (csrf !== null) headers['x-loom-csrf'] = csrf;
  if (token !== undefined && route.permission !== null)
    headers['authorization'] = `Bearer ${token}`;
  if (given.body !== undefined) headers['content-type'] = 'application/json';
  if (given.ifMatch !== undefined) headers['if-match'] = given.ifMatch;
  if (given.idempotencyKey !== undefined) headers['idempotency-key'] = given.idempotencyKey;
  // Headers are ASCII: whatever else somebody writes as a reason travels percent-encoded.
  if (given.reason !== undefined) headers['x-loom-reason'] = encodeURIComponent(given.reason);
  return {
    method: route.method,
    url:
      baseUrl.replace(/\/+$/, '') +
      fillPath(route.path, given.params ?? {}) +
      toQuery({ ...scopeOf(options, route), ...given.query }),
    headers,
    ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
    ...(given.signal === undefined ? {} : { signal: given.signal }),
  };
}

/** A path that is about an organization names it, and what anybody may call has no scope. */
function scopeOf(
  { organization }: Pick<ClientOptions, 'organization'>,
  route: Route,
): Readonly<Record<string, string>> {
  const isScoped = route.permission !== null && !route.path.includes('{organization}');
  return isScoped && organization !== undefined ? { organization } : {};
}

function toQuery(query: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = params[key];
    if (value === undefined || value === '')
      throw new TypeError(`${path} needs a value for ${key}`);
    return encodeURIComponent(value);
  });
}

function readReply(route: Route, reply: SendReply): unknown {
  if (reply.status !== route.status) throw toApiError(reply);
  if (route.reply === null) return undefined;
  const parsed = route.reply.safeParse(parseJson(reply.body));
  if (parsed.success) return parsed.data;
  throw new ApiError({
    code: 'reply_invalid',
    message: `${route.method} ${route.path} answered with a body that is not of this API version`,
    status: reply.status,
  });
}

/**
 * Error of a reply that is no success; also for the agent's local API, which has the same error
 * body.
 */
export function toApiError(reply: SendReply): ApiError {
  const parsed = errorBodySchema.safeParse(parseJson(reply.body));
  if (parsed.success) return new ApiError({ status: reply.status, ...parsed.data.error });
  return new ApiError({
    code: 'reply_invalid',
    message: `the server answered ${reply.status} with a body that is not of this API: is the URL that of an etherloom controller?`,
    status: reply.status,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
