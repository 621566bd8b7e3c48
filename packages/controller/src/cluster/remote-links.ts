/**
 * Which other controller has the link of which node: told over the bus, and read anew from the
 * database now and then. What is told while it is being read counts more than what was read.
 */

/** A link at another controller. */
export interface RemoteLink {
  readonly controllerId: string;
  /** Of the lease with which it was opened. */
  readonly epoch: number;
}

/** What a reading found that nobody had told, by node. */
export interface FoundLinks {
  readonly opened: readonly string[];
  readonly closed: readonly string[];
}

type Links = Map<string, RemoteLink>;

export class RemoteLinks {
  #links: Links = new Map();
  /** What was told since the reading that is under way began: as much as comes in one statement. */
  #told: ((links: Links) => void)[] | null = null;

  get(nodeId: string): RemoteLink | undefined {
    return this.#links.get(nodeId);
  }

  open(nodeId: string, link: RemoteLink): void {
    this.#tell((links) => {
      const known = links.get(nodeId);
      if (known === undefined || known.epoch <= link.epoch) links.set(nodeId, link);
    });
  }

  close(nodeId: string, epoch: number): void {
    this.#tell((links) => {
      if (links.get(nodeId)?.epoch === epoch) links.delete(nodeId);
    });
  }

  /** The node has its link here. */
  forget(nodeId: string): void {
    this.#tell((links) => links.delete(nodeId));
  }

  #tell(change: (links: Links) => void): void {
    change(this.#links);
    this.#told?.push(change);
  }

  /** Takes what `read` gives in place of what is known; says what of it is another one. */
  async readAnew(
    read: () => Promise<Iterable<readonly [string, RemoteLink]>>,
  ): Promise<FoundLinks> {
    const told: ((links: Links) => void)[] = [];
    this.#told = told;
    try {
      const links: Links = new Map(await read());
      for (const change of told) change(links);
      const before = this.#links;
      this.#links = links;
      return {
        opened: [...links.keys()].filter((nodeId) => !before.has(nodeId)),
        closed: [...before.keys()].filter((nodeId) => !links.has(nodeId)),
      };
    } finally {
      this.#told = null;
    }
  }
}
