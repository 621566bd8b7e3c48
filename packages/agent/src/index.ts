/** The agent as a library: what other packages may use of it. The program is main.ts. */
export { Agent } from './agent.ts';
export type { AgentOptions } from './agent.ts';
export type { JoinedNetwork } from './joined-network.ts';
export { AgentError } from './errors.ts';
export type { AgentErrorCode } from './errors.ts';
