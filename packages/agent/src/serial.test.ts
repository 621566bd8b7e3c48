import { expect, test } from 'vitest';
import { SerialJob } from './serial.ts';

test('never runs twice at once, and joins the wishes that come while it runs', async () => {
  let running = 0;
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const job = new SerialJob(async () => {
    running += 1;
    runs += 1;
    expect(running).toBe(1);
    await gate.promise;
    running -= 1;
  });
  const wishes = [job.request(), job.request(), job.request()];
  gate.resolve();
  await Promise.all(wishes);
  expect(runs).toBe(2);
});

test('runs again for a wish that comes after its run', async () => {
  let runs = 0;
  const job = new SerialJob(() => Promise.resolve(void (runs += 1)));
  await job.request();
  await job.request();
  await job.idle();
  expect(runs).toBe(2);
});
