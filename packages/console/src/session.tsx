/**
 * Who is logged in, which organization is looked at, and what may be done there. Everything inside
 * is drawn for somebody; before that stand the gates: set-up and login.
 */
import type { Permission, Whoami } from '@etherloom/api';
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { client, setCsrf, setScope } from './api/client.ts';
import { isLoggedOut } from './api/errors.ts';
import { WatchProvider } from './api/watch.tsx';
import { LoginPage } from './pages/login.tsx';
import { SetupPage } from './pages/setup.tsx';
import { Failed, Loading } from './ui/states.tsx';

export interface SessionView {
  readonly whoami: Whoami;
  readonly user: string;
  /** Name of the organization that is looked at. */
  readonly organization: string;
  /** Names of all that can be looked at. */
  readonly organizations: readonly string[];
  /** Whether a permission is held in it. */
  readonly can: (permission: Permission) => boolean;
  /** Whether it is held in another one. */
  readonly canIn: (organization: string, permission: Permission) => boolean;
  readonly choose: (organization: string) => void;
  readonly logOut: () => void;
}

const SessionContext = createContext<SessionView | null>(null);

/** The session; only inside of SessionGate. */
export function useSession(): SessionView {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('useSession is for what stands inside of SessionGate');
  return session;
}

type Stage =
  | { readonly kind: 'reading' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'setup' }
  | { readonly kind: 'login' }
  | { readonly kind: 'open'; readonly whoami: Whoami; readonly organizations: readonly string[] };

/** Draws what is inside for whoever is logged in, else the gate. */
export function SessionGate({ children }: { readonly children: ReactNode }): ReactElement {
  const [stage, setStage] = useState<Stage>({ kind: 'reading' });
  const queries = useQueryClient();
  const enter = (whoami: Whoami): void => {
    setCsrf(whoami.csrf);
    queries.clear();
    void openStage(whoami).then(setStage);
  };
  useEffect(() => {
    void readStage().then(setStage);
    return watchLogout(queries, () => setStage({ kind: 'login' }));
  }, [queries]);
  switch (stage.kind) {
    case 'reading':
      return <Loading what="who you are" />;
    case 'failed':
      return (
        <main className="gate">
          <Failed error={stage.error} onRetry={() => void readStage().then(setStage)} />
        </main>
      );
    case 'setup':
      return <SetupPage onDone={enter} />;
    case 'login':
      return <LoginPage onDone={enter} />;
    case 'open':
      return (
        <Inside
          whoami={stage.whoami}
          organizations={stage.organizations}
          onLeave={() => setStage({ kind: 'login' })}
        >
          {children}
        </Inside>
      );
  }
}

async function readStage(): Promise<Stage> {
  try {
    const whoami = await client.call('sessionShow');
    setCsrf(whoami.csrf);
    return await openStage(whoami);
  } catch (error) {
    if (!isLoggedOut(error)) return { kind: 'failed', error };
  }
  try {
    const { isNeeded } = await client.call('setupShow');
    return { kind: isNeeded ? 'setup' : 'login' };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

async function openStage(whoami: Whoami): Promise<Stage> {
  const own = whoami.organizations.map(({ name }) => name);
  if (!whoami.isSystemAdministrator) return { kind: 'open', whoami, organizations: own };
  const { items } = await client.call('organizationList', { query: { limit: 1_000 } });
  const names = new Set([...own, ...items.map(({ name }) => name)]);
  return { kind: 'open', whoami, organizations: [...names] };
}

/** Any call that is refused for want of a session leads to the login page. */
function watchLogout(queries: ReturnType<typeof useQueryClient>, onLogout: () => void): () => void {
  return queries.getQueryCache().subscribe(({ type, query }) => {
    if (type === 'updated' && isLoggedOut(query.state.error)) onLogout();
  });
}

const SCOPE_KEY = 'loom.organization';

function readScope(organizations: readonly string[]): string {
  try {
    const kept = localStorage.getItem(SCOPE_KEY);
    if (kept !== null && organizations.includes(kept)) return kept;
  } catch {
    // Storage is refused: begin with the first.
  }
  return organizations[0] ?? '';
}

function Inside(props: {
  readonly whoami: Whoami;
  readonly organizations: readonly string[];
  readonly onLeave: () => void;
  readonly children: ReactNode;
}): ReactElement {
  const { whoami, organizations } = props;
  const queries = useQueryClient();
  const [organization, setOrganization] = useState(() => readScope(organizations));
  setScope(organization === '' ? null : organization); // before any child asks
  const choose = (name: string): void => {
    setScope(name);
    setOrganization(name);
    queries.clear();
    try {
      localStorage.setItem(SCOPE_KEY, name);
    } catch {
      // Storage is refused: the page alone keeps it.
    }
  };
  const leave = async (): Promise<void> => {
    try {
      await client.call('sessionDelete');
    } catch {
      // The session has ended already, or ends by itself.
    }
    setCsrf(null);
    queries.clear();
    props.onLeave();
  };
  const canIn = (where: string, permission: Permission): boolean =>
    whoami.isSystemAdministrator ||
    whoami.organizations.find(({ name }) => name === where)?.permissions.includes(permission) ===
      true;
  const view: SessionView = {
    whoami,
    user: whoami.name,
    organization,
    organizations,
    can: (permission) => canIn(organization, permission),
    canIn,
    choose,
    logOut: () => void leave(),
  };
  return (
    <SessionContext value={view}>
      <WatchProvider scope={organization}>{props.children}</WatchProvider>
    </SessionContext>
  );
}
