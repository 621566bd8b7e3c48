/**
 * The agent's program: `node main.ts --state DIR [--socket PATH] [--port 8002] [--datapath PATH]
 * [--workers N] [--json]`.
 *
 * SIGTERM and SIGINT end it in order: data path and devices go too. SIGUSR2 hands over: the agent
 * ends, data path and devices stay, and the next agent takes them over, as it does after a crash.
 */
import type { Server } from 'node:http';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AGENT_SOCKET_DEFAULT } from '@etherloom/api';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { Agent } from './agent.ts';
import { AgentError, messageOf } from './errors.ts';
import { STOP_MS } from './limits.ts';
import { localRoutes } from './local-api/routes.ts';
import { makeSocketRoom, serveLocalApi } from './local-api/server.ts';

const USAGE =
  'usage: loom agent --state DIR [--socket PATH] [--port 8002] [--datapath PATH] [--workers N] [--json]';
const DATAPATH_DEFAULT = fileURLToPath(
  new URL('../../../datapath/build/loom-datapath', import.meta.url),
);
/** Lanes that the wire has room for. */
const WORKERS_MAX = 16;

interface Settings {
  readonly state: string;
  readonly socket: string;
  readonly port: number;
  readonly datapath: string;
  readonly workers: number | null;
  readonly json: boolean;
}

class UsageError extends Error {}

function readSettings(args: string[]): Settings {
  const { values } = parseCommandLine(args);
  if (values.state === undefined)
    throw new UsageError('--state DIR is missing: the directory that keeps this node');
  return {
    state: resolve(values.state),
    socket: resolve(values.socket ?? process.env['LOOM_SOCKET'] ?? AGENT_SOCKET_DEFAULT),
    port: readNumber('--port', values.port, 65_535),
    datapath: resolve(values.datapath),
    workers:
      values.workers === undefined ? null : readNumber('--workers', values.workers, WORKERS_MAX),
    json: values.json,
  };
}

function parseCommandLine(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        state: { type: 'string' },
        socket: { type: 'string' },
        port: { type: 'string', default: '8002' },
        datapath: { type: 'string', default: DATAPATH_DEFAULT },
        workers: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function readNumber(option: string, text: string, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= max) return number;
  throw new UsageError(`${option} takes a number from 1 to ${max}, given "${text}"`);
}

async function main(): Promise<void> {
  process.umask(0o077); // whatever this process makes is root's alone
  const settings = readSettings(process.argv.slice(2));
  const log = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
  // Before anything is taken over that a refusal would have to let go of.
  await makeSocketRoom(settings.socket);
  const agent = await Agent.start(
    {
      stateDirectory: settings.state,
      port: settings.port,
      datapathProgram: settings.datapath,
      workers: settings.workers,
    },
    log,
  );
  let server: Server;
  try {
    server = await serveLocalApi(settings.socket, localRoutes(agent), log);
  } catch (error) {
    await agent.stop(false);
    throw error;
  }
  onSignals(agent, server, log);
  const ready = {
    ready: true,
    socket: settings.socket,
    pid: process.pid,
    nodeId: agent.directory.identity.nodeId,
  };
  process.stdout.on('error', () => undefined); // whoever waited for the ready line may be gone
  process.stdout.write(
    settings.json
      ? `${JSON.stringify(ready)}\n`
      : `agent ready: node ${ready.nodeId}, socket ${ready.socket}, process ${ready.pid}\n`,
  );
}

function onSignals(agent: Agent, server: Server, log: Logger): void {
  let isEnding = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    const keep = signal === 'SIGUSR2';
    log.info({ signal, keep }, keep ? 'handing over: data path and devices stay' : 'stopping');
    setTimeout(() => process.exit(1), STOP_MS).unref();
    server.close();
    server.closeAllConnections();
    agent.stop(keep).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ error: messageOf(error) }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGUSR2', end);
}

main().catch((error: unknown) => {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    process.exit(2);
  }
  const isExpected = error instanceof AgentError;
  process.stderr.write(
    `loom agent: ${isExpected || !(error instanceof Error) ? messageOf(error) : error.stack}\n`,
  );
  process.exit(1);
});
