/** Members of a network: addresses, whether their agents are here, and how one is removed. */
import type { Membership, Network, Node } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Link } from 'react-router';
import { useAct, useList } from '../api/calls.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import type { Why } from '../ui/confirm.tsx';
import { Listed } from '../ui/listing.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import type { Column } from '../ui/table.tsx';

/** The tab. */
export function NetworkMembers({ network }: { readonly network: Network }): ReactElement {
  const { can } = useSession();
  const members = useList('memberList', { params: { network: network.name } });
  const nodes = useList('nodeList', {}, { isNeeded: can('node:read'), limit: 1_000 });
  const byId = new Map((nodes.items ?? []).map((node) => [node.id, node]));
  const [leaving, setLeaving] = useState<Membership | null>(null);
  return (
    <div className="card">
      <Listed
        list={members}
        what="members"
        blank={
          <Blank title="No member yet" icon="node">
            <p>Join a host: it takes one command there, and the member appears here.</p>
            {can('join_token:write') && (
              <Link className="button" to={`/join?network=${network.name}`}>
                Join a host
              </Link>
            )}
          </Blank>
        }
      >
        {(rows) => (
          <Table
            label={`Members of ${network.name}`}
            columns={columnsOf(byId, can('node:write') ? setLeaving : null)}
            rows={rows}
            keyOf={({ nodeId }) => nodeId}
          />
        )}
      </Listed>
      {leaving !== null && (
        <RemoveMember network={network} member={leaving} onClose={() => setLeaving(null)} />
      )}
    </div>
  );
}

function columnsOf(
  nodes: ReadonlyMap<string, Node>,
  onRemove: ((member: Membership) => void) | null,
): readonly Column<Membership>[] {
  return [
    {
      name: 'Member',
      show: ({ nodeName }) => <Link to={`/nodes/${nodeName}`}>{nodeName}</Link>,
    },
    { name: 'State', show: ({ nodeId }) => <NodeState node={nodes.get(nodeId)} /> },
    {
      name: 'Addresses',
      show: ({ addresses }) => <span className="mono">{addresses.join(' ')}</span>,
    },
    { name: 'MAC', show: ({ mac }) => <span className="mono">{mac}</span> },
    {
      name: 'Credential ends',
      show: ({ expiresAt }) => <Time at={expiresAt} or="waits for a signature" />,
    },
    ...(onRemove === null
      ? []
      : [
          {
            name: 'Act',
            isActs: true,
            show: (member: Membership) => (
              <button
                type="button"
                className="button plain small"
                onClick={() => onRemove(member)}
                aria-label={`Remove ${member.nodeName} from the network`}
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
  const announce = useAnnounce();
  const act = useAct('memberDelete');
  const { network, member, onClose } = props;
  const remove = async (why: Why): Promise<void> => {
    const params = { network: network.id, node: member.nodeId };
    if ((await act.run({ params, ...why })) === null) return;
    announce(`Removed ${member.nodeName} from ${network.name}`);
    onClose();
  };
  return (
    <Confirm
      title={`Remove ${member.nodeName} from ${network.name}?`}
      effects={[
        'Its sessions with the other members end within seconds.',
        `Its addresses ${member.addresses.join(', ')} are free for others.`,
        'It stays a node, and a member of its other networks. A join token lets it in again.',
      ]}
      verb="Remove"
      isRunning={act.isRunning}
      error={act.error}
      onConfirm={(why) => void remove(why)}
      onClose={onClose}
    />
  );
}
