import { expect, test } from 'vitest';
import { scan } from './check-scan.ts';

const cases: readonly [
  name: string,
  source: string,
  code: string,
  comments: string,
  strings: string,
][] = [
  ['separates a line comment', 'a; // b', 'a;     ', '   // b', '       '],
  ['separates a block comment', 'a /* b */ c', 'a         c', '  /* b */  ', '           '],
  ['keeps quotes in the code', "f('x')", "f(' ')", '      ', '   x  '],
  ['sees no comment in a string', "'// a'", "'    '", '      ', ' // a '],
  [
    'steps over an escaped quote',
    String.raw`'a\'b' c`,
    "'    ' c",
    '        ',
    String.raw` a\'b   `,
  ],
  ['reads code inside a template', '`a${b}c`', '` ${b} `', '        ', ' a    c '],
  ['reads a template inside a template', '`${`x`}`;', '`${` `}`;', '         ', '    x    '],
  [
    'takes a slash after a bracket for a regular expression',
    "f(/'/); g",
    'f(/ /); g',
    '         ',
    "   '     ",
  ],
  [
    'takes a slash after a name for a division',
    "a / b; 'c'",
    "a / b; ' '",
    '          ',
    '        c ',
  ],
];

test.each(cases)('%s', (_name, source, code, comments, strings) => {
  expect(scan(source, 'ts')).toEqual({ code, comments, strings });
});

test('a backtick is no template in C', () => {
  expect(scan("a ` b /* it's */ c", 'c').code).toBe('a ` b            c');
});

test('ends of elements are no regular expressions in tsx', () => {
  const text =
    'const a = (b: B) => { return <p>{b.c}</p>; };\nconst d = () => { return <br />; }; // e';
  const { code, comments } = scan(text, 'tsx');
  expect(code.match(/[{}]/g)).toHaveLength(6);
  expect(comments.trim()).toBe('// e');
});

test('a slash before a greater-than sign begins a regular expression in ts', () => {
  expect(scan('const a = />{/;', 'ts').code).not.toContain('{');
});
