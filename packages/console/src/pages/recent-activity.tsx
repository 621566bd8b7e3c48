/** The last entries of the ledger, as the overview shows them. */
import type { ReactElement } from 'react';
import { useList } from '../api/calls.ts';
import { describeAction, describeActor } from '../ledger-words.ts';
import { Listed } from '../ui/listing.tsx';
import { Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';

/** Entries of the overview. */
const RECENT_ROWS = 8;

/** The list. */
export function RecentActivity(): ReactElement {
  const list = useList('auditList', {}, { limit: RECENT_ROWS });
  const recent = { ...list, hasMore: false, items: list.items?.slice(0, RECENT_ROWS) };
  return (
    <Listed list={recent} what="what happened" blank={<Blank title="Nothing yet" />}>
      {(rows) => (
        <ul className="list-plain">
          {rows.map((entry) => (
            <li key={entry.number}>
              <span>
                <strong>{describeActor(entry.actor)}</strong> {describeAction(entry)}
              </span>
              <span className="soft">
                <Time at={entry.at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Listed>
  );
}
