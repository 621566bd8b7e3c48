import { expect, test } from 'vitest';
import { CONTENDER_NAMES, SCENARIO_GROUPS, USAGE, parseArguments } from './arguments.ts';

test('measures everything but the bare data path in five rounds of two seconds', () => {
  expect(parseArguments([])).toEqual({
    json: null,
    rounds: 5,
    seconds: 2,
    only: ['veth', 'vxlan', 'etherloom', 'wireguard-go', 'zerotier'],
    isMain: true,
    groups: ['jumbo', 'loss', 'tables', 'idle'],
    compare: null,
    flame: null,
    isHelp: false,
  });
});

test('keeps the order of the table whatever the order of --only', () => {
  const args = ['--only', 'etherloom,veth', '--json', 'x.json', '--runs', '3'];
  expect(parseArguments(args)).toMatchObject({
    json: 'x.json',
    rounds: 3,
    only: ['veth', 'etherloom'],
  });
});

test.each([
  ['main', true, []],
  ['loss', false, ['loss']],
  ['tables,main,jumbo', true, ['jumbo', 'tables']],
  ['all', true, [...SCENARIO_GROUPS]],
])('--suite %s runs just that', (suite, isMain, groups) => {
  expect(parseArguments(['--suite', suite])).toMatchObject({ isMain, groups });
});

test('records a flame graph for longer than one measurement takes', () => {
  expect(parseArguments(['--flame', 'x.svg'])).toMatchObject({ flame: 'x.svg', seconds: 10 });
  expect(parseArguments(['--flame', 'x.svg', '--seconds', '4']).seconds).toBe(4);
});

test('help names every option, suite and contender', () => {
  expect(parseArguments(['--help']).isHelp).toBe(true);
  const options = ['--json', '--compare', '--flame', '--runs', '--seconds', '--suite', '--only'];
  for (const word of [...options, ...CONTENDER_NAMES, ...SCENARIO_GROUPS])
    expect(USAGE).toContain(word);
});

test.each([
  [
    ['--only', 'veth,tinc'],
    '--only knows veth, vxlan, etherloom, datapath, wireguard-go, zerotier; given "tinc"',
  ],
  [['--suite', 'fast'], '--suite knows all, main, jumbo, loss, tables, idle; given "fast"'],
  [['--runs', '0'], '--runs takes a whole number from 1 to 1000, given "0"'],
  [['--seconds', '1.5'], '--seconds takes a whole number from 1 to 600, given "1.5"'],
  [['--fast'], "Unknown option '--fast'"],
  [['base.json'], 'Unexpected argument'],
])('refuses %s', (args, message) => {
  expect(() => parseArguments(args)).toThrow(message);
});
