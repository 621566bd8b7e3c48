/** What a process uses: processor time and memory, of itself or read from /proc. */
import { readFileSync } from 'node:fs';

export interface ProcessUse {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** The kernel gives times in /proc in hundredths of a second, whatever it counts in (USER_HZ). */
const USER_HZ = 100;

/** Of this process. */
export function ownUse(): ProcessUse {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
}

/** Of another process; undefined when it is gone. */
export function useOf(pid: number): ProcessUse | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return parseUse(stat, readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** proc(5): utime and stime are fields 14 and 15 of stat, VmRSS is a line of status, in kB. */
export function parseUse(stat: string, status: string): ProcessUse | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (resident === undefined) return undefined;
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / USER_HZ,
    residentBytes: Number(resident) * 1_024,
  };
}
