import { expect, test } from 'vitest';
import { formatFinding } from './check-files.ts';
import { checkImports, importsOf } from './check-imports.ts';

const MANIFESTS = [
  { path: 'package.json', text: '{"devDependencies":{"vitest":"1"}}' },
  { path: 'packages/core/package.json', text: '{"dependencies":{"@etherloom/api":"1"}}' },
  { path: 'packages/api/package.json', text: '{"dependencies":{"zod":"1"}}' },
];

const refusalsOf = (path: string, text: string): string[] =>
  checkImports([...MANIFESTS, { path, text }]).map(formatFinding);

const forms: readonly [name: string, source: string, specifiers: string[]][] = [
  ['a named import', "import { a } from 'x';", ['x']],
  ['an import over several lines', "import {\n  a,\n} from 'x';", ['x']],
  ['a type import', "import type { A } from 'x';", ['x']],
  ['a namespace import', "import * as a from 'x';", ['x']],
  ['an import for its effect', "import 'x';", ['x']],
  ['a dynamic import', "const a = await import('x');", ['x']],
  ['a dynamic import with a template', 'const a = await import(`x`);', ['x']],
  ['an import type', "type A = import('x').A;", ['x']],
  ['a re-export', "export { a } from 'x';", ['x']],
  ['a require', "const a = require('x');", ['x']],
  ['nothing in a comment', "// import 'x';\n/* from 'y' */", []],
  ['nothing in a string', 'const a = "import \'x\'";', []],
  ['nothing in Array.from', "Array.from('abc');", []],
  ['nothing in a function named importFrom', "importFrom('abc'); x.import('y');", []],
];

test.each(forms)('reads %s', (_name, source, specifiers) => {
  expect(importsOf(source).map(({ specifier }) => specifier)).toEqual(specifiers);
});

test('tells the line of an import', () => {
  expect(importsOf("\n\nimport 'x';")).toEqual([{ specifier: 'x', line: 3 }]);
});

const refused: readonly [name: string, path: string, source: string, message: string][] = [
  [
    'core takes no part of Node but crypto and assert',
    'packages/core/src/a.ts',
    "import { readFileSync } from 'node:fs';",
    'packages/core/src/a.ts:1 import: "node:fs" is not allowed: core is pure: time, randomness and IO are parameters',
  ],
  [
    'api takes no part of Node at all',
    'packages/api/src/a.ts',
    "\nimport { createHash } from 'node:crypto';",
    'packages/api/src/a.ts:2 import: "node:crypto" is not allowed: api is the contract alone; browsers read it too',
  ],
  [
    'core does not import the agent, even in a dynamic import',
    'packages/core/src/a.ts',
    "await import('@etherloom/agent');",
    'packages/core/src/a.ts:1 import: core may not import agent: core is pure: time, randomness and IO are parameters (allowed: api)',
  ],
  [
    'a package is not entered by path',
    'packages/agent/src/a.ts',
    "import { x } from '../../core/src/x.ts';",
    'packages/agent/src/a.ts:1 import: "../../core/src/x.ts" enters core by path; import "@etherloom/core"',
  ],
  [
    'a package is not entered below its index',
    'packages/agent/src/a.ts',
    "import { x } from '@etherloom/core/src/x.ts';",
    'packages/agent/src/a.ts:1 import: "@etherloom/core/src/x.ts" reaches inside a package; import "@etherloom/core"',
  ],
  [
    'an npm package must be declared where it is used',
    'packages/core/src/a.ts',
    "import { z } from 'zod';",
    'packages/core/src/a.ts:1 import: "zod" is not declared in packages/core/package.json',
  ],
  [
    'a test is imported by nobody',
    'packages/core/src/a.ts',
    "import { x } from './x.test.ts';",
    'packages/core/src/a.ts:1 import: "./x.test.ts" is a test; move what is shared into a file of its own',
  ],
  [
    'what serves tests is imported by tests alone',
    'packages/controller/src/a.ts',
    "import { x } from './testing/fixture.ts';",
    'packages/controller/src/a.ts:1 import: "./testing/fixture.ts" serves tests alone',
  ],
  [
    'a package does not import the tools',
    'packages/lab/src/a.ts',
    "import { x } from '../../../tools/x.ts';",
    'packages/lab/src/a.ts:1 import: lab may not import tools: the lab runs the product as a user does: by its programs and APIs (allowed: api, transport)',
  ],
  [
    'a package that the table does not know is refused',
    'packages/extra/src/a.ts',
    "import 'node:fs';",
    'packages/extra/src/a.ts:1 import: package extra is not in the table of tools/check-imports.ts; add it with what it may import',
  ],
  [
    'the bootstrap imports Node alone',
    'tools/bootstrap.mjs',
    "import { z } from 'zod';",
    'tools/bootstrap.mjs:1 import: "zod": tools/bootstrap.mjs runs before npm, it has node: modules only',
  ],
  [
    'only tests of the controller may use the transport',
    'packages/controller/src/a.ts',
    "import { x } from '@etherloom/transport';",
    'packages/controller/src/a.ts:1 import: controller may not import transport: the controller is reached over its API only (allowed: api, core)',
  ],
];

test.each(refused)('%s', (_name, path, source, message) => {
  expect(refusalsOf(path, source)).toEqual([message]);
});

const allowed: readonly [name: string, path: string, source: string][] = [
  [
    'core imports api and node:crypto',
    'packages/core/src/a.ts',
    "import '@etherloom/api';\nimport 'node:crypto';",
  ],
  ['a package imports its own files', 'packages/core/src/a/b.ts', "import { x } from '../x.ts';"],
  [
    'a test imports the test runner and Node',
    'packages/core/src/a.test.ts',
    "import 'vitest';\nimport 'node:fs';",
  ],
  [
    'a test of the controller imports the transport',
    'packages/controller/src/a.test.ts',
    "import '@etherloom/transport';",
  ],
  [
    'a fixture of tests may use what tests may',
    'packages/controller/src/testing/a.ts',
    "import '@etherloom/transport';",
  ],
  ['a tool reads one file of core', 'tools/a.ts', "import '../packages/core/src/x.ts';"],
  ['an npm package that is declared', 'packages/api/src/a.ts', "import { z } from 'zod';"],
];

test.each(allowed)('allows: %s', (_name, path, source) => {
  expect(refusalsOf(path, source)).toEqual([]);
});
