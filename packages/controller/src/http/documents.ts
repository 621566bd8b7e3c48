/** The documents that the API describes itself with: made once, served to anybody. */
import { createHash } from 'node:crypto';
import { DOCUMENTATION_STYLE, makeOpenApiDocument, renderDocumentationPage } from '@etherloom/api';
import { VERSION } from '../version.ts';
import type { HttpServer } from './http-server.ts';

export interface DocumentOptions {
  readonly serverUrl: () => string;
  readonly tlsFingerprint: string;
}

/** Allows the page its own style and nothing else. */
const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(DOCUMENTATION_STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function registerDocuments(app: HttpServer, options: DocumentOptions): void {
  app.get('/v1/openapi.json', async () =>
    makeOpenApiDocument({ version: VERSION, serverUrl: options.serverUrl() }),
  );
  app.get('/docs', async (_, reply) =>
    reply
      .header('content-security-policy', PAGE_POLICY)
      .type('text/html; charset=utf-8')
      .send(
        renderDocumentationPage({
          version: VERSION,
          serverUrl: options.serverUrl(),
          tlsFingerprint: options.tlsFingerprint,
        }),
      ),
  );
}
