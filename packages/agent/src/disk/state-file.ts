/**
 * A state file: JSON with what it is, its version and the SHA-256 of its content, so that a cut,
 * edited or foreign file is told from a good one before anything acts on it. Written through
 * atomic-file.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { AgentError, errnoOf, messageOf } from '../errors.ts';
import { STATE_FILE_BYTES_MAX } from '../limits.ts';
import { removeFile, writeFileAtomic } from './atomic-file.ts';
import type { WriteStep } from './atomic-file.ts';

/** Raised by one when the content of any state file changes incompatibly. */
export const STATE_FILE_VERSION = 1;

const envelopeSchema = z.strictObject({
  etherloom: z.string(),
  version: z.int(),
  sha256: z.string(),
  content: z.unknown(),
});

/** What a kind of state file is. */
export interface StateFileKind<S extends z.ZodType> {
  readonly kind: string;
  readonly schema: S;
  /** What a person does when the file is damaged; a sentence. */
  readonly recovery: string;
}

/**
 * Reads and checks a file; undefined when there is none. Throws AgentError `state_file_corrupt`,
 * naming file and recovery.
 */
export function readStateFile<S extends z.ZodType>(
  path: string,
  kind: StateFileKind<S>,
): z.output<S> | undefined {
  let text: string;
  try {
    if (statSync(path).size > STATE_FILE_BYTES_MAX)
      throw corrupt(path, kind, `is over ${STATE_FILE_BYTES_MAX} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (error instanceof AgentError) throw error;
    throw new AgentError(
      'state_directory_unusable',
      `${path} cannot be read: ${messageOf(error)}`,
      { cause: error },
    );
  }
  return parseStateFile(path, kind, text);
}

function parseStateFile<S extends z.ZodType>(
  path: string,
  kind: StateFileKind<S>,
  text: string,
): z.output<S> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw corrupt(path, kind, text === '' ? 'is empty' : 'is cut short or no JSON');
  }
  const envelope = envelopeSchema.safeParse(raw);
  if (!envelope.success || envelope.data.etherloom !== kind.kind) {
    throw corrupt(path, kind, `is no ${kind.kind} file of etherloom`);
  }
  if (envelope.data.version !== STATE_FILE_VERSION) {
    throw new AgentError(
      'state_file_corrupt',
      `${path} has version ${envelope.data.version}, this agent reads version ${STATE_FILE_VERSION}. ` +
        'Start the version of etherloom that wrote it.',
    );
  }
  if (digestOf(envelope.data.content) !== envelope.data.sha256)
    throw corrupt(path, kind, 'does not fit its checksum');
  const content = kind.schema.safeParse(envelope.data.content);
  if (!content.success) {
    const issue = content.error.issues[0];
    const where = issue?.path.join('.') ?? '';
    throw corrupt(path, kind, `has a wrong ${where === '' ? 'content' : where}`);
  }
  return content.data;
}

/**
 * Replaces a state file atomically, mode 0600. Throws AgentError `state_directory_unusable`; the
 * former content is whole then.
 */
export function writeStateFile<S extends z.ZodType>(
  path: string,
  kind: StateFileKind<S>,
  content: z.output<S>,
  onStep?: (step: WriteStep) => void,
): void {
  const envelope = {
    etherloom: kind.kind,
    version: STATE_FILE_VERSION,
    sha256: digestOf(content),
    content,
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(envelope)}\n`);
  try {
    writeFileAtomic(path, bytes, onStep);
  } catch (error) {
    throw unusable(path, 'written', error);
  }
}

/** Deletes a state file for good; a missing one is no error. Throws as writeStateFile. */
export function deleteStateFile(path: string): void {
  try {
    removeFile(path);
  } catch (error) {
    throw unusable(path, 'deleted', error);
  }
}

function unusable(path: string, what: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  return new AgentError(
    'state_directory_unusable',
    `${path} cannot be ${what} (${messageOf(error)}): ${WRITE_ADVICE[errno] ?? 'check its disk'}; what it held before is whole`,
    { cause: error },
  );
}

const WRITE_ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full, free some space there',
  EDQUOT: 'the quota is used up, free some space there',
  EROFS: 'its disk is read-only, mount it writable',
  EIO: 'its disk fails',
};

function digestOf(content: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(content) ?? '')
    .digest('hex');
}

function corrupt(path: string, kind: StateFileKind<z.ZodType>, what: string): AgentError {
  return new AgentError('state_file_corrupt', `${path} ${what}. ${kind.recovery}`);
}
