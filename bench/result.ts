/**
 * What a run of the benchmark found, and how it is shown: medians over the rounds, ratios to the
 * kernel's VXLAN, one table and one JSON document. Pure, so that the format that others read is
 * tested without a network.
 */

/** What one round measured of one contender. */
export interface Sample {
  readonly tcpGbps: number;
  readonly tcpReverseGbps: number;
  readonly tcp4Gbps: number;
  readonly udp64Kpps: number;
  readonly pingMs: number;
  readonly cpuSecondsPerGbit: number;
}

/** A row of the result: medians of the samples. */
export interface Row extends Sample {
  readonly name: string;
}

/** A contender that did not take part, and why. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly congestionControl: string;
  readonly underlay: string;
  readonly rounds: number;
  readonly secondsPerMeasurement: number;
}

/** The JSON document. */
export interface Result {
  readonly machine: Machine;
  readonly rows: readonly Row[];
  readonly skipped: readonly Skipped[];
}

/** Columns in order: key, heading, decimals, and whether more is better. */
export const COLUMNS = [
  ['tcpGbps', 'TCP Gbit/s', 2],
  ['tcpReverseGbps', 'reverse', 2],
  ['tcp4Gbps', '4 streams', 2],
  ['udp64Kpps', 'UDP 64 B kpps', 0],
  ['pingMs', 'ping ms', 3],
  ['cpuSecondsPerGbit', 'CPU s/Gbit', 3],
] as const satisfies readonly (readonly [keyof Sample, string, number])[];

/** The contender that ratios are made to. */
export const REFERENCE = 'vxlan';

/**
 * Middle value; the mean of the two middle ones of an even count. Throws without values: there is
 * no honest answer.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('a median needs a value');
  return (upper + lower) / 2;
}

/** Row of a contender from its rounds. */
export function rowOf(name: string, samples: readonly Sample[]): Row {
  const of = (key: keyof Sample): number => rounded(median(samples.map((sample) => sample[key])));
  return {
    name,
    tcpGbps: of('tcpGbps'),
    tcpReverseGbps: of('tcpReverseGbps'),
    tcp4Gbps: of('tcp4Gbps'),
    udp64Kpps: of('udp64Kpps'),
    pingMs: of('pingMs'),
    cpuSecondsPerGbit: of('cpuSecondsPerGbit'),
  };
}

/** Four significant places are more than a short run can know. */
const rounded = (value: number): number => Number(value.toPrecision(4));

/** The table as text, with the ratios to VXLAN in a second one. */
export function formatTable(result: Result): string {
  const heading = ['', ...COLUMNS.map(([, title]) => title)];
  const rows = result.rows.map((row) => [
    row.name,
    ...COLUMNS.map(([key, , places]) => row[key].toFixed(places)),
  ]);
  const reference = result.rows.find(({ name }) => name === REFERENCE);
  const lines = [...align([heading, ...rows])];
  if (reference !== undefined && result.rows.length > 1) {
    const ratios = result.rows
      .filter(({ name }) => name !== REFERENCE)
      .map((row) => [row.name, ...COLUMNS.map(([key]) => (row[key] / reference[key]).toFixed(2))]);
    lines.push(
      '',
      `Ratio to ${REFERENCE} (ping and CPU: less is better)`,
      ...align([heading, ...ratios]),
    );
  }
  lines.push(...result.skipped.map(({ name, reason }) => `${name}: not measured, ${reason}`));
  return lines.join('\n');
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
}
