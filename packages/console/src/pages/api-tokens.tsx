/** API tokens: for programs that act for a user. */
import { ROLES } from '@etherloom/api';
import type { ApiToken, Role } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useList } from '../api/calls.ts';
import { grantableRoles } from '../grants.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import type { Why } from '../ui/confirm.tsx';
import { Copyable } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Form, SelectField, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';

const LIVES = [
  ['86400', '1 day'],
  ['2592000', '30 days'],
  ['7776000', '90 days'],
  ['31536000', '1 year'],
] as const;

/** The page. */
export function ApiTokensPage(): ReactElement {
  const { can } = useSession();
  const list = useList('apiTokenList', {});
  const [isCreating, setIsCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  const create = (
    <button type="button" className="button primary" onClick={() => setIsCreating(true)}>
      Create an API token
    </button>
  );
  return (
    <>
      <PageHead title="API tokens" acts={can('api_token:write') ? create : undefined}>
        <p>For programs. Each may do what its role may, and never more than who made it.</p>
      </PageHead>
      <div className="card">
        <Listed
          list={list}
          what="API tokens"
          blank={
            <Blank title="No API token yet" icon="key">
              <p>
                With one, a program calls the <a href="/docs">API</a> as you do here.
              </p>
            </Blank>
          }
        >
          {(rows) => (
            <TokenTable rows={rows} onRevoke={can('api_token:write') ? setRevoking : null} />
          )}
        </Listed>
      </div>
      {isCreating && <CreateToken onClose={() => setIsCreating(false)} />}
      {revoking !== null && <RevokeToken token={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function TokenTable(props: {
  readonly rows: readonly ApiToken[];
  readonly onRevoke: ((token: ApiToken) => void) | null;
}): ReactElement {
  const { onRevoke } = props;
  const act = (token: ApiToken): ReactElement => (
    <button
      type="button"
      className="button plain small"
      aria-label={`Revoke ${token.name}`}
      onClick={() => onRevoke?.(token)}
    >
      Revoke
    </button>
  );
  return (
    <Table
      label="API tokens"
      rows={props.rows}
      keyOf={({ id }) => id}
      columns={[
        { name: 'Token', show: ({ name }) => name },
        { name: 'Begins with', show: ({ prefix }) => <code>{prefix}</code> },
        {
          name: 'May do',
          show: ({ role, scopes }) =>
            scopes === null ? (role ?? 'what its user may') : <code>{scopes.join(' ')}</code>,
        },
        { name: 'Last use', show: ({ lastUsedAt }) => <Time at={lastUsedAt} /> },
        { name: 'Expires', show: ({ expiresAt }) => <Time at={expiresAt} /> },
        ...(onRevoke === null ? [] : [{ name: 'Act', isActs: true, show: act }]),
      ]}
    />
  );
}

function CreateToken({ onClose }: { readonly onClose: () => void }): ReactElement {
  const { can } = useSession();
  const act = useAct('apiTokenCreate');
  const roles = ROLES.filter((role) => grantableRoles(can).has(role));
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>(roles.at(-1) ?? 'member');
  const [life, setLife] = useState<(typeof LIVES)[number][0]>('7776000');
  const [token, setToken] = useState<string | null>(null);
  const submit = async (): Promise<void> => {
    const body = { name: name.trim(), role, lifetimeSeconds: Number(life) };
    const made = await act.run({ body });
    if (made !== null) setToken(made.token);
  };
  if (token !== null) {
    return (
      <Dialog title="Take the token" onClose={onClose}>
        <p>It is shown once: the controller keeps its hash alone.</p>
        <Copyable text={token} what="the token" />
        <div className="form-acts">
          <button type="button" className="button primary" onClick={onClose}>
            I have it
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Create an API token" onClose={onClose}>
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
          hint="What it is for, for example: terraform."
          wrong={wrongOf(act.error, 'name')}
        />
        <SelectField
          label="Role"
          value={role}
          onValue={setRole}
          options={roles.map((each) => [each, each] as const)}
        />
        <SelectField label="Valid for" value={life} onValue={setLife} options={LIVES} />
      </Form>
    </Dialog>
  );
}

function RevokeToken(props: {
  readonly token: ApiToken;
  readonly onClose: () => void;
}): ReactElement {
  const { token, onClose } = props;
  const announce = useAnnounce();
  const act = useAct('apiTokenDelete');
  const submit = async (why: Why): Promise<void> => {
    if ((await act.run({ params: { apiToken: token.id }, ...why })) === null) return;
    announce(`Revoked ${token.name}`);
    onClose();
  };
  return (
    <Confirm
      title={`Revoke ${token.name}?`}
      effects={['Programs that use it are refused from then on.', 'This cannot be undone.']}
      verb="Revoke"
      name={token.name}
      isRunning={act.isRunning}
      error={act.error}
      onConfirm={(why) => void submit(why)}
      onClose={onClose}
    />
  );
}
