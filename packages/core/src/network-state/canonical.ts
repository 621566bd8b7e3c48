/**
 * The canonical text of a network's state, and its digest: what controller and agent compare to
 * know that they hold the same. JSON with the keys of every object sorted by code unit, no white
 * space, members sorted by node id. The order of a member's addresses and endpoints has a meaning
 * and stays.
 */
import { hash } from 'node:crypto';
import type { NetworkState } from '@etherloom/api';
import { canonicalJson } from '@etherloom/api';

export { canonicalJson };

/** SHA-256 of the canonical state, 64 lower-case hex digits. */
export function networkDigest(state: NetworkState): string {
  const members = state.members.toSorted((a, b) => compareText(a.nodeId, b.nodeId));
  return digestOfTexts(state.config, state.revision, members.map(canonicalJson));
}

/**
 * The digest of a state whose members are there as canonical texts, sorted by node id: who keeps
 * those makes the digest of a state with one changed member out of one new text.
 */
export function digestOfTexts(
  config: NetworkState['config'],
  revision: number,
  members: readonly string[],
): string {
  const head = `{"config":${canonicalJson(config)},"members":[`;
  return hash('sha256', `${head}${members.join(',')}],"revision":${revision}}`, 'hex');
}

/** Orders by UTF-16 code unit, the same on every machine, which localeCompare is not. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const BYTE_TEXTS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += BYTE_TEXTS[byte];
  return text;
}
