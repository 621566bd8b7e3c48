/**
 * Simulates a fleet against one controller process: real keys, joins, leases and links over TLS,
 * nothing of the controller replaced. Prints what it measured, as sentences and as JSON.
 *
 *   node test/sim-agents/run.ts --agents 10000 [--idle-seconds 20] [--out FILE] [--profile]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measure } from './measure.ts';

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '10000' },
    'idle-seconds': { type: 'string', default: '20' },
    out: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});
const agents = Number(values.agents);
if (!Number.isInteger(agents) || agents < 20)
  throw new RangeError(`--agents ${values.agents}: it takes a whole number of 20 or more`);

const figures = await measure({
  agents,
  sizes: [100, 1_000, 10_000].filter((size) => size <= agents),
  idleMs: Number(values['idle-seconds']) * 1_000,
  nodeFlags: values.profile ? ['--cpu-prof', '--cpu-prof-dir=.cache'] : [],
  say: (text) => process.stderr.write(`${text}\n`),
});
const text = JSON.stringify(figures, null, 2);
process.stdout.write(`${text}\n`);
if (values.out !== undefined) writeFileSync(values.out, `${text}\n`);
process.exit(0); // sockets that close late hold nobody up
