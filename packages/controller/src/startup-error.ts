/** Why the controller does not start, in one sentence that says what to do. */

export type StartupErrorCode =
  | 'usage'
  | 'data_directory_invalid'
  | 'data_directory_in_use'
  | 'admin_token_invalid'
  | 'tls_invalid'
  | 'authority_key_invalid'
  | 'database_corrupt'
  | 'database_invalid'
  | 'database_in_use'
  | 'database_unavailable'
  | 'database_newer'
  | 'backup_invalid'
  | 'listen_failed';

/** Thrown while starting; the program prints the message and exits 1 (2 for `usage`). */
export class StartupError extends Error {
  override readonly name = 'StartupError';
  readonly code: StartupErrorCode;

  constructor(code: StartupErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The `code` of a system error, or an empty string. */
export function systemErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
