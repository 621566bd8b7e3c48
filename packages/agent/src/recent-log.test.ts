import { pino } from 'pino';
import { expect, test } from 'vitest';
import { RECENT_LOG_LINES } from './limits.ts';
import { RecentLog } from './recent-log.ts';

function makeLog() {
  const written: string[] = [];
  const recent = new RecentLog({ write: (line) => written.push(line) });
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, recent);
  return { log, recent, written };
}

test('passes every line on, and keeps time, level and message of the last', () => {
  const { log, recent, written } = makeLog();
  for (let i = 0; i < RECENT_LOG_LINES + 5; i += 1) log.warn({ secret: 'hunter2' }, `line ${i}`);
  expect(written).toHaveLength(RECENT_LOG_LINES + 5);
  const lines = recent.lines();
  expect(lines).toHaveLength(RECENT_LOG_LINES);
  expect(lines[0]).toEqual({ time: expect.any(String), level: 'warn', message: 'line 5' });
  expect(JSON.stringify(lines), 'fields stay on the host').not.toContain('hunter2');
});

test('cuts long messages, and leaves out what is no line of a log', () => {
  const { log, recent } = makeLog();
  log.info('x'.repeat(1_000));
  recent.write('no JSON');
  recent.write('{"time":1}');
  expect(recent.lines().map(({ message }) => message.length)).toEqual([300]);
});
