/** The export of a ledger as lines: from the controller, a file or standard input. */
import { createReadStream } from 'node:fs';
import { readLines, toApiError, toRequest } from '@etherloom/api';
import { ROUTES } from '@etherloom/api';
import { createPinnedStreamer } from '@etherloom/transport';
import { namedOrganization } from './context.ts';
import { CliError } from './failure.ts';
import { CONTROLLER_TIMEOUT_MS, ERROR_REPLY_CHARS_MAX } from './limits.ts';
import { resolveLogin } from './login-file.ts';

/** What is asked of the controller. */
export interface ExportOptions {
  readonly after?: number;
}

/** Lines from the controller that the user is logged in to. Rejects with ApiError. */
export async function exportLines(options: ExportOptions): Promise<AsyncIterable<string>> {
  const { url, token, tlsFingerprint } = await resolveLogin(process.env);
  const { after } = options;
  const send = createPinnedStreamer({ tlsFingerprint, timeoutMs: CONTROLLER_TIMEOUT_MS });
  const query = { organization: namedOrganization(), after };
  const reply = await send(toRequest({ baseUrl: url, token }, ROUTES.auditExport, { query }));
  if (reply.status === 200) return readLines(reply.chunks);
  let body = '';
  for await (const chunk of reply.chunks) body = (body + chunk).slice(0, ERROR_REPLY_CHARS_MAX);
  throw toApiError({ status: reply.status, headers: reply.headers, body });
}

/** Lines of a file, or of standard input for "-". Rejects with CliError. */
export async function* fileLines(path: string): AsyncGenerator<string> {
  const input = path === '-' ? process.stdin : createReadStream(path);
  input.setEncoding('utf8');
  let isEnded = true;
  try {
    yield* readLines(
      (async function* chunks() {
        for await (const chunk of input) {
          const text = String(chunk);
          if (text !== '') isEnded = text.endsWith('\n');
          yield text;
        }
      })(),
    );
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('file_unreadable', `${path} cannot be read: ${why}`, error);
  }
  if (!isEnded)
    throw new CliError('ledger_invalid', `${path} ends in the middle of a line: it was cut off`);
}
