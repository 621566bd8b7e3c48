/** A request that is refused, by its code in the table of packages/api/src/errors.ts. */
import type { ErrorCode, ErrorDetail } from '@etherloom/api';

/**
 * Thrown by operations; the HTTP edge turns it into the error body, the link edge into `refused`.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: ErrorCode;
  readonly details: readonly ErrorDetail[];
  readonly retryAfterSeconds: number | null;
  /** ETag of the resource as it is, where another one was expected. */
  readonly etag: string | null;

  constructor(
    code: ErrorCode,
    message: string,
    more: {
      readonly details?: readonly ErrorDetail[];
      readonly retryAfterSeconds?: number;
      readonly etag?: string;
    } = {},
  ) {
    super(message);
    this.code = code;
    this.details = more.details ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds ?? null;
    this.etag = more.etag ?? null;
  }
}

/** A value that its schema lets pass but that cannot be. */
export function invalidField(field: string, reason: string): RequestError {
  return new RequestError('invalid_request', `${field}: ${reason}`, {
    details: [{ field, reason }],
  });
}
