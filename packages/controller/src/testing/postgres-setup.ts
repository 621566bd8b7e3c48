/** Set-up of the vitest project `postgres`: one server for all of its files. */
import { startPostgres } from '@etherloom/lab';
import type { PostgresServer } from '@etherloom/lab';
import type { TestProject } from 'vitest/node';
import { openPostgres } from '../store/postgres-engine.ts';
import { parsePostgresUrl } from '../store/postgres-target.ts';
import { TEMPLATE_DATABASE } from './template-database.ts';

let server: PostgresServer | undefined;

/** Starts it, with a database that has the tables. */
export async function setup(project: TestProject): Promise<void> {
  server = await startPostgres();
  await server.sql('postgres', `create database ${TEMPLATE_DATABASE}`);
  const template = parsePostgresUrl(server.url(TEMPLATE_DATABASE), 'argument');
  await (await openPostgres(template)).close();
  project.provide('postgresUrl', server.url('DATABASE'));
}

/** Ends it. */
export async function teardown(): Promise<void> {
  await server?.remove();
}
