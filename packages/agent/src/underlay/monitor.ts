/**
 * Tells when interfaces, addresses or routes of the host change: `ip monitor` as a child, its
 * messages collected for a moment. The content is not read; it only says that it is time to look. A
 * slow poll covers a monitor that is missing or has lost messages.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { BackOff } from '../back-off.ts';
import { monotonicMs } from '../clock.ts';
import {
  MONITOR_RESTART_MS_MAX,
  MONITOR_RESTART_MS_MIN,
  UNDERLAY_DEBOUNCE_BUSY_MS,
  UNDERLAY_DEBOUNCE_MS,
  UNDERLAY_POLL_MS,
} from '../limits.ts';
import { randomUnit } from '../random.ts';

const SETPRIV = '/usr/bin/setpriv';

export interface UnderlayMonitor {
  readonly stop: () => void;
}

/** Calls `onChange` some time after each burst of changes and at least every UNDERLAY_POLL_MS. */
export function startUnderlayMonitor(onChange: () => void): UnderlayMonitor {
  const backOff = new BackOff({
    minMs: MONITOR_RESTART_MS_MIN,
    maxMs: MONITOR_RESTART_MS_MAX,
    random: randomUnit,
    jitter: 'half',
  });
  const timers: { debounce?: NodeJS.Timeout | undefined; restart?: NodeJS.Timeout } = {};
  let child: ChildProcess | undefined;
  let isStopped = false;
  let lastChangeMs = -Infinity;

  const settle = (): void => {
    const waitMs =
      monotonicMs() - lastChangeMs < 2 * UNDERLAY_DEBOUNCE_BUSY_MS
        ? UNDERLAY_DEBOUNCE_BUSY_MS
        : UNDERLAY_DEBOUNCE_MS;
    timers.debounce ??= setTimeout(() => {
      timers.debounce = undefined;
      lastChangeMs = monotonicMs();
      onChange();
    }, waitMs);
  };
  const run = (): void => {
    const [program = 'ip', ...args] = monitorCommand();
    child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout?.on('data', () => {
      backOff.reset();
      settle();
    });
    let hasEnded = false;
    const onEnd = (): void => {
      if (hasEnded || isStopped) return;
      hasEnded = true;
      timers.restart = setTimeout(run, backOff.nextMs());
      settle(); // what changed in between was not told
    };
    child.once('error', onEnd);
    child.once('exit', onEnd);
  };

  run();
  const poll = setInterval(onChange, UNDERLAY_POLL_MS);
  return {
    stop: () => {
      isStopped = true;
      clearInterval(poll);
      clearTimeout(timers.debounce);
      clearTimeout(timers.restart);
      child?.kill('SIGTERM');
    },
  };
}

/**
 * The monitor notices that its reader is gone only when it has something to say. With setpriv
 * (util-linux) the kernel ends it together with an agent that is killed.
 */
function monitorCommand(): string[] {
  const monitor = ['ip', '-o', 'monitor', 'address', 'link', 'route'];
  return existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'TERM', ...monitor] : monitor;
}
