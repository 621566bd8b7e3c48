import { expect, test } from 'vitest';
import { processorSeconds, residentMibOf } from './process-cost.ts';

test('reads the memory that is in RAM, not what was asked for', () => {
  expect(residentMibOf('Name:\tx\nVmSize:\t  999999 kB\nVmRSS:\t   25600 kB\n')).toBe(25);
  expect(() => residentMibOf('Name:\tx\n')).toThrow('has ended');
});

test('processor time of a process that works grows', () => {
  const before = processorSeconds(process.pid);
  for (let turn = 0; processorSeconds(process.pid) === before; turn++)
    if (turn > 1e6) throw new Error('it does not grow');
  expect(processorSeconds(process.pid)).toBeGreaterThan(before);
});
