/**
 * The data path's counters in the form that status shows: drops by name, reasons that never
 * happened left out.
 */
import { COUNTER_SCOPE, DROP_REASONS } from '@etherloom/core';
import type { ControlMessage } from '@etherloom/core';

export interface CounterRow {
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly receivedFrames: number;
  readonly receivedBytes: number;
  readonly sentDatagrams: number;
  /** Opened ones; counted for the whole and for peers. */
  readonly receivedDatagrams: number;
  readonly answeredLocally: number;
  readonly drops: Readonly<Record<string, number>>;
}

export interface Counters {
  readonly total: CounterRow;
  /** By VNI. */
  readonly networks: ReadonlyMap<number, CounterRow>;
  readonly peers: ReadonlyMap<number, CounterRow>;
}

/** What is shown for a scope that the data path has not counted. */
export const NO_COUNTS: CounterRow = {
  sentFrames: 0,
  sentBytes: 0,
  receivedFrames: 0,
  receivedBytes: 0,
  sentDatagrams: 0,
  receivedDatagrams: 0,
  answeredLocally: 0,
  drops: {},
};

/** Sorts the answer to a `counters` request. Numbers above 2^53 lose their last digits. */
export function readCounters(rows: readonly ControlMessage[]): Counters {
  const networks = new Map<number, CounterRow>();
  const peers = new Map<number, CounterRow>();
  let total = NO_COUNTS;
  for (const row of rows) {
    if (row.name !== 'counterEntry') continue;
    const {
      scope,
      id,
      sentFrames,
      sentBytes,
      receivedFrames,
      receivedBytes,
      sentDatagrams,
      receivedDatagrams,
      answeredLocally,
      drops,
    } = row.values;
    const counts = {
      sentFrames: Number(sentFrames),
      sentBytes: Number(sentBytes),
      receivedFrames: Number(receivedFrames),
      receivedBytes: Number(receivedBytes),
      sentDatagrams: Number(sentDatagrams),
      receivedDatagrams: Number(receivedDatagrams),
      answeredLocally: Number(answeredLocally),
      drops: readDrops(drops),
    };
    if (scope === COUNTER_SCOPE.total) total = counts;
    else if (scope === COUNTER_SCOPE.network) networks.set(id, counts);
    else if (scope === COUNTER_SCOPE.peer) peers.set(id, counts);
  }
  return { total, networks, peers };
}

function readDrops(bytes: Uint8Array): Record<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const drops: Record<string, number> = {};
  for (let index = 0; (index + 1) * 8 <= bytes.length; index++) {
    const count = Number(view.getBigUint64(index * 8));
    const [name = `reason_${index}`] = DROP_REASONS[index] ?? [];
    if (count > 0) drops[name] = count;
  }
  return drops;
}
