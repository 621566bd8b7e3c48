/**
 * The id of a controller among those that share a database. It is kept over restarts, so that
 * agents know it again and spread over the same controllers as before.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { idSchema } from '@etherloom/api';
import type { RandomBytes } from '../identifiers.ts';
import { makeId } from '../identifiers.ts';
import { StartupError } from '../startup-error.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { readOwnFile } from './data-directory.ts';

/** Reads the id, or makes it. Throws StartupError. */
export function loadControllerId(directory: string, random: RandomBytes): string {
  const path = join(directory, 'controller.id');
  if (!existsSync(path)) writeFileAtomic(path, `${makeId('ctl', random)}\n`);
  const advice = 'remove it: the next start makes another one';
  const id = idSchema.safeParse(readOwnFile(path, 'data_directory_invalid', advice).trim());
  if (id.success) return id.data;
  throw new StartupError('data_directory_invalid', `${path} holds no id; ${advice}`);
}
