/** Users of the organization, their roles, and what each role may do. */
import { PASSWORD_CHARS_MIN, PERMISSIONS, ROLES, ROLE_PERMISSIONS } from '@etherloom/api';
import type { Role, User } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useList } from '../api/calls.ts';
import { useEdit } from '../api/edit.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Conflict } from '../ui/conflict.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Check, Form, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Unread } from '../ui/unread.tsx';
import { Table } from '../ui/table.tsx';
import { grantableRoles } from '../grants.ts';

type Doing =
  | { readonly kind: 'create' }
  | { readonly kind: 'roles' | 'password' | 'delete'; readonly user: User };

/** The page. */
export function UsersPage(): ReactElement {
  const { can, organization } = useSession();
  const list = useList('userList', {});
  const [doing, setDoing] = useState<Doing | null>(null);
  const close = (): void => setDoing(null);
  const create = (
    <button type="button" className="button primary" onClick={() => setDoing({ kind: 'create' })}>
      Create a user
    </button>
  );
  return (
    <>
      <PageHead title="Users and roles" acts={can('user:write') ? create : undefined}>
        <p>Who may act in {organization}, and how far.</p>
      </PageHead>
      <div className="stack">
        <div className="card">
          <Listed list={list} what="users" blank={<Blank title="No user yet" icon="user" />}>
            {(rows) => <UserTable rows={rows} onDo={can('user:write') ? setDoing : null} />}
          </Listed>
        </div>
        <RoleTable />
      </div>
      {doing?.kind === 'create' && <CreateUser onClose={close} />}
      {doing?.kind === 'roles' && <ChangeRoles user={doing.user} onClose={close} />}
      {doing?.kind === 'password' && <SetPassword user={doing.user} onClose={close} />}
      {doing?.kind === 'delete' && <DeleteUser user={doing.user} onClose={close} />}
    </>
  );
}

function UserTable(props: {
  readonly rows: readonly User[];
  readonly onDo: ((doing: Doing) => void) | null;
}): ReactElement {
  const { onDo } = props;
  const act = (user: User): ReactElement => (
    <>
      {(['roles', 'password', 'delete'] as const).map((kind) => (
        <button
          key={kind}
          type="button"
          className="button plain small"
          aria-label={`${ACT_NAMES[kind]} of ${user.name}`}
          onClick={() => onDo?.({ kind, user })}
        >
          {ACT_NAMES[kind]}
        </button>
      ))}
    </>
  );
  return (
    <Table
      label="Users"
      rows={props.rows}
      keyOf={({ id }) => id}
      columns={[
        {
          name: 'User',
          show: (user) => (
            <>
              {user.name}{' '}
              {user.isSystemAdministrator && (
                <span className="badge blue">system administrator</span>
              )}
            </>
          ),
        },
        { name: 'Roles', show: (user) => <RoleBadges user={user} /> },
        {
          name: 'Logs in by',
          show: (user) => (user.identityProviderId === null ? 'password' : 'single sign-on'),
        },
        { name: 'Last login', show: ({ lastLoginAt }) => <Time at={lastLoginAt} /> },
        ...(onDo === null ? [] : [{ name: 'Act', isActs: true, show: act }]),
      ]}
    />
  );
}

const ACT_NAMES = { roles: 'Roles', password: 'Password', delete: 'Delete' } as const;

function RoleBadges({ user }: { readonly user: User }): ReactElement {
  if (user.roles.length === 0) return <span className="soft">none</span>;
  return (
    <span className="badges">
      {user.roles.map((role) => (
        <span key={role} className="badge" title={RoleSource(user, role)}>
          {role}
        </span>
      ))}
    </span>
  );
}

function RoleSource(user: User, role: Role): string {
  return user.groupRoles.includes(role) ? 'by a group of the identity provider' : 'given here';
}

/** The one table of permissions, as server and command line use it. */
function RoleTable(): ReactElement {
  return (
    <Card title="What each role may do" about="The same table decides in the controller.">
      <div className="scroll">
        <table className="permission-table">
          <caption className="unseen">Permissions by role</caption>
          <thead>
            <tr>
              <th scope="col">Permission</th>
              {ROLES.map((role) => (
                <th key={role} scope="col">
                  {role}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {PERMISSIONS.map((permission) => (
              <tr key={permission}>
                <th scope="row">
                  <code>{permission}</code>
                </th>
                {ROLES.map((role) => (
                  <td key={role}>
                    {ROLE_PERMISSIONS[role].includes(permission) ? (
                      <span>
                        <span aria-hidden="true">●</span>
                        <span className="unseen">yes</span>
                      </span>
                    ) : (
                      <span className="unseen">no</span>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function RoleChecks(props: {
  readonly roles: readonly Role[];
  readonly onRoles: (roles: readonly Role[]) => void;
  /** Whether the first one begins with the focus. */
  readonly hasFocus?: boolean;
}): ReactElement {
  const { can } = useSession();
  const grantable = grantableRoles(can);
  const toggle = (role: Role, isOn: boolean): void =>
    props.onRoles(isOn ? [...props.roles, role] : props.roles.filter((other) => other !== role));
  return (
    <fieldset className="choices">
      <legend>Roles</legend>
      {ROLES.filter((role) => grantable.has(role) || props.roles.includes(role)).map((role, at) => (
        <Check
          key={role}
          autoFocus={at === 0 && props.hasFocus === true}
          label={role}
          about={ROLE_WORDS[role]}
          isOn={props.roles.includes(role)}
          onChange={(isOn) => toggle(role, isOn)}
        />
      ))}
    </fieldset>
  );
}

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  owner: 'Everything, the authority and other owners among it.',
  admin: 'Networks, users, tokens and single sign-on; not the authority.',
  operator: 'Joins, removes and approves nodes, reserves addresses.',
  auditor: 'Reads everything, the ledger among it; changes nothing.',
  member: 'Reads networks and nodes.',
};

function CreateUser({ onClose }: { readonly onClose: () => void }): ReactElement {
  const announce = useAnnounce();
  const act = useAct('userCreate');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [roles, setRoles] = useState<readonly Role[]>(['member']);
  const submit = async (): Promise<void> => {
    if ((await act.run({ body: { name: name.trim(), password, roles: [...roles] } })) === null)
      return;
    announce(`Created the user ${name}`);
    onClose();
  };
  return (
    <Dialog title="Create a user" onClose={onClose}>
      <Form
        submit="Create"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
      >
        <TextField
          label="User name"
          value={name}
          onValue={setName}
          required
          autoFocus
          spellCheck={false}
          wrong={wrongOf(act.error, 'name')}
        />
        <TextField
          label="First password"
          type="password"
          value={password}
          onValue={setPassword}
          required
          minLength={PASSWORD_CHARS_MIN}
          autoComplete="new-password"
          hint={`${PASSWORD_CHARS_MIN} characters or more. The user can change it.`}
          wrong={wrongOf(act.error, 'password')}
        />
        <RoleChecks roles={roles} onRoles={setRoles} />
      </Form>
    </Dialog>
  );
}

interface OfUser {
  readonly user: User;
  readonly onClose: () => void;
}

/** Roles that were given here, and not by a group. */
function givenRoles(user: User): readonly Role[] {
  return ROLES.filter((role) => user.roles.includes(role) && !user.groupRoles.includes(role));
}

function ChangeRoles({ user, onClose }: OfUser): ReactElement {
  const announce = useAnnounce();
  const params = { user: user.id };
  const edit = useEdit({ route: 'userShow', options: { params } }, 'userRoles', true);
  const [typed, setTyped] = useState<readonly Role[] | null>(null);
  const { shown } = edit;
  const title = `Roles of ${user.name}`;
  if (shown === undefined) {
    return (
      <Dialog title={title} onClose={onClose}>
        <Unread edit={edit} what={title} />
      </Dialog>
    );
  }
  const roles = typed ?? givenRoles(shown);
  const submit = async (): Promise<void> => {
    if ((await edit.save({ params, body: { roles: [...roles] } })) === null) return;
    announce(`Changed the roles of ${user.name}`);
    onClose();
  };
  const inWords = (some: readonly Role[]): string =>
    ROLES.filter((role) => some.includes(role)).join(', ') || 'none';
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        submit="Save"
        isRunning={edit.isRunning}
        error={edit.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
        conflict={
          edit.was !== null && (
            <Conflict
              fields={[
                {
                  name: 'Roles',
                  was: inWords(givenRoles(edit.was)),
                  present: inWords(givenRoles(shown)),
                  typed: typed === null ? null : inWords(typed),
                },
              ]}
              onTakeTheirs={() => {
                edit.takeTheirs();
                setTyped(null);
              }}
            />
          )
        }
      >
        <RoleChecks roles={roles} onRoles={setTyped} hasFocus />
        {shown.groupRoles.length > 0 && (
          <p className="soft">
            {shown.groupRoles.join(', ')} by groups of the identity provider: these follow the
            groups.
          </p>
        )}
      </Form>
    </Dialog>
  );
}

function SetPassword({ user, onClose }: OfUser): ReactElement {
  const announce = useAnnounce();
  const act = useAct('userPassword');
  const [password, setPassword] = useState('');
  const submit = async (): Promise<void> => {
    if ((await act.run({ params: { user: user.id }, body: { password } })) === null) return;
    announce(`Set the password of ${user.name}`);
    onClose();
  };
  return (
    <Dialog title={`Set the password of ${user.name}`} onClose={onClose}>
      <p>All sessions of the user end, and all its API tokens are revoked.</p>
      <Form
        submit="Set"
        isDangerous
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
      >
        <TextField
          label="New password"
          type="password"
          value={password}
          onValue={setPassword}
          required
          autoFocus
          minLength={PASSWORD_CHARS_MIN}
          autoComplete="new-password"
          wrong={wrongOf(act.error, 'password')}
        />
      </Form>
    </Dialog>
  );
}

function DeleteUser({ user, onClose }: OfUser): ReactElement {
  return (
    <Confirm
      route="userDelete"
      options={{ params: { user: user.id } }}
      title={`Delete ${user.name}?`}
      effects={[
        'Its sessions end, its API tokens are revoked.',
        'What it did stays in the ledger.',
        'This cannot be undone.',
      ]}
      verb="Delete"
      name={user.name}
      done={`Deleted the user ${user.name}`}
      onClose={onClose}
    />
  );
}
