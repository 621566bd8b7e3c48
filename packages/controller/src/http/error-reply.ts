/** Turns whatever a request ended with into the one error body of the API. */
import type { ErrorBody, ErrorCode, ErrorDetail } from '@etherloom/api';
import { BODY_BYTES_MAX, ERRORS } from '@etherloom/api';
import type { z } from 'zod';
import { RequestError } from '../request-error.ts';

/** Details of one reply: a body of many wrong fields is not answered with a longer one. */
const DETAILS_MAX = 20;

/**
 * A RequestError for anything thrown; what is not meant for callers becomes `internal`, without its
 * text.
 */
export function toRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  switch (fastifyCode(error)) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new RequestError('body_too_large', `the body is larger than ${BODY_BYTES_MAX} bytes`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new RequestError(
        'invalid_request',
        'the body must be JSON, with "Content-Type: application/json"',
      );
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new RequestError('not_found', 'nothing has an id or name of that length');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new RequestError('invalid_request', 'the body is empty: it must be a JSON object');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new RequestError('invalid_request', 'the body is no JSON');
    default:
      if (isClientFault(error))
        return new RequestError('invalid_request', 'the request is not well formed');
      return new RequestError(
        'internal',
        'the controller failed on this request; its log has more under the request id',
      );
  }
}

/** The error body of errors.ts. */
export function toErrorBody(
  error: RequestError,
  requestId: string,
): { readonly status: number; readonly body: ErrorBody } {
  const code: ErrorCode = error.code;
  const details = error.details.slice(0, DETAILS_MAX).map((detail) => ({ ...detail }));
  return {
    status: ERRORS[code].status,
    body: {
      error: {
        code,
        message: error.message,
        requestId,
        ...(details.length === 0 ? {} : { details }),
      },
    },
  };
}

/** The refusal of a body that does not fit its schema: each field and why. */
export function toInvalidRequest(error: z.ZodError): RequestError {
  const details = error.issues.flatMap(toDetails).slice(0, DETAILS_MAX);
  return new RequestError(
    'invalid_request',
    details
      .map((detail) => `${detail.field}: ${detail.reason}`)
      .join('; ')
      .slice(0, 1_000),
    { details },
  );
}

function toDetails(issue: z.core.$ZodIssue): ErrorDetail[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: [...path, key.slice(0, 80)].join('.'),
      reason: 'there is no such field',
    }));
  }
  return [{ field: path.length === 0 ? 'body' : path.join('.'), reason: issue.message }];
}

function fastifyCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

function isClientFault(error: unknown): boolean {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500;
}
