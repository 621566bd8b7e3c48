/**
 * One noun per thing: refuses the synonyms listed in the vocabulary of docs/design.md (column
 * "not") in code, comments, texts, file names and documents. Words are compared whole, after
 * camelCase, snake_case and kebab-case are split.
 *
 * Some synonyms are proper words of something else (a TCP segment, an HTTP client). Those are
 * listed in WORDS_WITH_ANOTHER_MEANING with the reason, and are refused only together with a word
 * that gives the wrong meaning away. A term of the table must be refused whole or stand there.
 */
import { fileURLToPath } from 'node:url';
import { readTree, report } from './check-files.ts';
import type { Finding, SourceFile } from './check-files.ts';

interface AnotherMeaning {
  readonly because: string;
  /** Phrases with the word that do mean our noun. */
  readonly refused: readonly string[];
}

/** Synonyms that are also proper words. */
export const WORDS_WITH_ANOTHER_MEANING: Readonly<Record<string, AnotherMeaning>> = {
  segment: {
    because: 'a TCP segment; a train carries segments',
    refused: ['network segment', 'overlay segment', 'segment id', 'segment name'],
  },
  vnet: {
    because: 'vnet_hdr is the name of a header of the kernel',
    refused: ['vnet id', 'vnet name', 'vnets'],
  },
  lan: {
    because: 'README and package text tell newcomers what they get: a LAN',
    refused: ['lan id', 'lan name', 'virtual lan id'],
  },
  account: {
    because: 'an identity provider has accounts',
    refused: ['account of the organization', 'tenant account', 'cloud account', 'account owner'],
  },
  locator: {
    because: 'tests in a browser find elements by locators',
    refused: ['locator of a peer', 'peer locator', 'routing locator'],
  },
  device: {
    because: "a TAP or veth device is the kernel's noun",
    refused: ['device id', 'device key', 'member device', 'device token'],
  },
  client: {
    because: 'HTTP, WebSocket, control sockets and OpenID Connect have clients',
    refused: ['client key', 'client node', 'client mac', 'vpn client'],
  },
  endpoint: {
    because: 'a noun of the table itself: underlay address and port',
    refused: ['endpoint id', 'endpoint key', 'endpoint mac'],
  },
  box: { because: 'a box of a drawing', refused: ['linux box', 'this box', 'each box', 'box id'] },
  server: {
    because: 'HTTP and test programs have servers',
    refused: [
      'control server',
      'coordination server',
      'server token',
      'central server',
      'vpn server',
    ],
  },
  remote: {
    because: 'an adjective of addresses and ids',
    refused: ['remote node', 'remote peer', 'remotes', 'the remote'],
  },
  'remote address': {
    because: "the socket API's name of the other side",
    refused: ['remote address of the peer', 'peer remote address'],
  },
  tunnel: {
    because: 'VXLAN and WireGuard have tunnels, and are compared with',
    refused: ['tunnel id', 'tunnel key', 'peer tunnel', 'tunnels between'],
  },
  connection: {
    because: 'TCP, WebSocket and databases have connections',
    refused: ['peer connection', 'connection key', 'connection keys'],
  },
  association: { because: 'plain English', refused: ['security association', 'peer association'] },
  packet: {
    because: 'kept for IP packets; AF_PACKET, packets per second',
    refused: [
      'ethernet packet',
      'layer 2 packet',
      'handshake packet',
      'encrypted packet',
      'sealed packet',
      'outer packet',
      'udp datagram packet',
    ],
  },
  burst: {
    because: 'tokens of a rate limit',
    refused: ['burst index', 'burst of segments', 'segment burst'],
  },
  bundle: { because: 'what a bundler makes', refused: ['frame bundle', 'bundle of frames'] },
  stream: {
    because: 'a byte stream; a TCP stream of a benchmark',
    refused: ['counter stream', 'nonce stream'],
  },
  queue: {
    because: 'waiting work; queues of a TAP device',
    refused: ['counter queue', 'nonce queue'],
  },
  datapath: {
    because: "the folder's and program's name, and of identifiers after it",
    refused: ['the datapath', 'a datapath', 'our datapath', 'datapaths'],
  },
};

interface Allowed {
  readonly path: RegExp;
  readonly phrase: string;
  readonly because: string;
}

/** Single places where a synonym is right. */
export const ALLOWED: readonly Allowed[] = [
  { path: /^docs\/design\.md$/, phrase: 'arp cache', because: 'names what others call it' },
  {
    path: /^(README|ARCHITECTURE)\.md$/,
    phrase: 'arp cache',
    because: 'names what others call it',
  },
  {
    path: /^(README|docs\/.*)\.md$/,
    phrase: 'security association',
    because: "IPsec's word in a comparison",
  },
];

/** Files that quote others, or the table itself. */
const UNREAD =
  /^(package-lock\.json|LICENSE|tools\/check-vocabulary(\.test)?\.ts|datapath\/vectors\/.*)$/;

/** One noun with its synonyms. */
export interface Noun {
  readonly noun: string;
  readonly synonyms: readonly string[];
}

/**
 * Reads the vocabulary table of docs/design.md. Throws when it is missing, so that the check cannot
 * pass by not finding it.
 */
export function readVocabulary(design: string): Noun[] {
  const section = /## Vocabulary\n([\s\S]*?)(?=\n## |$)/.exec(design)?.[1] ?? '';
  const rows = [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].filter(
    (row) => row[1] !== 'noun',
  );
  if (rows.length === 0)
    throw new Error('docs/design.md has no vocabulary table of | noun | what it is | not |');
  return rows.map((row) => ({ noun: (row[1] ?? '').trim(), synonyms: termsOf(row[3] ?? '') }));
}

const termsOf = (cell: string): string[] =>
  cell
    .replace(/\([^)]*\)/g, '')
    .split(',')
    .map((term) => term.trim().toLowerCase())
    .filter((term) => term !== '');

/** A phrase that is refused, as words, and the noun that is right. */
export interface Refusal {
  readonly words: readonly string[];
  readonly noun: string;
}

/** What the table refuses: whole synonyms, and phrases with words that have another meaning. */
export function refusalsOf(vocabulary: readonly Noun[]): Refusal[] {
  return vocabulary.flatMap(({ noun, synonyms }) =>
    synonyms.flatMap((synonym) =>
      (WORDS_WITH_ANOTHER_MEANING[synonym]?.refused ?? [synonym]).map((phrase) => ({
        words: phrase.split(' '),
        noun,
      })),
    ),
  );
}

/**
 * Splits a line into lower-case words; camelCase, snake_case and kebab-case come apart. Other signs
 * become `|`, so that no phrase reaches over them.
 */
export function wordsOf(text: string): string[] {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .replace(/[^a-z0-9_\s-]+/g, ' | ')
    .split(/[^a-z0-9|]+/)
    .filter((word) => word !== '');
}

/** Every place of a tree that uses a refused phrase. */
export function checkVocabulary(
  files: readonly SourceFile[],
  vocabulary: readonly Noun[],
): Finding[] {
  const refusals = refusalsOf(vocabulary);
  return files
    .filter(({ path }) => !UNREAD.test(path))
    .flatMap((file) => [...checkName(file, refusals), ...checkText(file, refusals)]);
}

function checkName(file: SourceFile, refusals: readonly Refusal[]): Finding[] {
  return findingsIn(file.path, file.path, 0, refusals);
}

function checkText(file: SourceFile, refusals: readonly Refusal[]): Finding[] {
  let isVocabulary = false;
  return file.text.split('\n').flatMap((line, index) => {
    if (file.path === 'docs/design.md' && line.startsWith('## '))
      isVocabulary = line === '## Vocabulary';
    return isVocabulary ? [] : findingsIn(file.path, line, index + 1, refusals);
  });
}

function findingsIn(
  path: string,
  text: string,
  line: number,
  refusals: readonly Refusal[],
): Finding[] {
  const words = wordsOf(text);
  return refusals
    .filter(
      (refusal) => hasPhrase(words, refusal.words) && !isAllowed(path, refusal.words.join(' ')),
    )
    .map((refusal) => ({
      file: path,
      line,
      rule: 'vocabulary',
      message: `"${refusal.words.join(' ')}": the noun is "${refusal.noun}"`,
    }));
}

/** The last word of a phrase may stand in the plural. */
function hasPhrase(words: readonly string[], phrase: readonly string[]): boolean {
  const last = phrase.length - 1;
  return words.some((_, start) =>
    phrase.every((word, offset) => {
      const found = words[start + offset];
      return found === word || (offset === last && (found === `${word}s` || found === `${word}es`));
    }),
  );
}

function isAllowed(path: string, phrase: string): boolean {
  return ALLOWED.some((allowed) => allowed.path.test(path) && allowed.phrase === phrase);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = readTree(fileURLToPath(new URL('..', import.meta.url)));
  const design = files.find(({ path }) => path === 'docs/design.md')?.text ?? '';
  process.exitCode = report(
    'check-vocabulary',
    checkVocabulary(files, readVocabulary(design)),
    files.length,
  );
}
