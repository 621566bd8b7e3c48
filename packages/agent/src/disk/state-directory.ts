/**
 * The state directory (mode 0700): everything the agent needs to boot, rekey and talk with no
 * controller.
 *
 *   identity.json      node id and private keys
 *   start-count.json   raised at each start; half of the handshake ordinal, so it may never fall
 *   memberships.json   the controller, and the networks with their interface names
 *   peers.json         the numbers by which a data path, which outlives the agent, knows peers
 *   trust.json         the authority, the newest versions that were verified, and the floor of time
 *   networks/ID.json   state of each network with its proof, as they were verified
 *   lease.json, standing.json, lineage.json: see lease.ts
 *
 * Damage to one of the first five ends the start: guessing there would lose the node's identity or
 * its peers' trust. A damaged network file is set aside and fetched again. Nothing is deleted that
 * a person could still want to look at.
 */
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  CONTROLLERS_MAX,
  NETWORK_REVOCATIONS_MAX,
  authorityChainSchema,
  fingerprintSchema,
  idSchema,
  interfaceNameSchema,
  knownControllerSchema,
  nameSchema,
  networkProofSchema,
  networkStateSchema,
  nodeIdSchema,
  signedStatementSchema,
  statementHashSchema,
} from '@etherloom/api';
import type { NetworkProof, NetworkState } from '@etherloom/api';
import { NO_CLOCK_RECORD, NO_PEER_IDS } from '@etherloom/core';
import type { PeerIds } from '@etherloom/core';
import { z } from 'zod';
import { AgentError, errnoOf, messageOf } from '../errors.ts';
import { syncDirectory } from './atomic-file.ts';
import { generateIdentity, identityContentSchema, openIdentity } from './identity.ts';
import type { Identity } from './identity.ts';
import { PlaceFiles } from './lease.ts';
import { lockStateDirectory } from './lock.ts';
import type { StateLock } from './lock.ts';
import { makeOwnDirectory } from './own-directory.ts';
import { deleteStateFile, readStateFile, writeStateFile } from './state-file.ts';
import type { StateFileKind } from './state-file.ts';

const AFRESH =
  'Restore the file from a backup, or move the whole state directory away and join again with a fresh token: the node gets another identity.';

const controllerSchema = z.strictObject({
  /** Those of join tokens: no controller takes them away. */
  urls: z.array(z.string()).min(1),
  /** All that share the database, as the last link told; missing: none was told. */
  known: z.array(knownControllerSchema).max(CONTROLLERS_MAX).optional(),
  tlsFingerprint: fingerprintSchema,
  organizationId: idSchema,
});
export type ControllerRecord = z.infer<typeof controllerSchema>;

const membershipRecordSchema = z.strictObject({
  networkId: idSchema,
  networkName: nameSchema,
  interface: interfaceNameSchema,
});
export type MembershipRecord = z.infer<typeof membershipRecordSchema>;

const membershipsSchema = z.strictObject({
  controller: controllerSchema.nullable(),
  nodeName: nameSchema.nullable(),
  networks: z.array(membershipRecordSchema),
  /** Networks left while the controller was away, which has to be told. */
  leaving: z.array(idSchema),
});
/** Which controller the node serves under which name, and its networks. */
export type Memberships = z.infer<typeof membershipsSchema>;

const peerIdsSchema = z.strictObject({
  next: z.int().min(1),
  ids: z.record(nodeIdSchema, z.int().min(1).max(0xffff_ffff)),
});

const storedNetworkSchema = z.strictObject({
  state: networkStateSchema,
  digest: z.string(),
  proof: networkProofSchema.nullable().default(null),
});
/** State of a network as it was verified. */
export interface StoredNetwork {
  readonly state: NetworkState;
  readonly digest: string;
  /** null: stored by a former version, which knew no proofs. */
  readonly proof: NetworkProof | null;
}

const versionMarksSchema = z.strictObject({
  networkVersion: z.int().nonnegative(),
  networkHash: statementHashSchema,
  rosterVersion: z.int().nonnegative(),
  rosterHash: statementHashSchema,
});
const trustSchema = z.strictObject({
  /** The newest version that is held, and the one before it when it is known; null: none yet. */
  authority: z.strictObject({ hash: statementHashSchema, chain: authorityChainSchema }).nullable(),
  clock: z.strictObject({
    floorMs: z.number(),
    offsetMs: z.number(),
    seenMs: z.number().default(0),
  }),
  /** By network; kept when a network is left, so that it cannot come back in an older version. */
  marks: z.record(idSchema, versionMarksSchema),
  /** Revocations that peers passed on before a controller did. */
  revocations: z.array(signedStatementSchema).max(NETWORK_REVOCATIONS_MAX),
});
/** What the node trusts, and how far it has come; all of it only rises. */
export type TrustRecord = z.infer<typeof trustSchema>;

const NO_TRUST: TrustRecord = {
  authority: null,
  clock: NO_CLOCK_RECORD,
  marks: {},
  revocations: [],
};

const IDENTITY: StateFileKind<typeof identityContentSchema> = {
  kind: 'identity',
  schema: identityContentSchema,
  recovery: AFRESH,
};
const startCountSchema = z.strictObject({ count: z.int().min(0).max(0xffff_ffff) });
const START_COUNT: StateFileKind<typeof startCountSchema> = {
  kind: 'start-count',
  schema: startCountSchema,
  recovery: AFRESH,
};
const MEMBERSHIPS: StateFileKind<typeof membershipsSchema> = {
  kind: 'memberships',
  schema: membershipsSchema,
  recovery: AFRESH,
};
const PEERS: StateFileKind<typeof peerIdsSchema> = {
  kind: 'peers',
  schema: peerIdsSchema,
  recovery:
    'Stop the data path of this host (its process id is in datapath.json), delete the file and start the agent again.',
};
const TRUST: StateFileKind<typeof trustSchema> = {
  kind: 'trust',
  schema: trustSchema,
  recovery: AFRESH,
};
const NETWORK: StateFileKind<typeof storedNetworkSchema> = {
  kind: 'network',
  schema: storedNetworkSchema,
  recovery: 'It is set aside and fetched again from the controller.',
};

/** A network file that was damaged, or proves nothing, and was set aside at the start. */
export interface SetAside {
  readonly networkId: string;
  readonly path: string;
  readonly reason: string;
}

/** One open state directory; at most one process has it open. */
export class StateDirectory {
  readonly path: string;
  /** The node's place among its copies. */
  readonly place: PlaceFiles;
  #identity: Identity;
  #startCount: number;
  #setAside: readonly SetAside[];
  #trust: TrustRecord;
  #memberships: Memberships;
  #peers: PeerIds;
  readonly #networks: Map<string, StoredNetwork>;
  readonly #lock: StateLock;

  /**
   * Opens or makes the directory. Throws AgentError, and changes nothing, when it is damaged or in
   * use.
   */
  static open(path: string): StateDirectory {
    makeDirectory(path, (name) => name === 'identity.json' || name === 'agent.lock');
    const lock = lockStateDirectory(path);
    try {
      return new StateDirectory(path, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(path: string, lock: StateLock) {
    this.path = path;
    this.#lock = lock;
    this.place = new PlaceFiles(path);
    makeDirectory(join(path, 'networks'), (name) => name.startsWith('net_'));
    this.#memberships = readStateFile(this.#file('memberships'), MEMBERSHIPS) ?? {
      controller: null,
      nodeName: null,
      networks: [],
      leaving: [],
    };
    this.#peers = readStateFile(this.#file('peers'), PEERS) ?? NO_PEER_IDS;
    const startCount = readStateFile(this.#file('start-count'), START_COUNT);
    this.#identity = this.#openIdentity(
      startCount !== undefined || this.#memberships.controller !== null,
    );
    if (startCount === undefined && this.#memberships.controller !== null)
      throw missing(this.#file('start-count'));
    this.#startCount = this.#raiseStartCount(startCount?.count ?? 0);
    const { networks, setAside } = this.#readNetworks();
    this.#networks = networks;
    this.#setAside = setAside;
    const trust = readStateFile(this.#file('trust'), TRUST);
    if (trust === undefined && [...networks.values()].some(({ proof }) => proof !== null))
      throw missing(this.#file('trust'));
    this.#trust = trust ?? NO_TRUST;
  }

  get setAside(): readonly SetAside[] {
    return this.#setAside;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** This start's count, on disk already. */
  get startCount(): number {
    return this.#startCount;
  }

  get memberships(): Memberships {
    return this.#memberships;
  }

  get networks(): ReadonlyMap<string, StoredNetwork> {
    return this.#networks;
  }

  get trust(): TrustRecord {
    return this.#trust;
  }

  get peerIds(): PeerIds {
    return this.#peers;
  }

  saveMemberships(memberships: Memberships): void {
    writeStateFile(this.#file('memberships'), MEMBERSHIPS, memberships);
    this.#memberships = memberships;
  }

  savePeerIds(peers: PeerIds): void {
    writeStateFile(this.#file('peers'), PEERS, { next: peers.next, ids: { ...peers.ids } });
    this.#peers = peers;
  }

  saveTrust(trust: TrustRecord): void {
    writeStateFile(this.#file('trust'), TRUST, trust);
    this.#trust = trust;
  }

  saveNetwork(network: StoredNetwork): void {
    writeStateFile(this.#networkFile(network.state.config.id), NETWORK, {
      state: network.state,
      digest: network.digest,
      proof: network.proof,
    });
    this.#networks.set(network.state.config.id, network);
  }

  /** Sets the file of a network aside: what it holds is not to be acted on. */
  setNetworkAside(networkId: string, reason: string): SetAside {
    const path = this.#networkFile(networkId);
    renameSync(path, `${path}.corrupt`);
    syncDirectory(join(this.path, 'networks'));
    this.#networks.delete(networkId);
    const aside = { networkId, path: `${path}.corrupt`, reason };
    this.#setAside = [...this.#setAside, aside];
    return aside;
  }

  deleteNetwork(networkId: string): void {
    deleteStateFile(this.#networkFile(networkId));
    this.#networks.delete(networkId);
  }

  /** Goes on above a start that this disk does not know of. */
  skipStarts(last: number): void {
    this.#startCount = this.#raiseStartCount(Math.max(last, this.#startCount));
  }

  /**
   * Becomes the node that was granted, and forgets what belonged to the copied one. No data path or
   * device of that one may be left. Every step can be repeated: an agent that dies on the way does
   * it again at its start. `onStep` lets a test die after each.
   */
  completeRebirth(onStep: () => void = () => undefined): void {
    const rebirth = this.place.standing?.rebirth ?? null;
    if (rebirth === null || rebirth.granted === null)
      throw new TypeError('no other identity was granted');
    const { granted, identity, originNodeId } = rebirth;
    const { controller } = this.#memberships;
    const { nodeName } = granted;
    const message = `a copy of node ${originNodeId}: \`loom node approve ${nodeName}\` lets it in`;
    const steps = [
      () => this.place.deleteLease(),
      () => this.saveMemberships({ controller, nodeName, networks: [], leaving: [] }),
      () => this.#deleteNetworks(),
      () => this.savePeerIds(NO_PEER_IDS),
      () => this.place.saveClonedFrom(granted.isClone ? originNodeId : null),
      () => writeStateFile(this.#file('start-count'), START_COUNT, { count: 0 }),
      () => writeStateFile(this.#file('identity'), IDENTITY, identity),
      () => (this.#startCount = this.#raiseStartCount(0)),
      () =>
        this.place.saveStanding(
          granted.state === 'pending' ? { state: 'waits', message, rebirth: null } : null,
        ),
    ];
    for (const step of steps) {
      step();
      onStep();
    }
    this.#identity = openIdentity(identity);
  }

  #deleteNetworks(): void {
    for (const networkId of this.#networks.keys()) this.deleteNetwork(networkId);
  }

  close(): void {
    this.#lock.release();
  }

  #file(name: 'identity' | 'start-count' | 'memberships' | 'peers' | 'trust'): string {
    return join(this.path, `${name}.json`);
  }

  #networkFile(networkId: string): string {
    return join(this.path, 'networks', `${idSchema.parse(networkId)}.json`);
  }

  #openIdentity(wasUsed: boolean): Identity {
    const path = this.#file('identity');
    const stored = readStateFile(path, IDENTITY);
    if (stored !== undefined) return openIdentity(stored);
    if (wasUsed) throw missing(path);
    const fresh = generateIdentity();
    writeStateFile(path, IDENTITY, fresh);
    return openIdentity(fresh);
  }

  #raiseStartCount(last: number): number {
    if (last >= 0xffff_ffff)
      throw new AgentError(
        'state_file_corrupt',
        `${this.#file('start-count')} is at its end. ${AFRESH}`,
      );
    writeStateFile(this.#file('start-count'), START_COUNT, { count: last + 1 });
    return last + 1;
  }

  #readNetworks(): { networks: Map<string, StoredNetwork>; setAside: SetAside[] } {
    const networks = new Map<string, StoredNetwork>();
    const setAside: SetAside[] = [];
    for (const { networkId } of this.#memberships.networks) {
      const path = this.#networkFile(networkId);
      try {
        const stored = readStateFile(path, NETWORK);
        if (stored === undefined) continue;
        if (stored.state.config.id !== networkId)
          throw new AgentError('state_file_corrupt', `${path} holds another network.`);
        networks.set(networkId, stored);
      } catch (error) {
        if (!(error instanceof AgentError) || error.code !== 'state_file_corrupt') throw error;
        renameSync(path, `${path}.corrupt`);
        syncDirectory(join(this.path, 'networks'));
        setAside.push({ networkId, path: `${path}.corrupt`, reason: error.message });
      }
    }
    this.#removeStrayNetworks();
    return { networks, setAside };
  }

  /** Deletes the cached files of networks left while the agent died between the two writes. */
  #removeStrayNetworks(): void {
    const wanted = new Set(this.#memberships.networks.map((m) => `${m.networkId}.json`));
    for (const name of readdirSync(join(this.path, 'networks'))) {
      if (name.endsWith('.json') && !wanted.has(name))
        deleteStateFile(join(this.path, 'networks', name));
    }
  }
}

function missing(path: string): AgentError {
  return new AgentError(
    'state_file_corrupt',
    `${path} is missing although this node has joined. ${AFRESH}`,
  );
}

function makeDirectory(path: string, isOwn: (name: string) => boolean): void {
  try {
    makeOwnDirectory(path, isOwn);
  } catch (error) {
    const hint = errnoOf(error) === 'EACCES' ? '; run the agent as root' : '';
    throw new AgentError(
      'state_directory_unusable',
      `the state directory ${path} cannot be used: ${messageOf(error)}${hint}`,
      {
        cause: error,
      },
    );
  }
}
