import { expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';

test('measures all but the bare data path in three rounds of two seconds', () => {
  expect(parseArguments([])).toEqual({
    json: null,
    rounds: 3,
    seconds: 2,
    only: ['veth', 'vxlan', 'etherloom', 'wireguard-go'],
  });
});

test('keeps the order of the table whatever the order of --only', () => {
  expect(parseArguments(['--only', 'etherloom,veth', '--json', 'x.json', '--runs', '5'])).toEqual({
    json: 'x.json',
    rounds: 5,
    seconds: 2,
    only: ['veth', 'etherloom'],
  });
});

test.each([
  [
    ['--only', 'veth,tinc'],
    '--only knows veth, vxlan, etherloom, datapath, wireguard-go; given "tinc"',
  ],
  [['--runs', '0'], '--runs takes a whole number from 1 to 1000, given "0"'],
  [['--seconds', '1.5'], '--seconds takes a whole number from 1 to 600, given "1.5"'],
  [['--fast'], "Unknown option '--fast'"],
])('refuses %s', (args, message) => {
  expect(() => parseArguments(args)).toThrow(message);
});
