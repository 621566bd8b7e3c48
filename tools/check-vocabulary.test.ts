import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatFinding } from './check-files.ts';
import {
  WORDS_WITH_ANOTHER_MEANING,
  checkVocabulary,
  readVocabulary,
  refusalsOf,
  wordsOf,
} from './check-vocabulary.ts';

const DESIGN = `# Design

## Vocabulary

| noun | what it is | not |
|---|---|---|
| organization | a tenant | account, customer |
| host | a machine | box, server |
| port | an attachment | vport, iface |
| FDB | MAC to peer | mac table |
| data path | the C program | datapath (only as the folder), dataplane |

## Next

| a | b | c |
`;

const vocabulary = readVocabulary(DESIGN);
const findingsOf = (path: string, text: string): string[] =>
  checkVocabulary([{ path, text }], vocabulary).map(formatFinding);

test('reads nouns and synonyms, without what stands in brackets', () => {
  expect(vocabulary.at(0)).toEqual({ noun: 'organization', synonyms: ['account', 'customer'] });
  expect(vocabulary.at(-1)).toEqual({ noun: 'data path', synonyms: ['datapath', 'dataplane'] });
  expect(vocabulary).toHaveLength(5);
});

test('refuses to run without the table', () => {
  expect(() => readVocabulary('# Design\n')).toThrow('no vocabulary table');
});

test.each([
  ['macTable', ['mac', 'table']],
  ['MAC_TABLE', ['mac', 'table']],
  ['mac-table', ['mac', 'table']],
  ['HTTPServer', ['http', 'server']],
  ['udp64Kpps', ['udp64', 'kpps']],
  ['mac, table', ['mac', '|', 'table']],
])('splits %s', (name, words) => {
  expect(wordsOf(name)).toEqual(words);
});

const refused: readonly [name: string, path: string, text: string, findings: string[]][] = [
  [
    'in an identifier',
    'a.ts',
    'const customerName = 1;',
    ['a.ts:1 vocabulary: "customer": the noun is "organization"'],
  ],
  [
    'in a constant',
    'a.ts',
    '\nconst VPORT_MAX = 1;',
    ['a.ts:2 vocabulary: "vport": the noun is "port"'],
  ],
  ['in the plural', 'a.md', 'All ifaces.', ['a.md:1 vocabulary: "iface": the noun is "port"']],
  [
    'over two words',
    'a.c',
    'struct mac_table *t;',
    ['a.c:1 vocabulary: "mac table": the noun is "FDB"'],
  ],
  [
    'in the name of a file',
    'src/dataplane.ts',
    '',
    ['src/dataplane.ts vocabulary: "dataplane": the noun is "data path"'],
  ],
  [
    'in a phrase that gives the meaning away',
    'a.md',
    'Restart the datapath.',
    ['a.md:1 vocabulary: "the datapath": the noun is "data path"'],
  ],
];

test.each(refused)('refuses a synonym %s', (_name, path, text, findings) => {
  expect(findingsOf(path, text)).toEqual(findings);
});

test.each([
  ['an HTTP server', 'const server = createServer();'],
  ['the folder of the data path', 'make -C datapath'],
  ['an identifier after the folder', 'const datapathProcess = 1;'],
  ['a longer word', 'accountable'],
  ['two words with a sign between', 'f(mac, table);'],
])('allows %s', (_name, text) => {
  expect(findingsOf('a.ts', text)).toEqual([]);
});

test('does not read the table itself', () => {
  expect(findingsOf('docs/design.md', DESIGN)).toEqual([]);
});

test('every word with another meaning is a synonym of the real table, so that none outlives its row', () => {
  const real = readVocabulary(readFileSync(new URL('../docs/design.md', import.meta.url), 'utf8'));
  const synonyms = new Set(real.flatMap((noun) => noun.synonyms));
  expect(Object.keys(WORDS_WITH_ANOTHER_MEANING).filter((word) => !synonyms.has(word))).toEqual([]);
  expect(refusalsOf(real).length).toBeGreaterThan(synonyms.size);
});
