/** The wall clock of a program under test, set as a person or a bad battery would set it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { World } from '@etherloom/lab';

const PRELOAD = fileURLToPath(new URL('tools/shifted-clock.ts', import.meta.url));

export const DAY_MS = 86_400_000;
export const YEAR_MS: number = 365 * DAY_MS;

export interface WallClock {
  /** Environment of the programs that have this clock. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets it, ahead of the machine's; programs that run see it at once. */
  set(aheadMs: number): void;
}

/** A clock that is right until it is set. */
export function makeWallClock(world: World, label: string): WallClock {
  const path = join(world.directory, `${label}.clock`);
  const set = (aheadMs: number): void => writeFileSync(path, String(aheadMs));
  set(0);
  const env = { NODE_OPTIONS: `--import ${PRELOAD}`, CLOCK_SHIFT_FILE: path };
  return { env, set };
}
