import type { NodeReport } from '@etherloom/api';
import { nodeReportSchema } from '@etherloom/api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  REPORTS_KEPT_MAX,
  REPORTS_WAITING_MAX,
  REPORT_FRESH_MS,
  REPORT_WAIT_MS,
} from '../limits.ts';
import { ReportBook } from './report-book.ts';
import type { PassedReport } from './report-book.ts';

const REPORT: NodeReport = nodeReportSchema.parse({
  version: '0.1.0',
  port: 8_002,
  datapath: { running: true, restarts: 0, lanes: 1 },
  networks: [],
  peersTotal: 0,
  peersUp: 0,
  peers: [],
  drops: {},
  log: [],
});

interface Asked {
  readonly nodeId: string;
  readonly requestId: number;
  readonly peersMax: number;
}

let asked: Asked[];
let absent: Set<string>;
let elsewhere: Map<string, Promise<PassedReport | undefined>>;
let nowMs: number;
let book: ReportBook;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  absent = new Set();
  elsewhere = new Map();
  nowMs = 0;
  book = new ReportBook({
    now: () => nowMs,
    ask: (nodeId, requestId, peersMax) => {
      if (absent.has(nodeId)) return false;
      asked.push({ nodeId, requestId, peersMax });
      return true;
    },
    askElsewhere: (nodeId) => elsewhere.get(nodeId) ?? null,
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function answer(report = REPORT): void {
  const last = asked.at(-1);
  if (last !== undefined) book.take(last.nodeId, last.requestId, report);
}

test('gives what the node answers', async () => {
  const reading = book.read('a', 24);
  answer();
  expect(await reading).toEqual({
    held: { atMs: 0, peersMax: 24, report: REPORT },
    reason: null,
  });
});

describe('asks once', () => {
  test('while an answer is on its way', async () => {
    const readings = [book.read('a', 24), book.read('a', 24), book.read('a', 24)];
    answer();
    for (const { held } of await Promise.all(readings)) expect(held?.report).toBe(REPORT);
    expect(asked).toHaveLength(1);
  });

  test('while the last one is fresh, unless more peers are wanted', async () => {
    void book.read('a', 24);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    nowMs = REPORT_FRESH_MS;
    await book.read('a', 24);
    expect(asked).toHaveLength(1);
    void book.read('a', 96);
    expect(asked).toHaveLength(2);
    nowMs += 1;
  });
});

describe('never leaves whoever asks without an answer', () => {
  test('of a node that is not connected', async () => {
    absent.add('a');
    expect(await book.read('a', 24)).toMatchObject({
      held: null,
      reason: expect.stringContaining('not connected'),
    });
  });

  test('of a node that is silent: none, or the older report with the reason', async () => {
    const first = book.read('a', 24);
    await vi.advanceTimersByTimeAsync(REPORT_WAIT_MS);
    expect(await first).toMatchObject({ held: null, reason: expect.stringContaining('in time') });
    void book.read('a', 24);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    nowMs = REPORT_FRESH_MS + 1;
    const later = book.read('a', 24);
    await vi.advanceTimersByTimeAsync(REPORT_WAIT_MS);
    expect(await later).toMatchObject({
      held: { atMs: 0 },
      reason: expect.stringContaining('in time'),
    });
  });

  test('when very many are asked at once', async () => {
    for (let i = 0; i < REPORTS_WAITING_MAX; i += 1) void book.read(`n${i}`, 24);
    expect(await book.read('one more', 24)).toMatchObject({
      held: null,
      reason: expect.stringContaining('too many'),
    });
    await vi.advanceTimersByTimeAsync(REPORT_WAIT_MS);
    const reading = book.read('one more', 24);
    answer();
    expect((await reading).held, 'afterwards there is room').not.toBeNull();
  });
});

test('takes nothing that it has not asked for', async () => {
  book.take('a', 1, REPORT);
  const reading = book.read('a', 24);
  book.take('a', 99, REPORT);
  book.take('b', asked[0]?.requestId ?? 0, REPORT);
  await vi.advanceTimersByTimeAsync(REPORT_WAIT_MS);
  expect((await reading).held).toBeNull();
});

test('keeps the newest reports only', async () => {
  for (let i = 0; i <= REPORTS_KEPT_MAX; i += 1) {
    const reading = book.read(`n${i}`, 24);
    answer();
    await reading;
  }
  const before = asked.length;
  void book.read('n1', 24);
  expect(asked).toHaveLength(before);
  void book.read('n0', 24);
  expect(asked, 'the oldest made room').toHaveLength(before + 1);
});

describe('of a node whose link is at another controller', () => {
  const passed = (given: PassedReport | undefined) => {
    absent.add('a');
    elsewhere.set('a', Promise.resolve(given));
  };

  test('passes on what that one has, as old as it is', async () => {
    nowMs = 10_000;
    passed({ report: REPORT, ageMs: 1_000, reason: null });
    expect(await book.read('a', 24)).toEqual({
      held: { atMs: 9_000, peersMax: 24, report: REPORT },
      reason: null,
    });
    passed(undefined);
    expect((await book.read('a', 24)).reason, 'held for a moment as any other').toBeNull();
  });

  test('says why there is none', async () => {
    passed({ report: null, ageMs: 0, reason: 'its agent is not connected' });
    expect(await book.read('a', 24)).toEqual({ held: null, reason: 'its agent is not connected' });
    passed(undefined);
    expect(await book.read('a', 24)).toMatchObject({
      held: null,
      reason: expect.stringContaining('controller'),
    });
  });

  test('asks nobody further on behalf of another controller, not even while it asks itself', async () => {
    absent.add('a');
    elsewhere.set('a', new Promise(() => undefined));
    expect(await book.readHere('a', 24)).toMatchObject({ held: null });
    void book.read('a', 24);
    expect(await book.readHere('a', 24)).toMatchObject({ held: null });
  });
});
