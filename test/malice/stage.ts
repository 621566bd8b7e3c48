/**
 * An honest controller whose authority keys are elsewhere, the liar in front of it, and agents that
 * have joined one network through the liar. The keys, as somebody outside of both holds them:
 *
 *   version 2   former.0, former.1       both must sign
 *   version 3   keys.0, keys.1, keys.2   two must sign
 *
 * Besides the controller's own renewal key both name `renewal`.
 */
import { randomBytes } from 'node:crypto';
import type { AuthorityStatement, JoinToken, SignedStatement } from '@etherloom/api';
import { authorityStatementSchema, collect, decodeJoinToken } from '@etherloom/api';
import type { Signer } from '@etherloom/core';
import { addSignature, signerOf } from '@etherloom/core';
import { waitFor } from '@etherloom/lab';
import type { TestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import { startTestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import { AgentHalf } from './agent-half.ts';
import { LyingController } from './lying-controller.ts';

const DEADLINE_MS = 10_000;
const POLL_MS = 5;
const params = { organization: 'default' };

export const makeSigner = (): Signer => signerOf(Uint8Array.from(randomBytes(32)));

export interface Stage {
  readonly honest: TestController;
  readonly liar: LyingController;
  readonly networkId: string;
  readonly agents: readonly AgentHalf[];
  readonly former: readonly Signer[];
  readonly keys: readonly Signer[];
  readonly renewal: Signer;
  /** Joins another agent, and signs it in. */
  readonly join: (name: string) => Promise<AgentHalf>;
  /** Signs everything that waits. */
  readonly sign: () => Promise<void>;
  readonly token: () => Promise<JoinToken>;
  readonly stop: () => Promise<void>;
}

export interface StageOptions {
  readonly names: readonly string[];
  /** The controller holds the authority keys: no rotation is made. */
  readonly isHeld?: boolean;
}

export async function buildStage({ names, isHeld = false }: StageOptions): Promise<Stage> {
  const honest = await startTestController();
  const { url, tlsFingerprint } = honest.controller;
  const { dataDirectory } = honest;
  const liar = await LyingController.start({ dataDirectory, url, tlsFingerprint });
  const [former, keys, renewal] = [[1, 2].map(makeSigner), [1, 2, 3].map(makeSigner), makeSigner()];
  let signers: readonly Signer[] = [];
  const sign = async (): Promise<void> => {
    if (signers.length > 0) await signPending(honest, signers);
  };
  if (!isHeld) {
    await rotate(honest, { to: former, threshold: 2, renewal, signers: former });
    await rotate(honest, { to: keys, threshold: 2, renewal, signers: [...former, ...keys] });
    signers = keys.slice(0, 2);
  }
  const { id: networkId } = await honest.client.call('networkCreate', {
    body: { name: 'demo', ipv4: '10.72.0.0/24', ipv6: null },
  });
  await sign();
  const agents: AgentHalf[] = [];
  const token = async (): Promise<JoinToken> => {
    const made = await honest.client.call('tokenCreate', { body: { network: 'demo' } });
    return { ...decodeJoinToken(made.token), urls: [liar.url] };
  };
  const join = async (name: string): Promise<AgentHalf> => {
    const agent = new AgentHalf(name, agents.length + 1);
    agents.push(agent);
    agent.open();
    await agent.join(await token());
    await sign();
    const count = agents.filter((one) => one.directory.memberships.networks.length > 0).length;
    await until(`${name} to have all peers`, () => agents.every((one) => membersOf(one) === count));
    await until('all endpoints', () => agents.every((one) => hasEndpoints(one)));
    return agent;
  };
  const stop = async (): Promise<void> => {
    for (const agent of agents) await agent.remove();
    await liar.stop();
    await honest.remove();
  };
  for (const name of names) await join(name);
  return { honest, liar, networkId, agents, former, keys, renewal, join, sign, token, stop };

  function membersOf(agent: AgentHalf): number | undefined {
    return agent.directory.networks.get(networkId)?.state.members.length;
  }

  function hasEndpoints(agent: AgentHalf): boolean {
    const members = agent.directory.networks.get(networkId)?.state.members ?? [];
    return members.every(({ endpointRecord }) => endpointRecord !== null);
  }
}

/** Waits for a condition, with a deadline. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  await waitFor(what, () => (condition() ? true : null), {
    deadlineMs: DEADLINE_MS,
    intervalMs: POLL_MS,
  });
}

interface Rotation {
  readonly to: readonly Signer[];
  readonly threshold: number;
  readonly renewal: Signer;
  readonly signers: readonly Signer[];
}

async function rotate(honest: TestController, wish: Rotation): Promise<void> {
  const view = await honest.client.call('authorityShow', { params });
  const newest = authorityStatementSchema.parse(JSON.parse(view.chain.at(-1)?.statement ?? ''));
  const content: AuthorityStatement = {
    ...newest,
    version: view.version + 1,
    previous: view.hash,
    keys: wish.to.map(({ key }) => key),
    threshold: wish.threshold,
    renewalKeys: [...new Set([...newest.renewalKeys, wish.renewal.key])],
    issuedAt: new Date().toISOString(),
  };
  const statement = JSON.stringify(content);
  await honest.client.call('authorityPropose', {
    params,
    body: { statement, signatures: signaturesOf(statement, wish.signers) },
  });
}

async function signPending(honest: TestController, signers: readonly Signer[]): Promise<void> {
  const items = await collect(honest.client, 'authorityPending', { params });
  const signatures = items.flatMap(({ statement, hash }) =>
    signaturesOf(statement, signers).map((signature) => ({ hash, ...signature })),
  );
  if (signatures.length === 0) return;
  await honest.client.call('authoritySign', { params, body: { signatures } });
}

function signaturesOf(statement: string, signers: readonly Signer[]) {
  const unsigned: SignedStatement = { statement, signatures: [] };
  return signers.reduce(addSignature, unsigned).signatures;
}
