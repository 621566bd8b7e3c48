/**
 * The endpoint records that peers have signed, on disk: a host that starts where no controller is
 * reached tries its peers where they said last. A hint and no more: a file that is damaged or gone
 * costs a search, so it is left out and told.
 */
import { join } from 'node:path';
import { nodeIdSchema } from '@etherloom/api';
import { z } from 'zod';
import { readStateFile, writeStateFile } from './disk/state-file.ts';
import type { StateFileKind } from './disk/state-file.ts';

/** Longest record as base64url: 381 bytes. */
const RECORD_TEXT_CHARS_MAX = 508;

const recordsSchema = z.strictObject({
  records: z.record(nodeIdSchema, z.base64url().max(RECORD_TEXT_CHARS_MAX)),
});

const ENDPOINT_RECORDS: StateFileKind<typeof recordsSchema> = {
  kind: 'endpoint-records',
  schema: recordsSchema,
  recovery: 'It is written anew with what peers say next.',
};

/** By node id, base64url. */
export type StoredRecords = Readonly<Record<string, string>>;

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'endpoint-records.json');
}

/** Throws AgentError for a file that is damaged. */
export function readRecords(stateDirectory: string): StoredRecords {
  return readStateFile(pathIn(stateDirectory), ENDPOINT_RECORDS)?.records ?? {};
}

/** Throws AgentError when the disk does not take it; the former file is whole then. */
export function writeRecords(stateDirectory: string, records: StoredRecords): void {
  writeStateFile(pathIn(stateDirectory), ENDPOINT_RECORDS, { records: { ...records } });
}
