/**
 * Reads an organization from a YAML file, or from all of a directory together. Errors name file,
 * line and field, since a person has to find the place.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { LineCounter, isNode, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { CliError } from '../failure.ts';
import {
  ORGANIZATION_FILES_MAX,
  ORGANIZATION_FILE_BYTES_MAX,
  ORGANIZATION_JOIN_TOKENS_MAX,
} from '../limits.ts';
import type { OrganizationFile } from './schema.ts';
import { organizationFileSchema } from './schema.ts';

/** Reads and checks it. Throws CliError file_unreadable or file_invalid. */
export function readOrganization(path: string): OrganizationFile {
  const [first, ...others] = filesOf(path).map((file) => ({ file, said: readFile(file) }));
  if (first === undefined)
    throw new CliError('file_unreadable', `${path} holds no file that ends in .yaml or .yml`);
  let all = first.said;
  const origins = new Map(namesIn(first.said).map((name) => [name, first.file]));
  for (const { file, said } of others) {
    for (const name of namesIn(said)) {
      const other = origins.get(name);
      if (other !== undefined)
        throw new CliError('file_invalid', `${name} stands in ${other} and in ${file}: keep one`);
      origins.set(name, file);
    }
    all = merge(all, said);
  }
  checkTokenCount(all);
  return all;
}

function checkTokenCount({ networks = {} }: OrganizationFile): void {
  const counts = Object.values(networks).map(({ joinTokens = {} }) => Object.keys(joinTokens));
  const count = counts.flat().length;
  if (count > ORGANIZATION_JOIN_TOKENS_MAX)
    throw new CliError(
      'file_invalid',
      `${count} join tokens are declared; ${ORGANIZATION_JOIN_TOKENS_MAX} are the most: one token with "uses: ${count}" lets as many hosts in`,
    );
}

function filesOf(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => /\.ya?ml$/.test(name));
    if (names.length > ORGANIZATION_FILES_MAX)
      throw new CliError(
        'file_unreadable',
        `${path} holds ${names.length} files; ${ORGANIZATION_FILES_MAX} are read at most`,
      );
    return names.toSorted().map((name) => join(path, name));
  } catch (error) {
    throw asUnreadable(path, error);
  }
}

function asUnreadable(path: string, error: unknown): CliError {
  if (error instanceof CliError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CliError('file_unreadable', `${path} cannot be read: ${reason}`, error);
}

function readFile(path: string): OrganizationFile {
  const text = readText(path);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0]);
    const [said = ''] = broken.message.split('\n');
    throw new CliError('file_invalid', `${path}, line ${line}: ${said}`);
  }
  const parsed = organizationFileSchema.safeParse(toPlain(path, document) ?? {});
  if (parsed.success) return parsed.data;
  const told = parsed.error.issues.slice(0, 5).map((issue) => describe(issue, document, lines));
  throw new CliError('file_invalid', `${path}, ${told.join('; ')}`);
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > ORGANIZATION_FILE_BYTES_MAX)
      throw new CliError(
        'file_unreadable',
        `${path} has ${size} bytes; ${ORGANIZATION_FILE_BYTES_MAX} are read at most`,
      );
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw asUnreadable(path, error);
  }
}

/** Aliases that repeat aliases grow without end: the library stops them, and so do we. */
function toPlain(path: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('file_invalid', `${path}: ${reason}`, error);
  }
}

function describe(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const isExtra = issue.code === 'unrecognized_keys';
  const at = isExtra ? [...path, ...issue.keys.slice(0, 1)] : path;
  const field = at.join('.') || 'the file';
  const reason = isExtra ? 'there is no such field' : issue.message;
  const line = lineOf(document, lines, at);
  return `${line === undefined ? '' : `line ${line}: `}${field}: ${reason}`;
}

/** The line of a field, or of the nearest one around it that is there. */
function lineOf(
  document: Document,
  lines: LineCounter,
  path: readonly (string | number)[],
): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function namesIn({ networks = {}, nodes = {}, users = {} }: OrganizationFile): string[] {
  return [
    ...Object.keys(networks).map((name) => `network "${name}"`),
    ...Object.keys(nodes).map((name) => `node "${name}"`),
    ...Object.keys(users).map((name) => `user "${name}"`),
  ];
}

function merge(one: OrganizationFile, other: OrganizationFile): OrganizationFile {
  const networks = { ...one.networks, ...other.networks };
  const nodes = { ...one.nodes, ...other.nodes };
  const users = { ...one.users, ...other.users };
  return {
    etherloom: 1,
    ...(one.networks === undefined && other.networks === undefined ? {} : { networks }),
    ...(one.nodes === undefined && other.nodes === undefined ? {} : { nodes }),
    ...(one.users === undefined && other.users === undefined ? {} : { users }),
  };
}
