import { expect, test } from 'vitest';
import { mainScenarios } from './main-scenarios.ts';
import type { Sample } from './result.ts';

const sample = (scale: number, pingMs = 0.1): Sample => ({
  tcpGbps: 10 * scale,
  tcpReverseGbps: 9 * scale,
  tcp4Gbps: 12 * scale,
  udp64Kpps: 150 * scale,
  pingMs,
  cpuSecondsPerGbit: 0.1 / scale,
});

const rounds = (scale: number, pingMs?: number): Sample[] => [
  sample(scale, pingMs),
  sample(scale, pingMs),
];

test('each column is judged beside its own reference', () => {
  const found = mainScenarios(
    new Map([
      ['vxlan', rounds(1)],
      ['etherloom', rounds(0.6, 0.05)],
      ['wireguard-go', rounds(0.1, 0.2)],
    ]),
  );
  expect(found.map(({ name, ratio, verdict }) => [name, ratio, verdict])).toEqual([
    ['one stream / vxlan', 0.6, 'enough'],
    ['one stream / wireguard-go', 6, 'aim'],
    ['one stream back / vxlan', 0.6, null],
    ['four streams / vxlan', 0.6, 'aim'],
    ['64-byte UDP / vxlan', 0.6, 'missed'],
    ['ping / best in user space', 0.25, 'aim'],
    ['CPU per Gbit / vxlan', 1.667, null],
  ]);
});

test('ping is held against whichever other program is better', () => {
  const reference = (wireguardMs: number, zerotierMs: number): string | undefined =>
    mainScenarios(
      new Map([
        ['etherloom', rounds(1, 0.05)],
        ['wireguard-go', rounds(1, wireguardMs)],
        ['zerotier', rounds(1, zerotierMs)],
      ]),
    ).find(({ name }) => name.startsWith('ping'))?.reference?.name;
  expect(reference(0.2, 0.1)).toBe('zerotier');
  expect(reference(0.1, 0.2)).toBe('wireguard-go');
});

test('what was not measured is no reference', () => {
  expect(mainScenarios(new Map([['vxlan', rounds(1)]]))).toEqual([]);
  expect(mainScenarios(new Map([['etherloom', rounds(1)]]))).toEqual([]);
});
