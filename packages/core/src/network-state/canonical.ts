/**
 * The canonical text of a network's state, and its digest: what controller and agent compare to
 * know that they hold the same. JSON with the keys of every object sorted by code unit, no white
 * space, members sorted by node id. The order of a member's addresses and endpoints has a meaning
 * and stays.
 */
import type { NetworkState } from '@etherloom/api';
import { sha256 } from '../noise/symmetric-state.ts';

/** JSON with sorted keys. For plain data only: undefined members are left out, as JSON does. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  entries.sort(([a], [b]) => compareText(a, b));
  const members = entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 of the canonical state, 64 lower-case hex digits. */
export function networkDigest(state: NetworkState): string {
  const members = state.members.toSorted((a, b) => compareText(a.nodeId, b.nodeId));
  const text = canonicalJson({ config: state.config, revision: state.revision, members });
  return hexOf(sha256(new TextEncoder().encode(text)));
}

/** Orders by UTF-16 code unit, the same on every machine, which localeCompare is not. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
