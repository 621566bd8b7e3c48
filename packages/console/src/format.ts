/** Numbers and times as people read them. Time is a parameter, so that tests can set it. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes with three digits: `1.24 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${threeDigits(value, unit === 0)} ${UNITS[unit] ?? ''}`;
}

/** Bits a second of a rate in bytes: `38.1 Mbit/s`. */
export function formatRate(bytesPerSecond: number): string {
  let value = bytesPerSecond * 8;
  let unit = 0;
  const names = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];
  while (value >= 999.5 && unit < names.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${threeDigits(value, unit === 0)} ${names[unit] ?? ''}`;
}

function threeDigits(value: number, isWhole: boolean): string {
  if (isWhole) return String(Math.round(value));
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/** Whole numbers with thin groups: `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-GB');
}

/** One noun or several: `1 member`, `2 members`. */
export function formatNumberOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

const STEPS = [
  { seconds: 86_400, name: 'd' },
  { seconds: 3_600, name: 'h' },
  { seconds: 60, name: 'min' },
] as const;

/** A length of time by its largest unit: `3 d`, `12 min`, `8 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const step = STEPS.find((unit) => whole >= unit.seconds);
  return step === undefined ? `${whole} s` : `${Math.floor(whole / step.seconds)} ${step.name}`;
}

/** A time as seen from now: `just now`, `4 min ago`, `in 3 d`. */
export function formatSince(time: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(time)) / 1_000;
  if (Number.isNaN(seconds)) return 'unknown';
  if (Math.abs(seconds) < 5) return 'just now';
  return seconds > 0 ? `${formatDuration(seconds)} ago` : `in ${formatDuration(-seconds)}`;
}

/** A time in full, in the reader's zone and named so: `2026-03-01 14:05:09`. */
export function formatTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return 'unknown';
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A round-trip time in milliseconds with the digits that matter. */
export function formatRtt(ms: number): string {
  return ms < 1 ? `${ms.toFixed(2)} ms` : ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** The head of a long key or id, enough to compare by eye. */
export function shorten(text: string, chars = 8): string {
  return text.length <= chars + 1 ? text : `${text.slice(0, chars)}…`;
}
