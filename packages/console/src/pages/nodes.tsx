/** All nodes of the organization, with filters that are part of the address. */
import type { Node } from '@etherloom/api';
import type { ReactElement } from 'react';
import { Link } from 'react-router';
import { useList } from '../api/calls.ts';
import { useSession } from '../session.tsx';
import { SelectField } from '../ui/form.tsx';
import { Icon } from '../ui/icons.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { PageHead, Time } from '../ui/page.tsx';
import { Paged } from '../ui/paged.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import type { Column } from '../ui/table.tsx';
import { NodeFilters, useNodeSearch } from './node-search.tsx';

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
  const search = useNodeSearch();
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
      <NodeFilters search={search}>
        <NetworkFilter
          value={search.network}
          onValue={(network) => search.set('network', network)}
        />
      </NodeFilters>
      <div className="card">
        <Paged
          list={search.list}
          what="nodes"
          total={search.total}
          blank={
            search.isNarrowed ? (
              <Blank title="No node is like that" />
            ) : (
              <Blank title="No node yet" icon="node">
                <p>A host becomes a node when it joins a network with a join token.</p>
              </Blank>
            )
          }
        >
          {(rows) => <Table label="Nodes" columns={COLUMNS} rows={rows} keyOf={({ id }) => id} />}
        </Paged>
      </div>
    </>
  );
}

function NetworkFilter(props: {
  readonly value: string;
  readonly onValue: (value: string) => void;
}): ReactElement {
  const networks = useList('networkList', {}, { limit: 1_000 });
  const names = (networks.items ?? []).map(({ name }) => [name, name] as const);
  return <SelectField label="Network" {...props} options={[['', 'any'], ...names]} />;
}
