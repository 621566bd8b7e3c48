import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorBodySchema } from '@etherloom/api';
import { createUnixSender } from '@etherloom/transport';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { AgentError } from '../errors.ts';
import { LOCAL_BODY_BYTES_MAX } from '../limits.ts';
import type { LocalRoute } from './server.ts';
import { parseBody, serveLocalApi } from './server.ts';

const LOG = pino({ level: 'silent' });
const ROUTES: LocalRoute[] = [
  {
    method: 'POST',
    path: '/v1/echo',
    handle: async (body) => parseBody(z.strictObject({ text: z.string() }), body),
  },
  {
    method: 'GET',
    path: '/v1/late',
    handle: () => Promise.reject(new AgentError('token_expired', 'the token has expired')),
  },
  { method: 'GET', path: '/v1/fault', handle: () => Promise.reject(new TypeError('a fault')) },
];
let directory = '';
let server: Server | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-local-'));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

test('answers over a socket that only root opens', async () => {
  const path = await serve();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await ask(path, 'POST', '/v1/echo', '{"text":"x"}')).toMatchObject({
    status: 200,
    body: '{"text":"x"}',
  });
});

test.each([
  ['POST', '/v1/echo', '{"text":1}', 400, 'invalid_request', /text/],
  ['POST', '/v1/echo', '{"text":', 400, 'invalid_request', /JSON/],
  [
    'POST',
    '/v1/echo',
    `"${'x'.repeat(LOCAL_BODY_BYTES_MAX)}"`,
    400,
    'invalid_request',
    /over 16384 bytes/,
  ],
  ['GET', '/v1/nothing', undefined, 404, 'not_found', /v1.nothing/],
  ['GET', '/v1/late', undefined, 401, 'token_expired', /expired/],
  ['GET', '/v1/fault', undefined, 500, 'internal', /a fault/],
])('refuses %s %s in the common form', async (method, url, body, status, code, message) => {
  const reply = await ask(await serve(), method, url, body);
  expect(reply.status).toBe(status);
  const { error } = errorBodySchema.parse(JSON.parse(reply.body));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

test('replaces the socket of an agent that is gone, and refuses one that answers', async () => {
  const path = join(directory, 'agent.sock');
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(spawnSync(process.execPath, ['--eval', program]).signal).toBe('SIGKILL');
  server = await serveLocalApi(path, ROUTES, LOG);
  expect(await ask(path, 'POST', '/v1/echo', '{"text":"x"}')).toMatchObject({ status: 200 });
  await expect(serveLocalApi(path, ROUTES, LOG)).rejects.toMatchObject({ code: 'socket_in_use' });
});

test('does not delete a file that is no socket', async () => {
  const path = join(directory, 'file');
  writeFileSync(path, 'kept');
  await expect(serveLocalApi(path, ROUTES, LOG)).rejects.toMatchObject({ code: 'socket_in_use' });
  expect(readFileSync(path, 'utf8')).toBe('kept');
});

test('refuses a path that the kernel would cut', async () => {
  await expect(serveLocalApi(join(directory, 'x'.repeat(100)), ROUTES, LOG)).rejects.toMatchObject({
    code: 'socket_path_too_long',
  });
});

async function serve(): Promise<string> {
  const path = join(directory, 'run', 'agent.sock');
  server = await serveLocalApi(path, ROUTES, LOG);
  return path;
}

function ask(
  path: string,
  method: string,
  url: string,
  body?: string,
): Promise<{ status: number; body: string }> {
  return createUnixSender(path, { timeoutMs: 5_000 })({
    method,
    url,
    headers: {},
    ...(body === undefined ? {} : { body }),
  });
}
