/**
 * Joins a host: which network, for how many hosts and how long; then the one command, shown once;
 * then it waits until the node is there and green.
 */
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useAct, useCall, useList } from '../api/calls.ts';
import { formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { Copyable } from '../ui/copy.tsx';
import { Check, Form, SelectField, TextField, wrongOf } from '../ui/form.tsx';
import { NodeState } from '../ui/node-state.tsx';
import { PageHead, Time } from '../ui/page.tsx';
import { Blank, Failed, Loading, Notice } from '../ui/states.tsx';
import { JoinTokens } from './join-tokens.tsx';

const LIVES = [
  ['600', '10 minutes'],
  ['3600', '1 hour'],
  ['86400', '1 day'],
  ['604800', '1 week'],
  ['2592000', '30 days'],
] as const;

interface Made {
  readonly token: string;
  readonly network: string;
  readonly uses: number;
  readonly expiresAt: string;
  /** Members since then came by the token, or by another one at the same time. */
  readonly createdAt: string;
}

/** The page. */
export function JoinPage(): ReactElement {
  const { can } = useSession();
  const networks = useList('networkList', {}, { limit: 1_000 });
  const [made, setMade] = useState<Made | null>(null);
  if (networks.items === undefined) {
    return networks.error === null ? (
      <Loading what="networks" />
    ) : (
      <Failed error={networks.error} onRetry={networks.retry} />
    );
  }
  const names = networks.items.map(({ name }) => name);
  return (
    <>
      <PageHead title="Join a host">
        <p>A host needs the agent of etherloom, and one command.</p>
      </PageHead>
      {names.length === 0 ? (
        <div className="card">
          <Blank title="There is no network to join" icon="network">
            {can('network:write') && (
              <Link className="button primary" to="/networks?create">
                Create a network
              </Link>
            )}
          </Blank>
        </div>
      ) : (
        <div className="card">
          <ol className="steps inside">
            <li className={made === null ? '' : 'done'}>
              <h2>What the host joins</h2>
              {made === null ? (
                <TokenForm names={names} onMade={setMade} />
              ) : (
                <p>
                  {made.network}, {formatNumberOf(made.uses, 'host')}, it ends{' '}
                  <Time at={made.expiresAt} />{' '}
                  <button type="button" className="button small" onClick={() => setMade(null)}>
                    Make another one
                  </button>
                </p>
              )}
            </li>
            <CommandStep made={made} />
            <ArrivalStep made={made} />
          </ol>
        </div>
      )}
      {can('join_token:read') && (
        <div className="stack spaced">
          <JoinTokens />
        </div>
      )}
    </>
  );
}

function TokenForm(props: {
  readonly names: readonly string[];
  readonly onMade: (made: Made) => void;
}): ReactElement {
  const [search] = useSearchParams();
  const asked = search.get('network') ?? '';
  const [network, setNetwork] = useState(
    props.names.includes(asked) ? asked : (props.names[0] ?? ''),
  );
  const [uses, setUses] = useState('1');
  const [life, setLife] = useState<(typeof LIVES)[number][0]>('3600');
  const [offlineOk, setOfflineOk] = useState(false);
  const act = useAct('tokenCreate');
  const submit = async (): Promise<void> => {
    const count = offlineOk ? 1 : Number(uses);
    const body = { network, uses: count, lifetimeSeconds: Number(life), offlineOk };
    const token = await act.run({ body });
    if (token === null) return;
    props.onMade({ ...token, network });
  };
  return (
    <Form
      submit="Make the command"
      isRunning={act.isRunning}
      error={act.error}
      onSubmit={() => void submit()}
    >
      <div className="columns narrow">
        <SelectField
          label="Network"
          value={network}
          onValue={setNetwork}
          options={props.names.map((name) => [name, name] as const)}
        />
        <TextField
          label="Hosts"
          type="number"
          min={1}
          max={1_000_000}
          value={offlineOk ? '1' : uses}
          disabled={offlineOk}
          onValue={setUses}
          hint="How often the command works."
          wrong={wrongOf(act.error, 'uses')}
        />
        <SelectField label="Valid for" value={life} onValue={setLife} options={LIVES} />
      </div>
      <Check
        label="Good without a controller"
        about="The host may join by its peers alone while no controller answers. One host only."
        isOn={offlineOk}
        onChange={setOfflineOk}
      />
    </Form>
  );
}

function CommandStep({ made }: { readonly made: Made | null }): ReactElement {
  return (
    <li>
      <h2>Run this on the host</h2>
      {made === null ? (
        <p className="soft">The command appears here.</p>
      ) : (
        <>
          <Copyable text={`loom join ${made.token}`} what="the command" />
          <p className="soft">
            It holds a secret and is shown once: whoever has it can join {made.network}.
          </p>
        </>
      )}
    </li>
  );
}

function ArrivalStep({ made }: { readonly made: Made | null }): ReactElement {
  const query = { network: made?.network, memberSince: made?.createdAt };
  const isNeeded = made !== null;
  const nodes = useList('nodeList', { query }, { isNeeded });
  const counts = useCall('nodeCounts', { query }, { isNeeded });
  if (made === null) {
    return (
      <li>
        <h2>See it arrive</h2>
        <p className="soft">The node appears here when it has joined.</p>
      </li>
    );
  }
  const arrived = nodes.items ?? [];
  const { total = 0, online = 0 } = counts.data ?? {};
  const hidden = total - arrived.length;
  const isDone = total >= made.uses && online === total;
  return (
    <li className={isDone ? 'done' : ''}>
      <h2>See it arrive</h2>
      <div role="status">
        {nodes.error !== null && <Failed error={nodes.error} onRetry={nodes.retry} />}
        {arrived.length === 0 && <Loading what={`members of ${made.network} until it is there`} />}
        {arrived.length > 0 && (
          <ul className="list-plain" aria-label="Arrived">
            {arrived.map((node) => (
              <li key={node.id}>
                <Link to={`/nodes/${node.name}`}>{node.name}</Link>
                <span className="mono soft">{node.memberships[0]?.addresses[0] ?? ''}</span>
                <NodeState node={node} />
              </li>
            ))}
            {hidden > 0 && <li className="soft">and {formatNumberOf(hidden, 'other')}</li>}
          </ul>
        )}
        {isDone && (
          <Notice kind="good">
            {formatNumberOf(total, 'host is', 'hosts are')} in {made.network}.
          </Notice>
        )}
      </div>
    </li>
  );
}
