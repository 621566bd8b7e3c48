/** Every line of docs/outage-contract.md names tests, and each of them is there. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CONTRACT = readFileSync(`${ROOT}docs/outage-contract.md`, 'utf8');
/** A file and the name of a test in it, as the last column writes them. */
const NAMED_TEST = /`([^`]+\.test\.ts)` "([^"]+)"/g;

/** Cells of each row below the heads of the tables. */
const rows = CONTRACT.split('\n')
  .filter((line) => line.startsWith('|') && !line.startsWith('|---'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.at(-2) !== 'test');

test('every line names a test, or says that there is nothing to test', () => {
  expect(rows.length).toBeGreaterThan(30);
  for (const cells of rows) {
    const [last = ''] = cells.slice(-2);
    const isNamed = [...last.matchAll(NAMED_TEST)].length > 0;
    const isMissing = last === 'none' && /do(es)? not exist yet/.test(cells.join(' '));
    expect(isNamed || isMissing, cells.join(' | ')).toBe(true);
  }
});

test('every test that is named is there, under that name', () => {
  for (const [, path = '', name = ''] of CONTRACT.matchAll(NAMED_TEST)) {
    const text = readFileSync(ROOT + path, 'utf8');
    expect(hasTest(text, name), `${path}: ${name}`).toBe(true);
  }
});

test('a name that only a comment has is no test', () => {
  expect(hasTest("// 'a rule'\n", 'a rule')).toBe(false);
  expect(hasTest("test(\n  'a rule',\n", 'a rule')).toBe(true);
  expect(hasTest("test.each([\n  [1],\n])('%s: a rule', ", '%s: a rule')).toBe(true);
  expect(hasTest("test('a rule and more', ", 'a rule')).toBe(false);
  expect(hasTest("test.skip('a rule', ", 'a rule')).toBe(false);
});

/** The title as it stands in the source: after `test(`, `it(` or the table of an `each`. */
function hasTest(text: string, title: string): boolean {
  const words = title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(String.raw`(?:(?<![\w.])(?:test|it)\(|\)\()\s*(['"\`])${words}\1`).test(text);
}
