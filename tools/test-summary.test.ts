import { expect, test } from 'vitest';
import { countRing, summarize, tallyOfLog, tallyOfVitest } from './test-summary.ts';

const ring = (name: string, hasSucceeded: boolean) => ({ name, hasSucceeded, durationMs: 1234 });

const vitestReport = (file: object): string =>
  JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 1,
    numPendingTests: 2,
    numTodoTests: 1,
    testResults: [file],
  });

test('reads a report of vitest and counts todos as skipped', () => {
  const report = vitestReport({ status: 'failed', assertionResults: [{}] });
  expect(tallyOfVitest(report)).toEqual({ passed: 3, failed: 1, skipped: 3 });
});

test('counts a test file that could not run as a failure', () => {
  const report = vitestReport({ status: 'failed', assertionResults: [] });
  expect(tallyOfVitest(report).failed).toBe(2);
});

test('adds the last lines of all C test programs and nothing else', () => {
  const log =
    'ok 1\n12 passed, 0 failed\ntest_fdb: 3 passed, 1 failed\nwe had 5 passed, 5 failed tries\n2 passed, 0 failed, 4 skipped\n';
  expect(tallyOfLog(log)).toEqual({ passed: 17, failed: 1, skipped: 4 });
});

test('a ring that failed adds a failure even when its report has none', () => {
  expect(countRing(ring('x', false), { passed: 5, failed: 0, skipped: 0 })).toEqual({
    passed: 5,
    failed: 1,
    skipped: 0,
  });
});

test('a check without a report adds nothing when it passes and one failure when not', () => {
  expect(countRing(ring('x', true), null)).toEqual({ passed: 0, failed: 0, skipped: 0 });
  expect(countRing(ring('x', false), null)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test('the last line is the sum alone', () => {
  const reports = new Map([
    ['a', { passed: 5, failed: 0, skipped: 0 }],
    ['b', { passed: 2, failed: 1, skipped: 0 }],
  ]);
  const summary = summarize([ring('a', true), ring('b', false), ring('c', false)], reports, false);
  expect(summary.lines.at(-1)).toBe('7 passed, 2 failed');
  expect(summary.exitStatus).toBe(1);
});

test('everything passed is exit status 0', () => {
  const summary = summarize(
    [ring('a', true)],
    new Map([['a', { passed: 5, failed: 0, skipped: 0 }]]),
    true,
  );
  expect(summary).toEqual({
    lines: [
      '',
      'Summary',
      '  ok     a                             1.2 s  5 passed',
      '5 passed, 0 failed',
    ],
    exitStatus: 0,
  });
});

test('a skipped test is a failure where nothing may be left out', () => {
  const reports = new Map([['a', { passed: 5, failed: 0, skipped: 2 }]]);
  expect(summarize([ring('a', true)], reports, true).lines.at(-1)).toBe('5 passed, 2 failed');
  expect(summarize([ring('a', true)], reports, true).exitStatus).toBe(1);
  expect(summarize([ring('a', true)], reports, false).lines.slice(-2)).toEqual([
    '2 skipped',
    '5 passed, 0 failed',
  ]);
  expect(summarize([ring('a', true)], reports, false).exitStatus).toBe(0);
});
