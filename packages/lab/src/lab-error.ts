/** The one error of the lab: what could not be done, with a code for programs. */

export type LabErrorCode =
  | 'command_failed'
  | 'command_missing'
  | 'deadline_passed'
  | 'process_ended'
  | 'name_invalid'
  | 'not_privileged'
  | 'manifest_unreadable'
  | 'dispose_incomplete';

export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
