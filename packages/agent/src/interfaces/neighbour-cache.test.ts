import { expect, test } from 'vitest';
import { parseIp, parseMac } from '@etherloom/core';
import { bindingsOf, isSameBindings, planForgetting } from './neighbour-cache.ts';

const PEER = { vni: 5, peer: 1, mac: macOf('02:00:00:00:00:02') };
const BINDINGS = bindingsOf(
  [
    { ...PEER, ip: ipOf('10.1.0.2') },
    { ...PEER, ip: ipOf('fd00::2') },
    { ...PEER, vni: 6, ip: ipOf('10.1.0.3') },
  ],
  (vni) => (vni === 5 ? 'loom-demo' : undefined),
);
const DEVICES = new Set(['loom-demo']);

test.each([
  ['the MAC of somebody else', '10.1.0.2', '02:00:00:00:00:09', 'loom-demo', true],
  ['the same of IPv6, written at length', 'fd00:0::0:2', '02:00:00:00:00:09', 'loom-demo', true],
  ['an address of nobody', '10.1.0.7', '02:00:00:00:00:02', 'loom-demo', true],
  ['what the plan says', '10.1.0.2', '02:00:00:00:00:02', 'loom-demo', false],
  ['another device', '10.1.0.2', '02:00:00:00:00:09', 'eth0', false],
])('of %s', (_what, dst, lladdr, dev, isForgotten) => {
  const shown = JSON.stringify([{}, { dst, lladdr, dev, state: ['STALE'] }]);
  const commands = planForgetting(shown, BINDINGS, DEVICES);
  expect(commands).toEqual(isForgotten ? [['neighbour', 'delete', dst, 'dev', dev]] : []);
});

test.each([['PERMANENT'], ['NOARP']])('leaves a %s entry alone', (state) => {
  const entry = { dst: '10.1.0.2', lladdr: '02:00:00:00:00:09', dev: 'loom-demo', state: [state] };
  expect(planForgetting(JSON.stringify([entry]), BINDINGS, DEVICES)).toEqual([]);
});

test('leaves an entry that waits for its answer alone', () => {
  const entry = { dst: '10.1.0.2', dev: 'loom-demo', state: ['INCOMPLETE'] };
  expect(planForgetting(JSON.stringify([entry]), BINDINGS, DEVICES)).toEqual([]);
  expect(planForgetting('', BINDINGS, DEVICES)).toEqual([]);
});

test('bindings are the same by content', () => {
  const make = (mac: string) =>
    bindingsOf([{ ...PEER, mac: macOf(mac), ip: ipOf('10.1.0.2') }], () => 'loom-demo');
  expect(isSameBindings(make('02:00:00:00:00:02'), make('02:00:00:00:00:02'))).toBe(true);
  expect(isSameBindings(make('02:00:00:00:00:02'), make('02:00:00:00:00:03'))).toBe(false);
  expect(isSameBindings(new Map(), make('02:00:00:00:00:03'))).toBe(false);
});

function ipOf(text: string): Uint8Array {
  return parseIp(text) ?? new Uint8Array();
}

function macOf(text: string): Uint8Array {
  return parseMac(text) ?? new Uint8Array();
}
