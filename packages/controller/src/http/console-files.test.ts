/** How the controller serves the console: from a build of three files that the test makes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONSOLE_PLACES, registerConsole } from './console-files.ts';
import type { HttpServer } from './http-server.ts';

const INDEX = '<!doctype html><script type="module" src="/assets/index-1a2b.js"></script>';

function serve(directory: string): HttpServer {
  const app = fastify() as unknown as HttpServer; // without TLS: routes are the same
  registerConsole(app, directory);
  return app;
}

describe('a controller with a build of the console', () => {
  let directory: string;
  let app: HttpServer;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'etherloom-console-files-'));
    mkdirSync(join(directory, 'assets'));
    writeFileSync(join(directory, 'index.html'), INDEX);
    writeFileSync(join(directory, 'assets/index-1a2b.js'), 'export {};');
    writeFileSync(join(directory, 'assets/secret.pem'), 'not for anybody');
    app = serve(directory);
  });
  afterAll(async () => {
    await app.close();
    rmSync(directory, { recursive: true });
  });

  test.each(['/', ...CONSOLE_PLACES.map((place) => `/${place}`), '/networks/blue/addresses'])(
    'answers %s with the page, which nobody keeps',
    async (url) => {
      const reply = await app.inject({ method: 'GET', url });
      expect(reply.statusCode).toBe(200);
      expect(reply.body).toBe(INDEX);
      expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(reply.headers['cache-control']).toBeUndefined(); // no-store: set for all replies
    },
  );

  test('lets files with a hash in their names be kept', async () => {
    const reply = await app.inject({ method: 'GET', url: '/assets/index-1a2b.js' });
    expect(reply.headers['cache-control']).toContain('immutable');
    expect(reply.headers['content-type']).toContain('text/javascript');
  });

  test('allows neither inline scripts nor other hosts', async () => {
    const reply = await app.inject({ method: 'GET', url: '/' });
    const policy = String(reply.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toContain('http');
  });

  test('gzips for whoever takes it', async () => {
    const headers = { 'accept-encoding': 'br, gzip' };
    const reply = await app.inject({ method: 'GET', url: '/', headers });
    expect(reply.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(reply.rawPayload).toString()).toBe(INDEX);
  });

  test.each([
    '/assets/secret.pem',
    '/assets/../index.html',
    '/assets/',
    '/nowhere',
    '/v1/networks',
  ])('has nothing at %s', async (url) => {
    const reply = await app.inject({ method: 'GET', url });
    expect(reply.statusCode).toBe(404);
  });
});

test('a controller without a build says so, and how to get it', async () => {
  const app = serve(join(tmpdir(), 'etherloom-no-such-build'));
  const reply = await app.inject({ method: 'GET', url: '/' });
  expect(reply.statusCode).toBe(404);
  expect(reply.body).toContain('make console');
  await app.close();
});
