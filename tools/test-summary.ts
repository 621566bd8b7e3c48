/**
 * Adds up the reports of all rings: vitest's JSON, and the last line `N passed, M failed` of each C
 * test program. A ring that failed without a report (a static check, a build, a crash) counts as
 * one failure, so that the sum never looks better than the run was.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What one ring did. */
export interface RingResult {
  readonly name: string;
  readonly hasSucceeded: boolean;
  readonly durationMs: number;
}

/** Tests of one ring or of all. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0 };

const plus = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** Reads vitest's JSON report. A test file that could not run at all counts as one failure. */
export function tallyOfVitest(json: string): Tally {
  // Shape of the report is vitest's; the test beside this file holds a real one.
  const report = JSON.parse(json) as {
    numPassedTests: number;
    numFailedTests: number;
    numPendingTests: number;
    numTodoTests: number;
    testResults: readonly { status: string; assertionResults: readonly unknown[] }[];
  };
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * Adds the lines `N passed, M failed` (each program of C tests prints one, with `, K skipped` where
 * it must).
 */
export function tallyOfLog(log: string): Tally {
  const lines = log.matchAll(/^(?:.*: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm);
  return [...lines]
    .map((line) => ({
      passed: Number(line[1]),
      failed: Number(line[2]),
      skipped: Number(line[3] ?? 0),
    }))
    .reduce(plus, NOTHING);
}

/** Reads what a ring left in the folder of reports; null without a report. */
export function readTally(folder: string, ring: string): Tally | null {
  const json = join(folder, `${ring}.json`);
  const log = join(folder, `${ring}.log`);
  if (existsSync(json)) return tallyOfVitest(readFileSync(json, 'utf8'));
  return existsSync(log) ? tallyOfLog(readFileSync(log, 'utf8')) : null;
}

/**
 * What a ring adds to the sum. A ring that failed adds at least one failure, whatever its report
 * says.
 */
export function countRing(ring: RingResult, report: Tally | null): Tally {
  const tally = report ?? NOTHING;
  return ring.hasSucceeded ? tally : { ...tally, failed: Math.max(1, tally.failed) };
}

export interface Summary {
  readonly lines: readonly string[];
  readonly exitStatus: 0 | 1;
}

/** The summary of a run. Its last line is `N passed, N failed` alone. */
export function summarize(
  rings: readonly RingResult[],
  reports: ReadonlyMap<string, Tally | null>,
  doSkipsFail: boolean,
): Summary {
  const counted = rings.map((ring) => ({
    ring,
    tally: countRing(ring, reports.get(ring.name) ?? null),
  }));
  const total = counted.map(({ tally }) => tally).reduce(plus, NOTHING);
  const failed = total.failed + (doSkipsFail ? total.skipped : 0);
  const lines = ['', 'Summary', ...counted.map(({ ring, tally }) => ringLine(ring, tally))];
  if (total.skipped > 0) {
    lines.push(
      `${total.skipped} skipped${doSkipsFail ? ', counted as failed: this run must leave nothing out' : ''}`,
    );
  }
  lines.push(`${total.passed} passed, ${failed} failed`);
  return { lines, exitStatus: failed === 0 ? 0 : 1 };
}

function ringLine(ring: RingResult, tally: Tally): string {
  const seconds = (ring.durationMs / 1000).toFixed(1).padStart(6);
  const tests = tally.passed + tally.failed + tally.skipped;
  const counts = [
    tally.passed > 0 ? `${tally.passed} passed` : '',
    tally.failed > 0 && tests > 1 ? `${tally.failed} failed` : '',
    tally.skipped > 0 ? `${tally.skipped} skipped` : '',
  ];
  const detail = counts.filter((count) => count !== '').join(', ');
  const verdict = ring.hasSucceeded ? 'ok    ' : 'FAILED';
  return `  ${verdict} ${ring.name.padEnd(26)} ${seconds} s  ${detail}`.trimEnd();
}
