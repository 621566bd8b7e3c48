/**
 * Loaded before a program (`node --import`): its wall clock is that of the machine and the
 * milliseconds that stand in the file CLOCK_SHIFT_FILE, read again at each look. The monotonic
 * clock is left as it is, as when somebody sets the clock of a host.
 */
import { readFileSync } from 'node:fs';

const path = process.env['CLOCK_SHIFT_FILE'] ?? '';
const RealDate = Date;
const shifted = (): number => RealDate.now() + Number(readFileSync(path, 'utf8'));

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) =>
    Reflect.construct(target, args.length === 0 ? [shifted()] : args, self) as object, // a Date
  // The rest is the real one's.
  get: (target, name) => (name === 'now' ? shifted : (Reflect.get(target, name) as unknown)),
});
