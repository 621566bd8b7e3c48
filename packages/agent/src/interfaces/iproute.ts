/**
 * Runs iproute2: arguments as an array, batches on standard input, never a shell. Its failures
 * become one sentence with what to do.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { AgentError, errnoOf } from '../errors.ts';
import { IP_COMMAND_MS, IP_OUTPUT_BYTES_MAX } from '../limits.ts';
import { parseIpAddrShow } from './actual.ts';
import type { ActualInterface } from './actual.ts';

/** All interfaces of the network namespace that the agent runs in. */
export async function listInterfaces(): Promise<ActualInterface[]> {
  return parseIpAddrShow(await runIp(['-j', '-d', 'address', 'show']));
}

/** Names of the interfaces that default routes leave by. */
export async function listDefaultRouteInterfaces(): Promise<Set<string>> {
  const outputs = await Promise.all([
    runIp(['-j', '-4', 'route', 'show', 'default']),
    runIp(['-j', '-6', 'route', 'show', 'default']),
  ]);
  return new Set(
    outputs.flatMap((output) =>
      [...output.matchAll(/"dev":"([^"]+)"/g)].map((match) => match[1] ?? ''),
    ),
  );
}

/** The kernel's neighbour caches of both families, as JSON. */
export function listNeighbours(): Promise<string> {
  return runIp(['-j', 'neighbour', 'show']);
}

/** False where IPv6 is switched off: addresses of that family cannot be set there. */
export function hasIpv6(): boolean {
  try {
    return ['all', 'default'].every((scope) => {
      return readFileSync(`/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`, 'utf8').trim() === '0';
    });
  } catch {
    return false;
  }
}

/**
 * Runs commands in one process, all of them even when one fails; rejects with the first failure.
 */
export async function runIpBatch(commands: readonly (readonly string[])[]): Promise<void> {
  if (commands.length === 0) return;
  const lines = commands.map((words) => words.join(' '));
  await runIp(['-force', '-batch', '-'], `${lines.join('\n')}\n`, lines);
}

/** Bit of CAP_NET_ADMIN in the capability sets (linux/capability.h). */
const CAP_NET_ADMIN = 12n;

/** Refuses a host on which no device can be made, before anything is asked of the controller. */
export function assertTapDevices(): void {
  const effective =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ??
    'f'.repeat(16);
  if (((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 0n) {
    throw new AgentError(
      'host_unfit',
      'no privilege to set up interfaces: run the agent as root or with CAP_NET_ADMIN',
    );
  }
  if (!existsSync('/dev/net/tun')) {
    throw new AgentError(
      'host_unfit',
      '/dev/net/tun is missing on this host: load it with `modprobe tun`, or give the container that device',
    );
  }
}

function runIp(
  args: readonly string[],
  input?: string,
  lines: readonly string[] = [],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      timeout: IP_COMMAND_MS,
      maxBuffer: IP_OUTPUT_BYTES_MAX,
      encoding: 'utf8',
    } as const;
    const child = execFile('ip', args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(explain(error, stderr, lines.length === 0 ? [args.join(' ')] : lines));
    });
    child.stdin?.on('error', () => undefined); // the exit status tells
    child.stdin?.end(input ?? '');
  });
}

function explain(error: Error, stderr: string, lines: readonly string[]): AgentError {
  if (errnoOf(error) === 'ENOENT') {
    return new AgentError(
      'host_unfit',
      'the program `ip` is missing: install iproute2 (apt-get install iproute2)',
      { cause: error },
    );
  }
  const [first = error.message] = stderr.trim().split('\n');
  const number = Number(/Command failed -:(\d+)/.exec(stderr)?.[1] ?? 1);
  const command = lines[number - 1] ?? '';
  if (/not permitted|permission denied/i.test(stderr)) {
    return new AgentError(
      'host_unfit',
      `no privilege to set up interfaces (${first}): run the agent as root or with CAP_NET_ADMIN`,
    );
  }
  return new AgentError('host_unfit', `\`ip ${command}\` failed: ${first}`, { cause: error });
}
