/** Handlers: logging in, and what a principal may do about itself. */
import type { CallReply, SESSION_ROUTES, SETUP_ROUTES } from '@etherloom/api';
import { createLoginToken, deleteApiToken } from '../../access/api-tokens.ts';
import { rolesOf } from '../../access/grants.ts';
import { findProvider, providersFor } from '../../access/identity-providers.ts';
import { checkOwnPassword, confirmUser, logIn } from '../../access/log-in.ts';
import type { Principal } from '../../access/principal.ts';
import { groupMissing, takeProviderUser } from '../../access/provider-users.ts';
import type { SessionMade } from '../../access/sessions.ts';
import {
  createSession,
  endSession,
  endSessionOf,
  listSessions,
  openSession,
  renewSecret,
} from '../../access/sessions.ts';
import { checkNoUsers, hasUsers } from '../../access/setup-code.ts';
import { addRole, insertUser, recordUser, replacePassword, showUser } from '../../access/users.ts';
import { whoami } from '../../access/whoami.ts';
import { SINGLE_SIGN_ON_MS } from '../../limits.ts';
import { RequestError } from '../../request-error.ts';
import type { UserRow } from '../../store/access-schema.ts';
import { DEFAULT_ORGANIZATION, findOrganization } from '../../store/organizations.ts';
import type { Tx } from '../../store/store.ts';
import { countFailure } from '../admin-auth.ts';
import type { Call, HandlerDeps, HandlersOf, HttpSide } from '../call.ts';
import { LOGIN_COOKIE, SESSION_COOKIE, endCookie, loginCookie, sessionCookie } from '../cookies.ts';

/** The console, which tells that a login by a provider failed, and why. */
const FAILED_LOGIN = '/?login_failed=';

export function sessionHandlers(
  deps: HandlerDeps,
): HandlersOf<keyof typeof SESSION_ROUTES | keyof typeof SETUP_ROUTES> {
  return {
    setupShow: async ({ transact }) => ({ isNeeded: !(await transact(hasUsers)) }),
    setupCreate: (call) => handleSetup(deps, call),
    sessionCreate: (call) => handleLogin(deps, call),
    sessionShow: (call) => call.transact((tx) => whoami(tx, principalOf(call))),
    sessionDelete: handleLogout,
    sessionList: (call) => {
      const { userId, sessionId } = userOf(call);
      return call.transact((tx) => listSessions(tx, userId, sessionId, call.query));
    },
    sessionEnd: async (call) => {
      const { userId } = userOf(call);
      await call.transact((tx) => endSession(tx, userId, call.param('session')));
      return undefined;
    },
    passwordChange: (call) => handlePasswordChange(deps, call),
    loginToken: (call) => handleLoginToken(deps, call),
    loginProviders: ({ transact, query }) =>
      transact((tx) => providersFor(tx, query.organization ?? DEFAULT_ORGANIZATION, query)),
    loginStart: (call) => handleLoginStart(deps, call),
    loginCallback: (call) => handleCallback(deps, call),
  };
}

/** Routes with credentials have a principal. */
function principalOf(call: { readonly principal: Principal | null }): Principal {
  if (call.principal === null) throw new Error('a route without a principal');
  return call.principal;
}

/** The user of a session: what is about oneself is no business of a token that may leak. */
function userOf(call: { readonly principal: Principal | null }): {
  readonly userId: string;
  readonly sessionId: string;
} {
  const { userId, proof } = principalOf(call);
  if (userId !== null && proof.kind === 'session') return { userId, sessionId: proof.id };
  throw new RequestError('forbidden', 'this is for users who are logged in with a session');
}

/** Begins a session; one that the browser had before is over, whoever's it was. */
async function beginSession(tx: Tx, user: UserRow, source: string, http: HttpSide) {
  const former = http.cookie(SESSION_COOKIE);
  if (former !== undefined) await endSessionOf(tx, former);
  const made = await createSession(tx, user, source);
  return { ...made, reply: await whoami(tx, made.principal) };
}

function carry(http: HttpSide, { secret }: Pick<SessionMade, 'secret'>): void {
  http.setCookie(sessionCookie(secret));
}

async function handleSetup(
  { access, authFailures, log }: HandlerDeps,
  { body, http, source, transact }: Call<'setupCreate'>,
): Promise<CallReply<'setupCreate'>> {
  await transact(checkNoUsers);
  if (!access.setup.matches(body.code)) {
    countFailure(authFailures, source);
    throw new RequestError(
      'unauthenticated',
      'the set-up code is wrong: it is the one that the controller printed, and keeps in setup.code of its data directory',
    );
  }
  const passwordHash = await access.passwords.hash(body.password, source);
  const made = await transact(async (tx) => {
    await checkNoUsers(tx);
    const { id } = await findOrganization(tx, DEFAULT_ORGANIZATION);
    const user = await insertUser(tx, id, { name: body.name, passwordHash, isSystem: true });
    await addRole(tx, user.id, id, 'owner', 'local');
    const actor = { kind: 'user', id: user.id, name: user.name } as const;
    recordUser(tx, 'user.create', { before: null, after: await showUser(tx, user), actor });
    return beginSession(tx, user, source, http);
  });
  access.setup.end();
  log.info({ userId: made.principal.userId, source }, 'the first user was made');
  carry(http, made);
  return made.reply;
}

async function handleLogin(
  { access, store, log }: HandlerDeps,
  { body, http, source, transact }: Call<'sessionCreate'>,
): Promise<CallReply<'sessionCreate'>> {
  const row = await logIn(access, store, body, source);
  const made = await transact(async (tx) =>
    beginSession(tx, await confirmUser(tx, row), source, http),
  );
  log.info({ userId: row.id, source }, 'a user logged in');
  carry(http, made);
  return made.reply;
}

async function handleLogout(call: Call<'sessionDelete'>): Promise<undefined> {
  const principal = principalOf(call);
  const { proof } = principal;
  if (proof.kind === 'bootstrap')
    throw new RequestError('invalid_request', 'admin.token is no session: it cannot be ended');
  if (proof.kind === 'api_token') {
    await call.transact((tx) => deleteApiToken(tx, principal, proof.id));
    return;
  }
  const { userId } = userOf(call);
  await call.transact((tx) => endSession(tx, userId, proof.id));
  call.http.setCookie(endCookie(SESSION_COOKIE));
}

async function handlePasswordChange(
  { access }: HandlerDeps,
  call: Call<'passwordChange'>,
): Promise<CallReply<'passwordChange'>> {
  const { body, http, source, transact } = call;
  const { userId, sessionId } = userOf(call);
  const row = await transact((tx) => userById(tx, userId));
  await checkOwnPassword(access, row, body.current, source);
  const passwordHash = await access.passwords.hash(body.password, source);
  const { secret, reply } = await transact(async (tx) => {
    await replacePassword(tx, row, passwordHash, sessionId);
    const renewed = await renewSecret(tx, sessionId);
    const principal = await openSession(tx, renewed);
    if (principal === null) throw new RequestError('unauthenticated', 'the session is over');
    return { secret: renewed, reply: await whoami(tx, principal) };
  });
  carry(http, { secret });
  return reply;
}

async function userById(tx: Tx, id: string): Promise<UserRow> {
  const row = await tx.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
  if (row) return row;
  throw new RequestError('unauthenticated', 'the user is gone');
}

async function handleLoginToken(
  { access, store, log }: HandlerDeps,
  { body, source, transact }: Call<'loginToken'>,
): Promise<CallReply<'loginToken'>> {
  const row = await logIn(access, store, body, source);
  const made = await transact(async (tx) => {
    const user = await confirmUser(tx, row);
    return createLoginToken(tx, user, {
      organizationId: await organizationOf(tx, user),
      name: body.tokenName,
      lifetimeSeconds: body.lifetimeSeconds,
    });
  });
  log.info({ userId: row.id, apiTokenId: made.row.id, source }, 'a user logged in for a token');
  return { ...made.row, token: made.token };
}

/** Where a user acts by a token: where it logs in, or else the only place where it has a role. */
async function organizationOf(tx: Tx, user: UserRow): Promise<string> {
  const ids = [...(await rolesOf(tx, user.id)).keys()];
  const [only, other] = ids;
  if (ids.includes(user.organization_id) || only === undefined || other !== undefined)
    return user.organization_id;
  return only;
}

async function handleLoginStart(
  { access }: HandlerDeps,
  { http, param, query, transact }: Call<'loginStart'>,
): Promise<undefined> {
  const row = await transact((tx) => findProvider(tx, param('provider')));
  try {
    const begun = await access.singleSignOn.begin(row, query.returnTo ?? '/');
    http.setCookie(loginCookie(begun.cookie, SINGLE_SIGN_ON_MS));
    http.redirect(begun.location);
  } catch (error) {
    redirectFailure(http, error);
  }
}

async function handleCallback(
  { access, log }: HandlerDeps,
  { http, param, source, transact }: Call<'loginCallback'>,
): Promise<undefined> {
  const row = await transact((tx) => findProvider(tx, param('provider')));
  http.setCookie(endCookie(LOGIN_COOKIE));
  try {
    const cookie = http.cookie(LOGIN_COOKIE);
    const { user, returnTo } = await access.singleSignOn.finish(row, cookie, http.rawQuery);
    const made = await transact(async (tx) => {
      const taken = await takeProviderUser(tx, row, user);
      return taken === null ? null : beginSession(tx, taken, source, http);
    });
    if (made === null) throw groupMissing(row);
    log.info({ userId: made.principal.userId, providerId: row.id, source }, 'a user logged in');
    carry(http, made);
    http.redirect(returnTo);
  } catch (error) {
    redirectFailure(http, error);
  }
}

/** A person waits in a browser: the console says it in words. */
function redirectFailure(http: HttpSide, error: unknown): void {
  if (!(error instanceof RequestError)) throw error;
  http.redirect(`${FAILED_LOGIN}${error.code}`);
}
