/** What `npm start`, `npm test` and the others say before they can do anything. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const BOOTSTRAP = fileURLToPath(new URL('bootstrap.mjs', import.meta.url));

function run(argv: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const [program = '', ...args] = argv;
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  expect(stdout).toBe('');
  return { status, stderr };
}

const AS_USER = 'data:text/javascript,process.getuid=()=>1000';

const AS_DARWIN = 'data:text/javascript,Object.defineProperty(process,"platform",{value:"darwin"})';

test.each(['start', 'test', 'bench'])('npm %s without root names the way out', (word) => {
  const said = run([process.execPath, '--import', AS_USER, BOOTSTRAP, word]);
  expect(said.status).toBe(1);
  expect(said.stderr).toContain('needs root');
  expect(said.stderr).toContain(`sudo npm ${word === 'bench' ? 'run bench' : word}`);
});

test('another system than Linux is refused', () => {
  const said = run([process.execPath, '--import', AS_DARWIN, BOOTSTRAP, 'start']);
  expect(said.status).toBe(1);
  expect(said.stderr).toContain('Linux');
});

test('an unknown word is a usage error', () => {
  const said = run([process.execPath, BOOTSTRAP, 'fly']);
  expect(said.status).toBe(2);
  expect(said.stderr).toContain('start|test|bench');
});
