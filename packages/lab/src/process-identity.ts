/**
 * Which process is meant: a pid alone is not enough, since the kernel gives it to another process
 * later. The start time in clock
 * ticks since boot (field 22 of /proc/PID/stat) with the boot id makes it one process for good.
 * Nothing here ends a process whose
 * start time is another one.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { KILL_GRACE_MS, POLL_INTERVAL_MS, TERMINATE_GRACE_MS } from './limits.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as text: it may pass 2^53 in theory and is only compared. */
  readonly startTime: string;
}

/** Random at every boot: what is recorded under another one has ended. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Identity of a running process, or null when there is none (a zombie counts as ended). */
export function identify(pid: number): ProcessIdentity | null {
  const fields = readStat(pid);
  if (fields === null || fields[0] === 'Z' || fields[0] === 'X') return null;
  const startTime = fields[19];
  return startTime === undefined ? null : { pid, startTime };
}

/** This process. */
export function identifySelf(): ProcessIdentity {
  const self = identify(process.pid);
  if (self === null) throw new Error('/proc/self/stat is unreadable: is /proc mounted?');
  return self;
}

/** Whether that very process runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Sends a signal to that very process; false when it has ended. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ends processes together: SIGTERM, a grace, SIGKILL to those that are left. Resolves to those that
 * still run.
 */
export async function endProcesses(
  identities: readonly ProcessIdentity[],
  graceMs: number = TERMINATE_GRACE_MS,
): Promise<readonly ProcessIdentity[]> {
  for (const identity of identities) signalProcess(identity, 'SIGTERM');
  let left = await waitForEnd(identities, graceMs);
  for (const identity of left) signalProcess(identity, 'SIGKILL');
  left = await waitForEnd(left, KILL_GRACE_MS);
  return left;
}

async function waitForEnd(
  identities: readonly ProcessIdentity[],
  limitMs: number,
): Promise<readonly ProcessIdentity[]> {
  const end = performance.now() + limitMs;
  for (;;) {
    const left = identities.filter(isRunning);
    if (left.length === 0 || performance.now() >= end) return left;
    await sleep(POLL_INTERVAL_MS);
  }
}

/**
 * Fields of /proc/PID/stat from the third (state) on; the second is a name that may hold spaces and
 * brackets.
 */
function readStat(pid: number): readonly string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
