/** What is looked at all the while: memory of every process, and drops by reason. */
import type { LabController } from '@etherloom/lab';
import { residentBytes } from '../netns/process-memory.ts';
import type { SoakHost } from './hosts.ts';

/** Reasons that churn, loss, reordering and duplicates explain. */
const EXPECTED_DROPS: ReadonlySet<string> = new Set([
  'unicast_unknown',
  'neighbour_unknown',
  'session_missing',
  'endpoint_missing',
  'send_failed',
  'session_unknown',
  'session_expired',
  'counter_replayed',
  'counter_too_old',
  'network_unknown',
  'peer_not_member',
  'destination_unknown',
  'port_full',
  'agent_absent',
]);
/** A process counts for the slope when it lived this part of the run at least. */
const LIFE_PART_MIN = 0.4;
/** Of the life of a process: heaps find their size. */
const WARM_UP_PART = 0.3;
const MEGABYTE = 1_048_576;

export interface MemorySeries {
  readonly name: string;
  readonly points: { readonly atMs: number; readonly bytes: number }[];
}

export interface MemoryVerdict {
  readonly name: string;
  readonly minutes: number;
  readonly lastMb: number;
  readonly maxMb: number;
  /** Growth by a line through the points after the warm-up, over their time. */
  readonly growthMb: number;
  readonly growthMbPerHour: number;
}

export class Watch {
  readonly #memory = new Map<string, MemorySeries>();
  /** By host and data path, since a data path's counters end with it. */
  readonly #drops = new Map<string, Readonly<Record<string, number>>>();
  readonly refusals = new Map<string, number>();

  /** Takes a look at everything; what is being restarted is left out. */
  async look(hosts: readonly SoakHost[], controller: LabController, atMs: number): Promise<void> {
    this.#weigh('controller', controller.process.identity.pid, atMs);
    for (const { label, agent } of hosts) {
      this.#weigh(`agent of ${label}`, agent.process.identity.pid, atMs);
      const status = await agent.status().catch(() => undefined);
      const pid = status?.datapath.pid;
      if (status === undefined || pid === null || pid === undefined) continue;
      this.#weigh(`data path of ${label}`, pid, atMs);
      this.#drops.set(`${label} ${pid}`, status.drops);
      for (const [reason, count] of Object.entries(status.refusals))
        this.refusals.set(`${label} ${reason}`, count);
    }
  }

  /** Drops of all data paths by reason. */
  drops(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const counts of this.#drops.values())
      for (const [reason, count] of Object.entries(counts))
        sums[reason] = (sums[reason] ?? 0) + count;
    return sums;
  }

  /** Drops that nothing in a soak explains. */
  unexpectedDrops(): readonly string[] {
    return [...this.#drops].flatMap(([where, counts]) =>
      Object.entries(counts)
        .filter(([reason, count]) => count > 0 && !EXPECTED_DROPS.has(reason))
        .map(([reason, count]) => `${where}: ${reason} ${count}`),
    );
  }

  /** Processes that lived long enough to have a slope. */
  verdicts(runMs: number): readonly MemoryVerdict[] {
    return [...this.#memory.values()].flatMap((series) => {
      const verdict = verdictOf(series);
      return verdict.minutes * 60_000 >= runMs * LIFE_PART_MIN ? [verdict] : [];
    });
  }

  /** Most that any process of a kind ever had. */
  peaksMb(): Readonly<Record<string, number>> {
    const peaks: Record<string, number> = {};
    for (const { name, points } of this.#memory.values()) {
      const kind = name.replace(/ of .*| \d+$/g, '');
      const peak = Math.max(...points.map(({ bytes }) => bytes)) / MEGABYTE;
      peaks[kind] = Math.max(peaks[kind] ?? 0, Math.round(peak));
    }
    return peaks;
  }

  #weigh(name: string, pid: number, atMs: number): void {
    let bytes: number;
    try {
      bytes = residentBytes(pid);
    } catch {
      return;
    }
    const key = `${name} ${pid}`;
    const series = this.#memory.get(key) ?? { name: key, points: [] };
    this.#memory.set(key, series);
    series.points.push({ atMs, bytes });
  }
}

/** Least squares over the points after the warm-up. */
export function verdictOf({ name, points }: MemorySeries): MemoryVerdict {
  const first = points[0]?.atMs ?? 0;
  const last = points.at(-1)?.atMs ?? first;
  const from = first + (last - first) * WARM_UP_PART;
  const warm = points.filter(({ atMs }) => atMs >= from);
  const meanAt = meanOf(warm.map(({ atMs }) => atMs));
  const meanBytes = meanOf(warm.map(({ bytes }) => bytes));
  const covariance = sumOf(warm.map(({ atMs, bytes }) => (atMs - meanAt) * (bytes - meanBytes)));
  const variance = sumOf(warm.map(({ atMs }) => (atMs - meanAt) ** 2));
  const bytesPerMs = variance === 0 ? 0 : covariance / variance;
  return {
    name,
    minutes: round((last - first) / 60_000),
    lastMb: round((points.at(-1)?.bytes ?? 0) / MEGABYTE),
    maxMb: round(Math.max(...points.map(({ bytes }) => bytes)) / MEGABYTE),
    growthMb: round((bytesPerMs * (last - from)) / MEGABYTE),
    growthMbPerHour: round((bytesPerMs * 3_600_000) / MEGABYTE),
  };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : sumOf(values) / values.length;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
