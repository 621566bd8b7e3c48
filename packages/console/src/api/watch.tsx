/**
 * Keeps what is shown up to date: the controller's watch stream says what changed, and the readings
 * that show it are read anew. While the stream is broken, everything is asked for every POLL_MS.
 */
import { useQueryClient } from '@tanstack/react-query';
import type { Query } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { CHANGE_PAUSE_MS, LIVE_PAUSE_MS, POLL_MS } from '../limits.ts';
import { isStaleAfter, isStaleAfterReport } from './changes.ts';
import { scopeQuery } from './client.ts';
import { invalidate } from './invalidate.ts';

const Live = createContext(false);

/** Whether changes come by themselves. */
export function useIsLive(): boolean {
  return useContext(Live);
}

/** How often to ask: false while changes come by themselves. */
export function usePollMs(): number | false {
  return useContext(Live) ? false : POLL_MS;
}

/** Opens the stream for everything inside; `scope` names the organization that is looked at. */
export function WatchProvider(props: {
  readonly scope: string | null;
  readonly children: ReactNode;
}): ReactElement {
  const isLive = useWatch(props.scope);
  return <Live value={isLive}>{props.children}</Live>;
}

function useWatch(scope: string | null): boolean {
  const queries = useQueryClient();
  const [isLive, setIsLive] = useState(false);
  useEffect(() => {
    const flush = (isStale: IsStale): void => {
      const predicate = ({ queryKey }: Query): boolean => isStale(String(queryKey[0]));
      invalidate(queries, predicate);
    };
    const changed = collectStale(CHANGE_PAUSE_MS, flush);
    const reported = collectStale(LIVE_PAUSE_MS, flush);
    const stop = keepOpen({
      onState: setIsLive,
      onReset: () => changed.add(() => true),
      onChange: (noun) => changed.add((name) => isStaleAfter(name, noun)),
      onReport: () => reported.add(isStaleAfterReport),
    });
    return () => {
      stop();
      changed.stop();
      reported.stop();
      setIsLive(false);
    };
  }, [queries, scope]);
  return isLive;
}

interface StreamEvents {
  readonly onState: (isOpen: boolean) => void;
  /** Anything may have changed: the stream begins, or goes on after a gap. */
  readonly onReset: () => void;
  readonly onChange: (noun: string) => void;
  readonly onReport: () => void;
}

/**
 * Opens the stream. A browser opens a lost one again by itself, but not one that was refused, as by
 * a controller that stops: that is for us.
 */
function keepOpen(events: StreamEvents): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource;
  const open = (): void => {
    const query = scopeQuery();
    source = new EventSource(`/v1/watch${query === '' ? '' : `?${query}`}`);
    source.addEventListener('open', () => {
      events.onState(true);
      events.onReset();
    });
    source.addEventListener('error', () => {
      events.onState(false);
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      timer = setTimeout(open, POLL_MS);
    });
    source.addEventListener('change', (event: MessageEvent<string>) =>
      events.onChange(nounOf(event.data)),
    );
    source.addEventListener('live', () => events.onReport());
    source.addEventListener('reset', () => events.onReset());
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

/** The noun of a change; what cannot be read counts as anything. */
function nounOf(data: string): string {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value === 'object' && value !== null && 'noun' in value) return String(value.noun);
  } catch {
    // no JSON: anything may have changed
  }
  return '';
}

type IsStale = (routeName: string) => boolean;

/** Gathers what is stale for a moment: a hundred joins are one reading. */
function collectStale(
  pauseMs: number,
  flush: (isStale: IsStale) => void,
): {
  readonly add: (isStale: IsStale) => void;
  readonly stop: () => void;
} {
  let gathered = new Set<IsStale>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    add(isStale) {
      gathered.add(isStale);
      timer ??= setTimeout(() => {
        const all = [...gathered];
        gathered = new Set();
        timer = undefined;
        flush((name) => all.some((one) => one(name)));
      }, pauseMs);
    },
    stop: () => clearTimeout(timer),
  };
}
