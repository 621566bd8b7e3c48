/** The one place where a failed call becomes words for a person. */
import { ApiError, ERRORS } from '@etherloom/api';

export interface Failure {
  /** What went wrong. */
  readonly message: string;
  /** What can be done; null: the message says it. */
  readonly action: string | null;
  /** By which the log of the controller is searched; null: it never got there. */
  readonly requestId: string | null;
  /** Why a field was refused, by its name. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Describes whatever a call was rejected with. */
export function describeError(error: unknown): Failure {
  if (!(error instanceof ApiError)) return describeSilence(error);
  const fields = Object.fromEntries(error.details.map(({ field, reason }) => [field, reason]));
  return {
    message: capitalize(error.message),
    action: error.code === 'reply_invalid' ? null : (ACTIONS[error.code] ?? null),
    requestId: error.requestId,
    fields,
  };
}

/** What the table of errors advises is for the command line where it names a command. */
const ACTIONS: Partial<Record<string, string>> = Object.fromEntries(
  Object.entries(ERRORS)
    .filter(([, { action }]) => !action.includes('`'))
    .map(([code, { action }]) => [code, action]),
);

function describeSilence(error: unknown): Failure {
  const isAborted = error instanceof DOMException && error.name === 'AbortError';
  return {
    message: isAborted ? 'The request was given up.' : 'The controller does not answer.',
    action: isAborted ? null : 'Check that it runs and that this browser reaches it.',
    requestId: null,
    fields: {},
  };
}

/** Whether a call failed because nobody is logged in. */
export function isLoggedOut(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'unauthenticated';
}

/** Whether what was asked for is not there, or not for this user. */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'not_found';
}

/** Whether a change was refused because somebody else changed the same thing before. */
export function isChangedMeanwhile(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'precondition_failed';
}

/** Sentences of the API begin in lower case, as they stand after a program's name. */
export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whether the controller answered and said no. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500;
}
