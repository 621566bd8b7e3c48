/** Handlers: users, API tokens, identity providers. */
import type { API_TOKEN_ROUTES, IDENTITY_PROVIDER_ROUTES, USER_ROUTES } from '@etherloom/api';
import { createApiToken, deleteApiToken, listApiTokens } from '../../access/api-tokens.ts';
import {
  changeProvider,
  createProvider,
  deleteProvider,
  findProvider,
  listProviders,
  toProvider,
} from '../../access/identity-providers.ts';
import { checkMayRule } from '../../access/grants.ts';
import type { Principal } from '../../access/principal.ts';
import {
  createUser,
  deleteUser,
  findUser,
  listUsers,
  setPassword,
  setRoles,
  setSystem,
  showUser,
} from '../../access/users.ts';
import type { HandlerDeps, HandlersOf } from '../call.ts';

type Routes = typeof USER_ROUTES & typeof API_TOKEN_ROUTES & typeof IDENTITY_PROVIDER_ROUTES;

/** Routes with credentials have a principal. */
function by(call: { readonly principal: Principal | null }): Principal {
  if (call.principal === null) throw new Error('a route without a principal');
  return call.principal;
}

export function accessHandlers(deps: HandlerDeps): HandlersOf<keyof Routes> {
  return { ...userHandlers(deps), ...apiTokenHandlers, ...providerHandlers(deps) };
}

function userHandlers({ access }: HandlerDeps): HandlersOf<keyof typeof USER_ROUTES> {
  return {
    userList: ({ transact, query }) => transact((tx) => listUsers(tx, query)),
    userCreate: async (call) => {
      const { name, password, roles } = call.body;
      const passwordHash = await access.passwords.hash(password, call.source);
      return call.transact((tx) => createUser(tx, by(call), { name, passwordHash, roles }));
    },
    userShow: ({ transact, param }) =>
      transact(async (tx) => showUser(tx, await findUser(tx, param('user')))),
    userRoles: (call) =>
      call.transact((tx) => setRoles(tx, by(call), call.param('user'), call.body.roles)),
    userPassword: async (call) => {
      const { body, param, source, transact } = call;
      // A hash costs much: it is made for those alone who may set it.
      await transact(async (tx) => checkMayRule(tx, by(call), await findUser(tx, param('user'))));
      const passwordHash = await access.passwords.hash(body.password, source);
      await transact((tx) => setPassword(tx, by(call), param('user'), passwordHash));
      return undefined;
    },
    userSystem: ({ transact, param, body }) =>
      transact((tx) => setSystem(tx, param('user'), body.isSystemAdministrator)),
    userDelete: async (call) =>
      void (await call.transact((tx) => deleteUser(tx, by(call), call.param('user')))),
  };
}

const apiTokenHandlers: HandlersOf<keyof typeof API_TOKEN_ROUTES> = {
  apiTokenList: ({ transact, query }) => transact((tx) => listApiTokens(tx, query)),
  apiTokenCreate: async (call) => {
    const { row, token } = await call.transact((tx) => createApiToken(tx, by(call), call.body));
    return { ...row, token };
  },
  apiTokenDelete: async (call) =>
    void (await call.transact((tx) => deleteApiToken(tx, by(call), call.param('apiToken')))),
};

function providerHandlers({
  access,
}: HandlerDeps): HandlersOf<keyof typeof IDENTITY_PROVIDER_ROUTES> {
  return {
    identityProviderList: async ({ transact, query }) => {
      const page = await transact((tx) => listProviders(tx, query));
      return { ...page, items: page.items.map((row) => toProvider(row, access.ownUrl())) };
    },
    identityProviderCreate: (call) =>
      call.transact((tx) => createProvider(tx, by(call), call.body, access.ownUrl())),
    identityProviderShow: async ({ transact, param }) =>
      toProvider(
        await transact((tx) => findProvider(tx, param('identityProvider'))),
        access.ownUrl(),
      ),
    identityProviderChange: (call) =>
      call.transact((tx) =>
        changeProvider(tx, by(call), call.param('identityProvider'), call.body, access.ownUrl()),
      ),
    identityProviderDelete: async (call) =>
      void (await call.transact((tx) =>
        deleteProvider(tx, by(call), call.param('identityProvider'), access.ownUrl()),
      )),
  };
}
