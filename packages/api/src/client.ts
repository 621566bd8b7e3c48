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

/** What a call of a route takes. */
export type CallOptions<N extends RouteName> = ParamsOf<(typeof ROUTES)[N]> &
  BodyOf<(typeof ROUTES)[N]> & { readonly signal?: AbortSignal };

/** What a call of a route gives. */
export type CallReply<N extends RouteName> = (typeof ROUTES)[N]['reply'] extends z.ZodType
  ? z.output<(typeof ROUTES)[N]['reply']>
  : undefined;

/** Options may be left out where a route needs none. */
type CallArguments<N extends RouteName> =
  Record<never, never> extends CallOptions<N>
    ? [options?: CallOptions<N>]
    : [options: CallOptions<N>];

export interface Client {
  call<N extends RouteName>(route: N, ...args: CallArguments<N>): Promise<CallReply<N>>;
}

export interface ClientOptions {
  /** For example https://192.0.2.1:8443; a trailing slash does no harm. */
  readonly baseUrl: string;
  readonly send: Send;
  /** Bearer token of an administrator; joining needs none. */
  readonly token?: string;
}

/** Makes a client. Calls reject with ApiError, or with whatever `send` rejects with. */
export function createClient(options: ClientOptions): Client {
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  return {
    async call(name, ...args) {
      const route: Route = ROUTES[name];
      const given = args[0];
      const headers: Record<string, string> = { accept: 'application/json' };
      if (options.token !== undefined && route.auth === 'admin')
        headers['authorization'] = `Bearer ${options.token}`;
      if (given?.body !== undefined) headers['content-type'] = 'application/json';
      const reply = await options.send({
        method: route.method,
        url: baseUrl + fillPath(route.path, given?.params ?? {}),
        headers,
        ...(given?.body === undefined ? {} : { body: JSON.stringify(given.body) }),
        ...(given?.signal === undefined ? {} : { signal: given.signal }),
      });
      return readReply(route, reply) as CallReply<typeof name>; // parsed by its schema
    },
  };
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
