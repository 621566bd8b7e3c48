/** An agent in a namespace: a host of the overlay, and `loom` as its operator uses it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '@etherloom/api';
import { agentStatusSchema } from '@etherloom/api';
import { createUnixSender } from '@etherloom/transport';
import type { Background } from './background.ts';
import { CHECKOUT } from './checkout.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { assertStarting } from './controller.ts';
import { START_DEADLINE_MS } from './limits.ts';
import type { Namespace } from './namespaces.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { identify } from './process-identity.ts';
import { waitFor } from './wait.ts';
import type { World } from './world.ts';

export interface AgentOptions {
  /** Default: the label of its namespace. */
  readonly label?: string;
  /** An existing one restarts that agent. */
  readonly stateDirectory?: string;
  readonly socketPath?: string;
  /** UDP port; default 8002. */
  readonly port?: number;
  /** Program of the data path; default: the one of this checkout. */
  readonly datapathProgram?: string;
  readonly workers?: number;
  /** Where the metrics are served, as `--metrics` takes it; default: nowhere. */
  readonly metrics?: string;
  /** What the host has as its machine id; default: that of this machine. */
  readonly machineId?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Words before the program, as `nsenter` that gives it the mounts of another process. */
  readonly prefix?: readonly string[];
}

export interface JoinOptions {
  readonly token: string;
  readonly name?: string;
  readonly interface?: string;
}

export interface LabAgent {
  readonly label: string;
  readonly namespace: Namespace;
  readonly socketPath: string;
  readonly stateDirectory: string;
  readonly process: Background;
  /** Runs `loom ARGS` on this host; rejects when it fails. */
  loom(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Runs `loom ARGS --json` on this host and parses what it prints. */
  loomJson(args: readonly string[], options?: CommandOptions): Promise<unknown>;
  /** Asks the agent itself. */
  status(): Promise<AgentStatus>;
  join(options: JoinOptions): Promise<unknown>;
  /** The running data path of this host; null when there is none. */
  dataPath(): Promise<ProcessIdentity | null>;
  kill(signal: NodeJS.Signals): boolean;
}

/**
 * Starts an agent in a namespace and waits until its socket answers. Called again with the same
 * options it restarts one that ended.
 */
export async function startAgent(
  world: World,
  namespace: Namespace,
  options: AgentOptions = {},
): Promise<LabAgent> {
  const label = options.label ?? namespace.label;
  const stateDirectory = options.stateDirectory ?? join(world.directory, 'state', label);
  const socketPath = options.socketPath ?? join(world.directory, `${label}.sock`);
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const { port, datapathProgram, workers, metrics } = options;
  const running = await world.spawn({
    label: `agent-${label}`,
    namespace,
    argv: [
      ...asMachine(world, label, options.machineId),
      ...(options.prefix ?? []),
      CHECKOUT.node,
      CHECKOUT.agentMain,
      '--state',
      stateDirectory,
      '--socket',
      socketPath,
      ...optional('--port', port),
      ...optional('--datapath', datapathProgram),
      ...optional('--workers', workers),
      ...optional('--metrics', metrics),
      '--json',
    ],
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const agent = describeAgent(world, {
    label,
    namespace,
    socketPath,
    stateDirectory,
    process: running,
  });
  await waitFor(
    `the agent of ${label} to answer at ${socketPath}`,
    async () => {
      assertStarting(running);
      return await agent.status();
    },
    {
      deadlineMs: START_DEADLINE_MS,
      logs: [running.outputPath, running.logPath],
      ...(world.signal === undefined ? {} : { signal: world.signal }),
    },
  );
  return agent;
}

/** Words before a command: `ip netns exec` gives it mounts of its own, so the file is another. */
function asMachine(world: World, label: string, machineId: string | undefined): readonly string[] {
  if (machineId === undefined) return [];
  const path = join(world.directory, `${label}.machine-id`);
  writeFileSync(path, `${machineId}\n`);
  return ['sh', '-c', 'mount --bind "$0" /etc/machine-id && exec "$@"', path];
}

function optional(option: string, value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [option, String(value)];
}

function describeAgent(
  world: World,
  about: Pick<LabAgent, 'label' | 'namespace' | 'socketPath' | 'stateDirectory' | 'process'>,
): LabAgent {
  const loom = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> => {
    const env = { ...options.env, LOOM_SOCKET: about.socketPath };
    return world.exec(about.namespace, [CHECKOUT.loom, ...args], { ...options, env });
  };
  const loomJson = async (args: readonly string[], options?: CommandOptions): Promise<unknown> => {
    const { stdout } = await loom([...args, '--json'], options);
    const value: unknown = JSON.parse(stdout);
    return value;
  };
  const send = createUnixSender(about.socketPath, { timeoutMs: START_DEADLINE_MS });
  const status = async (): Promise<AgentStatus> => {
    const reply = await send({ method: 'GET', url: '/v1/status', headers: {} });
    return agentStatusSchema.parse(JSON.parse(reply.body));
  };
  return {
    ...about,
    loom,
    loomJson,
    status,
    // The token goes through standard input: arguments of a process can be read by everyone on the
    // machine.
    join: ({ token, name, interface: device }) =>
      loomJson(
        [
          'join',
          '-',
          ...(name === undefined ? [] : ['--name', name]),
          ...(device === undefined ? [] : ['--interface', device]),
        ],
        { input: token },
      ),
    dataPath: async () => {
      const { datapath } = await status();
      return datapath.pid === null ? null : identify(datapath.pid);
    },
    kill: (signal) => about.process.kill(signal),
  };
}
