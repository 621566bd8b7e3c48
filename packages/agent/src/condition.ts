/** Waits until something that others change has come about, with a deadline. */

export class Condition {
  readonly #waiting = new Set<() => void>();

  /** To be called after each change that a waiter could wait for. */
  changed(): void {
    for (const check of this.#waiting) check();
  }

  /**
   * Resolves with what `probe` gives once that is not undefined; with undefined at the deadline.
   */
  until<T>(probe: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    const already = probe();
    if (already !== undefined) return Promise.resolve(already);
    return new Promise((resolve) => {
      const finish = (value: T | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(value);
      };
      const check = (): void => {
        const value = probe();
        if (value !== undefined) finish(value);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiting.add(check);
    });
  }
}
