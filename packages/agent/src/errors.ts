/**
 * Errors of the agent that a person reads: each says what was given and what would be right. Codes
 * that the local API passes on are those of the contract (packages/api/src/errors.ts); the others
 * end the start of the agent.
 */
import type { ErrorCode } from '@etherloom/api';

export type AgentErrorCode =
  | ErrorCode
  | 'state_file_corrupt'
  | 'state_directory_unusable'
  | 'state_directory_locked'
  | 'socket_path_too_long'
  | 'socket_in_use'
  | 'datapath_missing'
  | 'datapath_failed'
  | 'datapath_closed'
  | 'datapath_refused';

/** An operating error with a code, as opposed to a fault of the program. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;
  readonly details: readonly { readonly field: string; readonly reason: string }[] | undefined;

  constructor(
    code: AgentErrorCode,
    message: string,
    options: { cause?: unknown; details?: AgentError['details'] } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
}

/** The message of anything thrown, for a log or a status field. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name of a failed system call, for example "ENOENT". */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
