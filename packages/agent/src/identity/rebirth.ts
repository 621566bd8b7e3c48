/**
 * How a host becomes another node while its agent runs: a copy that was given a ticket, or one that
 * may not act as its node and joins with a token. All of the copied node goes from the host first;
 * what is left when the agent dies on the way is done at its next start.
 */
import type { Logger } from 'pino';
import { pause } from '../clock.ts';
import { DatapathProcess } from '../datapath/process.ts';
import type { DatapathProcessOptions } from '../datapath/process.ts';
import { openIdentity } from '../disk/identity.ts';
import type { ControllerRecord, StateDirectory } from '../disk/state-directory.ts';
import { messageOf } from '../errors.ts';
import { removeInterfaces } from '../interfaces/reconcile.ts';
import { HOST_START_RETRY_MS } from '../limits.ts';
import { requestJoin } from '../link/join.ts';
import type { GrantedJoin, JoinWish } from '../link/join.ts';
import type { Place } from './place.ts';
import { splitOff } from './split-off.ts';

export interface RebirthDeps {
  readonly directory: StateDirectory;
  readonly place: Place;
  readonly log: Logger;
  readonly datapath: DatapathProcessOptions;
  /** Resolves when the link has ended; none is opened before `follow`. */
  readonly endLink: () => Promise<void>;
  /** Everything but the identity that belongs to the node of before. */
  readonly forgetNode: () => void;
  /** The node is another one, and its start count as well. */
  readonly onNodeChanged: () => void;
  readonly stopHost: (keep: boolean) => Promise<void>;
  /** Rejects with AgentError when no data path can be had. */
  readonly startHost: () => Promise<void>;
  /** Opens the link, or presents the ticket. */
  readonly follow: () => void;
  readonly onError: (message: string) => void;
}

/** The ways of one agent to another node, one at a time. */
export class Rebirths {
  readonly #deps: RebirthDeps;
  readonly #stop = new AbortController();
  #splitting = new AbortController();
  #work: Promise<void> = Promise.resolve();

  constructor(deps: RebirthDeps) {
    this.#deps = deps;
  }

  /** Does what is left when the agent died on the way. Before the host starts. */
  async finish(): Promise<void> {
    const { directory, datapath } = this.#deps;
    const rebirth = directory.place.standing?.rebirth ?? null;
    if (rebirth === null || rebirth.granted === null) return;
    await new DatapathProcess(datapath).stop();
    await removeInterfaces(rebirth.originNodeId);
    directory.completeRebirth();
  }

  /** Presents the ticket of a clone; false when there is none. */
  presentTicket(controller: ControllerRecord): boolean {
    const { directory, place, log, onError, follow } = this.#deps;
    if ((directory.place.standing?.rebirth?.ticket ?? null) === null) return false;
    this.#splitting = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, this.#splitting.signal]);
    this.#run(async () => {
      const outcome = await splitOff({ place, controller, signal, log, onError });
      if (outcome === 'granted') await this.#becomeOther();
      if (outcome !== 'stopped' && !signal.aborted) follow();
    });
    return true;
  }

  /** A host that may not act as its node joins as a node of its own. */
  async join(wish: JoinWish): Promise<GrantedJoin> {
    const { directory, place, log } = this.#deps;
    this.#splitting.abort();
    await this.#work;
    if (!place.isDown) return await requestJoin(directory.identity, wish);
    try {
      const rebirth = place.rebirth();
      const granted = await requestJoin(openIdentity(rebirth.identity), wish);
      const { nodeId, nodeName } = granted.reply;
      place.grant(rebirth, { nodeName, state: 'active', isClone: false });
      log.warn({ nodeId, name: nodeName }, 'this host joins as a node of its own');
      await this.#becomeOther();
      return granted;
    } catch (error) {
      if (place.isDown) this.#deps.follow();
      throw error;
    }
  }

  /** Starts the host's side anew, as the same node; data path and devices stay. */
  restartHost(): void {
    this.#run(async () => {
      await this.#deps.stopHost(true);
      await this.#startHost();
    });
  }

  /** Goes no further; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #becomeOther(): Promise<void> {
    await this.#deps.endLink();
    await this.#deps.stopHost(false);
    this.#deps.forgetNode();
    this.#deps.directory.completeRebirth();
    this.#deps.onNodeChanged();
    await this.#startHost();
  }

  async #startHost(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        return await this.#deps.startHost();
      } catch (error) {
        this.#deps.log.error({ error: messageOf(error) }, 'the data path cannot be had');
      }
      await pause(HOST_START_RETRY_MS, this.#stop.signal);
    }
  }

  #run(work: () => Promise<void>): void {
    this.#work = this.#work
      .then(work)
      .catch((error: unknown) =>
        this.#deps.log.error(
          { error: messageOf(error) },
          'this host could not become another node',
        ),
      );
  }
}
