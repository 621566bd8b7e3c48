/** For tests: an organization with one of everything, whose names all carry its own. */
import type { ROUTES, RouteName } from '@etherloom/api';
import { PASSWORD } from './access-fixture.ts';
import type { TestController } from './controller-fixture.ts';
import { connectAgent, makeJoinRequest, makeNode } from './controller-fixture.ts';

/** What stands in braces in a path. */
export type ParamName =
  | 'organization'
  | 'network'
  | 'node'
  | 'token'
  | 'reservation'
  | 'user'
  | 'session'
  | 'apiToken'
  | 'identityProvider';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** Ids and names of its things, by what stands in the braces of a path. */
  readonly things: Readonly<Record<ParamName, readonly string[]>>;
  /** What no other tenant may ever read. */
  readonly marks: readonly string[];
}

/** Makes an organization with a network, a member, a reservation, tokens, a user, a provider. */
export async function makeTenant(test: TestController, name: string): Promise<Tenant> {
  const { client } = test;
  const organization = await client.call('organizationCreate', { body: { name } });
  const query = { organization: name };
  const networkName = `${name}-net`;
  const network = await client.call('networkCreate', { query, body: { name: networkName } });
  const params = { network: network.id };
  const reservation = await client.call('reservationCreate', {
    query,
    params,
    body: { address: network.ipv4?.replace(/0\/24$/, '77') ?? '', note: `${name}-printer` },
  });
  const node = makeNode();
  const joining = await client.call('tokenCreate', { query, body: { network: network.id } });
  const join = makeJoinRequest(node, joining.token, { name: `${name}-node` });
  await client.call('join', { body: join });
  (await connectAgent(test, node)).link.close();
  const token = await client.call('tokenCreate', { query, body: { network: network.id } });
  const userName = `${name}-user`;
  const body = { name: userName, password: PASSWORD, roles: ['owner' as const] };
  const user = await client.call('userCreate', { query, body });
  const apiToken = await client.call('apiTokenCreate', {
    query,
    body: { name: `${name}-ci`, role: 'operator' },
  });
  const provider = await client.call('identityProviderCreate', {
    query,
    body: { name: `${name}-company`, issuer: `https://${name}.example`, clientId: name },
  });
  return {
    id: organization.id,
    name,
    things: {
      organization: [organization.id, name],
      network: [network.id, networkName],
      node: [node.id, `${name}-node`],
      token: [token.id],
      reservation: [reservation.id],
      user: [user.id, userName],
      session: [],
      apiToken: [apiToken.id],
      identityProvider: [provider.id],
    },
    marks: [name, organization.id, network.id, node.id, node.signKey, token.id, user.id],
  };
}

/** Routes with the permission that they need, as the table says. */
export type AnyRoute = (typeof ROUTES)[RouteName];
