/** An organization with its authority and one network, for tests; everything is made of a seed. */
import type {
  AuthorityStatement,
  CredentialStatement,
  Member,
  NetworkProof,
  NetworkState,
  NetworkStatement,
  SignedStatement,
} from '@etherloom/api';
import { NETWORK_SETTINGS_DEFAULT, toBase64url } from '@etherloom/api';
import { parseEndpoint } from '../endpoint.ts';
import { openAuthority } from './authority.ts';
import type { Authority } from './authority.ts';
import { signerOf } from './ed25519.ts';
import type { Signer } from './ed25519.ts';
import { encodeOrdinal, signEndpointRecord } from './endpoint-record.ts';
import { rosterContentOf } from './roster.ts';
import { hashStatement, signStatement } from './statement.ts';

export const ORGANIZATION_ID = 'org_aaaaaaaaaaaaaaaaaaaa';
export const NETWORK_ID = 'net_aaaaaaaaaaaaaaaaaaaa';
/** When everything is issued. */
export const ISSUED_AT = '2026-11-20T00:00:00.000Z';
export const ISSUED_MS: number = Date.parse(ISSUED_AT);
const DAY_MS = 86_400_000;

/** RFC 3339, some days after the issue. */
export function afterDays(days: number): string {
  return new Date(ISSUED_MS + days * DAY_MS).toISOString();
}

/** The signer of a small number. */
export function signerNumber(number: number): Signer {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, number + 1);
  return signerOf(bytes);
}

/** Key numbers of the fixture: authority, recovery, renewal, and those of nodes above. */
export const KEY = { authority: 1, recovery: 100, renewal: 200, next: 300, stranger: 400 } as const;

export interface AuthorityWish extends Partial<AuthorityStatement> {
  readonly signers?: readonly Signer[];
}

/** A signed authority statement; version 1 of one key when nothing else is said. */
export function authorityVersion(wish: AuthorityWish = {}): SignedStatement {
  const { signers = [signerNumber(KEY.authority)], ...change } = wish;
  const statement: AuthorityStatement = {
    type: 'authority',
    organizationId: ORGANIZATION_ID,
    version: 1,
    keys: [signerNumber(KEY.authority).key],
    threshold: 1,
    recoveryKeys: [signerNumber(KEY.recovery).key],
    recoveryThreshold: 1,
    renewalKeys: [signerNumber(KEY.renewal).key],
    previous: null,
    issuedAt: ISSUED_AT,
    ...change,
  };
  return signStatement(statement, signers);
}

/** Opens a chain at its first version; throws when it is refused. */
export function opened(chain: readonly SignedStatement[]): Authority {
  const result = openAuthority(hashStatement(chain[0]?.statement ?? ''), chain);
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.authority;
}

/** Node id of a number. */
export function nodeIdOf(number: number): string {
  return number.toString(16).padStart(32, '0');
}

/** A member with an endpoint record of its own. */
export function memberOf(number: number, endpoints = [`192.0.2.${number % 250}:8002`]): Member {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, number);
  const nodeId = nodeIdOf(number);
  const signer = signerNumber(1_000 + number);
  const record = signEndpointRecord(
    {
      nodeId: Uint8Array.from(nodeId.match(/../g) ?? [], (pair) => parseInt(pair, 16)),
      ordinal: encodeOrdinal(1, 1n),
      endpoints: endpoints.map(parseEndpoint),
    },
    signer.sign,
  );
  const pair = (value: number): string => value.toString(16).padStart(2, '0');
  return {
    nodeId,
    name: `host-${number}`,
    sessionKey: toBase64url(key),
    signKey: signer.key,
    mac: `02:00:5e:10:${pair(number >> 8)}:${pair(number & 0xff)}`,
    addresses: [`10.0.${number >> 8}.${number & 0xff}`, `fd00::${number.toString(16)}`],
    endpoints,
    endpointRecord: toBase64url(record),
  };
}

/** What a network is made of; everything can be changed, and is signed as it then is. */
export interface NetworkWish {
  readonly members: readonly Member[];
  readonly revision?: number;
  readonly rosterVersion?: number;
  readonly serial?: number;
  readonly network?: Partial<NetworkStatement>;
  readonly credential?: (member: Member) => Partial<CredentialStatement>;
  /** Node ids with a serial up to which they are revoked. */
  readonly revocations?: Readonly<Record<string, number>>;
  /** Days after the issue to which everybody is renewed. */
  readonly renewedDays?: number;
  readonly signers?: readonly Signer[];
  readonly rosterSigners?: readonly Signer[];
  readonly renewalSigner?: Signer;
}

/** State and proof as an honest controller makes them. */
export function networkOf(wish: NetworkWish): { state: NetworkState; proof: NetworkProof } {
  const signers = wish.signers ?? [signerNumber(KEY.authority)];
  const statement = networkStatementOf(wish);
  const { networkId: id, name, vni, mtuBytes, ipv4, ipv6 } = statement;
  const network = signStatement(statement, signers);
  const members = Object.fromEntries(
    wish.members.map((member) => [member.nodeId, proofOf(member, wish, signers)]),
  );
  const revocations = Object.entries(wish.revocations ?? {}).map(([nodeId, serial]) =>
    signStatement(
      { ...PLACE, type: 'revocation', nodeId, serial, reason: 'removed', issuedAt: ISSUED_AT },
      signers,
    ),
  );
  const credentials = Object.values(members).map(({ credential }) => credential);
  const content = rosterContentOf({ network, credentials, revocations });
  const roster = signStatement(
    { ...PLACE, type: 'roster', version: wish.rosterVersion ?? 1, ...content, issuedAt: ISSUED_AT },
    wish.rosterSigners ?? signers,
  );
  return {
    state: {
      config: { id, name, vni, mtuBytes, ipv4, ipv6 },
      revision: wish.revision ?? 1,
      members: [...wish.members],
    },
    proof: { network, roster, revocations, members },
  };
}

const PLACE = { organizationId: ORGANIZATION_ID, networkId: NETWORK_ID };

function networkStatementOf(wish: NetworkWish): NetworkStatement {
  return {
    ...PLACE,
    type: 'network',
    version: 1,
    name: 'demo',
    vni: 7,
    mtuBytes: 1_370,
    ipv4: '10.0.0.0/16',
    ipv6: 'fd00::/64',
    settings: NETWORK_SETTINGS_DEFAULT,
    issuedAt: ISSUED_AT,
    ...wish.network,
  };
}

function proofOf(
  member: Member,
  wish: NetworkWish,
  signers: readonly Signer[],
): NetworkProof['members'][string] {
  const { nodeId, name, signKey, sessionKey, mac, addresses } = member;
  const credential = signStatement(
    {
      ...PLACE,
      type: 'credential',
      vni: wish.network?.vni ?? 7,
      nodeId,
      name,
      signKey,
      sessionKey,
      mac,
      addresses,
      groups: [],
      serial: wish.serial ?? 1,
      issuedAt: ISSUED_AT,
      expiresAt: afterDays(30),
      renewableUntil: afterDays(365),
      ...wish.credential?.(member),
    },
    signers,
  );
  if (wish.renewedDays === undefined) return { credential, renewal: null };
  const renewal = signStatement(
    {
      ...PLACE,
      type: 'renewal',
      nodeId,
      credential: hashStatement(credential.statement),
      issuedAt: ISSUED_AT,
      expiresAt: afterDays(wish.renewedDays),
    },
    [wish.renewalSigner ?? signerNumber(KEY.renewal)],
  );
  return { credential, renewal };
}
