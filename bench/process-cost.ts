/** What a process costs, read from /proc. */
import { readFileSync, readdirSync } from 'node:fs';

/** Processor time of all threads that a process has, seconds: the kernel counts in nanoseconds. */
export function processorSeconds(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [ran = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(ran);
  });
  return nanoseconds.reduce((sum, ran) => sum + ran, 0) / 1e9;
}

/** Memory of a process that is in RAM, MiB. */
export function residentMib(pid: number): number {
  return residentMibOf(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** The same from the text of /proc/PID/status. */
export function residentMibOf(status: string): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error('a process without memory: it has ended');
  return Number(kib) / 1_024;
}
