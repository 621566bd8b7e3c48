/**
 * The set-up code of a controller without users: who reads what the controller prints, or its
 * directory, makes the first user; nobody wins a race for a fresh controller.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { writeFileAtomic } from '../data/atomic-file.ts';
import type { RandomBytes } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';
import type { Tx } from '../store/store.ts';

/** Without letters and digits that look alike. */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';
const UNBIASED_LIMIT = 248;
const CHARS = 20;
const FORM = /^(?:[2-9a-hjkmnp-z]{5}-){3}[2-9a-hjkmnp-z]{5}$/;

export interface SetupCode {
  /** null once a user exists. */
  code(): string | null;
  /** Whether it is the code; a wrong one takes as long as a right one. */
  matches(given: string): boolean;
  /** A user exists: the code is void. */
  end(): void;
}

/** Reads the code of a controller, or makes it; removes it where users exist. */
export function openSetupCode(path: string, hasUsers: boolean, random: RandomBytes): SetupCode {
  if (hasUsers) rmSync(path, { force: true });
  let code = hasUsers ? null : (readCode(path) ?? makeCode(path, random));
  return {
    code: () => code,
    matches: (given) => {
      const right = timingSafeEqual(digest(given.trim().toLowerCase()), digest(code ?? ''));
      return right && code !== null;
    },
    end: () => {
      code = null;
      rmSync(path, { force: true });
    },
  };
}

function readCode(path: string): string | null {
  if (!existsSync(path)) return null;
  const text = readFileSync(path, 'utf8').trim();
  return FORM.test(text) ? text : null;
}

function makeCode(path: string, random: RandomBytes): string {
  let text = '';
  while (text.length < CHARS)
    for (const byte of random(CHARS))
      if (byte < UNBIASED_LIMIT && text.length < CHARS) text += ALPHABET[byte % ALPHABET.length];
  const code = (text.match(/.{5}/g) ?? []).join('-');
  writeFileAtomic(path, `${code}\n`);
  return code;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Whether anybody has been made a user. */
export async function hasUsers(tx: Tx): Promise<boolean> {
  const row = await tx.db.selectFrom('users').select('id').limit(1).executeTakeFirst();
  return row !== undefined;
}

/** Throws setup_done where somebody was first. */
export async function checkNoUsers(tx: Tx): Promise<void> {
  if (await hasUsers(tx))
    throw new RequestError('setup_done', 'this controller has users already: log in');
}
