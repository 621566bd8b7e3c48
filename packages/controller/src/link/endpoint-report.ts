/**
 * Checks the endpoints that an agent reports. They travel in a record that the node itself signed:
 * it is verified here before it is stored and passed on, since members refuse a state with one that
 * is not. Peers will send datagrams there, so a record may name only addresses that lead to one
 * host.
 */
import type { AgentMessage } from '@etherloom/api';
import { fromBase64url } from '@etherloom/api';
import { formatEndpoint, leadsToOneHost, verifyEndpointRecord } from '@etherloom/core';
import { RequestError, invalidField } from '../request-error.ts';

/** A report that was verified. */
export interface EndpointReport {
  /** Canonical texts, best first. */
  readonly endpoints: readonly string[];
  /** The node's signed record of them, base64url. */
  readonly record: string;
}

/**
 * The report of a node with this signing key. Throws RequestError for what no agent sends; null for
 * endpoints of which one leads nowhere from another host, as an odd host may have them.
 */
export function checkEndpointReport(
  message: Extract<AgentMessage, { type: 'endpoints' }>,
  nodeId: string,
  signKey: string,
): EndpointReport | null {
  const record = verifyEndpointRecord(bytesOf(message.record), signKey);
  if (record === undefined)
    throw new RequestError(
      'unauthenticated',
      'the endpoint record is not one that the key of this node signed',
    );
  if (Buffer.from(record.nodeId).toString('hex') !== nodeId)
    throw invalidField('record', `the endpoint record is that of another node than ${nodeId}`);
  const endpoints = record.endpoints.map(formatEndpoint);
  if (endpoints.join(' ') !== message.endpoints.join(' '))
    throw invalidField('endpoints', 'they must be those of the record, in its order');
  return record.endpoints.every(leadsToOneHost) ? { endpoints, record: message.record } : null;
}

function bytesOf(text: string): Uint8Array {
  try {
    return fromBase64url(text);
  } catch {
    throw invalidField('record', 'it is no base64url');
  }
}
