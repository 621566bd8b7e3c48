/**
 * A list of any length as a card shows it: one page of rows, where it stands among all, and the way
 * to those beside it. There are never more rows in the page than it shows.
 */
import { useRef } from 'react';
import type { ReactElement, ReactNode } from 'react';
import type { Paging } from '../api/calls.ts';
import { formatCount } from '../format.ts';
import { Failed, Loading } from './states.tsx';

export interface PagedProps<T> {
  readonly list: Paging<T>;
  /** Plural noun, for the words between. */
  readonly what: string;
  /** Rows in all, where that is known. */
  readonly total?: number | undefined;
  readonly blank: ReactNode;
  readonly children: (items: readonly T[]) => ReactNode;
}

/** Shows it, or in its place why not. */
export function Paged<T>(props: PagedProps<T>): ReactElement {
  const { list, what, total, blank, children } = props;
  const top = useRef<HTMLDivElement>(null);
  if (list.items === undefined && list.error === null) return <Loading what={what} />;
  const turn = (act: () => void): void => {
    act();
    top.current?.scrollIntoView({ block: 'start' });
  };
  return (
    <div ref={top} className="paged" aria-busy={list.isTurning}>
      {list.error !== null && (
        <div className="inside">
          <Failed error={list.error} onRetry={list.retry} />
        </div>
      )}
      {list.items?.length === 0 && blank}
      {list.items !== undefined && list.items.length > 0 && (
        <>
          {children(list.items)}
          <nav className="more" aria-label={`Pages of ${what}`}>
            <span className="soft" role="status">
              {describeRange(list.before, list.items.length, total)} {what}
            </span>
            {(list.turnBack !== null || list.turnOn !== null) && (
              <>
                <Turn name="Previous" act={list.turnBack} onTurn={turn} />
                <Turn name="Next" act={list.turnOn} onTurn={turn} />
              </>
            )}
          </nav>
        </>
      )}
    </div>
  );
}

/** Stays where it is when there is no further page: a disabled button would lose the focus. */
function Turn(props: {
  readonly name: string;
  readonly act: (() => void) | null;
  readonly onTurn: (act: () => void) => void;
}): ReactElement {
  const { name, act, onTurn } = props;
  return (
    <button
      type="button"
      className="button small"
      aria-label={`${name} page`}
      aria-disabled={act === null}
      onClick={() => act !== null && onTurn(act)}
    >
      {name}
    </button>
  );
}

/** Which rows are shown: `101 to 200 of 10,000`. */
function describeRange(before: number, shown: number, total: number | undefined): string {
  const range = `${formatCount(before + 1)} to ${formatCount(before + shown)}`;
  // A count that came before or after the rows is not said where it contradicts them.
  return total === undefined || total < before + shown
    ? range
    : `${range} of ${formatCount(total)}`;
}
