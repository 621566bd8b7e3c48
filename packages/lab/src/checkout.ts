/** Where the programs of this checkout are. */
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Paths of the checkout that the lab runs from. */
export const CHECKOUT = {
  root: ROOT.replace(/\/$/, ''),
  loom: `${ROOT}loom`,
  node: `${ROOT}node_modules/node/bin/node`,
  controllerMain: `${ROOT}packages/controller/src/main.ts`,
  agentMain: `${ROOT}packages/agent/src/main.ts`,
  relayMain: `${ROOT}packages/lab/src/relay.ts`,
} as const;
