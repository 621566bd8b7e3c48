/**
 * A member's endpoints are those of the record that the node itself signed: a controller can pass
 * them on or withhold them, and name no others.
 */
import { fromBase64url } from '@etherloom/api';
import type { Member } from '@etherloom/api';
import { formatEndpoint } from '../endpoint.ts';
import { hexOf } from '../network-state/canonical.ts';
import { verifyEndpointRecord } from './endpoint-record.ts';
import type { EndpointRecord } from './endpoint-record.ts';
import { TrustRefused } from './refusal.ts';

/**
 * Throws TrustRefused for endpoints that no record of their node bears out. `held` are members that
 * passed before: a record that is the same is not verified twice.
 */
export function verifyMemberEndpoints(members: readonly Member[], held: readonly Member[]): void {
  const before = new Map(held.map((member) => [member.nodeId, member]));
  for (const member of members)
    if (!isSame(member, before.get(member.nodeId))) assertEndpoints(member);
}

/** The record of a member, verified; undefined: it has none, or one that is not its own. */
export function endpointRecordOf(
  member: Pick<Member, 'nodeId' | 'signKey' | 'endpointRecord'>,
): EndpointRecord | undefined {
  if (member.endpointRecord === null) return undefined;
  const record = verifyEndpointRecord(bytesOf(member.endpointRecord), member.signKey);
  return record !== undefined && hexOf(record.nodeId) === member.nodeId ? record : undefined;
}

function bytesOf(text: string): Uint8Array {
  try {
    return fromBase64url(text);
  } catch {
    return new Uint8Array(0); // of a length that base64url never has
  }
}

function assertEndpoints(member: Member): void {
  const record = endpointRecordOf(member);
  if (record === undefined && member.endpointRecord !== null)
    throw new TrustRefused(
      'endpoints_unsigned',
      `the endpoint record of ${member.name} is not signed by its node`,
    );
  const signed = record?.endpoints.map(formatEndpoint) ?? [];
  if (signed.join(' ') !== member.endpoints.join(' '))
    throw new TrustRefused(
      'endpoints_unsigned',
      `${member.name} is given the endpoints ${listOf(member.endpoints)}, its node signed ${listOf(signed)}`,
    );
}

function listOf(endpoints: readonly string[]): string {
  return endpoints.length === 0 ? 'none' : endpoints.join(' ');
}

function isSame(a: Member, b: Member | undefined): boolean {
  return (
    a.endpointRecord === b?.endpointRecord &&
    a.signKey === b.signKey &&
    a.endpoints.join(' ') === b.endpoints.join(' ')
  );
}
