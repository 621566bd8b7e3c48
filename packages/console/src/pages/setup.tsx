/** First run: the set-up code that the controller printed makes the owner. */
import { PASSWORD_CHARS_MIN } from '@etherloom/api';
import type { Whoami } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct } from '../api/calls.ts';
import { Form, TextField, wrongOf } from '../ui/form.tsx';
import { Gate } from '../ui/gate.tsx';

/** The page. */
export function SetupPage({ onDone }: { readonly onDone: (whoami: Whoami) => void }): ReactElement {
  const act = useAct('setupCreate');
  const [code, setCode] = useState('');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const submit = async (): Promise<void> => {
    if (password !== again) return;
    const body = { code: code.trim(), name: name.trim(), password };
    const whoami = await act.run({ body });
    if (whoami !== null) onDone(whoami);
  };
  return (
    <Gate
      title="Set up this controller"
      about={
        <>
          The controller printed a code when it started, and keeps it in <code>setup.code</code> of
          its directory. With it you become the owner.
        </>
      }
    >
      <Form
        submit="Make me the owner"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
      >
        <TextField
          label="Set-up code"
          value={code}
          onValue={setCode}
          required
          autoFocus
          spellCheck={false}
          wrong={wrongOf(act.error, 'code')}
        />
        <TextField
          label="Your user name"
          value={name}
          onValue={setName}
          required
          autoComplete="username"
          spellCheck={false}
          wrong={wrongOf(act.error, 'name')}
        />
        <NewPassword
          password={password}
          onPassword={setPassword}
          again={again}
          onAgain={setAgain}
          wrong={wrongOf(act.error, 'password')}
        />
      </Form>
    </Gate>
  );
}

function NewPassword(props: {
  readonly password: string;
  readonly onPassword: (password: string) => void;
  readonly again: string;
  readonly onAgain: (again: string) => void;
  readonly wrong: string | undefined;
}): ReactElement {
  const isOther = props.again !== '' && props.again !== props.password;
  return (
    <>
      <TextField
        label="Password"
        type="password"
        value={props.password}
        onValue={props.onPassword}
        required
        minLength={PASSWORD_CHARS_MIN}
        autoComplete="new-password"
        hint={`${PASSWORD_CHARS_MIN} characters or more; nothing else is asked.`}
        wrong={props.wrong}
      />
      <TextField
        label="Password again"
        type="password"
        value={props.again}
        onValue={props.onAgain}
        required
        autoComplete="new-password"
        wrong={isOther ? 'These two differ.' : undefined}
      />
    </>
  );
}
