/**
 * Answers to looks as texts. Reports repeat themselves: packed they are an eighth. What comes is
 * unpacked up to a bound and parsed as anything from outside is.
 */
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { agentProblemSchema, nodeIdSchema, nodeReportSchema } from '@etherloom/api';
import { z } from 'zod';
import { AGENT_MESSAGE_BYTES_MAX, LOOK_NODES_MAX, LOOK_PIECE_BYTES } from '../limits.ts';
import { PROBLEMS_KEPT_MAX } from '../limits.ts';

const pack = promisify(deflateRaw);
const unpack = promisify(inflateRaw);

const entrySchema = z.object({
  nodeId: nodeIdSchema,
  report: nodeReportSchema.nullable(),
  ageMs: z.number().nonnegative().describe('of the report'),
  reason: z.string().max(200).nullable().describe('why there is none, or an older one'),
  problems: z.array(agentProblemSchema).max(PROBLEMS_KEPT_MAX),
});
/** What the controller of a node's link says of it. */
export type LookEntry = z.infer<typeof entrySchema>;

const entriesSchema = z.array(entrySchema).max(LOOK_NODES_MAX);

/** A piece may be begun below its bound and end with one whole entry more. */
const UNPACKED_BYTES_MAX = LOOK_PIECE_BYTES + 2 * AGENT_MESSAGE_BYTES_MAX;

/** Entries as texts, each of about LOOK_PIECE_BYTES before it is packed. */
export async function packEntries(entries: readonly LookEntry[]): Promise<string[]> {
  const pieces: string[][] = [];
  let bytes = LOOK_PIECE_BYTES;
  for (const entry of entries) {
    const text = JSON.stringify(entry);
    if (bytes >= LOOK_PIECE_BYTES) {
      pieces.push([]);
      bytes = 0;
    }
    bytes += Buffer.byteLength(text);
    pieces.at(-1)?.push(text);
  }
  return await Promise.all(
    pieces.map(async (texts) => (await pack(`[${texts.join()}]`)).toString('base64')),
  );
}

/** Rejects with what is wrong with it. */
export async function unpackEntries(packed: string): Promise<LookEntry[]> {
  const limit = { maxOutputLength: UNPACKED_BYTES_MAX };
  const text = await unpack(Buffer.from(packed, 'base64'), limit);
  return entriesSchema.parse(JSON.parse(text.toString('utf8')));
}
