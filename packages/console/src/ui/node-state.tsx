/** How a node is, in one word and one mark; the same rule everywhere. */
import type { Node } from '@etherloom/api';
import type { ReactElement } from 'react';
import { State } from './page.tsx';

/** What of a node decides how it is. */
export type NodeHealthFacts = Pick<Node, 'connected' | 'state' | 'problems'>;

export interface NodeHealth {
  readonly kind: 'good' | 'warn' | 'bad' | 'off';
  readonly word: string;
}

/** Judges a node: approval first, then its link, then what its agent complains of. */
export function healthOf(node: NodeHealthFacts): NodeHealth {
  if (node.state === 'pending') return { kind: 'warn', word: 'waits for approval' };
  if (!node.connected) return { kind: 'off', word: 'offline' };
  if (node.problems.length > 0) return { kind: 'bad', word: 'has problems' };
  return { kind: 'good', word: 'online' };
}

/** The mark; nothing while the node is not known. */
export function NodeState({ node }: { readonly node: NodeHealthFacts | undefined }): ReactElement {
  if (node === undefined) return <span className="soft">…</span>;
  const { kind, word } = healthOf(node);
  return <State kind={kind}>{word}</State>;
}
