/**
 * A controller without the authority's keys says what nobody signed: each lie is refused and shown
 * here and at the controller, and what is programmed stays. docs/trust.md 4 has the table.
 */
import type { AuthorityStatement, CredentialStatement, NetworkStatement } from '@etherloom/api';
import { encodeOrdinal, parseEndpoint, signEndpointRecord } from '@etherloom/core';
import { toBase64url } from '@etherloom/api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentHalf } from './agent-half.ts';
import {
  addStranger,
  later,
  memberOf,
  proofOf,
  renewalOf,
  resign,
  rosterAgain,
  snapshotOf,
  textOf,
  withSignaturesOf,
} from './forge.ts';
import type { Told } from './forge.ts';
import { buildStage, makeSigner, until } from './stage.ts';
import type { Stage } from './stage.ts';

const YEAR_MS = 365 * 86_400_000;
const LIAR = [makeSigner(), makeSigner()];

let stage: Stage;
let alpha: AgentHalf;
let beta: AgentHalf;
let gamma: AgentHalf;

beforeAll(async () => {
  stage = await buildStage({ names: ['alpha', 'beta', 'gamma'] });
  const [first, second, third] = stage.agents;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three');
  [alpha, beta, gamma] = [first, second, third];
});
afterAll(() => stage.stop());

function held(agent: AgentHalf): Told {
  const stored = agent.directory.networks.get(stage.networkId);
  if (stored?.proof === undefined || stored.proof === null) throw new Error('it has a proof');
  return { state: stored.state, proof: stored.proof };
}

const at = (fromNowMs: number): string => new Date(Date.now() + fromNowMs).toISOString();

type Change = (told: Told) => void;

const member = (told: Told) => memberOf(told, beta.nodeId);

/** With these keys in place of the authority's, on the credential and on the roster. */
const addsNodeSignedBy =
  (signers: () => Parameters<typeof rosterAgain>[1]): Change =>
  (told) => {
    addStranger(told, beta.nodeId, signers());
    rosterAgain(told, signers());
  };

const addsWithCredential =
  (change: Partial<CredentialStatement>): Change =>
  (told) => {
    addStranger(told, beta.nodeId, stage.keys);
    const { credential } = proofOf(told, 'f'.repeat(32));
    told.proof.members['f'.repeat(32)] = {
      credential: resign<CredentialStatement>(credential, change, stage.keys),
      renewal: null,
    };
  };

const widens =
  (settings: Partial<NetworkStatement['settings']>): Change =>
  (told) => {
    const { network } = told.proof;
    const before = textOf<NetworkStatement>(network);
    const change = { version: before.version + 1, settings: { ...before.settings, ...settings } };
    const text = resign<NetworkStatement>(network, change, LIAR);
    told.proof.network = withSignaturesOf(text, network);
  };

const LIES: readonly [name: string, change: Change, code: string][] = [
  ['a node of its own', (t) => addStranger(t, beta.nodeId, LIAR), 'credential_unsigned'],
  ['a node of its own, roster and all', addsNodeSignedBy(() => LIAR), 'roster_unsigned'],
  [
    'a node with the credential of another one',
    (t) => {
      addStranger(t, beta.nodeId, LIAR);
      t.proof.members['f'.repeat(32)] = proofOf(t, beta.nodeId);
    },
    'statement_misplaced',
  ],
  [
    'a node that the same authority signed into another network',
    addsWithCredential({ networkId: 'net_zzzzzzzzzzzzzzzzzzzz' }),
    'statement_misplaced',
  ],
  [
    'a node that the same holders signed for another organization',
    addsWithCredential({ organizationId: 'org_zzzzzzzzzzzzzzzzzzzz' }),
    'statement_misplaced',
  ],
  [
    'a node with a credential that has expired and left the roster',
    addsWithCredential({ issuedAt: at(-2 * YEAR_MS), expiresAt: at(-YEAR_MS) }),
    'roster_mismatch',
  ],
  ['a node signed by former holders', addsNodeSignedBy(() => stage.former), 'roster_unsigned'],
  [
    'a node signed by one holder of the two that it takes',
    addsNodeSignedBy(() => stage.keys.slice(0, 1)),
    'roster_unsigned',
  ],
  [
    'a node signed by one holder twice',
    (t) => {
      addsNodeSignedBy(() => stage.keys.slice(0, 1))(t);
      const { statement, signatures } = t.proof.roster;
      t.proof.roster = { statement, signatures: [...signatures, ...signatures] };
    },
    'roster_unsigned',
  ],
  ['a node signed by a renewal key', addsNodeSignedBy(() => [stage.renewal]), 'roster_unsigned'],
  ['another MAC', (t) => (member(t).mac = '02:00:00:00:00:99'), 'state_differs'],
  ['another address', (t) => (member(t).addresses = ['10.72.0.99']), 'state_differs'],
  ['an address more', (t) => member(t).addresses.push('10.72.0.99'), 'state_differs'],
  ['another session key', (t) => (member(t).sessionKey = `${'S'.repeat(42)}A`), 'state_differs'],
  ['another signing key', (t) => (member(t).signKey = LIAR[0]?.key ?? ''), 'state_differs'],
  ['another name', (t) => (member(t).name = 'gateway'), 'state_differs'],
  ['another VNI', (t) => (t.state.config.vni += 1), 'state_differs'],
  ['another MTU', (t) => (t.state.config.mtuBytes = 1_400), 'state_differs'],
  ['a wider prefix', (t) => (t.state.config.ipv4 = '10.0.0.0/8'), 'state_differs'],
  [
    'the bindings of two members exchanged',
    (t) => {
      const [a, b] = [memberOf(t, beta.nodeId), memberOf(t, gamma.nodeId)];
      [a.mac, b.mac] = [b.mac, a.mac];
      [a.addresses, b.addresses] = [b.addresses, a.addresses];
    },
    'state_differs',
  ],
  [
    'the credentials of two members exchanged',
    (t) => {
      const [a, b] = [proofOf(t, beta.nodeId), proofOf(t, gamma.nodeId)];
      Object.assign(t.proof.members, { [beta.nodeId]: b, [gamma.nodeId]: a });
    },
    'statement_misplaced',
  ],
  [
    'endpoints without a record',
    (t) => member(t).endpoints.push('192.0.2.66:8002'),
    'endpoints_unsigned',
  ],
  [
    'the endpoints of two members exchanged, with their records',
    (t) => {
      const [a, b] = [memberOf(t, beta.nodeId), memberOf(t, gamma.nodeId)];
      [a.endpoints, b.endpoints] = [b.endpoints, a.endpoints];
      [a.endpointRecord, b.endpointRecord] = [b.endpointRecord, a.endpointRecord];
    },
    'endpoints_unsigned',
  ],
  [
    'an endpoint record that another key signed',
    (t) => {
      const endpoints = ['192.0.2.66:8002'];
      const nodeId = Uint8Array.from(Buffer.from(beta.nodeId, 'hex'));
      const ordinal = encodeOrdinal(0xffff, 1n);
      const content = { nodeId, ordinal, endpoints: endpoints.map(parseEndpoint) };
      const record = signEndpointRecord(content, LIAR[0]?.sign ?? (() => new Uint8Array(64)));
      Object.assign(member(t), { endpoints, endpointRecord: toBase64url(record) });
    },
    'endpoints_unsigned',
  ],
  ['a network that may do without ML-KEM', widens({ postQuantum: 'off' }), 'network_unsigned'],
  ['a longer life without a controller', widens({ stalenessDays: 3_650 }), 'network_unsigned'],
  ['another rule for copies', widens({ clones: 'replace' }), 'network_unsigned'],
  [
    'a network without one member',
    (t) => {
      t.state.members = t.state.members.filter(({ nodeId }) => nodeId !== beta.nodeId);
      delete t.proof.members[beta.nodeId];
    },
    'roster_mismatch',
  ],
  [
    'a network without one member that is still proved',
    (t) => (t.state.members = t.state.members.filter(({ nodeId }) => nodeId !== beta.nodeId)),
    'state_differs',
  ],
  [
    'a renewal that no renewal key signed',
    (t) => {
      const { credential } = proofOf(t, beta.nodeId);
      const times = { issuedAt: at(0), expiresAt: at(YEAR_MS) };
      const renewal = renewalOf(credential, times, makeSigner());
      t.proof.members[beta.nodeId] = { credential, renewal };
    },
    'renewal_unsigned',
  ],
  [
    'the renewal of another member',
    (t) => {
      const times = { issuedAt: at(0), expiresAt: at(YEAR_MS) };
      const renewal = renewalOf(proofOf(t, gamma.nodeId).credential, times, stage.renewal);
      const { credential } = proofOf(t, beta.nodeId);
      t.proof.members[beta.nodeId] = { credential, renewal };
    },
    'statement_misplaced',
  ],
];

describe('state that is not proved', () => {
  test.each(LIES)('%s', async (_name, change, code) => {
    const before = alpha.planned();
    const told = later(held(alpha));
    change(told);
    expect(stage.liar.say(alpha.nodeId, snapshotOf(told))).toBe(true);
    await until('the refusal', () => alpha.codes().length > 0);
    expect(alpha.problems).toMatchObject([{ networkId: stage.networkId, code }]);
    expect(alpha.planned()).toEqual(before);
    await until('the controller to be told', () => toldCodes(alpha).includes(code));
    await heal(alpha);
    expect(alpha.planned()).toEqual(before);
  });

  test('keys that a delta brings without a proof', async () => {
    const before = alpha.planned();
    const told = later(held(alpha));
    member(told).mac = '02:00:00:00:00:99';
    stage.liar.say(alpha.nodeId, {
      type: 'delta',
      networkId: stage.networkId,
      fromRevision: held(alpha).state.revision,
      toRevision: told.state.revision,
      upserts: [member(told)],
      removals: [],
      proof: { members: {} },
      digest: snapshotOf(told).digest,
    });
    await until('the refusal', () =>
      stage.liar.told.some(({ message }) => message.type === 'resync'),
    );
    await heal(alpha);
    expect(alpha.planned()).toEqual(before);
  });

  test('a renewal beyond what the credential allows ends with the credential', async () => {
    const told = later(held(alpha));
    const { credential } = proofOf(told, beta.nodeId);
    const { renewableUntil } = textOf<CredentialStatement>(credential);
    const renewal = renewalOf(
      credential,
      { issuedAt: at(0), expiresAt: at(99 * YEAR_MS) },
      stage.renewal,
    );
    told.proof.members[beta.nodeId] = { credential, renewal };
    stage.liar.say(alpha.nodeId, snapshotOf(told));
    const endOf = () => alpha.trust.verifiedOf(stage.networkId)?.members.get(beta.nodeId)?.endMs;
    await until('the renewal', () => endOf() === Date.parse(renewableUntil));
    expect(alpha.codes()).toEqual([]);
  });

  test('a revision above all that an honest controller ever names', async () => {
    const told = later(held(alpha));
    told.state.revision = Number.MAX_SAFE_INTEGER;
    stage.liar.say(alpha.nodeId, snapshotOf(told));
    await until('it to be taken', () => held(alpha).state.revision === told.state.revision);
    const { revision } = held(beta).state;
    alpha.relink();
    stage.liar.dropLinks();
    await until('the honest one', () => held(alpha).state.revision === revision);
    await until('no problem', () => alpha.codes().length === 0);
  });
});

describe('an authority', () => {
  const version = (change: Partial<AuthorityStatement>, signers: Parameters<typeof resign>[2]) => {
    const signed = alpha.trust.authority?.signed;
    if (signed === undefined) throw new Error('an authority is held');
    const { version: heldVersion } = textOf<AuthorityStatement>(signed);
    return resign<AuthorityStatement>(
      signed,
      { version: heldVersion + 1, previous: alpha.trust.authority?.hash ?? null, ...change },
      signers,
    );
  };
  const keys = LIAR.map(({ key }) => key);

  test.each<[string, () => Parameters<typeof version>, string]>([
    ['of its own making', () => [{ keys }, LIAR], 'authority_unsigned'],
    [
      'that one holder signed',
      () => [{ keys }, [...LIAR, ...stage.keys.slice(0, 1)]],
      'authority_unsigned',
    ],
    [
      'that former holders signed',
      () => [{ keys }, [...LIAR, ...stage.former]],
      'authority_unsigned',
    ],
    ['after a gap', () => [{ version: 9, keys }, [...LIAR, ...stage.keys]], 'authority_gap'],
    [
      'that former holders signed in place of the one held',
      () => [{ version: 3, keys }, [...LIAR, ...stage.former]],
      'authority_forked',
    ],
    [
      'that does not follow from the one held',
      () => [{ previous: '0'.repeat(64), keys }, [...LIAR, ...stage.keys]],
      'authority_forked',
    ],
    [
      'of another organization',
      () => [{ organizationId: 'org_zzzzzzzzzzzzzzzzzzzz', keys }, LIAR],
      'authority_other_organization',
    ],
  ])('%s', async (_name, wish, code) => {
    const before = alpha.planned();
    const pinned = alpha.trust.authority?.hash;
    stage.liar.say(alpha.nodeId, { type: 'authority', chain: [version(...wish())] });
    await until('the refusal', () => alpha.codes().includes(code));
    expect(alpha.trust.authority?.hash).toBe(pinned);
    expect(alpha.planned()).toEqual(before);
    const honest = stage.liar.last(alpha.nodeId, 'authority');
    if (honest !== undefined) stage.liar.say(alpha.nodeId, honest);
    await until('it to end', () => alpha.codes().length === 0);
  });

  test('that is old leads nobody back', async () => {
    const pinned = alpha.trust.authority?.hash;
    const former = alpha.trust.authority?.former?.signed;
    if (former === undefined) throw new Error('the former version is held');
    stage.liar.say(alpha.nodeId, { type: 'authority', chain: [former] });
    await heal(alpha);
    expect(alpha.trust.authority?.hash).toBe(pinned);
  });

  test('of its own making for a join is refused before anything is stored', async () => {
    const own = version({ version: 1, previous: null, keys, threshold: 2 }, LIAR);
    stage.liar.lieOverHttp = (path, body) =>
      path === '/v1/join' ? JSON.stringify({ ...JSON.parse(body), authority: [own] }) : body;
    const newcomer = new AgentHalf('newcomer', 9);
    try {
      newcomer.open();
      await expect(newcomer.join(await stage.token())).rejects.toMatchObject({
        code: 'authority_mismatch',
      });
      expect(newcomer.directory.memberships).toMatchObject({ controller: null, networks: [] });
      expect(newcomer.directory.trust.authority).toBe(null);
    } finally {
      stage.liar.beHonest();
      await newcomer.remove();
    }
  });
});

describe('what was true before', () => {
  test('an old state, roster, delta and network statement, and no revocation', async () => {
    const old = structuredClone(held(alpha));
    const params = { network: 'demo' };
    await stage.honest.client.call('networkSettings', { params, body: { stalenessDays: 20 } });
    await stage.sign();
    await until('the change', () => held(alpha).state.revision > old.state.revision);
    const delta = stage.liar.last(alpha.nodeId, 'delta');
    await stage.honest.client.call('memberDelete', { params: { ...params, node: 'gamma' } });
    await stage.sign();
    await until('the removal', () => !alpha.peers().includes('gamma'));
    const before = alpha.planned();

    const replays: readonly [change: Change, code: string][] = [
      [
        (t) =>
          Object.assign(
            t,
            structuredClone({ ...old, state: { ...old.state, revision: t.state.revision } }),
          ),
        'network_older',
      ],
      [(t) => (t.proof.roster = old.proof.roster), 'roster_older'],
      [(t) => (t.proof.network = old.proof.network), 'network_older'],
      [(t) => (t.proof.revocations = []), 'roster_mismatch'],
      [
        (t) => {
          t.state.members = structuredClone(old.state.members);
          t.proof.members = structuredClone(old.proof.members);
        },
        'roster_mismatch',
      ],
      [
        (t) => {
          const { credential } = proofOf(old, gamma.nodeId);
          const times = { issuedAt: at(0), expiresAt: at(YEAR_MS / 12) };
          t.state.members = structuredClone(old.state.members);
          const renewal = renewalOf(credential, times, stage.renewal);
          t.proof.members = {
            ...structuredClone(old.proof.members),
            [gamma.nodeId]: { credential, renewal },
          };
          t.proof.revocations = [];
        },
        'roster_mismatch',
      ],
    ];
    for (const [change, code] of replays) {
      const told = later(held(alpha));
      change(told);
      stage.liar.say(alpha.nodeId, snapshotOf(told));
      await until(code, () => alpha.codes().includes(code));
      expect(alpha.planned()).toEqual(before);
      await heal(alpha);
    }
    if (delta !== undefined) stage.liar.say(alpha.nodeId, delta);
    stage.liar.say(alpha.nodeId, snapshotOf(old));
    await heal(alpha);
    expect(alpha.planned()).toEqual(before);
  });
});

/** What an agent last told the controller of its problems. */
function toldCodes(agent: AgentHalf): string[] {
  const all = stage.liar.told.flatMap(({ nodeId, message }) =>
    nodeId === agent.nodeId && message.type === 'problems' ? [message.problems] : [],
  );
  return (all.at(-1) ?? []).map(({ code }) => code);
}

/** The honest state is sent again, and ends what was shown. */
async function heal(agent: AgentHalf): Promise<void> {
  const count = snapshotsTo(agent);
  agent.resync(stage.networkId);
  await until('the honest state', () => snapshotsTo(agent) > count || !agent.linkState.isConnected);
  await until('the problem to end', () => agent.codes().length === 0);
}

function snapshotsTo(agent: AgentHalf): number {
  return stage.liar.heard.filter(
    ({ nodeId, message }) => nodeId === agent.nodeId && message.type === 'snapshot',
  ).length;
}
