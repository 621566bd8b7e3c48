/** One's own user: password and sessions. */
import { PASSWORD_CHARS_MIN } from '@etherloom/api';
import type { Session } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useList } from '../api/calls.ts';
import { setCsrf } from '../api/client.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Form, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, Facts, PageHead, Time } from '../ui/page.tsx';
import { Blank, Failed } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';

/** The page. */
export function ProfilePage(): ReactElement {
  const { whoami } = useSession();
  return (
    <>
      <PageHead title="Your profile" />
      <div className="stack">
        <div className="columns">
          <Card title="You" isPadded>
            <Facts
              rows={[
                ['User name', whoami.name],
                ['System administrator', whoami.isSystemAdministrator ? 'yes' : 'no'],
                ...whoami.organizations.map(
                  ({ name, roles }) => [`Roles in ${name}`, roles.join(', ')] as const,
                ),
                ['This session ends', <Time key="at" at={whoami.expiresAt} />],
              ]}
            />
          </Card>
          <Card title="Password" isPadded>
            <ChangePassword />
          </Card>
        </div>
        <Sessions />
      </div>
    </>
  );
}

function ChangePassword(): ReactElement {
  const announce = useAnnounce();
  const act = useAct('passwordChange');
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const submit = async (): Promise<void> => {
    const whoami = await act.run({ body: { current, password } });
    if (whoami === null) return;
    setCsrf(whoami.csrf);
    setCurrent('');
    setPassword('');
    announce('Changed your password: your other sessions have ended');
  };
  return (
    <Form
      submit="Change"
      isRunning={act.isRunning}
      error={act.error}
      onSubmit={() => void submit()}
    >
      <TextField
        label="Password as it is"
        type="password"
        value={current}
        onValue={setCurrent}
        required
        autoComplete="current-password"
        wrong={wrongOf(act.error, 'current')}
      />
      <TextField
        label="New password"
        type="password"
        value={password}
        onValue={setPassword}
        required
        minLength={PASSWORD_CHARS_MIN}
        autoComplete="new-password"
        hint={`${PASSWORD_CHARS_MIN} characters or more. Your other sessions end.`}
        wrong={wrongOf(act.error, 'password')}
      />
    </Form>
  );
}

function Sessions(): ReactElement {
  const list = useList('sessionList', {});
  const announce = useAnnounce();
  const act = useAct('sessionEnd');
  const end = async (session: Session): Promise<void> => {
    if ((await act.run({ params: { session: session.id } })) !== null)
      announce(`Ended the session from ${session.source}`);
  };
  return (
    <Card title="Your sessions" about="Each is one login.">
      {act.error !== null && <Failed error={act.error} />}
      <Listed list={list} what="sessions" blank={<Blank title="No session" />}>
        {(rows) => (
          <Table
            label="Your sessions"
            rows={rows}
            keyOf={({ id }) => id}
            columns={[
              {
                name: 'From',
                show: ({ source, isCurrent }) => (
                  <>
                    <span className="mono">{source}</span>{' '}
                    {isCurrent && <span className="badge good">this one</span>}
                  </>
                ),
              },
              { name: 'Began', show: ({ createdAt }) => <Time at={createdAt} /> },
              { name: 'Last use', show: ({ lastSeenAt }) => <Time at={lastSeenAt} /> },
              { name: 'Ends', show: ({ expiresAt }) => <Time at={expiresAt} /> },
              {
                name: 'Act',
                isActs: true,
                show: (session) =>
                  !session.isCurrent && (
                    <button
                      type="button"
                      className="button plain small"
                      aria-label={`End the session from ${session.source}`}
                      onClick={() => void end(session)}
                    >
                      End
                    </button>
                  ),
              },
            ]}
          />
        )}
      </Listed>
    </Card>
  );
}
