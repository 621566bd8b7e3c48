/** What an operator wants to know first: how much there is, what is wrong, what happened. */
import type { Network, Node, NodeCounts } from '@etherloom/api';
import type { ReactElement, ReactNode } from 'react';
import { Link } from 'react-router';
import { useCall, useList } from '../api/calls.ts';
import { formatCount, formatNumberOf } from '../format.ts';
import { TROUBLE_ROWS } from '../limits.ts';
import type { NodeQuery } from '../node-filter.ts';
import { useSession } from '../session.tsx';
import { Listed } from '../ui/listing.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { Card, PageHead, Time } from '../ui/page.tsx';
import { Blank, Failed, Loading } from '../ui/states.tsx';
import { RecentActivity } from './recent-activity.tsx';

/** The page. */
export function OverviewPage(): ReactElement {
  const { can, organization } = useSession();
  const networks = useList('networkList', {}, { isNeeded: can('network:read'), limit: 1_000 });
  const counts = useCall('nodeCounts', {}, { isNeeded: can('node:read') });
  const error = networks.error ?? counts.error;
  const isEmpty = networks.items?.length === 0 && counts.data?.total === 0;
  const retry = (): void => {
    networks.retry();
    counts.retry();
  };
  return (
    <>
      <PageHead title="Overview">
        <p>Organization {organization}</p>
      </PageHead>
      {error !== null && <Failed error={error} onRetry={retry} />}
      {networks.items === undefined || counts.data === undefined ? (
        error === null && <Loading what="the organization" />
      ) : (
        <>
          <Tiles counts={counts.data} networks={networks.items} isWhole={!networks.hasMore} />
          {isEmpty ? <FirstSteps /> : <Trouble counts={counts.data} />}
        </>
      )}
      <div className="columns">
        {!isEmpty && (
          <Card title="Networks" acts={<Link to="/networks">All</Link>}>
            <Listed list={networks} what="networks" blank={<Blank title="No network yet" />}>
              {(rows) => (
                <ul className="list-plain">
                  {rows.slice(0, 8).map((network) => (
                    <li key={network.id}>
                      <span>
                        <Link to={`/networks/${network.name}`}>{network.name}</Link>{' '}
                        <span className="mono soft">{network.ipv4 ?? network.ipv6}</span>
                      </span>
                      <span className="soft">{formatNumberOf(network.memberCount, 'member')}</span>
                    </li>
                  ))}
                </ul>
              )}
            </Listed>
          </Card>
        )}
        {can('audit:read') && (
          <Card title="What happened" acts={<Link to="/activity">All</Link>}>
            <RecentActivity />
          </Card>
        )}
      </div>
    </>
  );
}

function Tiles(props: {
  readonly counts: NodeCounts;
  readonly networks: readonly Network[];
  /** false: there are more networks than these. */
  readonly isWhole: boolean;
}): ReactElement {
  const { counts, networks } = props;
  const more = props.isWhole ? '' : '+';
  const members = networks.reduce((sum, network) => sum + network.memberCount, 0);
  const share = counts.total === 0 ? 0 : (counts.online / counts.total) * 100;
  return (
    <div className="tiles">
      <Tile
        to="/nodes"
        name="Nodes online"
        figure={formatCount(counts.online)}
        of={formatCount(counts.total)}
      >
        <div className="meter">
          <span style={{ width: `${share}%` }} />
        </div>
      </Tile>
      <Tile to="/networks" name="Networks" figure={`${formatCount(networks.length)}${more}`} />
      <Tile to="/topology" name="Memberships" figure={`${formatCount(members)}${more}`} />
      <Tile
        to="/nodes?state=pending"
        name="Wait for approval"
        figure={formatCount(counts.pending)}
      />
      <Tile
        to="/nodes?state=problems"
        name="Nodes with problems"
        figure={formatCount(counts.withProblems)}
      />
    </div>
  );
}

function Tile(props: {
  readonly to: string;
  readonly name: string;
  readonly figure: string;
  readonly of?: string;
  readonly children?: ReactNode;
}): ReactElement {
  return (
    <Link className="tile" to={props.to}>
      <div className="name">{props.name}</div>
      <div className="figure">
        {props.figure}
        {props.of !== undefined && <small> of {props.of}</small>}
      </div>
      {props.children}
    </Link>
  );
}

/** What somebody should look at; nothing when all is well. */
function Trouble({ counts }: { readonly counts: NodeCounts }): ReactElement | null {
  const pending = useTrouble({ state: 'pending' }, counts.pending > 0);
  const faulty = useTrouble({ hasProblems: true }, counts.withProblems > 0);
  const worst = new Map([...pending, ...faulty].map((node) => [node.id, node]));
  if (worst.size === 0) return null;
  const hidden =
    counts.pending + counts.withProblems > worst.size ? (
      <Link to={counts.pending > 0 ? '/nodes?state=pending' : '/nodes?state=problems'}>All</Link>
    ) : undefined;
  return (
    <Card title="Look at these" acts={hidden}>
      <ul className="list-plain">
        {[...worst.values()].map((node) => (
          <li key={node.id}>
            <span>
              <Link to={`/nodes/${node.name}`}>{node.name}</Link>{' '}
              <span className="soft">{node.problems[0]?.message ?? ''}</span>
            </span>
            <NodeState node={node} />
            <Time at={node.lastSeenAt} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** The first nodes that are so; none while nobody counted any. */
function useTrouble(query: NodeQuery, isNeeded: boolean): readonly Node[] {
  const list = useList('nodeList', { query }, { isNeeded, limit: TROUBLE_ROWS });
  return isNeeded ? (list.items ?? []) : [];
}

function FirstSteps(): ReactElement {
  const { can } = useSession();
  return (
    <div className="card">
      <Blank title="Two steps to the first network" icon="network">
        <p>
          Create a network, then join hosts to it. Each join is one command on the host, and shows
          here when it is done.
        </p>
        {can('network:write') && (
          <Link className="button primary" to="/networks?create">
            Create a network
          </Link>
        )}
      </Blank>
    </div>
  );
}
