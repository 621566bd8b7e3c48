/** Members of a network: addresses, whether their agents are here, and how one is removed. */
import type { Membership, Network, Node } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Link } from 'react-router';

import { useSession } from '../session.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { Time } from '../ui/page.tsx';
import { Paged } from '../ui/paged.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import type { Column } from '../ui/table.tsx';
import { NodeFilters, useNodeSearch } from './node-search.tsx';

/** A node and its membership in the network that is shown. */
interface Member {
  readonly node: Node;
  readonly membership: Membership;
}

/** The tab. */
export function NetworkMembers({ network }: { readonly network: Network }): ReactElement {
  const { can } = useSession();
  const search = useNodeSearch(network.name);
  const [leaving, setLeaving] = useState<Membership | null>(null);
  return (
    <>
      {(network.memberCount > 0 || search.isNarrowed) && <NodeFilters search={search} />}
      <div className="card">
        <Paged
          list={search.list}
          what="members"
          total={search.total}
          blank={
            search.isNarrowed ? (
              <Blank title="No member is like that" />
            ) : (
              <NoMember network={network} />
            )
          }
        >
          {(rows) => (
            <Table
              label={`Members of ${network.name}`}
              columns={columnsOf(can('node:write') ? setLeaving : null)}
              rows={rows.flatMap((node) => memberOf(node, network))}
              keyOf={({ node }) => node.id}
            />
          )}
        </Paged>
      </div>
      {leaving !== null && (
        <RemoveMember network={network} member={leaving} onClose={() => setLeaving(null)} />
      )}
    </>
  );
}

function memberOf(node: Node, network: Network): readonly Member[] {
  const membership = node.memberships.find(({ networkId }) => networkId === network.id);
  return membership === undefined ? [] : [{ node, membership }];
}

function NoMember({ network }: { readonly network: Network }): ReactElement {
  const { can } = useSession();
  return (
    <Blank title="No member yet" icon="node">
      <p>Join a host: it takes one command there, and the member appears here.</p>
      {can('join_token:write') && (
        <Link className="button" to={`/join?network=${network.name}`}>
          Join a host
        </Link>
      )}
    </Blank>
  );
}

function columnsOf(onRemove: ((member: Membership) => void) | null): readonly Column<Member>[] {
  return [
    {
      name: 'Member',
      show: ({ node }) => <Link to={`/nodes/${node.name}`}>{node.name}</Link>,
    },
    { name: 'State', show: ({ node }) => <NodeState node={node} /> },
    {
      name: 'Addresses',
      show: ({ membership }) => <span className="mono">{membership.addresses.join(' ')}</span>,
    },
    { name: 'MAC', show: ({ membership }) => <span className="mono">{membership.mac}</span> },
    {
      name: 'Credential ends',
      show: ({ membership }) => <Time at={membership.expiresAt} or="waits for a signature" />,
    },
    ...(onRemove === null
      ? []
      : [
          {
            name: 'Act',
            isActs: true,
            show: ({ node, membership }: Member) => (
              <button
                type="button"
                className="button plain small"
                onClick={() => onRemove(membership)}
                aria-label={`Remove ${node.name} from the network`}
              >
                Remove
              </button>
            ),
          },
        ]),
  ];
}

function RemoveMember(props: {
  readonly network: Network;
  readonly member: Membership;
  readonly onClose: () => void;
}): ReactElement {
  const { network, member, onClose } = props;
  return (
    <Confirm
      route="memberDelete"
      options={{ params: { network: network.id, node: member.nodeId } }}
      title={`Remove ${member.nodeName} from ${network.name}?`}
      effects={[
        'Its sessions with the other members end within seconds.',
        `Its addresses ${member.addresses.join(', ')} are free for others.`,
        'It stays a node, and a member of its other networks. A join token lets it in again.',
      ]}
      verb="Remove"
      done={`Removed ${member.nodeName} from ${network.name}`}
      onClose={onClose}
    />
  );
}
