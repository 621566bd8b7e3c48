import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loginPath, readLogin, resolveLogin, writeLogin } from './login-file.ts';

const STORED = {
  url: 'https://192.0.2.1:8443',
  token: 'stored-token',
  tlsFingerprint: '11'.repeat(32),
};
const OTHER = 'https://192.0.2.2:8443';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loom-login-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

function environment(): Record<string, string> {
  return { XDG_CONFIG_HOME: directory };
}

test('lies below XDG_CONFIG_HOME, else below ~/.config', () => {
  expect(loginPath({ XDG_CONFIG_HOME: '/x' })).toBe('/x/etherloom/login.json');
  expect(loginPath({ HOME: '/home/a' })).toBe('/home/a/.config/etherloom/login.json');
});

test('is readable by its owner alone and leaves no draft behind', async () => {
  const path = loginPath(environment());
  await writeLogin(path, STORED);
  await writeLogin(path, { ...STORED, token: 'second' });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(directory, 'etherloom'))).toEqual(['login.json']);
  expect(await readLogin(path)).toEqual({ ...STORED, token: 'second' });
});

test('the environment goes before the file', async () => {
  await writeLogin(loginPath(environment()), STORED);
  const env = { ...environment(), LOOM_TOKEN: 'given', LOOM_TLS_FINGERPRINT: '22'.repeat(32) };
  expect(await resolveLogin(env)).toEqual({
    url: STORED.url,
    token: 'given',
    tlsFingerprint: '22'.repeat(32),
  });
});

test('never sends the stored token to a controller that the environment names', async () => {
  await writeLogin(loginPath(environment()), STORED);
  const env = { ...environment(), LOOM_URL: OTHER };
  await expect(resolveLogin(env)).rejects.toMatchObject({
    code: 'login_missing',
    message: expect.stringContaining('LOOM_TOKEN, LOOM_TLS_FINGERPRINT'),
  });
});

test('needs no file when the environment says everything', async () => {
  await expect(
    resolveLogin({ LOOM_URL: OTHER, LOOM_TOKEN: 't', LOOM_TLS_FINGERPRINT: '33'.repeat(32) }),
  ).resolves.toMatchObject({ url: OTHER });
});

test.each(['', '{', '{}', '{"url":"http://x","token":"t","tlsFingerprint":"00"}'])(
  'refuses a damaged file (%j) and names it',
  async (text) => {
    const path = join(directory, 'login.json');
    await writeFile(path, text);
    await chmod(path, 0o600);
    await expect(readLogin(path)).rejects.toMatchObject({
      code: 'login_file_corrupt',
      message: expect.stringContaining(path),
    });
  },
);
