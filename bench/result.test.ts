import { expect, test } from 'vitest';
import { formatTable, median, rowOf } from './result.ts';
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

test('the median is the middle, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow('needs a value');
});

test('a row holds the median of each column', () => {
  expect(rowOf('x', [sample(1), sample(3), sample(2)])).toEqual({ name: 'x', ...sample(2) });
});

test('shows a table, ratios to VXLAN and what was not measured', () => {
  const rows = [rowOf('vxlan', [sample(1)]), rowOf('etherloom', [sample(0.5)])];
  const skipped = [{ name: 'wireguard-go', reason: 'it is not installed' }];
  expect(formatTable({ machine, rows, skipped })).toBe(`\
           TCP Gbit/s  reverse  4 streams  UDP 64 B kpps  ping ms  CPU s/Gbit
vxlan           10.00     9.00      12.00            150    0.020       0.100
etherloom        5.00     4.50       6.00             75    0.010       0.050

Ratio to vxlan (ping and CPU: less is better)
           TCP Gbit/s  reverse  4 streams  UDP 64 B kpps  ping ms  CPU s/Gbit
etherloom        0.50     0.50       0.50           0.50     0.50        0.50
wireguard-go: not measured, it is not installed`);
});

test('without VXLAN there are no ratios', () => {
  expect(formatTable({ machine, rows: [rowOf('veth', [sample(1)])], skipped: [] })).not.toContain(
    'Ratio',
  );
});
