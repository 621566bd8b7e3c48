/** One node: where it is, what it is a member of, how it reaches its peers, where it is from. */
import type { Node } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useAct, useCall } from '../api/calls.ts';
import { isMissing } from '../api/errors.ts';
import { formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { Card, Facts, PageHead, Time } from '../ui/page.tsx';
import { Blank, Failed, Loading, Notice } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { useNodeNames } from './node-names.ts';
import { NodeReportCards } from './node-report.tsx';

/** The page. */
export function NodePage(): ReactElement {
  const { node: name = '' } = useParams();
  const { data: node, error, retry } = useCall('nodeShow', { params: { node: name } });
  if (node === undefined) {
    if (error === null) return <Loading what={name} />;
    if (!isMissing(error)) return <Failed error={error} onRetry={retry} />;
    return (
      <Blank title={`There is no node ${name}`} icon="node">
        <p>It was removed, or it never was.</p>
        <Link className="button" to="/nodes">
          All nodes
        </Link>
      </Blank>
    );
  }
  return (
    <>
      <PageHead title={node.name} acts={<NodeActs node={node} />}>
        <p>
          <NodeState node={node} /> · last seen <Time at={node.lastSeenAt} />
        </p>
      </PageHead>
      <div className="stack">
        {isMissing(error) && <Notice kind="bad">This node has just been removed.</Notice>}
        {node.state === 'pending' && <PendingNotice node={node} />}
        {node.problems.map((problem) => (
          <Notice key={`${problem.code}${problem.networkId ?? ''}`} kind="bad">
            <strong>{problem.code.replaceAll('_', ' ')}</strong>
            <p>{problem.message}</p>
          </Notice>
        ))}
        <div className="columns">
          <Card title="Identity" isPadded>
            <Identity node={node} />
          </Card>
          <Card title="Endpoints" about="Where its peers reach it, best first." isPadded>
            {node.endpoints.length === 0 ? (
              <p className="soft">It has announced none yet.</p>
            ) : (
              <ol className="mono">
                {node.endpoints.map((endpoint) => (
                  <li key={endpoint}>{endpoint}</li>
                ))}
              </ol>
            )}
          </Card>
        </div>
        <Memberships node={node} />
        <NodeReportCards node={node} />
      </div>
    </>
  );
}

function Identity({ node }: { readonly node: Node }): ReactElement {
  return (
    <Facts
      rows={[
        ['Node id', <code key="id">{node.id}</code>],
        [
          'Cloned from',
          node.clonedFrom === null ? (
            <span key="origin" className="soft">
              nobody
            </span>
          ) : (
            <Origin key="origin" id={node.clonedFrom} />
          ),
        ],
        ['Signing key', <code key="sign">{node.signKey}</code>],
        ['Session key', <code key="session">{node.sessionKey}</code>],
        ['Joined', <Time key="at" at={node.createdAt} />],
      ]}
    />
  );
}

/** The node that one is a copy of; by its id where it was removed. */
function Origin({ id }: { readonly id: string }): ReactElement {
  const name = useNodeNames([id]).get(id);
  return <Link to={`/nodes/${id}`}>{name ?? <code>{id}</code>}</Link>;
}

function PendingNotice({ node }: { readonly node: Node }): ReactElement {
  return (
    <Notice kind="warn">
      This machine is a copy of{' '}
      {node.clonedFrom === null ? 'another one' : <Origin id={node.clonedFrom} />}. It has keys of
      its own, and is in no network until somebody approves it.
    </Notice>
  );
}

function Memberships({ node }: { readonly node: Node }): ReactElement {
  return (
    <Card title="Networks">
      {node.memberships.length === 0 ? (
        <Blank title="A member of no network" />
      ) : (
        <Table
          label={`Networks of ${node.name}`}
          rows={node.memberships}
          keyOf={({ networkId }) => networkId}
          columns={[
            {
              name: 'Network',
              show: ({ networkName }) => <Link to={`/networks/${networkName}`}>{networkName}</Link>,
            },
            {
              name: 'Addresses',
              show: ({ addresses }) => <span className="mono">{addresses.join(' ')}</span>,
            },
            { name: 'MAC', show: ({ mac }) => <span className="mono">{mac}</span> },
            {
              name: 'Credential ends',
              show: ({ expiresAt }) => <Time at={expiresAt} or="waits for a signature" />,
            },
            { name: 'Member since', show: ({ createdAt }) => <Time at={createdAt} /> },
          ]}
        />
      )}
    </Card>
  );
}

function NodeActs({ node }: { readonly node: Node }): ReactElement | null {
  const { can } = useSession();
  const announce = useAnnounce();
  const approve = useAct('nodeApprove');
  const [isRemoving, setIsRemoving] = useState(false);
  if (!can('node:write')) return null;
  const admit = async (): Promise<void> => {
    if ((await approve.run({ params: { node: node.id } })) !== null)
      announce(`Approved ${node.name}`);
  };
  return (
    <>
      {node.state === 'pending' && (
        <button
          type="button"
          className="button primary"
          disabled={approve.isRunning}
          onClick={() => void admit()}
        >
          Approve
        </button>
      )}
      <button type="button" className="button danger" onClick={() => setIsRemoving(true)}>
        Remove the node
      </button>
      {approve.error !== null && <Failed error={approve.error} />}
      {isRemoving && <RemoveNode node={node} onClose={() => setIsRemoving(false)} />}
    </>
  );
}

function RemoveNode({
  node,
  onClose,
}: {
  readonly node: Node;
  readonly onClose: () => void;
}): ReactElement {
  const navigate = useNavigate();
  const networks = node.memberships.map(({ networkName }) => networkName);
  return (
    <Confirm
      route="nodeDelete"
      options={{ params: { node: node.id } }}
      title={`Remove ${node.name}?`}
      effects={[
        networks.length === 0
          ? 'It is in no network.'
          : `It leaves ${formatNumberOf(networks.length, 'network')} within seconds: ${networks.join(', ')}.`,
        'Its keys are refused from then on.',
        'This cannot be undone: to come back, the host joins anew with a fresh state directory.',
      ]}
      verb="Remove"
      name={node.name}
      done={`Removed ${node.name}`}
      onDone={() => navigate('/nodes')}
      onClose={onClose}
    />
  );
}
