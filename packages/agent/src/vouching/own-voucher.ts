/**
 * The voucher of a join token, checked before this host acts on it, and the membership that it
 * makes (docs/trust.md 7).
 */
import {
  credentialStatementSchema,
  decodeJoinToken,
  fromBase64url,
  networkStatementSchema,
} from '@etherloom/api';
import type {
  CredentialStatement,
  JoinToken,
  Member,
  NetworkStatement,
  SignedStatement,
} from '@etherloom/api';
import {
  endpointRecordOf,
  formatEndpoint,
  makeIntroduction,
  openAuthority,
  readStatement,
  readVoucher,
  signedByAuthority,
  signerOf,
} from '@etherloom/core';
import type { Authority, CheckedVoucher } from '@etherloom/core';
import type { Identity } from '../disk/identity.ts';
import { AgentError } from '../errors.ts';

/** A token whose voucher holds. */
export interface OpenedToken {
  readonly token: JoinToken;
  readonly authority: Authority;
  readonly network: NetworkStatement;
  readonly voucher: CheckedVoucher;
  /** Members that may take this host in, as they were when the token was made. */
  readonly contacts: readonly Member[];
}

/** Opens the voucher of a token; undefined: it has none. Throws AgentError for one that lies. */
export function openToken(text: string): OpenedToken | undefined {
  const token = decodeJoinToken(text);
  const { voucher: given, authorityHash } = token;
  if (given === undefined) return undefined;
  const opened = openAuthority(authorityHash ?? '', [given.authority]);
  if (!opened.ok) throw damaged(`its authority is not the one that it names`);
  const { authority } = opened;
  const network = readSigned(authority, given.network);
  const voucher = readVoucher(given.voucher, { authority, network });
  if (!voucher.ok) throw damaged(voucher.refusal.detail);
  if (signerOf(fromBase64url(given.privateKey)).key !== voucher.value.statement.key)
    throw damaged('its key is not that of its voucher');
  const contacts = given.contacts.map(({ credential, endpointRecord }) =>
    contactOf(authority, network, credential, endpointRecord),
  );
  return { token, authority, network, voucher: voucher.value, contacts };
}

/** Says who this host is, with the key of the voucher. */
export function introduce(
  { token, network, voucher }: OpenedToken,
  identity: Identity,
  given: { readonly name: string; readonly issuedAt: string },
): SignedStatement {
  const { voucher: carried } = token;
  if (carried === undefined) throw new TypeError('an opened token has a voucher');
  return makeIntroduction(
    {
      nodeId: identity.nodeId,
      name: given.name,
      signKey: identity.signKey,
      sessionKey: identity.sessionKey,
    },
    {
      voucher: carried.voucher,
      statement: voucher.statement,
      signer: signerOf(fromBase64url(carried.privateKey)),
      stalenessDays: network.settings.stalenessDays,
      issuedAt: given.issuedAt,
    },
  );
}

function readSigned(authority: Authority, signed: SignedStatement): NetworkStatement {
  const read = readStatement(signed, networkStatementSchema);
  if (signedByAuthority(authority, signed) === undefined || !read.ok)
    throw damaged('its network is not signed by the authority');
  if (read.statement.organizationId !== authority.statement.organizationId)
    throw damaged('its network is of another organization');
  return read.statement;
}

function contactOf(
  authority: Authority,
  network: NetworkStatement,
  signed: SignedStatement,
  endpointRecord: string,
): Member {
  const read = readStatement(signed, credentialStatementSchema);
  if (signedByAuthority(authority, signed) === undefined || !read.ok)
    throw damaged('a member in it has no credential');
  const credential = read.statement;
  if (credential.networkId !== network.networkId || credential.vni !== network.vni)
    throw damaged('a member in it is of another network');
  const record = endpointRecordOf({ ...credential, endpointRecord });
  if (record === undefined) throw damaged('the endpoints of a member in it are not signed');
  return {
    ...bindingOf(credential),
    endpoints: record.endpoints.map(formatEndpoint),
    endpointRecord,
  };
}

function bindingOf(credential: CredentialStatement) {
  const { nodeId, name, signKey, sessionKey, mac, addresses } = credential;
  return { nodeId, name, signKey, sessionKey, mac, addresses };
}

function damaged(reason: string): AgentError {
  return new AgentError(
    'invalid_request',
    `the join token proves nothing without a controller: ${reason}; ask for another one`,
  );
}
