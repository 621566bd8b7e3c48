/**
 * A controller keeps back what is true, tells two stories, names a wrong time, calls an honest node
 * a copy or removed, or sends what is no message. Whatever it says, hosts with valid credentials go
 * on with each other, and say what is wrong. docs/trust.md 4 has the table.
 */
import type { ControllerMessage, RosterStatement, SignedStatement } from '@etherloom/api';
import { LINK_MESSAGE_BYTES_MAX } from '@etherloom/api';
import { hashStatement, signStatement } from '@etherloom/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { monotonicMs } from '../../packages/agent/src/clock.ts';
import { RESYNC_TRIES_MAX } from '../../packages/agent/src/limits.ts';
import type { AgentHalf } from './agent-half.ts';
import { later, memberOf, resign, rosterAgain, snapshotOf, textOf } from './forge.ts';
import type { Told } from './forge.ts';
import type { Lie, Said } from './lying-controller.ts';
import { buildStage, makeSigner, until } from './stage.ts';
import type { Stage } from './stage.ts';

const DAY_MS = 86_400_000;
const TEN_YEARS_MS = 3_650 * DAY_MS;
const params = { network: 'demo' };

let stage: Stage;
let alpha: AgentHalf;
let beta: AgentHalf;

async function build(isHeld = false): Promise<void> {
  stage = await buildStage({ names: ['alpha', 'beta', 'gamma'], isHeld });
  const [first, second] = stage.agents;
  if (first === undefined || second === undefined) throw new Error('three have joined');
  [alpha, beta] = [first, second];
}
afterEach(() => stage.stop());

function held(agent: AgentHalf): Told {
  const stored = agent.directory.networks.get(stage.networkId);
  if (stored?.proof === undefined || stored.proof === null) throw new Error('it has a proof');
  return { state: stored.state, proof: stored.proof };
}

/** Says this in place of every welcome. */
const inPlaceOfWelcome =
  (say: (welcome: Extract<ControllerMessage, { type: 'welcome' }>) => Said): Lie =>
  (message) => [message.type === 'welcome' ? say(message) : message];

/** Ends the link; the agent opens it again. */
async function linkAgain(agent: AgentHalf): Promise<void> {
  const { failures } = agent;
  stage.liar.dropLinks();
  await until('the end of the link', () => agent.failures > failures);
  await until('another link', () => isAnswered(agent, failures + 1));
}

/** Linked, or refused once more. */
function isAnswered(agent: AgentHalf, failures: number): boolean {
  agent.relink();
  return agent.linkState.isConnected || agent.failures > failures;
}

function passOn(from: AgentHalf, to: AgentHalf): void {
  for (const { signed } of from.published) to.trust.judgeStatement(signed, from.nodeId);
}

describe('what is kept back', () => {
  beforeEach(() => build());

  test('a removal acts and is shown as soon as a peer knows it', async () => {
    stage.liar.lie = (message, nodeId) => (nodeId === alpha.nodeId ? [] : [message]);
    await stage.honest.client.call('memberDelete', { params: { ...params, node: 'gamma' } });
    await stage.sign();
    await until('beta to know', () => !beta.peers().includes('gamma'));
    expect(alpha.peers()).toEqual(['beta', 'gamma']);
    passOn(beta, alpha);
    expect(alpha.peers()).toEqual(['beta']);
    expect(alpha.codes()).toEqual(['roster_withheld']);
    stage.liar.beHonest();
    alpha.resync(stage.networkId);
    await until('it to end', () => alpha.codes().length === 0);
    expect(alpha.peers()).toEqual(['beta']);
  });

  test('a settings change that peers have is shown', async () => {
    stage.liar.lie = (message, nodeId) => (nodeId === alpha.nodeId ? [] : [message]);
    const { rosterVersion } = alpha.trust.verifiedOf(stage.networkId)?.marks ?? {};
    await stage.honest.client.call('networkSettings', { params, body: { stalenessDays: 20 } });
    await stage.sign();
    const versionOf = () => beta.trust.verifiedOf(stage.networkId)?.marks.rosterVersion;
    await until('beta to know', () => versionOf() !== rosterVersion);
    passOn(beta, alpha);
    expect(alpha.codes()).toEqual(['roster_withheld']);
    expect(alpha.peers()).toEqual(['beta', 'gamma']);
  });
});

describe('with the keys of the authority', () => {
  beforeEach(() => build());

  const tell = (agent: AgentHalf, change: (told: Told) => void): Told => {
    const told = later(held(agent));
    change(told);
    const { version } = textOf<RosterStatement>(held(agent).proof.roster);
    rosterAgain(told, stage.keys, version + 1);
    stage.liar.say(agent.nodeId, snapshotOf(told));
    return told;
  };
  const without = (nodeId: string) => (told: Told) => {
    told.state.members = told.state.members.filter((member) => member.nodeId !== nodeId);
    delete told.proof.members[nodeId];
  };
  const rosterOf = (agent: AgentHalf): SignedStatement => held(agent).proof.roster;
  const isTaken = (agent: AgentHalf, told: Told): boolean =>
    rosterOf(agent).statement === told.proof.roster.statement;

  test('two stories under one version are shown at both, with both rosters', async () => {
    const [, , gamma] = stage.agents;
    const one = tell(alpha, without(gamma?.nodeId ?? ''));
    const two = tell(beta, () => undefined);
    await until('both to be taken', () => isTaken(alpha, one) && isTaken(beta, two));
    passOn(beta, alpha);
    passOn(alpha, beta);
    const contents = [one, two].map(({ proof }) => textOf<RosterStatement>(proof.roster));
    for (const agent of [alpha, beta]) {
      expect(agent.codes()).toEqual(['roster_forked']);
      for (const { credentials } of contents)
        expect(agent.problems[0]?.message).toContain(credentials);
    }
  });

  test('a second story to one host is refused', async () => {
    const one = tell(alpha, () => undefined);
    await until('it to be taken', () => isTaken(alpha, one));
    const other = later(held(alpha));
    without(beta.nodeId)(other);
    rosterAgain(other, stage.keys, textOf<RosterStatement>(one.proof.roster).version);
    stage.liar.say(alpha.nodeId, snapshotOf(other));
    await until('the refusal', () => alpha.codes().length > 0);
    expect(alpha.problems[0]).toMatchObject({
      code: 'roster_forked',
      message: expect.stringContaining(hashStatement(rosterOf(alpha).statement)),
    });
    expect(alpha.problems[0]?.message).toContain(hashStatement(other.proof.roster.statement));
    expect(alpha.peers()).toEqual(['beta', 'gamma']);
  });
});

describe('a wrong time', () => {
  beforeEach(() => build());

  const isNow = (agent: AgentHalf): boolean => Math.abs(agent.trust.nowMs() - Date.now()) < DAY_MS;
  const says = (fromNowMs: number): Lie =>
    inPlaceOfWelcome((welcome) => ({
      ...welcome,
      time: new Date(Date.now() + fromNowMs).toISOString(),
    }));

  test.each([
    ['ten years ahead', TEN_YEARS_MS],
    ['forty days ahead, so that nobody would be valid', 40 * DAY_MS],
    ['almost at the end of all credentials', 29 * DAY_MS],
    ['ten years back', -TEN_YEARS_MS],
    ['a day back', -DAY_MS],
  ])('%s ends nobody and wakes nobody', async (_name, fromNowMs) => {
    const before = alpha.planned();
    stage.liar.lie = says(fromNowMs);
    await linkAgain(alpha);
    await until('it to be shown', () => alpha.codes().includes('clock_refused'));
    expect(isNow(alpha)).toBe(true);
    expect(alpha.planned()).toEqual(before);
    await alpha.close();
    alpha.open();
    await until('another link', () => alpha.codes().includes('clock_refused'));
    expect(isNow(alpha), 'nor after a start').toBe(true);
    expect(alpha.peers()).toEqual(['beta', 'gamma']);
    stage.liar.beHonest();
    await linkAgain(alpha);
    await until('it to end', () => alpha.codes().length === 0);
  });

  test('that is the one of before does not wake credentials that have ended', async () => {
    await alpha.close();
    const startedAtMs = monotonicMs();
    let sleptMs = 0;
    alpha.bootMs = () => monotonicMs() - startedAtMs + sleptMs;
    alpha.open();
    await until('the link', () => alpha.linkState.isConnected);
    sleptMs = 40 * DAY_MS;
    stage.liar.lie = (message) => (message.type === 'delta' ? [] : says(0)(message, ''));
    expect(alpha.peers()).toEqual([]);
    await linkAgain(alpha);
    await until('it to be shown', () => alpha.codes().includes('clock_refused'));
    expect(alpha.peers()).toEqual([]);
    expect(alpha.directory.networks.size, 'nothing is deleted').toBe(1);
  });

  test.each([
    ['a year ahead', TEN_YEARS_MS / 10],
    ['a year behind', -TEN_YEARS_MS / 10],
  ])('of the host itself, %s, is set right by an honest controller', async (_name, fromNowMs) => {
    await alpha.close();
    alpha.wallMs = () => Date.now() + fromNowMs;
    alpha.open();
    await until('it to be shown', () => alpha.codes().includes('clock_differs'));
    expect(isNow(alpha)).toBe(true);
    await until('the peers', () => alpha.peers().join() === 'beta,gamma');
  });
});

describe('a node that is called a copy', () => {
  beforeEach(() => build());

  const refuses = (code: string): Lie =>
    inPlaceOfWelcome(() => ({ type: 'refused', code, message: 'a copy of it is in use' }));
  const splits: Lie = inPlaceOfWelcome(() => ({
    type: 'split',
    ticket: 't'.repeat(43),
    message: 'it is a copy',
  }));

  test.each([
    ['rejected', refuses('clone_rejected')],
    ['replaced', refuses('clone_replaced')],
    ['split', splits],
  ])('%s goes on when it was the node before, and says so', async (_name, lie) => {
    const { nodeId } = alpha;
    const before = alpha.planned();
    stage.liar.lie = lie;
    await linkAgain(alpha);
    await until('it to be shown', () => alpha.codes().includes('verdict_disputed'));
    expect(alpha.place.standing).toBe(null);
    expect(alpha.planned()).toEqual(before);
    stage.liar.beHonest();
    await until('the link', () => isAnswered(alpha, Infinity));
    await until('it to end', () => alpha.codes().length === 0);
    expect(alpha.nodeId).toBe(nodeId);
  });

  test('replaced at its start waits, and is the node again by the first welcome', async () => {
    const { nodeId } = alpha;
    await alpha.close();
    stage.liar.lie = refuses('clone_replaced');
    alpha.open();
    await until('the verdict', () => alpha.place.isDown);
    expect(alpha.place.standing?.state).toBe('rejected');
    stage.liar.beHonest();
    alpha.relink();
    await until('the welcome', () => !alpha.place.isDown);
    expect([alpha.nodeId, alpha.peers()]).toEqual([nodeId, ['beta', 'gamma']]);
  });

  test('an epoch at the end of all numbers does not end the lease', async () => {
    const { lease } = alpha.directory.place;
    stage.liar.lie = inPlaceOfWelcome((welcome) =>
      welcome.nodeId === alpha.nodeId
        ? { ...welcome, lease: { epoch: Number.MAX_SAFE_INTEGER } }
        : welcome,
    );
    await linkAgain(alpha);
    expect(alpha.directory.place.lease?.epoch).toBe(lease?.epoch);
    stage.liar.beHonest();
    await until('the link', () => isAnswered(alpha, Infinity));
    expect(alpha.peers()).toEqual(['beta', 'gamma']);
  });
});

describe('a removal', () => {
  const revocationOf = (nodeId: string, signers: Stage['keys']): SignedStatement => {
    const { organizationId } = textOf<RosterStatement>(held(alpha).proof.roster);
    return signStatement(
      {
        type: 'revocation',
        organizationId,
        networkId: stage.networkId,
        nodeId,
        serial: 9_999,
        reason: 'lost',
        issuedAt: new Date().toISOString(),
      },
      signers,
    );
  };
  const isReleased = (agent: AgentHalf): boolean =>
    stage.liar.told.some(
      ({ nodeId, message }) => nodeId === agent.nodeId && message.type === 'released',
    );
  const isOut = (agent: AgentHalf): boolean => agent.directory.networks.size === 0;

  test.each<[string, () => SignedStatement | undefined]>([
    ['without a revocation', () => undefined],
    ['with a revocation of its own making', () => revocationOf(alpha.nodeId, [makeSigner()])],
    ['with a revocation by a renewal key', () => revocationOf(alpha.nodeId, [stage.renewal])],
    ['with a revocation by one of two', () => revocationOf(alpha.nodeId, stage.keys.slice(0, 1))],
    ['with the revocation of another node', () => revocationOf(beta.nodeId, stage.keys)],
    [
      'with a revocation for another network',
      () =>
        resign(
          revocationOf(alpha.nodeId, stage.keys),
          { networkId: 'net_zzzzzzzzzzzzzzzzzzzz' },
          stage.keys,
        ),
    ],
  ])('%s is shown, and the network goes on', async (_name, make) => {
    await build();
    const before = alpha.planned();
    const revocation = make();
    const { networkId } = stage;
    const shown = revocation === undefined ? {} : { revocation };
    stage.liar.say(alpha.nodeId, { type: 'removed', networkId, reason: 'a lie', ...shown });
    await until('it to be shown', () => alpha.codes().includes('removal_unsigned'));
    const removal = { authority: [], revocations: revocation === undefined ? [] : [revocation] };
    const chain = alpha.trust.authority === undefined ? [] : [alpha.trust.authority.signed];
    stage.liar.lie = inPlaceOfWelcome(() => ({
      type: 'refused',
      code: 'node_removed',
      message: 'a lie',
      ...(revocation === undefined ? {} : { removal: { ...removal, authority: chain } }),
    }));
    await linkAgain(alpha);
    await until('the refusal', () => alpha.linkState.error?.includes('a lie') ?? false);
    expect(alpha.planned()).toEqual(before);
    expect(isReleased(alpha)).toBe(false);
    await alpha.close();
    alpha.open();
    expect(alpha.peers(), 'nor after a start').toEqual(['beta', 'gamma']);
    stage.liar.beHonest();
    alpha.relink();
    alpha.resync(stage.networkId);
    await until('it to end', () => alpha.linkState.isConnected && alpha.codes().length === 0);
  });

  test('that is signed is followed at once, and when the node comes back', async () => {
    await build();
    const [, , gamma] = stage.agents;
    if (gamma === undefined) throw new Error('gamma has joined');
    await stage.honest.client.call('memberDelete', { params: { ...params, node: 'gamma' } });
    await stage.honest.client.call('nodeDelete', { params: { node: 'beta' } });
    expect(isOut(gamma), 'before it is signed').toBe(false);
    await beta.close();
    await stage.sign();
    await until('the removal', () => isOut(gamma) && isReleased(gamma));
    beta.open();
    await until('the removal of the node', () => isOut(beta));
    expect(beta.directory.memberships.networks).toEqual([]);
    await until('alpha to know', () => alpha.peers().length === 0);
  });

  test('of a network that was deleted is signed where the controller holds the keys', async () => {
    await build(true);
    await beta.close();
    await stage.honest.client.call('networkDelete', { params });
    await until('the removal', () => isOut(alpha) && isReleased(alpha));
    beta.open();
    await until('the removal at the next link', () => isOut(beta) && isReleased(beta));
    expect([...alpha.codes(), ...beta.codes()]).toEqual([]);
  });

  test('of a network that was deleted elsewhere than at the holders waits', async () => {
    await build();
    await stage.honest.client.call('networkDelete', { params });
    await until('it to be shown', () => alpha.codes().includes('removal_unsigned'));
    expect(alpha.peers()).toEqual(['beta', 'gamma']);
    alpha.leave(stage.networkId);
    await until('it to end', () => isOut(alpha) && alpha.codes().length === 0);
  });
});

describe('what is no message', () => {
  beforeEach(() => build());

  const networkOf = (number: number): string => `net_${String(number).padStart(20, '0')}`;

  test.each<[string, () => Said]>([
    ['text that is no JSON', () => '{"type":"snapshot",'],
    ['a type that there is not', () => '{"type":"run","command":"reboot"}'],
    ['nested beyond measure', () => '['.repeat(200_000)],
    ['a field too many', () => '{"type":"removed","networkId":"x","reason":"","mode":1}'],
    ['longer than any state', () => ' '.repeat(LINK_MESSAGE_BYTES_MAX + 1)],
    [
      'a state with a member twice',
      () => {
        const told = later(held(alpha));
        told.state.members.push(memberOf(told, beta.nodeId));
        return snapshotOf(told);
      },
    ],
  ])('%s costs the link at most', async (_name, make) => {
    const before = alpha.planned();
    stage.liar.say(alpha.nodeId, make());
    const all = () => stage.liar.told.filter(({ nodeId }) => nodeId === alpha.nodeId);
    const count = all().length;
    await until('another word of the agent', () => all().length > count);
    await until('the link', () => isAnswered(alpha, Infinity));
    expect(alpha.planned()).toEqual(before);
    expect(alpha.codes()).toEqual([]);
  });

  test('states without end are looked at a few times, and not again before another link', async () => {
    const before = alpha.planned();
    const refusals = () =>
      stage.liar.told.filter(({ message }) => message.type === 'problems').length;
    const count = refusals();
    const { failures } = alpha;
    for (let number = 0; number < 200; number += 1) {
      const told = later(held(alpha));
      memberOf(told, beta.nodeId).mac = `02:00:00:00:01:${number.toString(16).padStart(2, '0')}`;
      stage.liar.say(alpha.nodeId, snapshotOf(told));
    }
    await until('the end of the link', () => alpha.failures > failures);
    expect(refusals() - count).toBeLessThanOrEqual(RESYNC_TRIES_MAX + 2);
    expect(alpha.planned()).toEqual(before);
  });

  test('networks without end that the node is not in leave nothing behind', async () => {
    const before = alpha.planned();
    const { failures } = alpha;
    const { roster: _, ...proof } = { ...held(alpha).proof, members: {} };
    for (let number = 0; number < 1_000; number += 1)
      stage.liar.say(alpha.nodeId, {
        type: 'delta',
        networkId: networkOf(number),
        fromRevision: 1,
        toRevision: 2,
        upserts: [],
        removals: [],
        proof,
        digest: '0'.repeat(64),
      });
    await until('the end of the link', () => alpha.failures > failures);
    expect(alpha.directory.memberships.networks).toHaveLength(1);
    expect(alpha.planned()).toEqual(before);
  });
});
