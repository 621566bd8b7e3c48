/**
 * The agent's program: `node main.ts --state DIR [--socket PATH] [--port 8002] [--datapath PATH]
 * [--workers N] [--metrics unix:PATH|HOST:PORT] [--json]`.
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
import { STOP_MS, TEST_REKEY_MS_MAX, TEST_REKEY_MS_MIN } from './limits.ts';
import { localRoutes } from './local-api/routes.ts';
import { makeSocketRoom, serveLocalApi } from './local-api/server.ts';
import { RecentLog } from './recent-log.ts';
import { metricsOf } from './metrics/gather.ts';
import { parseMetricsAddress } from './metrics/listen-address.ts';
import type { MetricsAddress } from './metrics/listen-address.ts';
import { listenForMetrics } from './metrics/server.ts';

const USAGE =
  'usage: loom agent --state DIR [--socket PATH] [--port 8002] [--datapath PATH] [--workers N] [--metrics unix:PATH|HOST:PORT] [--json]';
const OPTIONS_HELP = `
  --state DIR      where this node keeps its keys and networks; made on the first start
  --socket PATH    where \`loom\` asks it; default LOOM_SOCKET, else ${AGENT_SOCKET_DEFAULT}
  --port PORT      UDP port for everything between hosts; default 8002
  --datapath PATH  program of the data path
  --workers N      threads of the data path, at most 16; default: as many as fit the processors
  --metrics WHERE  serve metrics at unix:PATH or HOST:PORT
  --json           ready line and start errors as JSON
`;
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
  readonly metrics: MetricsAddress | null;
  readonly rekeyAfterMs: number | undefined;
  readonly json: boolean;
}

class UsageError extends Error {}

/** undefined: help was asked for. */
function readSettings(args: string[]): Settings | undefined {
  const { values } = parseCommandLine(args);
  if (values.help) return undefined;
  if (values.state === undefined)
    throw new UsageError('--state DIR is missing: the directory that keeps this node');
  return {
    state: resolve(values.state),
    socket: resolve(values.socket ?? process.env['LOOM_SOCKET'] ?? AGENT_SOCKET_DEFAULT),
    port: readNumber('--port', values.port, 65_535),
    datapath: resolve(values.datapath),
    workers:
      values.workers === undefined ? null : readNumber('--workers', values.workers, WORKERS_MAX),
    metrics: values.metrics === undefined ? null : readMetrics(values.metrics),
    rekeyAfterMs: readRekeyMs(process.env['LOOM_REKEY_MS']),
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
        metrics: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
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

/** A knob of tests (docs/testing.md), which no command line shows. */
function readRekeyMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= TEST_REKEY_MS_MIN && ms <= TEST_REKEY_MS_MAX) return ms;
  throw new UsageError(
    `LOOM_REKEY_MS takes ${TEST_REKEY_MS_MIN} to ${TEST_REKEY_MS_MAX}, given "${text}"`,
  );
}

function readMetrics(text: string): MetricsAddress {
  try {
    return parseMetricsAddress(text);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

async function main(): Promise<void> {
  process.umask(0o077); // whatever this process makes is root's alone
  const settings = readSettings(process.argv.slice(2));
  if (settings === undefined) {
    process.stdout.write(`${USAGE}\n${OPTIONS_HELP}`);
    return;
  }
  const recentLog = new RecentLog(pino.destination({ fd: 2, sync: true }));
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, recentLog);
  // Before anything is taken over that a refusal would have to let go of.
  await makeSocketRoom(settings.socket);
  const metrics =
    settings.metrics === null ? undefined : await listenForMetrics(settings.metrics, log);
  const agent = await Agent.start(
    {
      stateDirectory: settings.state,
      port: settings.port,
      datapathProgram: settings.datapath,
      workers: settings.workers,
      rekeyAfterMs: settings.rekeyAfterMs,
      recentLog: () => recentLog.lines(),
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
  metrics?.open(metricsOf(agent));
  onSignals(agent, metrics === undefined ? [server] : [server, metrics.server], log);
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

function onSignals(agent: Agent, servers: readonly Server[], log: Logger): void {
  let isEnding = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    const keep = signal === 'SIGUSR2';
    log.info({ signal, keep }, keep ? 'handing over: data path and devices stay' : 'stopping');
    setTimeout(() => process.exit(1), STOP_MS).unref();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
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
  const isUsage = error instanceof UsageError;
  if (process.argv.includes('--json')) {
    const code = error instanceof AgentError ? error.code : 'internal';
    const told = { code: isUsage ? 'usage' : code, message: messageOf(error) };
    process.stderr.write(`${JSON.stringify({ error: told })}\n`);
  } else if (isUsage) {
    process.stderr.write(`${error.message}\n${USAGE}\n`);
  } else {
    const isExpected = error instanceof AgentError;
    process.stderr.write(
      `loom agent: ${isExpected || !(error instanceof Error) ? messageOf(error) : error.stack}\n`,
    );
  }
  process.exit(isUsage ? 2 : 1);
});
