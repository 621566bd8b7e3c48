/**
 * Splits TypeScript or C source into code, comments and strings without a parser: each of the three
 * answers has the length and the line breaks of the source, with all that is not its own blanked
 * out. Enough for checks that look for words, calls and braces. It knows strings, template literals
 * with nested code, both kinds of comment and regular expressions (by what stands before the
 * slash).
 */

/** Three views of one source text, equal in length. */
export interface Scan {
  /** Code; quotes stay, what is between them is blank. */
  readonly code: string;
  /** Comments with their marks. */
  readonly comments: string;
  /** Contents of strings and templates. */
  readonly strings: string;
}

type Kind = 'code' | 'comments' | 'strings';

/** tsx: TypeScript in which `</` and `/>` are ends of elements. */
export type Language = 'ts' | 'tsx' | 'c';

/** Scans source text; `language` decides whether templates and regular expressions exist. */
export function scan(text: string, language: Language): Scan {
  const kinds = Array.from<Kind>({ length: text.length }).fill('code');
  scanCode(text, 0, language, kinds, false);
  return {
    code: view(text, kinds, 'code'),
    comments: view(text, kinds, 'comments'),
    strings: view(text, kinds, 'strings'),
  };
}

function view(text: string, kinds: readonly Kind[], kind: Kind): string {
  let out = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    out += kinds[at] === kind || char === '\n' ? char : ' ';
  }
  return out;
}

/** Walks code from `at`; inside a template it ends at the closing brace. Returns where it ended. */
function scanCode(
  text: string,
  from: number,
  language: Language,
  kinds: Kind[],
  isNested: boolean,
): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const char = text.charAt(at);
    const two = text.slice(at, at + 2);
    if (two === '//') at = mark(kinds, at, endOr(text, text.indexOf('\n', at)), 'comments');
    else if (two === '/*')
      at = mark(kinds, at, endOr(text, text.indexOf('*/', at + 2), 2), 'comments');
    else if (char === '"' || char === "'") at = scanString(text, at, kinds);
    else if (char === '`' && language !== 'c') at = scanTemplate(text, at, kinds);
    else if (char === '/' && language === 'tsx' && isTagSlash(text, at)) at++;
    else if (char === '/' && language !== 'c' && startsRegex(text, at))
      at = scanRegex(text, at, kinds);
    else {
      if (char === '{') depth++;
      if (char === '}') {
        if (isNested && depth === 0) return at;
        depth--;
      }
      at++;
    }
  }
  return at;
}

const endOr = (text: string, index: number, add = 0): number =>
  index === -1 ? text.length : index + add;

function mark(kinds: Kind[], from: number, to: number, kind: Kind): number {
  kinds.fill(kind, from, to);
  return to;
}

function scanString(text: string, from: number, kinds: Kind[]): number {
  const quote = text.charAt(from);
  let at = from + 1;
  while (at < text.length && text.charAt(at) !== quote && text.charAt(at) !== '\n')
    at += text.charAt(at) === '\\' ? 2 : 1;
  mark(kinds, from + 1, Math.min(at, text.length), 'strings');
  return at + 1;
}

function scanTemplate(text: string, from: number, kinds: Kind[]): number {
  let at = from + 1;
  let start = at;
  while (at < text.length && text.charAt(at) !== '`') {
    if (text.charAt(at) === '\\') at += 2;
    else if (text.slice(at, at + 2) === '${') {
      mark(kinds, start, at, 'strings');
      at = scanCode(text, at + 2, 'ts', kinds, true) + 1;
      start = at;
    } else at++;
  }
  mark(kinds, start, Math.min(at, text.length), 'strings');
  return at + 1;
}

/** The slash of `</p>`, `</>` or `<br />`. */
function isTagSlash(text: string, at: number): boolean {
  return text.charAt(at - 1) === '<' || text.charAt(at + 1) === '>';
}

/** A slash begins a regular expression where a value is expected. */
function startsRegex(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$|\b(return|typeof|case|of|in)$/.test(before);
}

function scanRegex(text: string, from: number, kinds: Kind[]): number {
  let isClass = false;
  let at = from + 1;
  while (at < text.length && text.charAt(at) !== '\n') {
    const char = text.charAt(at);
    if (char === '\\') at++;
    else if (char === '[') isClass = true;
    else if (char === ']') isClass = false;
    else if (char === '/' && !isClass) break;
    at++;
  }
  mark(kinds, from + 1, Math.min(at, text.length), 'strings');
  return at + 1;
}
