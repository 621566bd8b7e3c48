/**
 * Calls as components use them. A reading (`useCall`, `useList`) is kept under its route's name and
 * options, and read anew when the watch stream says so (watch.tsx); an act (`useAct`) changes
 * something, and everything that is shown is read anew after it. Nothing is shown before the
 * controller said that it is so.
 */
import type {
  CallArguments,
  CallOptions,
  CallReply,
  CollectArguments,
  ItemOf,
  ListRouteName,
  Route,
  RouteName,
} from '@etherloom/api';
import { ROUTES, collect } from '@etherloom/api';
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useState } from 'react';
import { LIST_PAGE_ROWS, POLL_MS } from '../limits.ts';
import { client } from './client.ts';
import { invalidate } from './invalidate.ts';
import { usePollMs } from './watch.tsx';

/** What a call takes, without what the hooks add. */
export type Options<N extends RouteName> = Omit<CallOptions<N>, 'signal'>;

/** One reading. */
export interface Reading<T> {
  /** undefined: it has not come yet, or failed. */
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly retry: () => void;
}

function call<N extends RouteName>(
  name: N,
  options: Options<N>,
  signal?: AbortSignal,
): Promise<CallReply<N>> {
  const whole = { ...options, ...(signal === undefined ? {} : { signal }) };
  return client.call(name, ...([whole] as unknown as CallArguments<N>)); // as Options<N> says
}

/** Reads one thing. `isNeeded` false: not yet; `isFiltered`: see ListOptions. */
export function useCall<N extends RouteName>(
  name: N,
  options: Options<N>,
  { isNeeded = true, isFiltered = false }: Omit<ListOptions, 'limit'> = {},
): Reading<CallReply<N>> {
  const query = useQuery({
    queryKey: [name, options],
    queryFn: ({ signal }) => call(name, options, signal),
    enabled: isNeeded,
    refetchInterval: usePollMs(),
    ...(isFiltered ? { placeholderData: keepPreviousData } : {}),
  });
  return {
    data: query.data,
    error: query.error,
    isLoading: query.isPending && isNeeded,
    retry: () => void query.refetch(),
  };
}

/**
 * Reads what moves without a change: counters and paths, asked for every POLL_MS while the page
 * is looked at.
 */
export function usePolledCall<N extends RouteName>(
  name: N,
  options: Options<N>,
): Reading<CallReply<N>> & { readonly updatedAtMs: number } {
  const query = useQuery({
    queryKey: [name, options],
    queryFn: ({ signal }) => call(name, options, signal),
    refetchInterval: POLL_MS,
  });
  return {
    data: query.data,
    error: query.error,
    isLoading: query.isPending,
    retry: () => void query.refetch(),
    updatedAtMs: query.dataUpdatedAt,
  };
}

/** A list as far as it was read. */
export interface Listing<T> {
  /** undefined: its first page has not come yet, or failed. */
  readonly items: readonly T[] | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly hasMore: boolean;
  readonly isReadingMore: boolean;
  readonly readMore: () => void;
  readonly retry: () => void;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | null;
}

/** How a list is read. */
export interface ListOptions {
  /** false: not yet. */
  readonly isNeeded?: boolean;
  /** Rows of a page. */
  readonly limit?: number;
  /** While another filter is read, the rows of the one before stay. */
  readonly isFiltered?: boolean;
}

/** Reads a list page by page. */
export function useList<N extends ListRouteName>(
  name: N,
  options: Options<N>,
  { isNeeded = true, limit = LIST_PAGE_ROWS, isFiltered = false }: ListOptions = {},
): Listing<ItemOf<N>> {
  const query = useInfiniteQuery({
    queryKey: [name, options, limit],
    queryFn: async ({ pageParam, signal }) => {
      const paged = withPage(name, options, pageParam, limit);
      const page: unknown = await call(name, paged, signal);
      return page as Page<ItemOf<N>>; // N answers with a list
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    enabled: isNeeded,
    refetchInterval: usePollMs(),
    ...(isFiltered ? { placeholderData: keepPreviousData } : {}),
  });
  return {
    items: query.data?.pages.flatMap((page) => page.items),
    error: query.error,
    isLoading: query.isPending && isNeeded,
    hasMore: query.hasNextPage,
    isReadingMore: query.isFetchingNextPage,
    readMore: () => void query.fetchNextPage(),
    retry: () => void query.refetch(),
  };
}

/** One page of a list, and the way to those beside it. */
export interface Paging<T> extends Pick<Listing<T>, 'items' | 'error' | 'retry'> {
  /** Rows before this page. */
  readonly before: number;
  /** Rows of another page or filter are shown until those that were asked for come. */
  readonly isTurning: boolean;
  readonly turnBack: (() => void) | null;
  readonly turnOn: (() => void) | null;
}

/** Reads a list of any length one page at a time; another filter begins at its first page. */
export function usePages<N extends ListRouteName>(
  name: N,
  options: Options<N>,
  { isNeeded = true, limit = LIST_PAGE_ROWS }: Omit<ListOptions, 'isFiltered'> = {},
): Paging<ItemOf<N>> {
  const of = JSON.stringify([name, options, limit]);
  const [turned, setTurned] = useState<{ of: string; cursors: readonly string[] }>({
    of,
    cursors: [],
  });
  // Not kept for when somebody comes back to a filter: it would begin in its middle.
  if (turned.of !== of) setTurned({ of, cursors: [] });
  const cursors = turned.of === of ? turned.cursors : [];
  const turnTo = (wanted: readonly string[]): void => setTurned({ of, cursors: wanted });
  const query = useQuery({
    queryKey: [name, options, limit, cursors.at(-1) ?? ''],
    queryFn: async ({ signal }) => {
      const paged = withPage(name, options, cursors.at(-1) ?? '', limit);
      const page: unknown = await call(name, paged, signal);
      const list = page as Page<ItemOf<N>>; // N answers with a list
      // Its place comes with it: until it is there the rows of another page are shown.
      return { ...list, before: cursors.length * limit };
    },
    enabled: isNeeded,
    refetchInterval: usePollMs(),
    placeholderData: keepPreviousData,
  });
  const { data, isPlaceholderData: isTurning } = query;
  const next = data?.next ?? null;
  // All rows of a page may go while it is looked at.
  if (data?.items.length === 0 && !isTurning && cursors.length > 0) turnTo(cursors.slice(0, -1));
  return {
    items: data?.items,
    error: query.error,
    before: data?.before ?? 0,
    isTurning,
    turnBack: cursors.length === 0 ? null : () => turnTo(cursors.slice(0, -1)),
    turnOn: next === null || isTurning ? null : () => turnTo([...cursors, next]),
    retry: () => void query.refetch(),
  };
}

/** Reads a list to its end, for what is made of all its rows. */
export function useWhole<N extends ListRouteName>(
  name: N,
  options: Options<N>,
): Reading<readonly ItemOf<N>[]> {
  const query = useQuery({
    queryKey: [name, options, 'whole'],
    queryFn: ({ signal }) => {
      const given = [{ ...options, signal }] as unknown as CollectArguments<N>; // as given
      return collect(client, name, ...given);
    },
    refetchInterval: usePollMs(),
  });
  return {
    data: query.data,
    error: query.error,
    isLoading: query.isPending,
    retry: () => void query.refetch(),
  };
}

function withPage<N extends RouteName>(
  name: N,
  options: Options<N>,
  cursor: string,
  limit: number,
): Options<N> {
  const route: Route = ROUTES[name];
  if (route.query === undefined) return options; // a list that is short and comes whole
  const given = options as { readonly query?: Readonly<Record<string, unknown>> }; // it has a query
  return {
    ...options,
    query: { ...given.query, limit, ...(cursor === '' ? {} : { cursor }) },
  };
}

/** Something that changes the controller's state. */
export interface Act<N extends RouteName> {
  readonly run: (options: Options<N>) => Promise<CallReply<N> | null>;
  readonly isRunning: boolean;
  readonly error: unknown;
  readonly forget: () => void;
}

/** Acts; what is shown is read anew afterwards. A failure is in `error`, and resolves to null. */
export function useAct<N extends RouteName>(name: N): Act<N> {
  const queries = useQueryClient();
  const mutation = useMutation({
    mutationFn: (options: Options<N>) => call(name, options),
    onSuccess: () => invalidate(queries),
  });
  return {
    run: async (options) => {
      try {
        return await mutation.mutateAsync(options);
      } catch {
        return null; // shown by whoever reads `error`
      }
    },
    isRunning: mutation.isPending,
    error: mutation.error,
    forget: mutation.reset,
  };
}
