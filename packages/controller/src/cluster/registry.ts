/**
 * Which controllers there are: each says every HEARTBEAT_MS that it runs, and finds those that have
 * not said so for CONTROLLER_GONE_MS. Times are of the database's clock.
 *
 * Nobody is found gone by one that could not reach the database itself for as long: when it was
 * away for all, all are late.
 */
import type { Bus } from '../store/bus.ts';
import { DATABASE_NOW } from '../store/postgres-bus.ts';
import { CONTROLLERS_MAX } from '@etherloom/api';
import { CONTROLLER_GONE_MS, CONTROLLER_KEPT_MS } from '../limits.ts';

export interface ControllerView {
  readonly id: string;
  readonly urls: readonly string[];
  readonly version: string;
  readonly isUp: boolean;
}

export interface OwnEntry {
  readonly id: string;
  /** Of this start. */
  readonly instance: string;
  readonly urls: readonly string[];
  readonly version: string;
}

export interface Beat {
  readonly controllers: readonly ControllerView[];
  /** Its links were given up by the others: they have to be entered again. */
  readonly wasGone: boolean;
  /** Another process runs under the same id. */
  readonly isDoubled: boolean;
}

interface Row {
  readonly id: string;
  readonly instance: string;
  readonly urls: string;
  readonly version: string;
  readonly stopped_at_ms: number | null;
}

/** Says that this controller runs, sweeps those that are gone when `maySweep`, lists all. */
export async function beat(bus: Bus, own: OwnEntry, maySweep: boolean): Promise<Beat> {
  const [before] = await bus.query<Row>('select * from controllers where id = $1', [own.id]);
  await bus.query(
    `insert into controllers (id, instance, urls, version, heard_at_ms, stopped_at_ms)
     values ($1, $2, $3, $4, ${DATABASE_NOW}, null)
     on conflict (id) do update set instance = $2, urls = $3, version = $4,
       heard_at_ms = ${DATABASE_NOW}, stopped_at_ms = null`,
    [own.id, own.instance, JSON.stringify(own.urls), own.version],
  );
  if (maySweep) await sweep(bus);
  const rows = await bus.query<Row>(
    `select id, instance, urls, version, stopped_at_ms from controllers
     order by stopped_at_ms is not null, stopped_at_ms desc, id limit $1`,
    [CONTROLLERS_MAX],
  );
  return {
    controllers: rows.map(toView).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    wasGone: before !== undefined && before.stopped_at_ms !== null,
    isDoubled: before !== undefined && before.instance !== own.instance,
  };
}

function toView(row: Row): ControllerView {
  const { id, version, stopped_at_ms } = row;
  const urls = JSON.parse(row.urls) as string[]; // written by beat
  return { id, urls, version, isUp: stopped_at_ms === null };
}

/** The links of a controller that is gone ended with it. */
async function sweep(bus: Bus): Promise<void> {
  const gone = await bus.query<{ id: string }>(
    `update controllers set stopped_at_ms = ${DATABASE_NOW}
     where stopped_at_ms is null and heard_at_ms < ${DATABASE_NOW} - $1 returning id`,
    [CONTROLLER_GONE_MS],
  );
  for (const { id } of gone) await closeLinks(bus, id);
  await bus.query(`delete from controllers where stopped_at_ms < ${DATABASE_NOW} - $1`, [
    CONTROLLER_KEPT_MS,
  ]);
}

async function closeLinks(bus: Bus, controllerId: string): Promise<void> {
  await bus.query(
    `update links set closed_at_ms = ${DATABASE_NOW} where controller_id = $1 and closed_at_ms is null`,
    [controllerId],
  );
}

/** At the end of an ordered stop. */
export async function signOff(bus: Bus, own: OwnEntry): Promise<void> {
  await bus.query(
    `update controllers set stopped_at_ms = ${DATABASE_NOW} where id = $1 and instance = $2`,
    [own.id, own.instance],
  );
  await closeLinks(bus, own.id);
}
