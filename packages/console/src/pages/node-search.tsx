/** Finds nodes among any number: the filters, as parts of the address, and how many there are. */
import type { Node, NodeCounts } from '@etherloom/api';
import { SEARCH_CHARS_MAX } from '@etherloom/api';
import type { ReactElement, ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import { useCall, usePages } from '../api/calls.ts';
import type { Paging } from '../api/calls.ts';
import { formatCount } from '../format.ts';
import { STATE_FILTERS, countOf, stateQuery, textQuery, wrongInText } from '../node-filter.ts';
import type { StateFilter } from '../node-filter.ts';
import { SelectField, TextField } from '../ui/form.tsx';
import { useSettled } from '../ui/settled.ts';

export interface NodeSearch {
  readonly text: string;
  readonly state: StateFilter;
  readonly network: string;
  readonly set: (key: 'text' | 'state' | 'network', value: string) => void;
  readonly list: Paging<Node>;
  /** Of what the text and the network find, in any state; undefined: not known yet. */
  readonly counts: NodeCounts | undefined;
  /** Of what is listed. */
  readonly total: number | undefined;
  /** Whether anything narrows the list. */
  readonly isNarrowed: boolean;
}

/** The search that the address says; `network`: within that one alone. */
export function useNodeSearch(within?: string): NodeSearch {
  const [search, setSearch] = useSearchParams();
  const text = search.get('text') ?? '';
  const network = within ?? search.get('network') ?? '';
  const state = STATE_FILTERS.find(([value]) => value === search.get('state'))?.[0] ?? 'any';
  const found = {
    ...(network === '' ? {} : { network }),
    ...textQuery(useSettled(text)),
  };
  const list = usePages('nodeList', { query: { ...found, ...stateQuery(state) } });
  const counts = useCall('nodeCounts', { query: found }, { isFiltered: true }).data;
  return {
    text,
    state,
    network,
    list,
    counts,
    total: counts === undefined ? undefined : countOf(counts, state),
    isNarrowed: text !== '' || state !== 'any' || (within === undefined && network !== ''),
    set: (key, value) => {
      // As it is by then: two fields may change before the address is drawn.
      setSearch(
        (before) => {
          const next = new URLSearchParams(before);
          if (value === '' || value === 'any') next.delete(key);
          else next.set(key, value);
          return next;
        },
        { replace: true },
      );
    },
  };
}

/** Text and state; what is between them is the page's own. */
export function NodeFilters(props: {
  readonly search: NodeSearch;
  readonly children?: ReactNode;
}): ReactElement {
  const { search, children } = props;
  const { counts } = search;
  return (
    <div className="filters" role="search">
      <div className="grows field">
        <TextField
          label="Find"
          type="search"
          placeholder="Name, address, id"
          maxLength={SEARCH_CHARS_MAX}
          value={search.text}
          onValue={(value) => search.set('text', value)}
          wrong={wrongInText(search.text)}
        />
      </div>
      {children}
      <SelectField
        label="State"
        value={search.state}
        onValue={(value) => search.set('state', value)}
        options={STATE_FILTERS.map(([state, name]) => [
          state,
          counts === undefined ? name : `${name} (${formatCount(countOf(counts, state))})`,
        ])}
      />
    </div>
  );
}
