/** Makes an API token: where it is good, what it may do, how long; then shows its secret, once. */
import { API_TOKEN_LIFETIME_SECONDS_MAX, ROLES, ROLE_PERMISSIONS } from '@etherloom/api';
import type { Permission, Role } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct } from '../api/calls.ts';
import { grantableRoles } from '../grants.ts';
import { useSession } from '../session.tsx';
import { Copyable } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Check, Choices, Form, SelectField, TextField, wrongOf } from '../ui/form.tsx';

const DAYS_MAX = API_TOKEN_LIFETIME_SECONDS_MAX / 86_400;

const LIVES = [
  ['1', '1 day'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', '1 year'],
  ['other', 'other'],
  ['ever', 'until it is revoked'],
] as const;
type Life = (typeof LIVES)[number][0];

const REACHES = [
  ['role', 'All that the role may', 'Also what the role is given by a later version.'],
  ['some', 'Only some of it', 'The fewer, the less is lost with the token.'],
] as const;

/** What the form holds, as it is typed. */
interface Draft {
  readonly name: string;
  readonly organization: string;
  readonly role: Role;
  readonly reach: (typeof REACHES)[number][0];
  readonly scopes: readonly Permission[];
  readonly life: Life;
  readonly days: string;
}

/** The form; behind it the secret. */
export function CreateApiToken({ onClose }: { readonly onClose: () => void }): ReactElement {
  const session = useSession();
  const act = useAct('apiTokenCreate');
  const [draft, setDraft] = useState<Draft>(() => ({
    name: '',
    organization: session.organization,
    role: rolesFor(session.canIn, session.organization).at(-1) ?? 'member',
    reach: 'role',
    scopes: [],
    life: '90',
    days: '7',
  }));
  const [token, setToken] = useState<string | null>(null);
  const submit = async (): Promise<void> => {
    const { organization } = draft;
    const made = await act.run({ query: { organization }, body: bodyOf(draft) });
    if (made !== null) setToken(made.token);
  };
  if (token !== null) return <TakeToken token={token} draft={draft} onClose={onClose} />;
  return (
    <Dialog title="Create an API token" onClose={onClose}>
      <Form
        submit="Create"
        isRunning={act.isRunning}
        error={act.error}
        isReady={draft.reach === 'role' || draft.scopes.length > 0}
        onSubmit={() => void submit()}
        onCancel={onClose}
      >
        <TokenFields
          draft={draft}
          onDraft={(part) => setDraft({ ...draft, ...part })}
          error={act.error}
        />
      </Form>
    </Dialog>
  );
}

function bodyOf({ name, role, reach, scopes, life, days }: Draft) {
  const lasting = life === 'other' ? days : life;
  return {
    name: name.trim(),
    role,
    ...(reach === 'role' ? {} : { scopes: [...scopes] }),
    ...(lasting === 'ever' ? {} : { lifetimeSeconds: Number(lasting) * 86_400 }),
  };
}

/** Nobody gives a token more than they hold in its organization. */
function rolesFor(
  canIn: (organization: string, permission: Permission) => boolean,
  organization: string,
): readonly Role[] {
  const grantable = grantableRoles((permission) => canIn(organization, permission));
  return ROLES.filter((role) => grantable.has(role));
}

function TokenFields(props: {
  readonly draft: Draft;
  readonly onDraft: (part: Partial<Draft>) => void;
  readonly error: unknown;
}): ReactElement {
  const { draft, onDraft, error } = props;
  const { organizations, canIn } = useSession();
  const places = organizations.filter((name) => canIn(name, 'api_token:write'));
  const roles = rolesFor(canIn, draft.organization);
  const chooseRole = (role: Role): void =>
    onDraft({
      role,
      scopes: draft.scopes.filter((scope) => ROLE_PERMISSIONS[role].includes(scope)),
    });
  const choosePlace = (organization: string): void => {
    const there = rolesFor(canIn, organization);
    const role = there.includes(draft.role) ? draft.role : (there.at(-1) ?? 'member');
    onDraft({ organization, role, scopes: [] });
  };
  return (
    <>
      <TextField
        label="Name"
        value={draft.name}
        onValue={(name) => onDraft({ name })}
        required
        autoFocus
        hint="What it is for, for example: terraform."
        wrong={wrongOf(error, 'name')}
      />
      {places.length > 1 && (
        <SelectField
          label="Organization"
          value={draft.organization}
          onValue={choosePlace}
          options={places.map((name) => [name, name] as const)}
          hint="The one that it is good in."
        />
      )}
      <SelectField
        label="Role"
        value={draft.role}
        onValue={chooseRole}
        options={roles.map((role) => [role, role] as const)}
        wrong={wrongOf(error, 'role')}
      />
      <Choices
        label="What it may do"
        value={draft.reach}
        onValue={(reach) => onDraft({ reach })}
        options={REACHES}
      />
      {draft.reach === 'some' && <Scopes draft={draft} onDraft={onDraft} />}
      <SelectField
        label="Valid for"
        value={draft.life}
        onValue={(life) => onDraft({ life })}
        options={LIVES}
      />
      {draft.life === 'other' && (
        <DaysField days={draft.days} onDays={(days) => onDraft({ days })} error={error} />
      )}
    </>
  );
}

function DaysField(props: {
  readonly days: string;
  readonly onDays: (days: string) => void;
  readonly error: unknown;
}): ReactElement {
  return (
    <TextField
      label="Days"
      type="number"
      min={1}
      max={DAYS_MAX}
      value={props.days}
      onValue={props.onDays}
      required
      hint={`1 to ${DAYS_MAX}.`}
      wrong={wrongOf(props.error, 'lifetimeSeconds')}
    />
  );
}

function Scopes(props: {
  readonly draft: Draft;
  readonly onDraft: (part: Partial<Draft>) => void;
}): ReactElement {
  const { draft, onDraft } = props;
  const toggle = (scope: Permission, isOn: boolean): void =>
    onDraft({
      scopes: isOn ? [...draft.scopes, scope] : draft.scopes.filter((other) => other !== scope),
    });
  return (
    <fieldset className="choices scopes">
      <legend>Permissions</legend>
      <div>
        {ROLE_PERMISSIONS[draft.role].toSorted().map((scope) => (
          <Check
            key={scope}
            label={scope}
            isOn={draft.scopes.includes(scope)}
            onChange={(isOn) => toggle(scope, isOn)}
          />
        ))}
      </div>
    </fieldset>
  );
}

function TakeToken(props: {
  readonly token: string;
  readonly draft: Draft;
  readonly onClose: () => void;
}): ReactElement {
  const { organization, role } = props.draft;
  return (
    <Dialog title="Take the token" onClose={props.onClose}>
      <p>
        Its role is {role} in {organization}. It is shown once: the controller keeps its hash alone.
      </p>
      <Copyable text={props.token} what="the token" />
      <div className="form-acts">
        <button type="button" className="button primary" onClick={props.onClose}>
          I have it
        </button>
      </div>
    </Dialog>
  );
}
