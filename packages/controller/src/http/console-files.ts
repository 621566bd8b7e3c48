/**
 * Serves the console: what tools/build-console.ts made, read once into memory. Files carry their
 * hash in their names and may be kept forever; index.html names them and is read anew each time.
 * The console's own addresses answer with index.html, so that a page can be reloaded and sent on;
 * packages/console/src/pages.tsx has the pages behind them.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONSOLE_BYTES_MAX } from '../limits.ts';
import type { HttpServer } from './http-server.ts';

/** Where the build is, seen from this file. */
export const CONSOLE_DIRECTORY = fileURLToPath(new URL('../../../console/dist', import.meta.url));

/** First words of the console's addresses, `/` itself apart. */
export const CONSOLE_PLACES = [
  'networks',
  'nodes',
  'topology',
  'join',
  'activity',
  'users',
  'api-tokens',
  'identity',
  'settings',
  'profile',
] as const;

/**
 * Scripts, styles, pictures and calls of this controller alone; nothing inline, nobody frames it.
 */
export const CONSOLE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const IMMUTABLE = 'public, max-age=31536000, immutable';

interface ConsoleFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
}

/** Files of a build by their paths, such as `assets/index-1a2b.js`; null: there is no build. */
export function readConsole(directory: string): ReadonlyMap<string, ConsoleFile> | null {
  let names: string[];
  try {
    names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  } catch {
    return null;
  }
  const files = new Map<string, ConsoleFile>();
  let total = 0;
  for (const name of names) {
    const type = TYPES[extname(name)];
    const path = join(directory, name);
    if (type === undefined || !statSync(path).isFile()) continue;
    const plain = readFileSync(path);
    total += plain.length;
    if (total > CONSOLE_BYTES_MAX)
      throw new RangeError(`${directory} holds more than ${CONSOLE_BYTES_MAX} bytes: no console`);
    files.set(name, { type, plain, gzipped: gzipSync(plain) });
  }
  return files.has('index.html') ? files : null;
}

/** Adds the console to a server. */
export function registerConsole(app: HttpServer, directory: string = CONSOLE_DIRECTORY): void {
  const files = readConsole(directory);
  const index = files?.get('index.html');
  if (files === null || index === undefined) {
    app.get('/', (_, reply) =>
      reply
        .code(404)
        .type('text/plain; charset=utf-8')
        .send(
          'This controller has no console: it was not built. Build it with `make console` and start the controller again.\n' +
            'The API serves as ever: its documentation is at /docs.\n',
        ),
    );
    return;
  }
  for (const [name, file] of files) {
    if (file === index) continue;
    app.get(`/${name}`, (request, reply) =>
      send(request, reply.header('cache-control', IMMUTABLE), file),
    );
  }
  const page = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    send(request, reply, index);
  app.get('/', page);
  for (const place of CONSOLE_PLACES) {
    app.get(`/${place}`, page);
    app.get(`/${place}/*`, page);
  }
}

function send(request: FastifyRequest, reply: FastifyReply, file: ConsoleFile): FastifyReply {
  const isGzipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  reply
    .header('content-security-policy', CONSOLE_POLICY)
    .header('vary', 'accept-encoding')
    .type(file.type);
  return isGzipped
    ? reply.header('content-encoding', 'gzip').send(file.gzipped)
    : reply.send(file.plain);
}
