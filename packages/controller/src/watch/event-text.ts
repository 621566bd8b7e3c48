/** Events of the watch stream as text (server-sent events, HTML Living Standard 9.2). */
import type { LedgerEntry, Permission } from '@etherloom/api';

/** What a principal must be allowed to read to hear what happened to a thing of this noun. */
const READ_PERMISSION: Readonly<Record<string, Permission>> = {
  api_token: 'api_token:read',
  authority: 'authority:read',
  group: 'group:read',
  identity_provider: 'identity_provider:read',
  join_token: 'join_token:read',
  ledger: 'audit:read',
  member: 'network:read',
  network: 'network:read',
  node: 'node:read',
  organization: 'organization:read',
  reservation: 'address:read',
  session: 'user:read',
  user: 'user:read',
};

/** What the reader of a stream is allowed to read. */
export type May = (permission: Permission) => boolean;

/** A change, as far as `may` allows to hear of it: its number goes to everybody, to go on from. */
export function changeEvent({ number, target, action, networkId }: LedgerEntry, may: May): string {
  if (!may(READ_PERMISSION[target.noun] ?? 'audit:read')) return `id: ${number}\n\n`;
  const data = { number, noun: target.noun, id: target.id, action, networkId };
  return `id: ${number}\nevent: change\ndata: ${JSON.stringify(data)}\n\n`;
}

/** What becomes of nodes by their links. */
export type LiveKind = 'connected' | 'disconnected' | 'reported';

/** Nodes of which something is known by their links alone. */
export function liveEvent(
  nodes: readonly { readonly id: string; readonly kind: LiveKind }[],
): string {
  return `event: live\ndata: ${JSON.stringify({ nodes })}\n\n`;
}

/** Where the stream stands; `reset`: what was missed is not known any more. */
export function standEvent(kind: 'ready' | 'reset', number: number): string {
  return `id: ${number}\nevent: ${kind}\ndata: ${JSON.stringify({ number })}\n\n`;
}

/** Keeps the stream open through proxies; readers pass over it. */
export const KEEP_OPEN = ': \n\n';
