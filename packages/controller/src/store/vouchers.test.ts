/** Tokens that are good without a controller, as a running controller makes and takes them. */
import type { TokenVoucher, VoucherStatement } from '@etherloom/api';
import {
  decodeJoinToken,
  fromBase64url,
  networkStatementSchema,
  voucherStatementSchema,
} from '@etherloom/api';
import {
  VouchedBook,
  makeIntroduction,
  openAuthority,
  readStatement,
  signerOf,
} from '@etherloom/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS } from '../limits.ts';
import {
  connectAgent,
  joinNetwork,
  makeEndpoints,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { lookInto } from '../testing/test-database.ts';

const FIRST = makeNode();
let controller: TestController;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2030, 0, 1);
  controller = await startTestController({ now: () => nowMs });
  await controller.client.call('networkCreate', { body: { name: 'demo', ipv4: '10.1.0.0/24' } });
  await joinNetwork(controller, 'demo', FIRST);
  const { link } = await connectAgent(controller, FIRST);
  link.send(makeEndpoints(FIRST, ['192.0.2.1:8002']));
  await expect
    .poll(async () => (await controller.client.call('nodeList')).items[0]?.endpoints)
    .toEqual(['192.0.2.1:8002']);
  link.close();
});
afterEach(async () => {
  await controller.remove();
});

describe('a token that is good without a controller', () => {
  test('carries what members need to let its holder in', async () => {
    const { voucher, statement, authorityHash } = await makeToken();
    const opened = openAuthority(authorityHash ?? '', [voucher.authority]);
    const network = readStatement(voucher.network, networkStatementSchema);
    if (!opened.ok || !network.ok) throw new Error('are signed');
    expect(statement.addresses).toEqual(['10.1.0.2', expect.stringMatching(/^fd.*::2$/)]);
    expect(voucher.contacts).toHaveLength(1);
    const node = makeNode();
    const signed = makeIntroduction(
      { nodeId: node.id, name: 'x', signKey: node.signKey, sessionKey: node.sessionKey },
      {
        voucher: voucher.voucher,
        statement,
        signer: signerOf(fromBase64url(voucher.privateKey)),
        stalenessDays: network.statement.settings.stalenessDays,
        issuedAt: new Date(nowMs).toISOString(),
      },
    );
    const book = new VouchedBook();
    const context = {
      authority: opened.authority,
      network: network.statement,
      members: [],
      isRevoked: () => false,
    };
    const taken = book.take(signed, { networkOf: () => context, nowMs });
    expect(taken).toMatchObject({ verdict: 'fresh' });
    await controller.client.call('join', { body: makeJoinRequest(node, made.token) });
    const [member] = (await members()).filter(({ nodeId }) => nodeId === node.id);
    expect(member, 'as it has told the members').toMatchObject({
      mac: book.entries[0]?.credential.mac,
      addresses: statement.addresses,
    });
  });

  test('keeps its addresses from others until it is used, by one node', async () => {
    const { token, statement } = await makeToken();
    const [other, holder, thief] = [makeNode(), makeNode(), makeNode()];
    await joinNetwork(controller, 'demo', other);
    expect((await members()).find(({ nodeId }) => nodeId === other.id)?.addresses).toEqual([
      '10.1.0.3',
      expect.stringMatching(/::3$/),
    ]);
    await controller.client.call('join', { body: makeJoinRequest(holder, token) });
    expect((await members()).find(({ nodeId }) => nodeId === holder.id)?.addresses).toEqual(
      statement.addresses,
    );
    expect(await reservations()).toEqual([]);
    const again = controller.client.call('join', { body: makeJoinRequest(thief, token) });
    await expect(again).rejects.toMatchObject({ code: 'token_used_up' });
  });

  test('is taken after its end from who may have used it without a controller', async () => {
    const { token } = await makeToken();
    nowMs += 29 * DAY_MS;
    await controller.client.call('join', { body: makeJoinRequest(makeNode(), token) });
    const late = await makeToken();
    nowMs += 32 * DAY_MS;
    const coming = controller.client.call('join', {
      body: makeJoinRequest(makeNode(), late.token),
    });
    await expect(coming).rejects.toMatchObject({ code: 'token_expired' });
    await makeToken();
    expect(await reservations(), 'of the last one alone').toHaveLength(2);
  });

  test('gives its addresses back when it is revoked', async () => {
    const { id } = await makeToken();
    expect(await reservations()).toHaveLength(2);
    await controller.client.call('tokenDelete', { params: { token: id } });
    expect(await reservations()).toEqual([]);
    const node = makeNode();
    for (let left = 0; left < 2; left++) await joinNetwork(controller, 'demo', makeNode());
    await joinNetwork(controller, 'demo', node);
    expect((await members()).length).toBe(4);
  });

  test('holds the VNI of its network until nothing that it made can be valid', async () => {
    const { id } = await makeToken();
    await controller.client.call('networkDelete', { params: { network: 'demo' } });
    const rows = await lookInto(controller.dataDirectory, (run) =>
      run('select until from vni_holders where node_id = ?', [id]),
    );
    const until = new Date(nowMs + 3_600_000 + 30 * DAY_MS).toISOString();
    expect(rows).toEqual([{ until }]);
  });

  test('has one use, lives no longer than the network without a controller, and needs a member and a pool', async () => {
    const create = (body: object) =>
      controller.client.call('tokenCreate', {
        body: { network: 'demo', offlineOk: true, ...body },
      });
    await expect(create({ uses: 2 })).rejects.toMatchObject({ code: 'invalid_request' });
    const tooLong = create({ lifetimeSeconds: 31 * 86_400 });
    await expect(tooLong).rejects.toThrow(/30 days at most/);
    await controller.client.call('networkCreate', { body: { name: 'empty' } });
    await expect(create({ network: 'empty' })).rejects.toThrow(/none could take in/);
    await controller.client.call('networkCreate', {
      body: { name: 'unnumbered', ipv4: null, ipv6: null },
    });
    await joinNetwork(controller, 'unnumbered', FIRST);
    await expect(create({ network: 'unnumbered' })).rejects.toThrow(/needs an address pool/);
    expect(await reservations(), 'of what was refused').toEqual([]);
  });
});

interface Made {
  readonly id: string;
  readonly token: string;
  readonly voucher: TokenVoucher;
  readonly statement: VoucherStatement;
  readonly authorityHash: string | null;
}

let made: Made;

async function makeToken(): Promise<Made> {
  const body = { network: 'demo', offlineOk: true };
  const { token, id } = await controller.client.call('tokenCreate', { body });
  const { voucher, authorityHash } = decodeJoinToken(token);
  if (voucher === undefined) throw new Error('has a voucher');
  const read = readStatement(voucher.voucher, voucherStatementSchema);
  if (!read.ok) throw new Error(read.refusal.code);
  made = { id, token, voucher, statement: read.statement, authorityHash };
  return made;
}

async function members() {
  const { items } = await controller.client.call('memberList', { params: { network: 'demo' } });
  return items;
}

async function reservations() {
  const { items } = await controller.client.call('reservationList', {
    params: { network: 'demo' },
  });
  return items;
}
