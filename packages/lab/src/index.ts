/** Worlds of network namespaces with controllers and agents in them, for people and for tests. */
export { startAgent } from './agent.ts';
export type { AgentOptions, JoinOptions, LabAgent } from './agent.ts';
export type { Background, BackgroundExit } from './background.ts';
export { CHECKOUT } from './checkout.ts';
export { runCommand, tryCommand } from './command.ts';
export type { CommandOptions, CommandResult } from './command.ts';
export { startController } from './controller.ts';
export type { ControllerOptions, LabController } from './controller.ts';
export { joinWithoutAgent } from './join-without-agent.ts';
export { readFinalState, startLoad } from './history-load.ts';
export type { Load, LoadOptions } from './history-load.ts';
export { judgeHistory } from './history.ts';
export type {
  FinalState,
  Joining,
  Leaving,
  NetworkCreation,
  NetworkDeletion,
  Operation,
  Outcome,
} from './history.ts';
export { LabError } from './lab-error.ts';
export type { LabErrorCode } from './lab-error.ts';
export type { LinkEnd } from './links.ts';
export { describeTails, readTail } from './log-tail.ts';
export { RUNS_DIRECTORY, RunRecord, readRuns } from './manifest.ts';
export type { Manifest, Thing } from './manifest.ts';
export { listProcesses, namespaceExists } from './namespaces.ts';
export type { Namespace } from './namespaces.ts';
export { startPostgres } from './postgres.ts';
export type { PostgresOptions, PostgresServer } from './postgres.ts';
export { endProcesses, identify, isRunning, signalProcess } from './process-identity.ts';
export type { ProcessIdentity } from './process-identity.ts';
export { startRelay } from './relay-start.ts';
export { cleanStaleWorlds } from './stale-worlds.ts';
export type { StaleReport } from './stale-worlds.ts';
export { GiveUp, waitFor } from './wait.ts';
export type { WaitOptions } from './wait.ts';
export { World, createWorld } from './world.ts';
export type { SpawnOptions } from './world.ts';
