/** What the steps of the demonstration have made so far, and what they share. */
import type { agentJoinReplySchema } from '@etherloom/api';
import type { LabAgent } from '../agent.ts';
import type { LabController } from '../controller.ts';
import { LabError } from '../lab-error.ts';
import type { Namespace } from '../namespaces.ts';
import type { WaitOptions } from '../wait.ts';
import type { World } from '../world.ts';
import type { Topology } from './topology.ts';

export type JoinReply = ReturnType<typeof agentJoinReplySchema.parse>;

/** A host that has joined. */
export interface DemoHost {
  readonly name: string;
  readonly namespace: Namespace;
  readonly agent: LabAgent;
  readonly joined: JoinReply;
  /** Overlay addresses without prefix length. */
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface Stage {
  readonly world: World;
  topology?: Topology;
  controller?: LabController;
  agents?: readonly LabAgent[];
  token?: string;
  hosts?: readonly DemoHost[];
  throughputGbps?: number;
}

/** The stage with parts that earlier steps made. */
export function made<K extends keyof Stage>(
  stage: Stage,
  ...keys: readonly K[]
): Stage & Required<Pick<Stage, K>> {
  for (const key of keys) {
    if (stage[key] !== undefined) continue;
    throw new LabError('process_ended', `${key} is not there: an earlier step did not finish`);
  }
  return stage as Stage & Required<Pick<Stage, K>>; // every key was just checked
}

/** One host of each cloud. */
export function acrossClouds(stage: Stage): { readonly east: DemoHost; readonly west: DemoHost } {
  const { hosts } = made(stage, 'hosts');
  const [east, west] = [hosts.at(0), hosts.at(-1)];
  if (east === undefined || west === undefined || east === west) {
    throw new LabError('process_ended', 'the step needs two hosts');
  }
  return { east, west };
}

/** Options of a wait in this world. */
export function waiting(stage: Stage, logs: readonly string[] = []): WaitOptions {
  return { logs, ...(stage.world.signal === undefined ? {} : { signal: stage.world.signal }) };
}

/**
 * Waits for all, also when one has failed, so that nothing is being made while the world is
 * removed.
 */
export async function all<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
