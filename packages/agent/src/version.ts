/** Version of this program, as its package says. */
import { readFileSync } from 'node:fs';

/** Version of this program. */
export const AGENT_VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;
