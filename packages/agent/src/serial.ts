/**
 * Runs one job at a time, and joins wishes for it: a wish while it runs makes it run once more, not
 * once for each wish.
 */

export class SerialJob {
  readonly #job: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** The job handles its own errors. */
  constructor(job: () => Promise<void>) {
    this.#job = job;
  }

  /** Resolves when a run that began after this call has ended. */
  request(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#begin();
    this.#next = this.#running.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  /** Resolves when nothing runs and nothing is wished for. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#next !== undefined) {
      await (this.#next ?? this.#running);
    }
  }

  #begin(): Promise<void> {
    this.#running = this.#job().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
