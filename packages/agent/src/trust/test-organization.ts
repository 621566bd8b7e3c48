/** An organization with one network, as an honest controller would sign it; for tests. */
import type {
  AuthorityStatement,
  ControllerMessage,
  Member,
  NetworkProof,
  NetworkState,
  PartialUpdate,
  SignedStatement,
} from '@etherloom/api';
import { NETWORK_SETTINGS_DEFAULT } from '@etherloom/api';
import {
  hashStatement,
  networkDigest,
  rosterContentOf,
  signStatement,
  signerOf,
  toPartial,
} from '@etherloom/core';
import type { Signer } from '@etherloom/core';

export const ORGANIZATION_ID = 'org_00000000000000000000';
export const NETWORK_ID = 'net_00000000000000000001';
export const ISSUED_AT = '2026-11-20T00:00:00.000Z';
export const ISSUED_MS: number = Date.parse(ISSUED_AT);
export const DAY_MS = 86_400_000;
/** When credentials end that nobody renews. */
export const ENDS_MS: number = ISSUED_MS + 30 * DAY_MS;

type SnapshotMessage = Extract<ControllerMessage, { type: 'snapshot' }>;
type DeltaMessage = Extract<ControllerMessage, { type: 'delta' }>;

/** A signer that is told from others by its number. */
export function testSigner(number: number): Signer {
  return signerOf(new Uint8Array(32).fill(number));
}

/** A member without endpoints; the number tells it from others. */
export function testMember(number: number, nodeId = idOf(number)): Member {
  return {
    nodeId,
    name: `host-${number}`,
    sessionKey: testSigner(100 + number).key,
    signKey: testSigner(number).key,
    mac: `02:00:00:00:00:${number.toString(16).padStart(2, '0')}`,
    addresses: [`10.1.0.${number}`],
    endpoints: [],
    endpointRecord: null,
  };
}

export interface TestNetwork {
  readonly members: readonly Member[];
  readonly revision: number;
  readonly rosterVersion?: number;
  readonly signer?: Signer;
  readonly serial?: number;
  readonly expiresAtMs?: number;
  readonly revocations?: readonly SignedStatement[];
}

export class TestOrganization {
  readonly signer: Signer;
  readonly chain: readonly SignedStatement[];

  constructor(signer: Signer = testSigner(200)) {
    this.signer = signer;
    this.chain = [authorityVersion({ keys: [signer.key] }, [signer])];
  }

  get authorityHash(): string {
    return hashStatement(this.chain.at(-1)?.statement ?? '');
  }

  /** The chain with one version more, to another key. */
  rotated(to: Signer): SignedStatement[] {
    const change = {
      version: this.chain.length + 1,
      keys: [to.key],
      previous: this.authorityHash,
    };
    return [...this.chain, authorityVersion(change, [this.signer, to])];
  }

  network(wish: TestNetwork): { state: NetworkState; proof: NetworkProof } {
    const signers = [wish.signer ?? this.signer];
    const config = { name: 'demo', vni: 5, mtuBytes: 1_370, ipv4: '10.1.0.0/24', ipv6: null };
    const settings = NETWORK_SETTINGS_DEFAULT;
    const network = signStatement(
      { ...PLACE, type: 'network', version: 1, ...config, settings, issuedAt: ISSUED_AT },
      signers,
    );
    const members = Object.fromEntries(
      wish.members.map((member) => [
        member.nodeId,
        { credential: credentialOf(member, wish, signers), renewal: null },
      ]),
    );
    const credentials = Object.values(members).map(({ credential }) => credential);
    const revocations = [...(wish.revocations ?? [])];
    const content = rosterContentOf({ network, credentials, revocations });
    const version = wish.rosterVersion ?? wish.revision;
    const roster = signStatement(
      { ...PLACE, type: 'roster', version, ...content, issuedAt: ISSUED_AT },
      signers,
    );
    const { revision } = wish;
    const state = { config: { id: NETWORK_ID, ...config }, revision, members: [...wish.members] };
    return { state, proof: { network, roster, revocations, members } };
  }

  snapshot(wish: TestNetwork): SnapshotMessage {
    const { state, proof } = this.network(wish);
    return { type: 'snapshot', state, proof, digest: networkDigest(state) };
  }

  /** What a controller tells of some members of a network that is not pushed whole. */
  partial(
    wish: TestNetwork,
    told: readonly Member[],
    change: Partial<PartialUpdate> = {},
  ): PartialUpdate {
    const { state, proof } = toPartial(this.network(wish));
    const { network, roster, revocations } = proof;
    const ids = new Set(told.map(({ nodeId }) => nodeId));
    const members = Object.entries(proof.members).filter(([id]) => ids.has(id));
    return {
      type: 'partial',
      networkId: NETWORK_ID,
      revision: state.revision,
      isReply: false,
      config: state.config,
      upserts: [...told],
      proof: { network, roster, revocations, members: Object.fromEntries(members) },
      ...change,
    };
  }

  /** From one network to another, as the controller sends it. */
  delta(from: TestNetwork, to: TestNetwork): DeltaMessage {
    const before = new Set(from.members.map(({ nodeId }) => nodeId));
    const after = new Set(to.members.map(({ nodeId }) => nodeId));
    const { state, proof } = this.network(to);
    const upserts = to.members.filter(({ nodeId }) => !before.has(nodeId));
    const added = upserts.flatMap(({ nodeId }) => {
      const member = proof.members[nodeId];
      return member === undefined ? [] : [[nodeId, member] as const];
    });
    return {
      type: 'delta',
      networkId: NETWORK_ID,
      fromRevision: from.revision,
      toRevision: to.revision,
      upserts,
      removals: [...before].filter((nodeId) => !after.has(nodeId)),
      proof: { roster: proof.roster, members: Object.fromEntries(added) },
      digest: networkDigest(state),
    };
  }

  /** A revocation of a node up to a serial. */
  revocation(nodeId: string, serial: number, signer: Signer = this.signer): SignedStatement {
    return signStatement(
      { ...PLACE, type: 'revocation', nodeId, serial, reason: 'lost', issuedAt: ISSUED_AT },
      [signer],
    );
  }
}

const PLACE = { organizationId: ORGANIZATION_ID, networkId: NETWORK_ID };

function idOf(number: number): string {
  return number.toString(16).padStart(32, '0');
}

function authorityVersion(
  change: Partial<AuthorityStatement>,
  signers: readonly Signer[],
): SignedStatement {
  return signStatement(
    {
      type: 'authority',
      organizationId: ORGANIZATION_ID,
      version: 1,
      keys: [],
      threshold: 1,
      recoveryKeys: [],
      recoveryThreshold: 0,
      renewalKeys: [],
      previous: null,
      issuedAt: ISSUED_AT,
      ...change,
    },
    signers,
  );
}

function credentialOf(
  member: Member,
  wish: TestNetwork,
  signers: readonly Signer[],
): SignedStatement {
  const { nodeId, name, signKey, sessionKey, mac, addresses } = member;
  return signStatement(
    {
      ...PLACE,
      type: 'credential',
      vni: 5,
      nodeId,
      name,
      signKey,
      sessionKey,
      mac,
      addresses,
      groups: [],
      serial: wish.serial ?? 1,
      issuedAt: ISSUED_AT,
      expiresAt: new Date(wish.expiresAtMs ?? ENDS_MS).toISOString(),
      renewableUntil: new Date(ISSUED_MS + 365 * DAY_MS).toISOString(),
    },
    signers,
  );
}
