import { argon2Sync, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { ARGON2_WAITING_MAX, ARGON2_WAITING_PER_SOURCE_MAX } from '../limits.ts';
import { Passwords } from './password.ts';

const passwords = new Passwords(randomBytes);
const SOURCE = '192.0.2.1';

test('a password is right, and nothing else is', async () => {
  const stored = await passwords.hash('correct horse battery', SOURCE);
  expect(stored).toMatch(
    /^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
  );
  expect(await passwords.verify('correct horse battery', stored, SOURCE)).toBe(true);
  expect(await passwords.verify('correct horse batterY', stored, SOURCE)).toBe(false);
  expect(await passwords.verify('correct horse battery', null, SOURCE)).toBe(false);
  expect(await passwords.hash('correct horse battery', SOURCE)).not.toBe(stored);
});

test('what other programs stored in PHC form is read with its own parameters', async () => {
  const nonce = randomBytes(16);
  const given = { message: 'p', nonce, parallelism: 2, tagLength: 32, memory: 1_024, passes: 2 };
  const hash = argon2Sync('argon2id', given).toString('base64').replace('=', '');
  const salt = nonce.toString('base64').replace('==', '');
  const stored = `$argon2id$v=19$m=1024,t=2,p=2$${salt}$${hash}`;
  expect(await passwords.verify('p', stored, SOURCE)).toBe(true);
});

test('one character in two forms is one password', async () => {
  const stored = await passwords.hash('caf\u00e9 au lait, please', SOURCE);
  expect(await passwords.verify('cafe\u0301 au lait, please', stored, SOURCE)).toBe(true);
});

test('the queue is bounded, for all and for each source', async () => {
  const outcomes = (sources: readonly string[]): Promise<string[]> =>
    Promise.all(
      sources.map((source) =>
        passwords
          .verify(
            'x',
            '$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$'.concat('A'.repeat(43)),
            source,
          )
          .then(
            () => 'judged',
            (error: { code: string }) => error.code,
          ),
      ),
    );
  const one = await outcomes(Array.from({ length: 100 }, () => SOURCE));
  expect(one.filter((outcome) => outcome === 'judged')).toHaveLength(
    2 + ARGON2_WAITING_PER_SOURCE_MAX,
  );
  expect(new Set(one)).toEqual(new Set(['judged', 'unavailable']));
  const many = await outcomes(Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`));
  expect(many.filter((outcome) => outcome === 'judged')).toHaveLength(2 + ARGON2_WAITING_MAX);
  expect(await passwords.verify('x', null, SOURCE)).toBe(false);
});
