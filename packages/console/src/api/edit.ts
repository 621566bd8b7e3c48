/**
 * A form that changes a resource. It begins with a reading and its ETag, and holds on to both while
 * something is typed. Whatever is saved names that ETag: when somebody else changed the resource
 * meanwhile, the controller refuses, the resource is read anew, and the form goes on from there
 * with what was typed still in it.
 */
import type { CallArguments, CallReply, Exchanged, RouteName } from '@etherloom/api';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Options } from './calls.ts';
import { client } from './client.ts';
import { isChangedMeanwhile } from './errors.ts';
import { invalidate } from './invalidate.ts';
import { usePollMs } from './watch.tsx';

export interface Edit<R extends RouteName, A extends RouteName> {
  /** What the form is about; undefined: it has not come yet, or failed. */
  readonly shown: CallReply<R> | undefined;
  /** What it was before somebody else changed it while something was typed; null: nobody did. */
  readonly was: CallReply<R> | null;
  readonly readError: unknown;
  readonly retry: () => void;
  /** Goes on from what is there: it is not told of any more. */
  readonly takeTheirs: () => void;
  /** Saves; resolves to null when that failed, or somebody else was faster. */
  readonly save: (options: Options<A>) => Promise<CallReply<A> | null>;
  readonly isRunning: boolean;
  /** Why saving failed; null also when somebody else was faster. */
  readonly error: unknown;
}

type Held<R extends RouteName> = Exchanged<R> & { readonly was: CallReply<R> | null };

/** One of the two: it was saved, or somebody else was faster and this is there. */
type Outcome<R extends RouteName, A extends RouteName> =
  | { readonly saved: Exchanged<A>; readonly present: null }
  | { readonly saved: null; readonly present: Exchanged<R> };

function exchange<N extends RouteName>(
  name: N,
  options: Options<N>,
  more: { readonly ifMatch?: string; readonly signal?: AbortSignal } = {},
): Promise<Exchanged<N>> {
  const given = [{ ...options, ...more }] as unknown as CallArguments<N>; // as Options<N> says
  return client.exchange(name, ...given);
}

/**
 * `isHeld`: something was typed, or the form was opened for this one change. `A` answers with the
 * resource that `R` reads.
 */
export function useEdit<R extends RouteName, A extends RouteName>(
  read: { readonly route: R; readonly options: Options<R> },
  change: A,
  isHeld: boolean,
): Edit<R, A> {
  const queries = useQueryClient();
  const queryKey = [read.route, read.options, 'edit'];
  const query = useQuery({
    queryKey,
    queryFn: ({ signal }) => exchange(read.route, read.options, { signal }),
    gcTime: 0, // a form begins with what is there, not with what was when one was open before
    refetchInterval: usePollMs(),
  });
  const [held, setHeld] = useState<Held<R> | null>(null);
  if (isHeld && held === null && query.data !== undefined) setHeld({ ...query.data, was: null });
  if (!isHeld && held !== null) setHeld(null);
  const shown = held ?? query.data;
  const mutation = useMutation({
    mutationFn: async (options: Options<A>): Promise<Outcome<R, A>> => {
      const etag = shown?.etag ?? null;
      try {
        const ifMatch = etag === null ? {} : { ifMatch: etag };
        return { saved: await exchange(change, options, ifMatch), present: null };
      } catch (error) {
        if (!isChangedMeanwhile(error)) throw error;
        // Where this fails as well, the refusal is what is told.
        const present = await exchange(read.route, read.options).catch(() => Promise.reject(error));
        return { saved: null, present };
      }
    },
    onSuccess: ({ saved, present }) => {
      if (present !== null) setHeld({ ...present, was: shown?.reply ?? null });
      // `A` answers with what `R` reads.
      else setHeld((before) => before && { ...(saved as unknown as Exchanged<R>), was: null });
      queries.setQueryData(queryKey, saved ?? present);
      if (saved !== null) invalidate(queries);
    },
  });
  return {
    shown: shown?.reply,
    was: held?.was ?? null,
    readError: query.error,
    retry: () => void query.refetch(),
    takeTheirs: () => setHeld((before) => before && { ...before, was: null }),
    save: async (options) => {
      try {
        return (await mutation.mutateAsync(options)).saved?.reply ?? null;
      } catch {
        return null; // shown by whoever reads `error`
      }
    },
    isRunning: mutation.isPending,
    error: mutation.error,
  };
}
