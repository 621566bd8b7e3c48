/** Several servers in one URL, and which of them is tried. */
import { expect, test } from 'vitest';
import { Hosts } from './postgres-hosts.ts';
import { parsePostgresUrl } from './postgres-target.ts';

test('a URL names several servers, each with its port, and shows no password', () => {
  const text = 'postgres://loom:secret@db1:5433,[::1]:5434,db3/loom?sslmode=disable';
  const { urls, url, name } = parsePostgresUrl(text, 'file');
  expect(urls).toEqual([
    'postgres://loom:secret@db1:5433/loom?sslmode=disable',
    'postgres://loom:secret@[::1]:5434/loom?sslmode=disable',
    'postgres://loom:secret@db3/loom?sslmode=disable',
  ]);
  expect(url).toBe(urls[0]);
  expect(name).not.toContain('secret');
});

test('a password in an argument is refused whichever server it stands before', () => {
  expect(() => parsePostgresUrl('postgres://loom:secret@a,b/loom', 'argument')).toThrow(/password/);
});

test('the server that was right is tried first, and one that failed twice is passed over once', () => {
  const hosts = new Hosts(['a', 'b', 'c']);
  hosts.pass('a');
  hosts.pass('a'); // told by another connection too
  expect(hosts.url).toBe('b');
  hosts.pass('b');
  hosts.pass('c');
  expect(hosts.url).toBe('a');
});
