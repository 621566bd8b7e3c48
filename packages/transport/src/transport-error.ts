/** Why a request got no reply, as a code for programs and a sentence for people. */

export type TransportErrorCode =
  | 'tls_fingerprint_mismatch'
  | 'tls_failed'
  | 'connection_refused'
  | 'host_unknown'
  | 'host_unreachable'
  | 'connection_lost'
  | 'timeout'
  | 'aborted'
  | 'reply_too_large'
  | 'agent_not_running'
  | 'socket_denied'
  | 'failed';

/** Thrown by every transport. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

const TCP_ERRORS: Readonly<
  Record<string, readonly [TransportErrorCode, (target: string) => string]>
> = {
  ECONNREFUSED: [
    'connection_refused',
    (t) => `nothing listens at ${t}: is the controller running, and is the port right?`,
  ],
  ENOTFOUND: [
    'host_unknown',
    (t) => `the name in ${t} does not resolve: check its spelling and this host's DNS`,
  ],
  EAI_AGAIN: ['host_unknown', (t) => `the name in ${t} could not be looked up: DNS gave no answer`],
  EHOSTUNREACH: ['host_unreachable', (t) => `no route to ${t}: check this host's network`],
  ENETUNREACH: ['host_unreachable', (t) => `no route to ${t}: check this host's network`],
  EADDRNOTAVAIL: ['host_unreachable', (t) => `this host has no address to reach ${t} from`],
  ETIMEDOUT: ['timeout', (t) => `${t} did not answer: is a firewall between?`],
  ECONNRESET: ['connection_lost', (t) => `${t} closed the connection before its reply was whole`],
  EPIPE: ['connection_lost', (t) => `${t} closed the connection before the request was whole`],
  EPROTO: ['tls_failed', (t) => `${t} does not speak TLS 1.3: is it an etherloom controller?`],
};

/** Error of a TCP or TLS connection as a TransportError. */
export function fromTcpError(error: unknown, target: string): TransportError {
  if (error instanceof TransportError) return error;
  const code = errorCode(error);
  const known = TCP_ERRORS[code];
  if (known) return new TransportError(known[0], known[1](target), error);
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) {
    return new TransportError(
      'tls_failed',
      `no TLS 1.3 with ${target} (${code}): is it an etherloom controller?`,
      error,
    );
  }
  return new TransportError('failed', `no reply from ${target}: ${errorText(error)}`, error);
}

/** Error of the agent's unix socket as a TransportError. */
export function fromUnixError(error: unknown, socketPath: string): TransportError {
  if (error instanceof TransportError) return error;
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return new TransportError(
        'agent_not_running',
        `no agent serves ${socketPath}: start one with \`loom agent --state DIR\`, or name its socket with --socket`,
        error,
      );
    case 'EINVAL':
      return new TransportError(
        'agent_not_running',
        `${socketPath} is too long for a socket, which takes 107 bytes: name the agent's with --socket`,
        error,
      );
    case 'EACCES':
    case 'EPERM':
      return new TransportError(
        'socket_denied',
        `${socketPath} may not be opened by this user: run the command as root`,
        error,
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return new TransportError(
        'connection_lost',
        `the agent at ${socketPath} closed the connection before its reply was whole`,
        error,
      );
    default:
      return new TransportError(
        'failed',
        `no reply from the agent at ${socketPath}: ${errorText(error)}`,
        error,
      );
  }
}

function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  // Node tries several addresses of a name and reports all failures together.
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return '';
}

function errorText(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}
