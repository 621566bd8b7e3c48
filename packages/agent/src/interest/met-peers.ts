/** What the mesh tells of members of interest, handed to those who act on it. */
import type { MeshEvent } from '@etherloom/core';
import { monotonicMs } from '../clock.ts';
import type { Host } from '../host.ts';
import { runIpBatch } from '../interfaces/iproute.ts';
import type { StateFollower } from '../state-follower.ts';
import { FirstPackets } from './first-packets.ts';

export class MetPeers {
  readonly firstPackets: FirstPackets;
  readonly #follower: () => StateFollower;
  readonly #host: () => Host;

  constructor(follower: () => StateFollower, host: () => Host) {
    this.#follower = follower;
    this.#host = host;
    this.firstPackets = new FirstPackets({
      monotonicMs,
      stateOf: (networkId) => follower().trust.verifiedOf(networkId)?.state,
      deviceOf: (networkId) => host().interfaceOf(networkId)?.name,
      runIp: runIpBatch,
    });
  }

  /** To be given every event of the mesh. */
  take(event: MeshEvent): void {
    if (event.type === 'stranger') this.#follower().interest.stranger(event.sessionKey);
    if (event.type === 'peerUp') void this.firstPackets.tell((nodeId) => this.#isUp(nodeId));
  }

  #isUp(nodeId: string): boolean {
    const { driver, plan } = this.#host();
    const peer = plan.peerIds.ids[nodeId];
    return driver.status().some((row) => row.peer === peer && row.state === 'up');
  }
}
