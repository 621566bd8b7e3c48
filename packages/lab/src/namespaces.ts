/**
 * Network namespaces and what is in them, by iproute2. The names given to these functions are
 * always the lab's own.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { runCommand, tryCommand } from './command.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { endProcesses, identify } from './process-identity.ts';

/** A network namespace of a world. */
export interface Namespace {
  /** Within the world, for example `east1`. */
  readonly label: string;
  /** On the machine, for example `loom-1f3a9c-east1`; for `ip netns`. */
  readonly name: string;
}

/**
 * Variable that marks every process of a run, and by which those are found that were not yet
 * written down.
 */
export const RUN_VARIABLE = 'ETHERLOOM_LAB_RUN';

/** A directory can be locked as well as a file, and this one is there. */
const LOCK_PATH = '/run';

/** Prefix of a command that runs in a namespace; nothing for the machine's own. */
export function enter(namespace: Namespace | null): readonly string[] {
  return namespace === null ? [] : ['ip', 'netns', 'exec', namespace.name];
}

/**
 * Makes a namespace with its loopback up and IPv6 ready at once. The lock is there because the
 * first `ip netns add` on a machine also makes
 * the mount /run/netns, and two at once can hide each other's namespace.
 */
export async function makeNamespace(name: string): Promise<void> {
  await runCommand(['flock', LOCK_PATH, 'ip', 'netns', 'add', name]);
  await writeSysctls(name, {
    'net.ipv6.conf.all.disable_ipv6': '0',
    'net.ipv6.conf.default.disable_ipv6': '0',
    'net.ipv6.conf.default.accept_dad': '0',
    'net.ipv6.conf.default.accept_ra': '0',
  });
  await ipBatch(name, ['link set dev lo up']);
}

/** Whether a namespace of this name exists. */
export async function namespaceExists(name: string): Promise<boolean> {
  const { stdout } = await runCommand(['ip', 'netns', 'list']);
  return stdout.split('\n').some((line) => line.split(' ')[0] === name);
}

/**
 * Ends what runs in a namespace and deletes it; does nothing when it is gone already. Resolves to
 * what would not end.
 */
export async function deleteNamespace(name: string): Promise<readonly ProcessIdentity[]> {
  if (!(await namespaceExists(name))) return [];
  const left = await endProcesses(await listProcesses(name));
  await runCommand(['flock', LOCK_PATH, 'ip', 'netns', 'del', name]);
  return left;
}

/** Processes whose network namespace this is. */
export async function listProcesses(name: string): Promise<readonly ProcessIdentity[]> {
  const { status, stdout } = await tryCommand(['ip', 'netns', 'pids', name]);
  if (status !== 0) return [];
  return toIdentities(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  );
}

/** Processes that carry the mark of a run, in whatever namespace. */
export function listMarkedProcesses(run: string): readonly ProcessIdentity[] {
  const mark = `${RUN_VARIABLE}=${run}`;
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && readEnvironment(pid).includes(mark));
  return toIdentities(pids);
}

/** Runs lines of `ip -batch` in a namespace: one process for many changes. */
export async function ipBatch(name: string, lines: readonly string[]): Promise<void> {
  if (lines.length > 0)
    await runCommand(['ip', '-n', name, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/**
 * Sets kernel parameters as a namespace sees them. Names are sysctl's; a slash stands for a dot
 * inside a device name.
 */
export async function writeSysctls(
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [key, value] of Object.entries(values)) {
    const path = `/proc/sys/${key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'))}`;
    await runCommand(['ip', 'netns', 'exec', name, 'tee', path], { input: value });
  }
}

function toIdentities(pids: readonly number[]): readonly ProcessIdentity[] {
  return pids.map((pid) => identify(pid)).filter((identity) => identity !== null);
}

function readEnvironment(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}
