/** Ping between overlay addresses, with what was lost and when. */
import type { Namespace, World } from '@etherloom/lab';

export interface PingResult {
  readonly sent: number;
  readonly received: number;
  /** Arrival of each reply, seconds since 1970. */
  readonly repliesAt: readonly number[];
}

export interface PingOptions {
  readonly count: number;
  /** Seconds between requests. */
  readonly intervalSeconds?: number;
  /** Outgoing interface; needed where networks share addresses. */
  readonly interface?: string;
  /** Payload bytes. */
  readonly sizeBytes?: number;
  /** Refuses fragmentation. */
  readonly isUnfragmented?: boolean;
  /** The address is a broadcast address. */
  readonly isBroadcast?: boolean;
}

/** Pings to the end, whatever is lost. */
export async function ping(
  world: World,
  from: { readonly namespace: Namespace },
  address: string,
  options: PingOptions,
): Promise<PingResult> {
  const argv = [
    'ping',
    '-n',
    '-D',
    '-c',
    String(options.count),
    '-i',
    String(options.intervalSeconds ?? 0.05),
    '-W',
    '1',
    ...(options.interface === undefined ? [] : ['-I', options.interface]),
    ...(options.sizeBytes === undefined ? [] : ['-s', String(options.sizeBytes)]),
    ...(options.isUnfragmented === true ? ['-M', 'do'] : []),
    ...(options.isBroadcast === true ? ['-b'] : []),
    address,
  ];
  const { stdout, stderr } = await world.tryExec(from.namespace, argv, { timeoutMs: 120_000 });
  const summary = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  if (summary === null) throw new Error(`ping ${address} said: ${stdout}${stderr}`);
  const repliesAt = [...stdout.matchAll(/^\[(\d+\.\d+)\] \d+ bytes from/gm)].map(([, at]) =>
    Number(at),
  );
  return { sent: Number(summary[1]), received: Number(summary[2]), repliesAt };
}
