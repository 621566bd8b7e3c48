/** The steps of the demonstration, in order. */
import { buildWorld, createNetwork, joinHosts, runAgents, runController } from './build-steps.ts';
import {
  measureThroughput,
  proveLocalAnswers,
  proveNoLoss,
  proveSameFile,
  showPeers,
} from './proof-steps.ts';
import type { Stage } from './stage.ts';

/** A step does one thing, proves it, and says in a sentence what was seen. */
export interface Step {
  readonly name: string;
  readonly title: string;
  /** Resolves to what was seen. */
  readonly run: (stage: Stage) => Promise<string>;
}

export const STEPS: readonly Step[] = [
  { name: 'world', title: 'two clouds, three hosts and a router between', run: buildWorld },
  { name: 'controller', title: 'a controller on its embedded database', run: runController },
  { name: 'agents', title: 'an agent and a data path on each host', run: runAgents },
  { name: 'network', title: 'network "demo" and one join token', run: createNetwork },
  { name: 'join', title: 'all three hosts join with that token', run: joinHosts },
  { name: 'peers', title: 'hosts reach each other directly', run: showPeers },
  { name: 'neighbours', title: 'ARP and ND are answered locally', run: proveLocalAnswers },
  { name: 'ping', title: 'ping from cloud to cloud, IPv4 and IPv6', run: proveNoLoss },
  { name: 'file', title: 'a file of 256 MB over TCP, cloud to cloud', run: proveSameFile },
  { name: 'throughput', title: 'throughput, encrypted, cloud to cloud', run: measureThroughput },
];
