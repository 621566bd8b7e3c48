/** Errors as a person and a script read them: one sentence, what to do, and an exit status. */
import { ApiError, ERRORS } from '@etherloom/api';
import { TransportError } from '@etherloom/transport';
import { cleanText } from './clean-text.ts';

/** The command was understood and failed. */
export const EXIT_FAILURE = 1;
/** The command was not understood. */
export const EXIT_USAGE = 2;

export type CliErrorCode =
  | 'usage'
  | 'login_missing'
  | 'login_file_corrupt'
  | 'file_unreadable'
  | 'file_unwritable'
  | 'file_invalid'
  | 'changed_meanwhile'
  | 'not_found'
  | 'key_file_invalid'
  | 'authority_refused'
  | 'ledger_invalid'
  | 'unconfirmed'
  | 'fingerprint_unconfirmed'
  | 'not_understood'
  | 'no_answer';

/** An error of the command line itself. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliErrorCode;

  constructor(code: CliErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** What is printed of an error. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** What to do about it; null where the message says so. */
  readonly action: string | null;
  readonly details: readonly { readonly field: string; readonly reason: string }[];
  readonly requestId: string | null;
  readonly exitStatus: number;
}

/** What to do about an error; null where its details say it. */
function findAction(code: ApiError['code']): string | null {
  return code === 'reply_invalid' || code === 'invalid_request' ? null : ERRORS[code].action;
}

/** Describes whatever was thrown. A fault of the program itself keeps its stack. */
export function describeFailure(error: unknown): Failure {
  const plain = { action: null, details: [], requestId: null, exitStatus: EXIT_FAILURE };
  if (error instanceof ApiError) {
    return {
      code: error.code,
      message: cleanText(error.message),
      action: findAction(error.code),
      details: error.details
        .filter(({ reason }) => !error.message.includes(reason))
        .map(({ field, reason }) => ({ field: cleanText(field), reason: cleanText(reason) })),
      requestId: error.requestId,
      exitStatus: EXIT_FAILURE,
    };
  }
  if (error instanceof CliError) {
    const exitStatus = error.code === 'usage' ? EXIT_USAGE : EXIT_FAILURE;
    return { ...plain, code: error.code, message: cleanText(error.message), exitStatus };
  }
  if (error instanceof TransportError)
    return { ...plain, code: error.code, message: cleanText(error.message) };
  return {
    ...plain,
    code: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
