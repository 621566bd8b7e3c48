/** What an operator wants to know first: how much there is, what is wrong, what happened. */
import type { Node } from '@etherloom/api';
import type { ReactElement, ReactNode } from 'react';
import { Link } from 'react-router';
import { useList } from '../api/calls.ts';
import { formatCount, formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { Listed } from '../ui/listing.tsx';
import { NodeState, healthOf } from '../ui/node-state.tsx';
import { Card, PageHead, Time } from '../ui/page.tsx';
import { Blank, Failed, Loading } from '../ui/states.tsx';
import { RecentActivity } from './recent-activity.tsx';

/** The page. */
export function OverviewPage(): ReactElement {
  const { can, organization } = useSession();
  const networks = useList('networkList', {}, { isNeeded: can('network:read'), limit: 1_000 });
  const nodes = useList('nodeList', {}, { isNeeded: can('node:read'), limit: 1_000 });
  const error = networks.error ?? nodes.error;
  const isEmpty = networks.items?.length === 0 && nodes.items?.length === 0;
  return (
    <>
      <PageHead title="Overview">
        <p>Organization {organization}</p>
      </PageHead>
      {error !== null && <Failed error={error} onRetry={networks.retry} />}
      {networks.items === undefined || nodes.items === undefined ? (
        error === null && <Loading what="the organization" />
      ) : (
        <>
          <Tiles
            nodes={nodes.items}
            isWhole={!nodes.hasMore}
            networkCount={networks.items.length}
          />
          {isEmpty ? <FirstSteps /> : <Trouble nodes={nodes.items} />}
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
  readonly nodes: readonly Node[];
  /** false: there are more nodes than these. */
  readonly isWhole: boolean;
  readonly networkCount: number;
}): ReactElement {
  const { nodes } = props;
  const online = nodes.filter(({ connected }) => connected).length;
  const pending = nodes.filter(({ state }) => state === 'pending').length;
  const problems = nodes.filter((node) => node.problems.length > 0).length;
  const members = nodes.reduce((sum, node) => sum + node.memberships.length, 0);
  const share = nodes.length === 0 ? 0 : (online / nodes.length) * 100;
  return (
    <div className="tiles">
      <Tile
        to="/nodes"
        name="Nodes online"
        figure={formatCount(online)}
        of={`${formatCount(nodes.length)}${props.isWhole ? '' : '+'}`}
      >
        <div className="meter">
          <span style={{ width: `${share}%` }} />
        </div>
      </Tile>
      <Tile to="/networks" name="Networks" figure={formatCount(props.networkCount)} />
      <Tile to="/topology" name="Memberships" figure={formatCount(members)} />
      <Tile to="/nodes?state=pending" name="Wait for approval" figure={formatCount(pending)} />
      <Tile to="/nodes?state=problems" name="Nodes with problems" figure={formatCount(problems)} />
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
function Trouble({ nodes }: { readonly nodes: readonly Node[] }): ReactElement | null {
  const worst = nodes.filter((node) => ['warn', 'bad'].includes(healthOf(node).kind)).slice(0, 6);
  if (worst.length === 0) return null;
  return (
    <Card title="Look at these">
      <ul className="list-plain">
        {worst.map((node) => (
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
