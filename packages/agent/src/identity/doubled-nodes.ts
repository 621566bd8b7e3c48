/** Peers of which this host sees two: shown, told the controller, and settled by its word. */
import type { ControllerMessage } from '@etherloom/api';
import { formatEndpoint } from '@etherloom/core';
import type { Logger } from 'pino';
import { monotonicMs } from '../clock.ts';
import type { DoubledNode } from '../gossip.ts';
import type { Host } from '../host.ts';
import type { AgentTrust } from '../trust/agent-trust.ts';
import { Holders } from './holders.ts';

type HolderMessage = Extract<ControllerMessage, { type: 'holder' }>;

export interface DoubledNodesDeps {
  readonly log: Logger;
  readonly host: () => Host;
  readonly trust: () => AgentTrust;
}

export class DoubledNodes {
  readonly #deps: DoubledNodesDeps;
  readonly #holders: Holders;

  constructor(deps: DoubledNodesDeps) {
    this.#deps = deps;
    this.#holders = new Holders({
      monotonicMs,
      isDoubled: (nodeId) => {
        const peer = this.#peerOf(nodeId);
        const status = deps
          .host()
          .driver.status()
          .find((row) => row.peer === peer);
        return status?.quarantined !== undefined;
      },
      choose: (nodeId, instance) => {
        const peer = this.#peerOf(nodeId);
        if (peer === undefined) return;
        deps.log.warn({ nodeId }, 'the controller has decided which of two hosts is the node');
        deps.host().driver.run((mesh, now) => mesh.setSurvivor(peer, instance, now));
      },
    });
  }

  /** The controller says which one it is. */
  takeHolder({ nodeId, instance }: HolderMessage): void {
    this.#holders.take(nodeId, instance);
  }

  /** Shown, and told the controller, for as long as one of the two is refused here. */
  note({ nodeId, endpoints }: DoubledNode): void {
    const trust = this.#deps.trust();
    const name = trust.networks
      .flatMap(({ stored }) => stored.state.members)
      .find((member) => member.nodeId === nodeId)?.name;
    const [first, second] = endpoints.map((at) => (at === undefined ? '?' : formatEndpoint(at)));
    const detail = `two hosts use the identity of ${name ?? nodeId}: the one at ${first} stays connected here, the one at ${second} came later and is refused until the first is silent or a controller has decided`;
    trust.problems.note(null, 'holders', { code: 'instance_doubled', detail });
    this.#holders.takeDoubled(nodeId);
  }

  /** Ends what is shown when nobody is refused. */
  look(): void {
    const { host, trust } = this.#deps;
    const isRefusing = host()
      .driver.status()
      .some((row) => row.quarantined !== undefined);
    if (!isRefusing) trust().problems.end(null, 'holders');
  }

  #peerOf(nodeId: string): number | undefined {
    return this.#deps.host().plan.peerIds.ids[nodeId];
  }
}
