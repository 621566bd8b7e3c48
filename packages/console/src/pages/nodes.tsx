/** All nodes of the organization, with filters that are part of the address. */
import type { Node } from '@etherloom/api';
import type { ReactElement } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useList } from '../api/calls.ts';
import { formatCount } from '../format.ts';
import { useSession } from '../session.tsx';
import { SelectField, TextField } from '../ui/form.tsx';
import { Icon } from '../ui/icons.tsx';
import { Listed } from '../ui/listing.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { matchesFilter, STATE_FILTERS } from '../node-filter.ts';
import type { StateFilter } from '../node-filter.ts';
import { PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import type { Column } from '../ui/table.tsx';

const COLUMNS: readonly Column<Node>[] = [
  { name: 'Node', show: ({ name }) => <Link to={`/nodes/${name}`}>{name}</Link> },
  { name: 'State', show: (node) => <NodeState node={node} /> },
  {
    name: 'Networks',
    show: ({ memberships }) => (
      <span className="badges">
        {memberships.map(({ networkId, networkName }) => (
          <Link key={networkId} className="badge" to={`/networks/${networkName}`}>
            {networkName}
          </Link>
        ))}
      </span>
    ),
  },
  {
    name: 'Address',
    show: ({ memberships }) => <span className="mono">{memberships[0]?.addresses[0] ?? ''}</span>,
  },
  { name: 'Endpoint', show: ({ endpoints }) => <span className="mono">{endpoints[0] ?? ''}</span> },
  { name: 'Last seen', show: ({ lastSeenAt }) => <Time at={lastSeenAt} /> },
];

/** The page. */
export function NodesPage(): ReactElement {
  const { can } = useSession();
  const [search, setSearch] = useSearchParams();
  const text = search.get('text') ?? '';
  const network = search.get('network') ?? '';
  const state = STATE_FILTERS.find(([value]) => value === search.get('state'))?.[0] ?? 'any';
  const set = (key: string, value: string): void => {
    const next = new URLSearchParams(search);
    if (value === '' || value === 'any') next.delete(key);
    else next.set(key, value);
    setSearch(next, { replace: true });
  };
  const query = network === '' ? {} : { network };
  const list = useList('nodeList', { query }, { limit: 1_000 });
  const join = (
    <Link className="button primary" to="/join">
      <Icon name="join" /> Join a host
    </Link>
  );
  return (
    <>
      <PageHead title="Nodes" acts={can('join_token:write') ? join : undefined}>
        <p>Machines that are members of networks.</p>
      </PageHead>
      <Filters text={text} network={network} state={state} onSet={set} />
      <div className="card">
        <Listed
          list={list}
          what="nodes"
          blank={
            <Blank title="No node yet" icon="node">
              <p>A host becomes a node when it joins a network with a join token.</p>
            </Blank>
          }
        >
          {(rows) => (
            <Found
              rows={rows.filter((node) => matchesFilter(node, text, state))}
              of={rows.length}
            />
          )}
        </Listed>
      </div>
    </>
  );
}

function Found({
  rows,
  of,
}: {
  readonly rows: readonly Node[];
  readonly of: number;
}): ReactElement {
  return (
    <>
      <p className="unseen" role="status">
        {formatCount(rows.length)} of {formatCount(of)} nodes
      </p>
      {rows.length === 0 ? (
        <Blank title="No node is like that" />
      ) : (
        <Table label="Nodes" columns={COLUMNS} rows={rows} keyOf={({ id }) => id} />
      )}
    </>
  );
}

function Filters(props: {
  readonly text: string;
  readonly network: string;
  readonly state: StateFilter;
  readonly onSet: (key: string, value: string) => void;
}): ReactElement {
  const networks = useList('networkList', {}, { limit: 1_000 });
  const names = (networks.items ?? []).map(({ name }) => [name, name] as const);
  return (
    <div className="filters" role="search">
      <div className="grows field">
        <TextField
          label="Find"
          type="search"
          placeholder="Name, address, id"
          value={props.text}
          onValue={(value) => props.onSet('text', value)}
        />
      </div>
      <SelectField
        label="Network"
        value={props.network}
        onValue={(value) => props.onSet('network', value)}
        options={[['', 'any'], ...names]}
      />
      <SelectField
        label="State"
        value={props.state}
        onValue={(value) => props.onSet('state', value)}
        options={STATE_FILTERS}
      />
    </div>
  );
}
