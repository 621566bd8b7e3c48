/**
 * What a run of the benchmark found, and how it is shown: medians over the rounds, ratios to the
 * kernel's VXLAN, tables and one JSON document. Pure, so that the format that others read is
 * tested without a network.
 */

import type { Scenario } from './scenario.ts';
import { median, rounded } from './statistics.ts';

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
  readonly scenarios: readonly Scenario[];
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

/** The tables as text: contenders, their ratios to VXLAN, scenarios, and what was left out. */
export function formatTable(result: Result): string {
  const parts = [
    result.rows.length === 0 ? [] : contenderLines(result),
    result.scenarios.length === 0 ? [] : scenarioLines(result.scenarios),
    result.skipped.map(({ name, reason }) => `${name}: not measured, ${reason}`),
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function contenderLines(result: Result): string[] {
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
  return lines;
}

function scenarioLines(scenarios: readonly Scenario[]): string[] {
  const bound = ({ better }: Scenario, value: number | null): string =>
    value === null ? '' : `${better === 'more' ? '>=' : '<='} ${value}`;
  const rows = scenarios.map((scenario) => [
    scenario.name,
    `${scenario.value.toPrecision(3)} ${scenario.unit}`,
    scenario.reference === null
      ? ''
      : `${scenario.reference.value.toPrecision(3)} ${scenario.reference.name}`,
    scenario.ratio === null ? '' : scenario.ratio.toFixed(2),
    `${(scenario.error * 100).toFixed(1)} %`,
    bound(scenario, scenario.wanted),
    bound(scenario, scenario.aim),
    scenario.verdict ?? '',
  ]);
  const heading = ['', 'measured', 'beside', 'ratio', 'error', 'at least', 'aim', 'verdict'];
  return align([heading, ...rows]);
}

/** Columns of one width: the first to the left, the others to the right. */
export function align(rows: readonly (readonly string[])[]): string[] {
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
