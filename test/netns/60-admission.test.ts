/** Who is let in, and what is said to those who are not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeJoinToken, encodeJoinToken } from '@etherloom/api';
import { CHECKOUT, waitFor } from '@etherloom/lab';
import { buildScenario, createToken, joinWith, type Scenario } from './scenario.ts';

describe('admission', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await buildScenario({ underlay: 'ipv4' });
    for (const name of ['demo', 'other'])
      await scenario.controller.client.call('networkCreate', { body: { name } });
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  /** What `loom join` says on beta, which joins nothing in the end. */
  async function refusal(
    token: string,
  ): Promise<{ readonly status: number | null; readonly stderr: string }> {
    const { beta } = scenario.agents;
    const { status, stderr, stdout } = await scenario.world.tryExec(
      beta.namespace,
      [CHECKOUT.loom, 'join', '-', '--socket', beta.socketPath],
      { input: token },
    );
    expect(stdout).toBe('');
    expect((await beta.status()).networks).toEqual([]);
    return { status, stderr };
  }

  test('an expired token is refused', async () => {
    const token = await createToken(scenario, { network: 'demo', lifetimeSeconds: 1 });
    const { items } = await scenario.controller.client.call('tokenList');
    const expiresAt = Date.parse(
      items.find(({ id }) => id === decodeJoinToken(token).tokenId)?.expiresAt ?? '',
    );
    await waitFor('the token to expire', () => Date.now() > expiresAt);
    const said = await refusal(token);
    expect(said.status).toBe(1);
    expect(said.stderr).toMatch(/expired/);
  });

  test('a used-up token is refused', async () => {
    const token = await createToken(scenario, { network: 'demo', uses: 1 });
    await joinWith(scenario.agents.alpha, token, 'demo');
    const said = await refusal(token);
    expect(said.status).toBe(1);
    expect(said.stderr).toMatch(/used/);
  });

  test('a token that was turned to another network is refused', async () => {
    const token = await createToken(scenario, { network: 'demo' });
    const turned = encodeJoinToken({ ...decodeJoinToken(token), networkName: 'other' });
    const said = await refusal(turned);
    expect(said.status).toBe(1);
    expect(said.stderr).toMatch(/network/);
    const { items } = await scenario.controller.client.call('memberList', {
      params: { network: 'other' },
    });
    expect(items).toEqual([]);
  });

  test('a token with a wrong fingerprint is refused before anything is sent', async () => {
    const token = await createToken(scenario, { network: 'demo' });
    const wrong = encodeJoinToken({ ...decodeJoinToken(token), tlsFingerprint: '0'.repeat(64) });
    const said = await refusal(wrong);
    expect(said.status).toBe(1);
    expect(said.stderr).toMatch(/fingerprint/);
    const { items } = await scenario.controller.client.call('tokenList');
    expect(items.find(({ id }) => id === decodeJoinToken(token).tokenId)?.usesLeft).toBe(1);
  });

  test('a token with a wrong secret is refused, and the answer does not repeat it', async () => {
    const token = await createToken(scenario, { network: 'demo' });
    const secret = 'A'.repeat(43);
    const said = await refusal(encodeJoinToken({ ...decodeJoinToken(token), secret }));
    expect(said.status).toBe(1);
    expect(said.stderr).not.toContain(secret);
  });

  test.each(['', 'hello', 'loom1.', 'loom1.e30', 'loom1.!!!!'])(
    'text that is no token is refused: %j',
    async (text) => {
      const said = await refusal(text);
      expect(said.status).not.toBe(0);
      expect(said.stderr).toMatch(/token/);
    },
  );

  test('after all that a good token lets it in, and leaving takes the interface away', async () => {
    const { beta } = scenario.agents;
    const member = await joinWith(beta, await createToken(scenario, { network: 'demo' }), 'demo');
    const shown = await scenario.world.exec(beta.namespace, ['ip', '-o', 'link']);
    expect(shown.stdout).toContain(`${member.interface}:`);
    await beta.loom(['leave', 'demo']);
    const left = await scenario.world.exec(beta.namespace, ['ip', '-o', 'link']);
    expect(left.stdout).not.toContain(`${member.interface}:`);
    await waitFor('the controller to forget the member', async () => {
      const { items } = await scenario.controller.client.call('memberList', {
        params: { network: 'demo' },
      });
      return items.length === 1;
    });
  });

  test('a node that comes back gets the address that it had', async () => {
    const { beta } = scenario.agents;
    const first = await joinWith(beta, await createToken(scenario, { network: 'other' }), 'other');
    await beta.loom(['leave', 'other']);
    const second = await joinWith(beta, await createToken(scenario, { network: 'other' }), 'other');
    expect(second).toMatchObject({ ipv4: first.ipv4, ipv6: first.ipv6 });
  });
});
