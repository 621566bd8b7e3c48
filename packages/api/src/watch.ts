/**
 * The watch stream as an async iterator: what changed, in the order of the ledger, without gap and
 * without repetition, over as many connections as it takes. How bytes travel and how time passes is
 * the caller's.
 */
import { z } from 'zod';
import type { SendRequest } from './client.ts';
import { toApiError, toRequest } from './client.ts';
import { ROUTES } from './routes.ts';

export interface StreamReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it comes, as text in pieces of any size; ends or throws when the stream does. */
  readonly chunks: AsyncIterable<string>;
}

/** Carries one request whose reply goes on; rejects when no reply began. */
export type SendStream = (request: SendRequest) => Promise<StreamReply>;

const changeSchema = z.object({
  number: z.int(),
  noun: z.string(),
  id: z.string(),
  action: z.string(),
  networkId: z.string().nullable(),
});
const liveSchema = z.object({
  nodes: z.array(z.object({ id: z.string(), kind: z.string() })),
});

export type WatchEvent =
  /** The stream stands: what is read from here on is followed by all later changes. */
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'change' } & z.infer<typeof changeSchema>)
  | ({ readonly kind: 'live' } & z.infer<typeof liveSchema>)
  /** Changes were missed: everything has to be read anew. */
  | { readonly kind: 'reset' };

export interface WatchOptions {
  readonly baseUrl: string;
  readonly token?: string;
  readonly organization?: string;
  readonly sendStream: SendStream;
  /** Waits before a broken stream is opened again; `failures` in a row, from 1. */
  readonly pause: (failures: number) => Promise<void>;
  readonly signal?: AbortSignal;
  /** Called when a stream broke and is opened again. */
  readonly onBroken?: (error: unknown) => void;
}

/** Events until `signal` is aborted. Rejects with ApiError when the server refuses for good. */
export async function* watch(options: WatchOptions): AsyncGenerator<WatchEvent> {
  let lastId = '';
  let failures = 0;
  const isAborted = (): boolean => options.signal?.aborted === true;
  while (!isAborted()) {
    try {
      for await (const event of connect(options, lastId)) {
        failures = 0;
        if (event.id !== '') lastId = event.id;
        const parsed = parseEvent(event);
        if (parsed !== null) yield parsed;
      }
    } catch (error) {
      if (isAborted()) return;
      if (isFinal(error)) throw error;
      options.onBroken?.(error);
    }
    if (isAborted()) return;
    failures += 1;
    await options.pause(failures);
  }
}

/** A refusal that another attempt will meet again. */
function isFinal(error: unknown): boolean {
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 0;
  return status >= 400 && status < 500 && status !== 429;
}

interface RawEvent {
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

async function* connect(options: WatchOptions, lastId: string): AsyncGenerator<RawEvent> {
  const { organization, signal } = options;
  const request = toRequest(options, ROUTES.watch, {
    ...(organization === undefined ? {} : { query: { organization } }),
    ...(signal === undefined ? {} : { signal }),
  });
  const reply = await options.sendStream({
    ...request,
    headers: {
      ...request.headers,
      accept: 'text/event-stream',
      ...(lastId === '' ? {} : { 'last-event-id': lastId }),
    },
  });
  if (reply.status !== 200) {
    let body = '';
    for await (const chunk of reply.chunks) body = (body + chunk).slice(0, 65_536);
    throw toApiError({ status: reply.status, headers: reply.headers, body });
  }
  yield* readEvents(reply.chunks);
}

/** Longest line of an event; a server that sends more is none of ours. */
const LINE_CHARS_MAX = 1_048_576;

/** Server-sent events of a stream of text (HTML Living Standard 9.2.6). */
export async function* readEvents(chunks: AsyncIterable<string>): AsyncGenerator<RawEvent> {
  let event = { id: '', name: '', data: '' };
  for await (const line of readLines(chunks)) {
    if (line === '') {
      if (event.id !== '' || event.name !== '') yield event;
      event = { id: '', name: '', data: '' };
      continue;
    }
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'id') event = { ...event, id: value };
    else if (field === 'event') event = { ...event, name: value };
    else if (field === 'data') event = { ...event, data: event.data + value };
  }
}

/** Lines of a text that comes in pieces; what follows the last line break is passed over. */
export async function* readLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > LINE_CHARS_MAX) throw new RangeError('a line of the stream is too long');
  }
}

function parseEvent({ name, data }: RawEvent): WatchEvent | null {
  switch (name) {
    case 'ready':
    case 'reset':
      return { kind: name };
    case 'change': {
      const parsed = changeSchema.safeParse(parseJson(data));
      return parsed.success ? { kind: 'change', ...parsed.data } : { kind: 'reset' };
    }
    case 'live': {
      const parsed = liveSchema.safeParse(parseJson(data));
      return parsed.success ? { kind: 'live', ...parsed.data } : null;
    }
    default:
      return null;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
