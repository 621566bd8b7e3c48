import { expect, test } from 'vitest';
import { formatTable, rowOf } from './result.ts';
import type { Machine, Sample } from './result.ts';

const sample = (scale: number): Sample => ({
  tcpGbps: 10 * scale,
  tcpReverseGbps: 9 * scale,
  tcp4Gbps: 12 * scale,
  udp64Kpps: 150 * scale,
  pingMs: 0.02 * scale,
  cpuSecondsPerGbit: 0.1 * scale,
});

// The table shows nothing of the machine.
const machine = {} as Machine;

test('a row holds the median of each column', () => {
  expect(rowOf('x', [sample(1), sample(3), sample(2)])).toEqual({ name: 'x', ...sample(2) });
});

test('shows a table, ratios to VXLAN and what was not measured', () => {
  const rows = [rowOf('vxlan', [sample(1)]), rowOf('etherloom', [sample(0.5)])];
  const skipped = [{ name: 'wireguard-go', reason: 'it is not installed' }];
  expect(formatTable({ machine, rows, skipped, scenarios: [] })).toBe(`\
           TCP Gbit/s  reverse  4 streams  UDP 64 B kpps  ping ms  CPU s/Gbit
vxlan           10.00     9.00      12.00            150    0.020       0.100
etherloom        5.00     4.50       6.00             75    0.010       0.050

Ratio to vxlan (ping and CPU: less is better)
           TCP Gbit/s  reverse  4 streams  UDP 64 B kpps  ping ms  CPU s/Gbit
etherloom        0.50     0.50       0.50           0.50     0.50        0.50

wireguard-go: not measured, it is not installed`);
});

test('without VXLAN there are no ratios', () => {
  expect(
    formatTable({ machine, rows: [rowOf('veth', [sample(1)])], skipped: [], scenarios: [] }),
  ).not.toContain('Ratio');
});

test('shows scenarios with what is wanted of them', () => {
  const scenarios = [
    {
      name: 'one stream / vxlan',
      value: 6,
      unit: 'Gbit/s',
      better: 'more',
      reference: { name: 'vxlan', value: 10 },
      ratio: 0.6,
      error: 0.0123,
      wanted: 0.5,
      aim: 0.65,
      verdict: 'enough',
    },
    {
      name: 'idle CPU',
      value: 0.04,
      unit: '% of a core',
      better: 'less',
      reference: null,
      ratio: null,
      error: 0,
      wanted: 1,
      aim: null,
      verdict: 'enough',
    },
  ] as const;
  expect(formatTable({ machine, rows: [], skipped: [], scenarios })).toBe(`\
                              measured      beside  ratio  error  at least      aim  verdict
one stream / vxlan         6.00 Gbit/s  10.0 vxlan   0.60  1.2 %    >= 0.5  >= 0.65   enough
idle CPU            0.0400 % of a core                     0.0 %      <= 1            enough`);
});
