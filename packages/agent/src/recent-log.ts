/**
 * The last lines of this agent's log, for whoever looks at the host from afar: time, level and
 * message alone, since fields may name more than an observer has to know.
 */
import type { NodeReport } from '@etherloom/api';
import { RECENT_LOG_LINES } from './limits.ts';

type Line = NodeReport['log'][number];

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** A destination of pino that keeps lines on their way to another one. */
export class RecentLog {
  readonly #next: { write(line: string): unknown };
  #lines: string[] = [];

  constructor(next: { write(line: string): unknown }) {
    this.#next = next;
  }

  write(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > RECENT_LOG_LINES) this.#lines.shift();
    this.#next.write(line);
  }

  /** The newest at the end. */
  lines(): Line[] {
    return this.#lines.flatMap(parseLine);
  }
}

function parseLine(text: string): Line[] {
  try {
    const { time, level, msg } = JSON.parse(text) as Record<string, unknown>; // of pino
    if (typeof time !== 'string' || typeof level !== 'number' || typeof msg !== 'string') return [];
    return [{ time, level: LEVELS[level] ?? String(level), message: msg.slice(0, 300) }];
  } catch {
    return [];
  }
}
