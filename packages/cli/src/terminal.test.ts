import { describe, expect, test } from 'vitest';
import {
  choosePalette,
  formatBytes,
  formatDuration,
  formatLatency,
  renderFields,
  renderTable,
} from './terminal.ts';

const plain = choosePalette(false, {});

test('aligns names left and numbers right, and leaves no blanks at line ends', () => {
  const rows = [
    ['a', '7', 'x'],
    ['bcd', '1234', ''],
  ];
  expect(renderTable(['NAME', '>VNI', 'NOTE'], rows, plain)).toBe(
    ['NAME   VNI  NOTE', 'a        7  x', 'bcd   1234'].join('\n'),
  );
});

test('marks cells without moving columns', () => {
  const colour = choosePalette(true, {});
  const rows = [[{ text: 'up', mark: colour.good }, 'x']];
  const text = renderTable(['STATE', 'PATH'], rows, colour);
  expect(text).toContain('\x1b[32mup   \x1b[0m  x');
});

test('aligns values of fields', () => {
  const fields = [
    ['A', '1'],
    ['Long', '2'],
  ] as const;
  expect(renderFields(fields, plain)).toBe('A     1\nLong  2');
});

test.each([
  ['no terminal', false, {}],
  ['NO_COLOR', true, { NO_COLOR: '1' }],
  ['a dumb terminal', true, { TERM: 'dumb' }],
])('prints no colour with %s', (_, isTerminal, env) => {
  expect(choosePalette(isTerminal, env).bad('text')).toBe('text');
});

describe('units', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 KB'],
    [1_536, '1.5 KB'],
    [99_960, '100 KB'],
    [999_600, '1.0 MB'],
    [268_435_456, '268 MB'],
    [1e18, '1000 PB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test.each([
    [null, '-'],
    [0.1234, '0.123 ms'],
    [12.345, '12.35 ms'],
    [123.45, '123.5 ms'],
  ])('%d ms of latency are %s', (latencyMs, text) => {
    expect(formatLatency(latencyMs)).toBe(text);
  });

  test.each([
    [null, '-'],
    [0, '0 ms'],
    [250, '250 ms'],
    [59_999, '59 s'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [90_061_000, '1 d 1 h'],
  ])('%d ms of duration are %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});
