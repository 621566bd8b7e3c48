/** Logging in: a password, or the identity provider of an organization. */
import type { Whoami } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useLocation, useSearchParams } from 'react-router';
import { useAct, useCall } from '../api/calls.ts';
import { Form, TextField } from '../ui/form.tsx';
import { Gate } from '../ui/gate.tsx';
import { Notice } from '../ui/states.tsx';

/** What `?login_failed=CODE` in the address means: a login by an identity provider failed. */
const FAILED: Readonly<Record<string, string>> = {
  forbidden: 'You may not log in here: none of your groups at the provider has a role.',
  unauthenticated: 'The login took too long or began in another browser. Try again.',
  provider_failed: 'The identity provider does not answer, or not as it should.',
  too_many_requests: 'Too many logins at one time. Wait a moment and try again.',
  unavailable: 'The controller is stopping, or busy. Try again.',
};

/** The page. `?organization=NAME` in the address names the organization of the user. */
export function LoginPage({ onDone }: { readonly onDone: (whoami: Whoami) => void }): ReactElement {
  const [search] = useSearchParams();
  const failed = search.get('login_failed');
  const act = useAct('sessionCreate');
  const [organization, setOrganization] = useState(search.get('organization') ?? '');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [isElsewhere, setIsElsewhere] = useState(organization !== '');
  const submit = async (): Promise<void> => {
    const home = organization.trim();
    const body = { name: name.trim(), password, ...(home === '' ? {} : { organization: home }) };
    const whoami = await act.run({ body });
    if (whoami === null) setPassword('');
    else onDone(whoami);
  };
  return (
    <Gate title="Log in" about="To the controller of your networks.">
      {failed !== null && (
        <Notice kind="bad">{FAILED[failed] ?? 'The login by the identity provider failed.'}</Notice>
      )}
      <Form
        submit="Log in"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
      >
        {isElsewhere && (
          <TextField
            label="Organization"
            value={organization}
            onValue={setOrganization}
            spellCheck={false}
            hint="Where your user belongs; empty: default."
          />
        )}
        <TextField
          label="User name"
          value={name}
          onValue={setName}
          required
          autoFocus
          autoComplete="username"
          spellCheck={false}
        />
        <TextField
          label="Password"
          type="password"
          value={password}
          onValue={setPassword}
          required
          autoComplete="current-password"
        />
      </Form>
      {!isElsewhere && (
        <button type="button" className="button plain small" onClick={() => setIsElsewhere(true)}>
          I belong to another organization
        </button>
      )}
      <SignOn organization={organization.trim()} />
    </Gate>
  );
}

function SignOn({ organization }: { readonly organization: string }): ReactElement | null {
  const { pathname } = useLocation();
  const query = organization === '' ? {} : { organization };
  const { data } = useCall('loginProviders', { query });
  if (data === undefined || data.items.length === 0) return null;
  return (
    <>
      <p className="or">or</p>
      {data.items.map(({ id, name }) => (
        <a
          key={id}
          className="button sign-on"
          href={`/v1/login/providers/${id}/start?returnTo=${encodeURIComponent(pathname)}`}
        >
          Log in with {name}
        </a>
      ))}
    </>
  );
}
