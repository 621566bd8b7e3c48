/**
 * The shell of core's gossip machine: events of the mesh and changes of the members go in, messages
 * go out through the mesh, what peers say of themselves reaches the mesh and the disk. Statements
 * are judged by trust/, which also knows those of this host.
 */
import { fromBase64url, toBase64url } from '@etherloom/api';
import { Gossip } from '@etherloom/core';
import type {
  GossipAction,
  GossipDeps,
  GossipMember,
  GossipRefusal,
  MeshEvent,
  PlanNetwork,
  OwnStatement,
  PeerIds,
} from '@etherloom/core';
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { monotonicMs } from './clock.ts';
import { messageOf } from './errors.ts';
import { readRecords, writeRecords } from './gossip-store.ts';
import type { StoredRecords } from './gossip-store.ts';
import { RECORDS_SAVE_MS } from './limits.ts';
import type { MeshDriver } from './mesh-driver.ts';

/** Two agents hold one node's key; the first instance and endpoint are of the one in use. */
export interface DoubledNode {
  readonly nodeId: string;
  readonly instances: readonly [Uint8Array, Uint8Array];
  readonly endpoints: Extract<MeshEvent, { type: 'peerDoubled' }>['endpoints'];
}

export interface GossipRoomDeps {
  readonly stateDirectory: string;
  /** 32 hex digits. */
  readonly nodeId: string;
  readonly log: Logger;
  readonly driver: Pick<MeshDriver, 'run' | 'learnEndpoints'>;
  readonly judge: GossipDeps['judge'];
  /** A statement of a peer was taken: networks may look otherwise. */
  readonly onStatementTaken: () => void;
  readonly onDoubled: (doubled: DoubledNode) => void;
}

export class GossipRoom {
  readonly #deps: GossipRoomDeps;
  readonly #gossip: Gossip;
  /** Read at the start, until their members are known. */
  #stored: StoredRecords;
  /** The record of each member as it was last taken from the state. */
  #ofState = new Map<string, string>();
  #nodeIds = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #saving: NodeJS.Timeout | undefined;
  #isFlushing = false;
  #isStopped = false;

  constructor(deps: GossipRoomDeps) {
    this.#deps = deps;
    this.#gossip = new Gossip({
      random: (bytes) => Uint8Array.from(randomBytes(bytes)),
      ownNodeId: deps.nodeId,
      judge: (heard, from) => this.#judge(heard, from),
    });
    this.#stored = this.#readStored();
  }

  /** Follows the members of the networks, and takes what the state says of where they are. */
  follow(networks: readonly PlanNetwork[], peerIds: PeerIds): void {
    const members = membersOf(networks, peerIds, this.#deps.nodeId);
    this.#nodeIds = new Map(
      members.flatMap(({ nodeId, peer }) => (peer === undefined ? [] : [[peer, nodeId]])),
    );
    this.#run((gossip, now) => {
      gossip.setMembers(members);
      for (const record of this.#recordsToTake(networks)) gossip.takeRecord(record, now);
    });
  }

  /** This host is reached elsewhere: all are told. */
  setOwnRecord(record: Uint8Array): void {
    this.#run((gossip, now) => gossip.setOwnRecord(record, now));
  }

  /** What the controller has brought, or the disk, and peers should hear of. */
  publish(own: OwnStatement): void {
    this.#run((gossip, now) => gossip.publish(own, now));
  }

  /** Should be called with every event of the mesh. */
  take(event: MeshEvent): void {
    if (event.type === 'peerUp') this.#run((gossip, now) => gossip.handlePeerUp(event.peer, now));
    else if (event.type === 'peerDown')
      this.#run((gossip, now) => gossip.handlePeerDown(event.peer, now));
    else if (event.type === 'message')
      this.#run((gossip, now) => gossip.handleMessage(event.peer, event.bytes, now));
    else if (event.type === 'peerDoubled') this.#takeDoubled(event);
  }

  refusals(): ReadonlyMap<GossipRefusal, number> {
    return this.#gossip.refusals();
  }

  /** Ends all timers; what is not on disk yet is written. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    if (this.#saving !== undefined) this.#save();
  }

  #run(step: (gossip: Gossip, now: number) => void): void {
    if (this.#isStopped) return;
    step(this.#gossip, monotonicMs());
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // The mesh may be telling an event: what it has to do comes first.
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#isStopped) return;
    for (const action of this.#gossip.drainActions()) this.#carryOut(action);
    clearTimeout(this.#timer);
    const at = this.#gossip.pollTimeout();
    if (at === Infinity) return;
    const waitMs = Math.max(0, Math.ceil(at - monotonicMs()));
    this.#timer = setTimeout(() => this.#run((gossip, now) => gossip.handleTimeout(now)), waitMs);
  }

  #carryOut(action: GossipAction): void {
    const { peer } = action;
    if (action.kind === 'send') {
      this.#deps.driver.run((mesh, now) => mesh.sendMessage(action.peer, action.bytes, now));
      return;
    }
    if (peer !== undefined) this.#deps.driver.learnEndpoints(peer, action.endpoints);
    this.#saveSoon();
  }

  #judge(...heard: Parameters<GossipDeps['judge']>): ReturnType<GossipDeps['judge']> {
    const judged = this.#deps.judge(...heard);
    if (judged.verdict === 'fresh') this.#deps.onStatementTaken();
    return judged;
  }

  #takeDoubled(event: Extract<MeshEvent, { type: 'peerDoubled' }>): void {
    const nodeId = this.#nodeIds.get(event.peer);
    if (nodeId === undefined) return;
    const { instances, endpoints } = event;
    this.#deps.onDoubled({ nodeId, instances, endpoints });
  }

  /** What the state says anew, and what the disk holds of members that are known from here on. */
  #recordsToTake(networks: readonly PlanNetwork[]): Uint8Array[] {
    const before = this.#ofState;
    const rows = networks.flatMap(({ members }) => members);
    this.#ofState = new Map(
      rows.flatMap(({ nodeId, endpointRecord }) =>
        endpointRecord === null ? [] : [[nodeId, endpointRecord]],
      ),
    );
    const changed = [...this.#ofState].filter(([nodeId, text]) => before.get(nodeId) !== text);
    const known = new Set(rows.map(({ nodeId }) => nodeId));
    const stored = Object.entries(this.#stored);
    this.#stored = Object.fromEntries(stored.filter(([nodeId]) => !known.has(nodeId)));
    return [...changed, ...stored]
      .filter(([nodeId]) => known.has(nodeId) && nodeId !== this.#deps.nodeId)
      .flatMap(([, text]) => bytesOf(text) ?? []);
  }

  #readStored(): StoredRecords {
    try {
      return readRecords(this.#deps.stateDirectory);
    } catch (error) {
      this.#deps.log.warn({ error: messageOf(error) }, 'endpoint records are not used');
      return {};
    }
  }

  #saveSoon(): void {
    this.#saving ??= setTimeout(() => this.#save(), RECORDS_SAVE_MS);
  }

  #save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const records = [...this.#gossip.records()].map(
      ([nodeId, bytes]) => [nodeId, toBase64url(bytes)] as const,
    );
    try {
      writeRecords(this.#deps.stateDirectory, Object.fromEntries(records));
    } catch (error) {
      this.#deps.log.warn({ error: messageOf(error) }, 'endpoint records are not stored');
    }
  }
}

/** Who gives the networks has left out members that are not valid. */
function membersOf(
  networks: readonly PlanNetwork[],
  peerIds: PeerIds,
  ownNodeId: string,
): GossipMember[] {
  const members = new Map<string, { signKey: string; networkIds: string[] }>();
  for (const { config, members: rows } of networks)
    for (const { nodeId, signKey } of rows) {
      const held = members.get(nodeId) ?? { signKey, networkIds: [] };
      held.networkIds.push(config.id);
      members.set(nodeId, held);
    }
  members.delete(ownNodeId);
  return [...members].map(([nodeId, member]) => ({
    ...member,
    nodeId,
    peer: peerIds.ids[nodeId],
  }));
}

function bytesOf(text: string): Uint8Array | undefined {
  try {
    return fromBase64url(text);
  } catch {
    return undefined; // of a state that no record was verified for
  }
}
