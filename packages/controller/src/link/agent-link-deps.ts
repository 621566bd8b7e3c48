/** What one agent's link is given. */
import type { ControllerMessage, NodeReport } from '@etherloom/api';
import type { Logger } from 'pino';
import type { LeaseJudge } from '../lease/judge.ts';
import type { Store } from '../store/store.ts';
import type { AgentLink } from './agent-link.ts';
import type { EndpointPace } from './endpoint-pace.ts';
import type { NetworkFeed } from './network-feed.ts';
import type { PartialRoom } from './partial-link.ts';

export interface AgentLinkDeps {
  readonly store: Store;
  readonly feed: NetworkFeed;
  readonly partial: PartialRoom;
  readonly endpointPace: EndpointPace;
  readonly tlsFingerprint: string;
  readonly source: string;
  readonly now: () => number;
  readonly monotonicMs: () => number;
  readonly judge: Pick<LeaseJudge, 'judge'>;
  readonly log: Logger;
  /** The link is open: it replaces any other of its node. */
  readonly onOpen: (link: AgentLink) => void;
  readonly onReport: (nodeId: string, requestId: number, report: NodeReport) => void;
  /** The agent told what it refuses or misses. */
  readonly onProblems: (link: AgentLink) => void;
  readonly onClosed: (link: AgentLink) => void;
  readonly isFailureLimited: () => boolean;
  /** What agents are told of all controllers; null: this one is alone. */
  readonly controllers: () => ControllersMessage | null;
}

export type ControllersMessage = Extract<ControllerMessage, { type: 'controllers' }>;
