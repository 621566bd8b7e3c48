/** A list as a card shows it: loading, failed, nothing there, or rows with "Show more". */
import type { ReactElement, ReactNode } from 'react';
import type { Listing } from '../api/calls.ts';
import { formatCount } from '../format.ts';
import { Failed, Loading } from './states.tsx';

export interface ListedProps<T> {
  readonly list: Listing<T>;
  /** Plural noun, for the words between. */
  readonly what: string;
  readonly blank: ReactNode;
  readonly children: (items: readonly T[]) => ReactNode;
}

/** Shows one of the four. */
export function Listed<T>({ list, what, blank, children }: ListedProps<T>): ReactElement {
  if (list.items === undefined) {
    if (list.error !== null) {
      return (
        <div className="inside">
          <Failed error={list.error} onRetry={list.retry} />
        </div>
      );
    }
    return <Loading what={what} />;
  }
  if (list.items.length === 0) return <>{blank}</>;
  return (
    <>
      {list.error !== null && (
        <div className="inside">
          <Failed error={list.error} onRetry={list.retry} />
        </div>
      )}
      {children(list.items)}
      {list.hasMore && (
        <div className="more">
          <span className="soft">{formatCount(list.items.length)} shown</span>
          <button
            type="button"
            className="button small"
            disabled={list.isReadingMore}
            onClick={list.readMore}
          >
            {list.isReadingMore ? 'Reading …' : `Show more ${what}`}
          </button>
        </div>
      )}
    </>
  );
}
