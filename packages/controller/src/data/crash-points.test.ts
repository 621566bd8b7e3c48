/**
 * A controller that dies, or a host that loses its power, at any moment of the first start, and
 * files that are damaged afterwards: the next start serves with what was whole, or says which file
 * it is and changes nothing. The moments are those of the calls that the real program makes
 * (packages/lab/src/crash-points.ts).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startController } from '../controller.ts';
import { StartupError } from '../startup-error.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const CRASH_POINTS = fileURLToPath(new URL('../../../lab/src/crash-points.ts', import.meta.url));
const LONG_MS = 120_000;
/** Files that are written once and never again. */
const SECRETS = ['admin.token', 'authority.kek', 'tls.key', 'tls.crt'];

let parent = '';

beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'etherloom-crash-'));
  mkdirSync(join(parent, 'whole'));
  const data = join(parent, 'whole', 'data');
  const child = spawn(
    process.execPath,
    ['--import', CRASH_POINTS, MAIN, '--data', data, '--listen', '127.0.0.1:0', '--json'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        ...process.env,
        CRASH_ROOT: join(parent, 'whole'),
        CRASH_SHOTS: join(parent, 'shots'),
      },
    },
  );
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
}, LONG_MS);
afterAll(() => rmSync(parent, { recursive: true }));

test(
  'a first start that ends at any moment is finished by the next, with the secrets that were whole',
  async () => {
    const shots = readdirSync(join(parent, 'shots'));
    expect(shots.length).toBeGreaterThan(20);
    for (const shot of shots)
      for (const variant of readdirSync(join(parent, 'shots', shot))) {
        const data = join(parent, 'shots', shot, variant, 'data');
        const before = secretsOf(data);
        // Without its certificate nobody has seen the key: both are made anew.
        if (!before.has('tls.crt')) before.delete('tls.key');
        await startAndStop(data);
        const after = secretsOf(data);
        expect([...after.keys()], `${shot} ${variant}`).toEqual(SECRETS);
        for (const [file, text] of before)
          expect(after.get(file), `${file} of ${shot} ${variant}`).toBe(text);
      }
  },
  LONG_MS,
);

test(
  'a file that is damaged is refused by name, and nothing is made in its place',
  async () => {
    for (const file of [...SECRETS, 'controller.db', 'controller.lock'])
      for (const [how, damage] of DAMAGES) {
        const data = join(parent, 'damaged');
        cpSync(join(parent, 'whole', 'data'), data, { recursive: true });
        damage(join(data, file));
        const damaged = readFileSync(join(data, file));
        const before = secretsOf(data);
        const refusal = await refusalOf(data);
        // SQLite takes an empty lock file for a fresh one, and so it is.
        if (file !== 'controller.lock') expect(refusal, `${file}, ${how}`).toContain(file);
        expect(secretsOf(data), `${file}, ${how}`).toEqual(before);
        if (refusal !== undefined)
          expect(readFileSync(join(data, file)).equals(damaged), `${file}, ${how}`).toBe(true);
        rmSync(data, { recursive: true });
      }
  },
  LONG_MS,
);

const DAMAGES: readonly (readonly [string, (path: string) => void])[] = [
  ['empty', (path) => truncateSync(path)],
  ['cut in half', (path) => truncateSync(path, statSync(path).size >> 1)],
  ['zeros', (path) => writeFileSync(path, Buffer.alloc(statSync(path).size + 1))],
];

async function startAndStop(data: string): Promise<void> {
  const controller = await startController({
    dataDirectory: data,
    listen: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
  });
  await controller.stop();
}

/** Why it does not start; undefined: it does. */
async function refusalOf(data: string): Promise<string | undefined> {
  try {
    await startAndStop(data);
    return undefined;
  } catch (error) {
    if (error instanceof StartupError) return error.message;
    throw error;
  }
}

function secretsOf(data: string): Map<string, string> {
  return new Map(
    SECRETS.filter((file) => existsSync(join(data, file))).map((file) => [
      file,
      readFileSync(join(data, file), 'base64'),
    ]),
  );
}
