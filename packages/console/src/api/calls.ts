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
  ItemOf,
  ListRouteName,
  Route,
  RouteName,
} from '@etherloom/api';
import { ROUTES } from '@etherloom/api';
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { LIST_PAGE_ROWS, POLL_MS } from '../limits.ts';
import { client } from './client.ts';
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

/** Reads one thing. `isNeeded` false: not yet. */
export function useCall<N extends RouteName>(
  name: N,
  options: Options<N>,
  { isNeeded = true }: { readonly isNeeded?: boolean } = {},
): Reading<CallReply<N>> {
  const query = useQuery({
    queryKey: [name, options],
    queryFn: ({ signal }) => call(name, options, signal),
    enabled: isNeeded,
    refetchInterval: usePollMs(),
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
    onSuccess: () => void queries.invalidateQueries(),
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
