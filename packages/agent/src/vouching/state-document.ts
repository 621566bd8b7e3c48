/**
 * The state of a network as one member hands it to another: authority, state and proof, compressed.
 * It is as little trusted as what a controller sends; who takes it verifies it the same way.
 */
import { createHash } from 'node:crypto';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { authorityChainSchema, networkProofSchema, networkStateSchema } from '@etherloom/api';
import { z } from 'zod';
import { STATE_DOCUMENT_BYTES_MAX, STATE_DOCUMENT_PACKED_BYTES_MAX } from '../limits.ts';

const documentSchema = z.strictObject({
  authority: authorityChainSchema,
  state: networkStateSchema,
  digest: z.string().max(128),
  proof: networkProofSchema,
});
export type StateDocument = z.infer<typeof documentSchema>;

/** A document as it travels. */
export interface PackedDocument {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Undefined when it is larger than anybody takes. */
export function packDocument(document: StateDocument): PackedDocument | undefined {
  const text = Buffer.from(JSON.stringify(document));
  if (text.length > STATE_DOCUMENT_BYTES_MAX) return undefined;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 22 };
  const bytes = Uint8Array.from(brotliCompressSync(text, { params }));
  if (bytes.length > STATE_DOCUMENT_PACKED_BYTES_MAX) return undefined;
  return { bytes, hash: hashOf(bytes) };
}

/** SHA-256. */
export function hashOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

/** Undefined for what is no document. */
export function unpackDocument(bytes: Uint8Array): StateDocument | undefined {
  try {
    const text = brotliDecompressSync(bytes, { maxOutputLength: STATE_DOCUMENT_BYTES_MAX });
    const parsed = documentSchema.safeParse(JSON.parse(text.toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // not compressed, too long, or no JSON
  }
}
