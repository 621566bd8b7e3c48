/** Makes what a liar would send: parts of an honest state changed, and signed by whom it likes. */
import type {
  ControllerMessage,
  CredentialStatement,
  Member,
  MemberProof,
  NetworkProof,
  NetworkState,
  RenewalStatement,
  RosterStatement,
  SignedStatement,
  Statement,
} from '@etherloom/api';
import { hashStatement, networkDigest, rosterContentOf, signStatement } from '@etherloom/core';
import type { Signer } from '@etherloom/core';

export interface Told {
  state: NetworkState;
  proof: NetworkProof;
}

export type Snapshot = Extract<ControllerMessage, { type: 'snapshot' }>;

/** A snapshot of a state, with the digest that it then has. */
export function snapshotOf({ state, proof }: Told): Snapshot {
  return { type: 'snapshot', state, proof, digest: networkDigest(state) };
}

/** A copy that may be changed, one revision later. */
export function later(told: Told): Told {
  const { state, proof } = structuredClone({ state: told.state, proof: told.proof });
  return { state: { ...state, revision: state.revision + 1 }, proof };
}

/** The statement in a signed one, known to be of that type. */
export function textOf<T extends Statement>(signed: SignedStatement): T {
  return JSON.parse(signed.statement) as T; // who asks knows which statement it is
}

/** Says something else, signed anew. */
export function resign<T extends Statement>(
  signed: SignedStatement,
  change: Partial<T>,
  signers: readonly Signer[],
): SignedStatement {
  return signStatement({ ...textOf<T>(signed), ...change }, signers);
}

/** The same text with other signatures in place of its own. */
export function withSignaturesOf(text: SignedStatement, of: SignedStatement): SignedStatement {
  return { statement: text.statement, signatures: of.signatures };
}

export function memberOf(told: Told, nodeId: string): Member {
  const member = told.state.members.find((one) => one.nodeId === nodeId);
  if (member === undefined) throw new Error(`${nodeId} is a member`);
  return member;
}

export function proofOf(told: Told, nodeId: string): MemberProof {
  const proof = told.proof.members[nodeId];
  if (proof === undefined) throw new Error(`${nodeId} has a proof`);
  return proof;
}

/** A roster, one version later, that commits to what the proof then has. */
export function rosterAgain(told: Told, signers: readonly Signer[], version?: number): void {
  const { network, roster, revocations, members } = told.proof;
  const credentials = Object.values(members).map(({ credential }) => credential);
  const content = rosterContentOf({ network, credentials, revocations });
  const before = textOf<RosterStatement>(roster);
  const statement = { ...before, ...content, version: version ?? before.version + 1 };
  told.proof.roster = signStatement(statement, signers);
}

/** A member that nobody joined; its credential is like that of another one. */
export function addStranger(told: Told, like: string, signers: readonly Signer[]): void {
  const model = memberOf(told, like);
  const stranger: Member = {
    ...model,
    nodeId: 'f'.repeat(32),
    name: 'stranger',
    sessionKey: 'S'.repeat(42) + 'A',
    signKey: 'T'.repeat(42) + 'A',
    mac: '02:00:00:00:00:66',
    addresses: ['10.72.0.66'],
    endpoints: [],
    endpointRecord: null,
  };
  const { nodeId, name, sessionKey, signKey, mac, addresses } = stranger;
  const said = { nodeId, name, sessionKey, signKey, mac, addresses };
  const { credential } = proofOf(told, like);
  told.state.members.push(stranger);
  told.state.members.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  told.proof.members[nodeId] = {
    credential: resign<CredentialStatement>(credential, said, signers),
    renewal: null,
  };
}

/** A renewal of a credential. */
export function renewalOf(
  credential: SignedStatement,
  times: { readonly issuedAt: string; readonly expiresAt: string },
  signer: Signer,
): SignedStatement {
  const { organizationId, networkId, nodeId } = textOf<CredentialStatement>(credential);
  const statement: RenewalStatement = {
    type: 'renewal',
    organizationId,
    networkId,
    nodeId,
    credential: hashStatement(credential.statement),
    ...times,
  };
  return signStatement(statement, [signer]);
}
