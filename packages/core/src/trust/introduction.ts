/**
 * Introductions (docs/trust.md 7): a node that holds the private key of a voucher says who it is,
 * and every member sees by the authority's signature that it may be let in without a controller.
 * Nothing here looks at who is let in already; that is vouched-book.ts.
 */
import { introductionStatementSchema, voucherStatementSchema } from '@etherloom/api';
import type {
  CredentialStatement,
  IntroductionStatement,
  NetworkStatement,
  SignedStatement,
  VoucherStatement,
} from '@etherloom/api';
import { formerEndMs, signedByAuthority } from './authority.ts';
import type { Authority } from './authority.ts';
import type { Signer } from './ed25519.ts';
import { DAY_MS, INTRODUCTION_BYTES_MAX } from './limits.ts';
import { memberMac } from './member-mac.ts';
import { hashStatement, isSigned, readStatement, signStatement } from './statement.ts';
import { memberBegin } from './validity.ts';
import type { Validity } from './validity.ts';

export const INTRODUCTION_CODES = [
  'introduction_malformed',
  'introduction_unsigned',
  'voucher_unsigned',
  'voucher_exceeded',
  'voucher_ended',
  'voucher_used',
  'network_unknown',
  'binding_taken',
  'credential_revoked',
  'vouched_full',
] as const;
export type IntroductionCode = (typeof INTRODUCTION_CODES)[number];

export interface IntroductionRefusal {
  readonly code: IntroductionCode;
  readonly detail: string;
}

/** A voucher that the authority has signed. */
export interface CheckedVoucher {
  readonly statement: VoucherStatement;
  /** No credential that it vouches for may name a later end. */
  readonly latestEndMs: number;
  /** When a rotation ends what its keys have signed; Infinity: the newest keys have. */
  readonly formerEndMs: number;
}

/** An introduction that holds by itself. */
export interface Introduction extends Validity {
  readonly signed: SignedStatement;
  readonly hash: string;
  readonly voucher: VoucherStatement;
  readonly credential: CredentialStatement;
}

/** By what an introduction is judged. */
export interface VouchingContext {
  readonly authority: Authority;
  readonly network: NetworkStatement;
  /** The newest keys have signed the network anew: former ones, maybe stolen, vouch no more. */
  readonly isResigned?: boolean | undefined;
}

type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: IntroductionRefusal };

/** Bytes of a statement as it travels in handshakes and gossip. */
export function introductionBytes(signed: SignedStatement): number {
  const encoder = new TextEncoder();
  const signatures = JSON.stringify(signed.signatures);
  return 3 + encoder.encode(signed.statement).length + encoder.encode(signatures).length;
}

/** A voucher, verified for a network. */
export function readVoucher(
  signed: SignedStatement,
  { authority, network, isResigned = false }: VouchingContext,
): Read<CheckedVoucher> {
  const rank = signedByAuthority(authority, signed);
  if (rank === undefined || (rank === 'former' && isResigned))
    return refused('voucher_unsigned', 'the voucher has not the signatures of the authority');
  const read = readStatement(signed, voucherStatementSchema);
  if (!read.ok) return refused('introduction_malformed', `the voucher: ${read.refusal.code}`);
  const { statement } = read;
  const { organizationId, networkId, vni } = network;
  if (
    statement.organizationId !== organizationId ||
    statement.networkId !== networkId ||
    statement.vni !== vni
  )
    return refused('voucher_exceeded', 'the voucher is of another network');
  const { stalenessDays } = network.settings;
  const latestEndMs = Date.parse(statement.expiresAt) + stalenessDays * DAY_MS;
  const formerMs = rank === 'former' ? formerEndMs(authority, stalenessDays) : Infinity;
  return { ok: true, value: { statement, latestEndMs, formerEndMs: formerMs } };
}

/** Verifies an introduction. Costs two signature checks, and more where several must sign. */
export function readIntroduction(
  signed: SignedStatement,
  networkOf: (networkId: string) => VouchingContext | undefined,
): Read<Introduction> {
  if (introductionBytes(signed) > INTRODUCTION_BYTES_MAX || signed.signatures.length !== 1)
    return refused(
      'introduction_malformed',
      `an introduction has ${INTRODUCTION_BYTES_MAX} bytes at most and one signature`,
    );
  const read = readStatement(signed, introductionStatementSchema);
  if (!read.ok) return refused('introduction_malformed', read.refusal.code);
  const { credential } = read.statement;
  const context = networkOf(credential.networkId);
  if (context === undefined)
    return refused('network_unknown', `it is for the network ${credential.networkId}`);
  const voucher = readVoucher(read.statement.voucher, context);
  if (!voucher.ok) return voucher;
  const { statement, latestEndMs } = voucher.value;
  if (!isSigned(signed, [statement.key], 1))
    return refused('introduction_unsigned', 'the key of the voucher has not signed it');
  const excess = excessOf(credential, statement, latestEndMs);
  if (excess !== undefined) return refused('voucher_exceeded', excess);
  return {
    ok: true,
    value: {
      signed,
      hash: hashStatement(signed.statement),
      voucher: statement,
      credential,
      beginMs: memberBegin(credential),
      endMs: Math.min(Date.parse(credential.expiresAt), voucher.value.formerEndMs),
    },
  };
}

/** Who joins, as its identity says. */
export interface VouchedNode {
  readonly nodeId: string;
  readonly name: string;
  readonly signKey: string;
  readonly sessionKey: string;
}

/** Makes an introduction with the key of a voucher. */
export function makeIntroduction(
  node: VouchedNode,
  given: {
    readonly voucher: SignedStatement;
    readonly statement: VoucherStatement;
    readonly signer: Signer;
    readonly stalenessDays: number;
    readonly issuedAt: string;
  },
): SignedStatement {
  const { statement, voucher, signer, stalenessDays, issuedAt } = given;
  const { organizationId, networkId, vni, addresses, groups } = statement;
  const endMs = Date.parse(statement.expiresAt) + stalenessDays * DAY_MS;
  const expiresAt = new Date(endMs).toISOString();
  const { nodeId, name, signKey, sessionKey } = node;
  const credential: CredentialStatement = {
    type: 'credential',
    organizationId,
    networkId,
    vni,
    nodeId,
    name,
    signKey,
    sessionKey,
    mac: memberMac(networkId, nodeId, 0),
    addresses,
    groups,
    serial: VOUCHED_SERIAL,
    issuedAt,
    expiresAt,
    renewableUntil: expiresAt,
  };
  const body: IntroductionStatement = { type: 'introduction', voucher, credential };
  return signStatement(body, [signer]);
}

/** A revocation of any serial ends what a voucher made. */
const VOUCHED_SERIAL = 1;

/** What of a credential the voucher does not allow; undefined: nothing. */
function excessOf(
  credential: CredentialStatement,
  voucher: VoucherStatement,
  latestEndMs: number,
): string | undefined {
  const { networkId, nodeId } = credential;
  const pairs: readonly [what: string, given: unknown, allowed: unknown][] = [
    ['organization', credential.organizationId, voucher.organizationId],
    ['network', networkId, voucher.networkId],
    ['VNI', credential.vni, voucher.vni],
    ['addresses', credential.addresses.join(' '), voucher.addresses.join(' ')],
    ['groups', credential.groups.join(' '), voucher.groups.join(' ')],
    ['MAC', credential.mac, memberMac(networkId, nodeId, 0)],
    ['serial', credential.serial, VOUCHED_SERIAL],
    ['end', credential.expiresAt, credential.renewableUntil],
  ];
  const pair = pairs.find(([, given, allowed]) => given !== allowed);
  if (pair !== undefined)
    return `the ${pair[0]} is ${String(pair[1])}, the voucher allows ${String(pair[2])}`;
  const [issuedMs, fromMs, usedByMs, endMs] = [
    credential.issuedAt,
    voucher.issuedAt,
    voucher.expiresAt,
    credential.expiresAt,
  ].map((time) => Date.parse(time)) as [number, number, number, number]; // four in, four out
  if (!(issuedMs >= fromMs && issuedMs < usedByMs))
    return `it was made at ${credential.issuedAt}, the voucher is good from ${voucher.issuedAt} to ${voucher.expiresAt}`;
  if (!(endMs > issuedMs && endMs <= latestEndMs))
    return `it ends at ${credential.expiresAt}, later than the voucher allows`;
  return undefined;
}

function refused(
  code: IntroductionCode,
  detail: string,
): { readonly ok: false; readonly refusal: IntroductionRefusal } {
  return { ok: false, refusal: { code, detail } };
}
