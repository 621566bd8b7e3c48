/** All networks of the organization, and the dialog that makes one. */
import type { Network } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { useAct, useList } from '../api/calls.ts';
import { formatCount } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Check, Form, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import type { Column } from '../ui/table.tsx';

const COLUMNS: readonly Column<Network>[] = [
  {
    name: 'Network',
    show: (network) => (
      <>
        <Link to={`/networks/${network.name}`}>{network.name}</Link>{' '}
        {network.isPending && <span className="badge warn">waits for signatures</span>}
      </>
    ),
  },
  { name: 'IPv4', show: ({ ipv4 }) => <span className="mono">{ipv4 ?? 'none'}</span> },
  { name: 'IPv6', show: ({ ipv6 }) => <span className="mono">{ipv6 ?? 'none'}</span> },
  { name: 'Members', isNumber: true, show: ({ memberCount }) => formatCount(memberCount) },
  { name: 'VNI', isNumber: true, show: ({ vni }) => <span className="mono">{vni}</span> },
  { name: 'Created', show: ({ createdAt }) => <Time at={createdAt} /> },
];

/** The page. */
export function NetworksPage(): ReactElement {
  const { can } = useSession();
  const [search, setSearch] = useSearchParams();
  const list = useList('networkList', {});
  const isCreating = search.get('create') !== null && can('network:write');
  const create = (
    <button type="button" className="button primary" onClick={() => setSearch({ create: '' })}>
      Create a network
    </button>
  );
  return (
    <>
      <PageHead title="Networks" acts={can('network:write') ? create : undefined}>
        <p>Each is an Ethernet of its own: nothing crosses from one to another.</p>
      </PageHead>
      <div className="card">
        <Listed
          list={list}
          what="networks"
          blank={
            <Blank title="No network yet" icon="network">
              <p>Hosts of any cloud in one network see each other like on one switch.</p>
              {can('network:write') && create}
            </Blank>
          }
        >
          {(rows) => (
            <Table label="Networks" columns={COLUMNS} rows={rows} keyOf={({ id }) => id} />
          )}
        </Listed>
      </div>
      {isCreating && <CreateNetwork onClose={() => setSearch({})} />}
    </>
  );
}

function CreateNetwork({ onClose }: { readonly onClose: () => void }): ReactElement {
  const navigate = useNavigate();
  const announce = useAnnounce();
  const act = useAct('networkCreate');
  const [name, setName] = useState('');
  const [ipv4, setIpv4] = useState('');
  const [ipv6, setIpv6] = useState('');
  const [hasIpv6, setHasIpv6] = useState(true);
  const submit = async (): Promise<void> => {
    const made = await act.run({
      body: {
        name: name.trim(),
        ...(ipv4.trim() === '' ? {} : { ipv4: ipv4.trim() }),
        ...(hasIpv6 ? {} : { ipv6: null }),
        ...(hasIpv6 && ipv6.trim() !== '' ? { ipv6: ipv6.trim() } : {}),
      },
    });
    if (made === null) return;
    announce(`Created the network ${made.name}`);
    await navigate(`/networks/${made.name}`);
  };
  return (
    <Dialog title="Create a network" onClose={onClose}>
      <Form
        submit="Create"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
      >
        <TextField
          label="Name"
          value={name}
          onValue={setName}
          required
          autoFocus
          maxLength={63}
          spellCheck={false}
          hint="Lower-case letters, digits and hyphens: it appears in DNS and interface names."
          wrong={wrongOf(act.error, 'name')}
        />
        <TextField
          label="IPv4 pool"
          value={ipv4}
          onValue={setIpv4}
          placeholder="a free /24 of 10.0.0.0/8"
          spellCheck={false}
          hint="Members get their addresses from it, for example 10.20.0.0/24."
          wrong={wrongOf(act.error, 'ipv4')}
        />
        <Ipv6Fields
          isOn={hasIpv6}
          onSwitch={setHasIpv6}
          pool={ipv6}
          onPool={setIpv6}
          wrong={wrongOf(act.error, 'ipv6')}
        />
      </Form>
    </Dialog>
  );
}

function Ipv6Fields(props: {
  readonly isOn: boolean;
  readonly onSwitch: (isOn: boolean) => void;
  readonly pool: string;
  readonly onPool: (pool: string) => void;
  readonly wrong: string | undefined;
}): ReactElement {
  return (
    <>
      <div className="field">
        <Check
          label="IPv6, too"
          about="From a random private prefix, or from one that you name."
          isOn={props.isOn}
          onChange={props.onSwitch}
        />
      </div>
      {props.isOn && (
        <TextField
          label="IPv6 pool"
          value={props.pool}
          onValue={props.onPool}
          placeholder="a random /64 of fd00::/8"
          spellCheck={false}
          wrong={props.wrong}
        />
      )}
    </>
  );
}
