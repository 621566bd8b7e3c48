/**
 * vouched.json: the members that vouchers have let in, and how this host itself came in by one. It
 * holds the join token until a controller has taken the host in, so it is as secret as the node's
 * keys beside it.
 */
import { join } from 'node:path';
import {
  JOIN_TOKEN_CHARS_MAX,
  NETWORK_VOUCHED_MAX,
  NODE_NETWORKS_MAX,
  idSchema,
  signedStatementSchema,
} from '@etherloom/api';
import { z } from 'zod';
import { deleteStateFile, readStateFile, writeStateFile } from '../disk/state-file.ts';
import type { StateFileKind } from '../disk/state-file.ts';

const ownSchema = z.strictObject({
  networkId: idSchema,
  introduction: signedStatementSchema,
  /** With what it let itself in. */
  token: z.string().max(JOIN_TOKEN_CHARS_MAX),
  /** A controller has taken the token; its roster has not come yet. */
  isGranted: z.boolean(),
});
/** The membership that this host has made for itself. */
export type OwnVouching = z.infer<typeof ownSchema>;

const vouchedSchema = z.strictObject({
  introductions: z.array(signedStatementSchema).max(NETWORK_VOUCHED_MAX * NODE_NETWORKS_MAX),
  own: ownSchema.nullable(),
});
/** All that is kept. */
export type VouchedRecord = z.infer<typeof vouchedSchema>;

const VOUCHED: StateFileKind<typeof vouchedSchema> = {
  kind: 'vouched',
  schema: vouchedSchema,
  recovery:
    'Delete the file and start the agent again: members that vouchers let in are heard of again; a host that came in by one leaves the network and joins again.',
};

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'vouched.json');
}

/** Throws AgentError for a file that is damaged. */
export function readVouched(stateDirectory: string): VouchedRecord {
  return readStateFile(pathIn(stateDirectory), VOUCHED) ?? { introductions: [], own: null };
}

/** Throws AgentError when the disk does not take it; the former file is whole then. */
export function writeVouched(stateDirectory: string, record: VouchedRecord): void {
  if (record.own === null && record.introductions.length === 0)
    deleteStateFile(pathIn(stateDirectory));
  else writeStateFile(pathIn(stateDirectory), VOUCHED, record);
}
