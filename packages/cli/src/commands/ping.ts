/** loom ping: for people one line a ping as it happens, for programs one object in the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentAccess, PingResult } from '../agent-access.ts';
import type { Context } from '../context.ts';
import { createContext, openAgent } from '../context.ts';
import { CliError } from '../failure.ts';
import { PING_INTERVAL_MS } from '../limits.ts';
import { formatLatency } from '../terminal.ts';

interface PingOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly count?: number;
}

const COUNT_DEFAULT = 4;

/** Pings a node; rejects with `no_answer` when nothing came back. */
export async function ping(node: string, options: PingOptions): Promise<void> {
  const context = createContext(options);
  const agent = openAgent(options);
  const count = options.count ?? COUNT_DEFAULT;
  const results = context.isJson
    ? await agent.ping(node, count)
    : await pingLive(agent, { node, count, context });
  if (context.isJson) context.print(JSON.stringify({ node, results }, null, 2));
  if (results.every((result) => result.latencyMs === null)) {
    throw new CliError(
      'no_answer',
      `${node} did not answer: \`loom peers\` shows its state and endpoint`,
    );
  }
}

async function pingLive(
  agent: AgentAccess,
  about: { readonly node: string; readonly count: number; readonly context: Context },
): Promise<readonly PingResult[]> {
  const { node, count, context } = about;
  const results: PingResult[] = [];
  for (let i = 1; i <= count; i += 1) {
    if (i > 1) await sleep(PING_INTERVAL_MS);
    const [result] = await agent.ping(node, 1);
    if (result === undefined) continue;
    results.push(result);
    context.print(renderResult(result, i, about));
  }
  context.print(renderSummary(node, results));
  return results;
}

function renderResult(
  result: PingResult,
  number: number,
  about: { readonly node: string; readonly context: Context },
): string {
  const { palette } = about.context;
  if (result.latencyMs === null) return `${number}  ${palette.bad(`no answer from ${about.node}`)}`;
  const way = result.path === 'direct' ? palette.good('direct') : palette.warning('no direct path');
  const at = result.endpoint === null ? '' : `, ${result.endpoint}`;
  return `${number}  ${about.node} answered in ${formatLatency(result.latencyMs)} (${way}${at})`;
}

function renderSummary(node: string, results: readonly PingResult[]): string {
  const times = results.map((result) => result.latencyMs).filter((latency) => latency !== null);
  const head = `${node}: ${times.length} of ${results.length} answered`;
  if (times.length === 0) return head;
  const average = times.reduce((sum, latency) => sum + latency, 0) / times.length;
  const [least, mean, most] = [Math.min(...times), average, Math.max(...times)].map((value) =>
    value.toFixed(3),
  );
  return `${head}, least/average/most ${least}/${mean}/${most} ms`;
}
