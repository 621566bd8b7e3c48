/**
 * Refuses imports that the dependency table does not allow (ARCHITECTURE.md, "Packages"). Edges are
 * read from the source: static and dynamic imports, type imports, re-exports and require. Run
 * without arguments it checks the tree; exit status 1 when something is found.
 *
 * Besides the table: packages import each other by name, never by path; a pure package takes no
 * part of Node but the named ones; a package imports only npm packages that its own package.json
 * declares; tests are imported by nobody.
 */
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isTest, lineAt, readTree, report } from './check-files.ts';
import type { Finding, SourceFile } from './check-files.ts';
import { scan } from './check-scan.ts';

interface Room {
  /** Rooms of ours that it may import. */
  readonly imports: readonly string[];
  /** What only its tests may import besides. */
  readonly testImports?: readonly string[];
  /** Parts of Node that it may import; absent: all. */
  readonly node?: readonly string[];
  readonly why: string;
}

const ALL = [
  'api',
  'core',
  'transport',
  'controller',
  'agent',
  'cli',
  'lab',
  'bench',
  'tools',
  'test',
];

/** Who may import whom. A room is a package, or a folder of the root. */
export const ROOMS: Readonly<Record<string, Room>> = {
  api: { imports: [], node: [], why: 'api is the contract alone; browsers read it too' },
  core: {
    imports: ['api'],
    node: ['node:crypto', 'node:assert'],
    why: 'core is pure: time, randomness and IO are parameters',
  },
  transport: {
    imports: ['api'],
    why: 'transport carries the contract over pinned TLS and knows nothing else',
  },
  controller: {
    imports: ['api', 'core'],
    testImports: ['transport', 'lab'],
    why: 'the controller is reached over its API only',
  },
  agent: {
    imports: ['api', 'core', 'transport'],
    why: 'the agent is the shell around core on a host',
  },
  cli: {
    imports: ['api', 'core', 'transport'],
    why: 'the command line asks agent and controller over their APIs, and signs with core',
  },
  lab: {
    imports: ['api', 'transport'],
    why: 'the lab runs the product as a user does: by its programs and APIs',
  },
  console: {
    imports: ['api'],
    node: [],
    why: 'the console is a client of the API and nothing more',
  },
  bench: {
    imports: ['api', 'core', 'transport', 'lab'],
    why: 'a bench drives the product from outside',
  },
  tools: {
    imports: ['api', 'core', 'transport', 'lab'],
    why: 'tools read descriptions and run the lab',
  },
  test: { imports: ALL, why: 'tests of the whole may use every part' },
};

/** Runs before anything is installed, so it has Node alone. */
const BARE_FILES = new Set(['tools/bootstrap.mjs']);

/** One import as it stands in a file. */
export interface ImportEdge {
  readonly specifier: string;
  readonly line: number;
}

/** Every import of a source text, in order. */
export function importsOf(text: string): ImportEdge[] {
  const { code, strings } = scan(text, 'ts');
  const edge = /\b(?:from|import|require|resolve)\s*\(?\s*(['"`])([ ]*)\1/g;
  const edges: ImportEdge[] = [];
  for (const match of code.matchAll(edge)) {
    const end = match.index + match[0].length - 1;
    const specifier = strings.slice(end - (match[2] ?? '').length, end);
    if (specifier !== '' && isImport(code, match.index, match[0]))
      edges.push({ specifier, line: lineAt(text, match.index) });
  }
  return edges;
}

/**
 * `from` and `resolve` are common names of functions: only the forms of the module system count.
 */
function isImport(code: string, index: number, matched: string): boolean {
  if (matched.startsWith('resolve')) return code.slice(0, index).endsWith('import.meta.');
  if (matched.startsWith('from'))
    return !matched.includes('(') && /[}*\w$]\s*$/.test(code.slice(0, index));
  return !/[.\w$]$/.test(code.slice(0, index));
}

/** Names of the npm packages that each package declares, by room. */
export type Declared = Readonly<Record<string, ReadonlySet<string>>>;

/** All forbidden edges of a tree. */
export function checkImports(files: readonly SourceFile[]): Finding[] {
  const declared = declaredOf(files);
  const sources = files.filter(
    ({ path }) => /\.(tsx|ts|mts|mjs|js)$/.test(path) && roomOf(path) !== undefined,
  );
  return sources.flatMap((file) =>
    importsOf(file.text).flatMap(({ specifier, line }) => {
      const message = refusal(file.path, specifier, declared);
      return message === null ? [] : [{ file: file.path, line, rule: 'import', message }];
    }),
  );
}

function declaredOf(files: readonly SourceFile[]): Declared {
  const declared: Record<string, Set<string>> = {};
  for (const { path, text } of files) {
    const room =
      path === 'package.json' ? 'root' : /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1];
    if (room === undefined) continue;
    // Shape of package.json is npm's to check.
    const manifest = JSON.parse(text) as { dependencies?: object; devDependencies?: object };
    declared[room] = new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.devDependencies ?? {}),
    ]);
  }
  return declared;
}

function roomOf(path: string): string | undefined {
  const [first = '', second = ''] = path.split('/');
  if (first === 'packages') return second;
  return first in ROOMS ? first : undefined;
}

function refusal(path: string, specifier: string, declared: Declared): string | null {
  const name = roomOf(path) ?? '';
  const room = ROOMS[name];
  if (room === undefined)
    return `package ${name} is not in the table of tools/check-imports.ts; add it with what it may import`;
  if (BARE_FILES.has(path) && !specifier.startsWith('node:'))
    return `"${specifier}": ${path} runs before npm, it has node: modules only`;
  if (specifier.startsWith('node:')) return nodeRefusal(room, path, specifier);
  if (specifier.startsWith('.')) return pathRefusal(name, room, path, specifier);
  const ours = /^@etherloom\/([^/]+)(\/.+)?$/.exec(specifier);
  if (ours === null) return npmRefusal(name, path, specifier, declared);
  if (ours[2] !== undefined)
    return `"${specifier}" reaches inside a package; import "@etherloom/${ours[1] ?? ''}"`;
  return roomRefusal(name, room, path, ours[1] ?? '');
}

function nodeRefusal(room: Room, path: string, specifier: string): string | null {
  if (room.node === undefined || room.node.includes(specifier) || isTest(path)) return null;
  return `"${specifier}" is not allowed: ${room.why}`;
}

function pathRefusal(name: string, room: Room, path: string, specifier: string): string | null {
  const target = normalize(join(dirname(path), specifier)).replaceAll('\\', '/');
  if (target.includes('/testing/') && !isTest(path)) return `"${specifier}" serves tests alone`;
  if (target.endsWith('.test.ts'))
    return `"${specifier}" is a test; move what is shared into a file of its own`;
  const targetRoom = roomOf(target);
  if (targetRoom === name) return null;
  if (targetRoom === undefined)
    return target.endsWith('.json') ? null : `"${specifier}" leaves the packages`;
  // Generators and namespace tests read single files of a package, which is more exact than its
  // whole index.
  if (target.startsWith('packages/') && path.startsWith('packages/')) {
    return `"${specifier}" enters ${targetRoom} by path; import "@etherloom/${targetRoom}"`;
  }
  return roomRefusal(name, room, path, targetRoom);
}

function roomRefusal(name: string, room: Room, path: string, target: string): string | null {
  const allowed = isTest(path) ? [...room.imports, ...(room.testImports ?? [])] : room.imports;
  if (target === name || allowed.includes(target)) return null;
  const list = allowed.join(', ') || 'nothing of ours';
  return `${name} may not import ${target}: ${room.why} (allowed: ${list})`;
}

function npmRefusal(
  name: string,
  path: string,
  specifier: string,
  declared: Declared,
): string | null {
  const dependency = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] ?? '');
  if (declared[name]?.has(dependency) === true) return null;
  const fromRoot = isTest(path) || !path.startsWith('packages/');
  if (fromRoot && declared['root']?.has(dependency) === true) return null;
  const isDeclared = Object.values(declared).some((names) => names.has(dependency));
  if (!path.startsWith('packages/') && isDeclared) return null;
  return `"${specifier}" is not declared in packages/${name}/package.json`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = readTree(fileURLToPath(new URL('..', import.meta.url)));
  process.exitCode = report('check-imports', checkImports(files), files.length);
}
