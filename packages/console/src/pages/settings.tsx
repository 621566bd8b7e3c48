/** The organization itself: its authority, what waits for signatures, its name; other tenants. */
import type { AuthorityView, PendingStatement } from '@etherloom/api';
import { authorityStatementSchema } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useCall, useList } from '../api/calls.ts';
import { formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Form, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, Facts, PageHead, State, Time } from '../ui/page.tsx';
import { Blank, Failed, Loading } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { RetentionCard } from './retention.tsx';

/** The page. */
export function SettingsPage(): ReactElement {
  const { can, organization, whoami } = useSession();
  return (
    <>
      <PageHead title="Settings">
        <p>Of the organization {organization}, and of this controller.</p>
      </PageHead>
      <div className="stack">
        {can('authority:read') && <AuthorityCards organization={organization} />}
        {can('audit:read') && <RetentionCard />}
        {whoami.isSystemAdministrator && <Organizations />}
        <ControllerCard />
      </div>
    </>
  );
}

function AuthorityCards({ organization }: { readonly organization: string }): ReactElement {
  const params = { organization };
  const { data, error, retry } = useCall('authorityShow', { params });
  const pending = useList('authorityPending', { params });
  return (
    <>
      <Card
        title="Authority"
        about="The keys that members believe. The controller alone cannot replace them."
        isPadded
      >
        {data === undefined ? (
          error === null ? (
            <Loading what="the authority" />
          ) : (
            <Failed error={error} onRetry={retry} />
          )
        ) : (
          <AuthorityFacts authority={data} />
        )}
      </Card>
      <Card
        title="Waiting for signatures"
        about={
          <>
            Signed with <code>loom authority sign</code> where the keys are.
          </>
        }
      >
        <Listed list={pending} what="statements that wait" blank={<Blank title="Nothing waits" />}>
          {(rows) => <PendingTable rows={rows} />}
        </Listed>
      </Card>
    </>
  );
}

function AuthorityFacts({ authority }: { readonly authority: AuthorityView }): ReactElement {
  const newest = authority.chain.at(-1);
  const statement = newest === undefined ? null : readStatement(newest.statement);
  const isHeld = authority.custody === 'held';
  return (
    <Facts
      rows={[
        [
          'Custody',
          <State key="custody" kind={isHeld ? 'warn' : 'good'}>
            {isHeld
              ? 'held: this controller signs what operators change'
              : 'offline: changes wait for key holders'}
          </State>,
        ],
        ['Version', String(authority.version)],
        ['Hash', <code key="hash">{authority.hash}</code>],
        [
          'Keys',
          statement === null ? (
            ''
          ) : (
            <>
              {statement.threshold} of {formatNumberOf(statement.keys.length, 'key')} must sign
              <KeyList keys={statement.keys} held={authority.heldKeys} />
            </>
          ),
        ],
        [
          'Recovery',
          statement === null || statement.recoveryThreshold === 0
            ? 'no recovery keys: if the keys are lost, so is the organization'
            : [
                statement.recoveryThreshold,
                formatNumberOf(statement.recoveryKeys.length, 'key'),
              ].join(' of '),
        ],
        ['Unsettled', formatNumberOf(authority.unsettledCount, 'network')],
      ]}
    />
  );
}

function readStatement(text: string): ReturnType<typeof authorityStatementSchema.parse> | null {
  const parsed = authorityStatementSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
}

function KeyList(props: {
  readonly keys: readonly string[];
  readonly held: readonly string[];
}): ReactElement {
  return (
    <ul>
      {props.keys.map((key) => (
        <li key={key}>
          <code>{key}</code>{' '}
          {props.held.includes(key) && <span className="badge">on this controller</span>}
        </li>
      ))}
    </ul>
  );
}

function PendingTable({ rows }: { readonly rows: readonly PendingStatement[] }): ReactElement {
  return (
    <Table
      label="Statements that wait"
      rows={rows}
      keyOf={({ hash }) => hash}
      columns={[
        { name: 'Statement', show: ({ summary }) => summary },
        { name: 'Kind', show: ({ kind }) => kind },
        { name: 'Network', show: ({ networkName }) => networkName ?? '' },
        {
          name: 'Missing',
          show: ({ missing }) => formatNumberOf(missing, 'signature'),
        },
        { name: 'Since', show: ({ createdAt }) => <Time at={createdAt} /> },
      ]}
    />
  );
}

function Organizations(): ReactElement {
  const list = useList('organizationList', {});
  const [isCreating, setIsCreating] = useState(false);
  const create = (
    <button type="button" className="button small" onClick={() => setIsCreating(true)}>
      Create an organization
    </button>
  );
  return (
    <Card
      title="Organizations"
      about="Tenants of this controller: none sees another."
      acts={create}
    >
      <Listed list={list} what="organizations" blank={<Blank title="None" />}>
        {(rows) => (
          <Table
            label="Organizations"
            rows={rows}
            keyOf={({ id }) => id}
            columns={[
              { name: 'Organization', show: ({ name }) => name },
              { name: 'Id', show: ({ id }) => <code>{id}</code> },
              { name: 'Since', show: ({ createdAt }) => <Time at={createdAt} /> },
            ]}
          />
        )}
      </Listed>
      {isCreating && <CreateOrganization onClose={() => setIsCreating(false)} />}
    </Card>
  );
}

function CreateOrganization({ onClose }: { readonly onClose: () => void }): ReactElement {
  const announce = useAnnounce();
  const act = useAct('organizationCreate');
  const [name, setName] = useState('');
  const submit = async (): Promise<void> => {
    if ((await act.run({ body: { name: name.trim() } })) === null) return;
    announce(`Created the organization ${name}. It can be chosen after the next login`);
    onClose();
  };
  return (
    <Dialog title="Create an organization" onClose={onClose}>
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
          spellCheck={false}
          wrong={wrongOf(act.error, 'name')}
        />
      </Form>
    </Dialog>
  );
}

function ControllerCard(): ReactElement {
  const { data, error } = useCall('health', {});
  return (
    <Card title="This controller" isPadded>
      {error === null ? (
        <Facts
          rows={[
            ['Version', data?.version ?? '…'],
            ['Address', window.location.origin],
          ]}
        />
      ) : (
        <Failed error={error} />
      )}
    </Card>
  );
}
