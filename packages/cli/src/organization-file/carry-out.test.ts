/** Steps against a real controller: each says what it was planned from. */
import type { Client, Role } from '@etherloom/api';
import { collect } from '@etherloom/api';
import { TransportError } from '@etherloom/transport';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControllerProcess } from '../testing/controller-process.ts';
import { joinHost, startController } from '../testing/controller-process.ts';
import { carryOut } from './carry-out.ts';
import { planChanges } from './plan.ts';
import { readActual } from './read-actual.ts';
import type { OrganizationFile } from './schema.ts';
import type { Step } from './step.ts';

let controller: ControllerProcess;
let client: Client;
let serial = 0;
let network: string;

beforeAll(async () => {
  controller = await startController();
  client = controller.client();
  await makeUser('anna', 'owner');
});
afterAll(() => controller.stop());

async function makeUser(name: string, role: Role): Promise<void> {
  const password = 'correct horse battery';
  await client.call('userCreate', { body: { name, password, roles: [role] } });
}

/** A network with a reservation, a node, a join token; and a user. */
beforeEach(async () => {
  for (const { id } of await collect(client, 'nodeList'))
    await client.call('nodeDelete', { params: { node: id } });
  for (const { id } of await collect(client, 'networkList'))
    await client.call('networkDelete', { params: { network: id } });
  serial += 1;
  network = `net-${serial}`;
  const { ipv4 } = await client.call('networkCreate', { body: { name: network } });
  const address = ipv4?.replace(/0\/24$/, '77') ?? '';
  await client.call('reservationCreate', { params: { network }, body: { address, note: '' } });
  const made = await client.call('tokenCreate', { body: { network, label: 'hosts', uses: 2 } });
  await joinHost(client, made.token, `node-${serial}`);
  const [ben] = await collect(client, 'userList', { query: { name: 'ben' } });
  if (ben === undefined) await makeUser('ben', 'admin');
  else await client.call('userRoles', { params: { user: ben.id }, body: { roles: ['admin'] } });
});

async function plan(wanted: Omit<OrganizationFile, 'etherloom'>): Promise<readonly Step[]> {
  const wish = { reservationsOf: null, joinTokens: true, users: true, memberEtags: true };
  const actual = await readActual(client, wish, Date.now());
  const options = { isPruning: true, isRenewing: false };
  const { steps, refusals } = planChanges({ etherloom: 1, ...wanted }, actual, options);
  expect(refusals).toEqual([]);
  return steps;
}

/** Files by the kind of the step that they lead to. */
const FILES: Readonly<Record<string, () => Omit<OrganizationFile, 'etherloom'>>> = {
  'network.set': () => ({ networks: { [network]: { settings: { stalenessDays: 9 } } } }),
  'network.delete': () => ({ networks: {} }),
  'reservation.delete': () => ({ networks: { [network]: { reservations: [] } } }),
  'node.delete': () => ({ nodes: {} }),
  'member.delete': () => ({ nodes: { [`node-${serial}`]: { networks: [] } } }),
  'user.roles': () => ({ users: { anna: {}, ben: { roles: ['auditor'] } } }),
  'join_token.replace': () => ({ networks: { [network]: { joinTokens: { hosts: { uses: 9 } } } } }),
  'join_token.delete': () => ({ networks: { [network]: { joinTokens: {} } } }),
};

async function only(kind: string): Promise<Step> {
  const [step, ...others] = await plan(FILES[kind]?.() ?? {});
  expect(others).toEqual([]);
  if (step?.kind !== kind) throw new Error(`planned ${step?.kind}`);
  return step;
}

describe.each(Object.keys(FILES))('%s', (kind) => {
  test('is done when the thing is as it was planned from', async () => {
    await carryOut(client, await only(kind));
    expect(await plan(FILES[kind]?.() ?? {})).toEqual([]);
  });

  test('changes nothing when the thing is another by then', async () => {
    const step = await only(kind);
    const before = await plan(FILES[kind]?.() ?? {});
    const other = { ...step, etag: '"of-another-time"' } as Step; // each of these has one
    await expect(carryOut(client, other)).rejects.toMatchObject({
      code: 'changed_meanwhile',
      message: expect.stringContaining('--plan'),
    });
    expect(await plan(FILES[kind]?.() ?? {})).toEqual(before);
  });

  test('says so when the thing is gone', async () => {
    const step = await only(kind);
    await carryOut(client, await goneBy(step));
    const late = carryOut(client, step);
    await expect(late).rejects.toMatchObject({ code: 'changed_meanwhile' });
  });
});

/** The step that takes away what another one speaks of. */
async function goneBy(step: Step): Promise<Step> {
  if (step.kind === 'network.set') return only('network.delete');
  if (step.kind === 'join_token.replace') return only('join_token.delete');
  if (step.kind !== 'user.roles') return step;
  await client.call('userDelete', { params: { user: step.user.id } });
  return { kind: 'network.create', name: `instead-${serial}`, wanted: {} };
}

test('what somebody changed after the plan was made is not written over', async () => {
  const step = await only('network.set');
  const body = { stalenessDays: 5 };
  await client.call('networkSettings', { params: { network }, body });
  await expect(carryOut(client, step)).rejects.toMatchObject({ code: 'changed_meanwhile' });
  const { settings } = await client.call('networkShow', { params: { network } });
  expect(settings.stalenessDays).toBe(5);
});

describe('a join token whose reply is lost', () => {
  const STEP = { kind: 'join_token.create', label: 'lost', wanted: { uses: 5 } } as const;

  /** The client, but the first replies to the making of tokens do not arrive. */
  function losing(count: number): Client {
    let lost = 0;
    return {
      exchange: client.exchange,
      call: async (route, ...args) => {
        const reply = await client.call(route, ...args);
        if (route !== 'tokenCreate' || lost >= count) return reply;
        lost += 1;
        throw new TransportError('timeout', 'no reply');
      },
    };
  }

  const held = async () =>
    (await collect(client, 'tokenList')).filter(({ label }) => label === STEP.label);

  test('is asked for again, and is one token', async () => {
    const made = await carryOut(losing(2), { ...STEP, networkName: network });
    expect(await held()).toMatchObject([{ id: made?.id, uses: 5 }]);
    await joinHost(client, made?.token ?? '', `late-${serial}`);
  });

  test('is not asked for without end', async () => {
    const failed = carryOut(losing(100), { ...STEP, networkName: network });
    await expect(failed).rejects.toBeInstanceOf(TransportError);
    expect(await held()).toHaveLength(1);
  });
});
