import { NODE_ENDPOINTS_MAX } from '@etherloom/api';
import { parseEndpoint } from '@etherloom/core';
import { expect, test } from 'vitest';
import type { ActualAddress, ActualInterface } from '../interfaces/actual.ts';
import { selectEndpoints, withObserved } from './select-endpoints.ts';

test('offers global addresses of both families and nothing else', () => {
  const devices = [
    device('lo', [address('127.0.0.1', { scope: 'host' })], { isLoopback: true }),
    device('eth0', [
      address('192.0.2.1'),
      address('2001:db8::1'),
      address('fe80::1', { scope: 'link' }),
    ]),
    device('eth1', [address('198.51.100.1')], { isUp: false }),
    device('loom-demo', [address('10.1.0.2')], { alias: 'etherloom:x:y' }),
  ];
  expect(selectEndpoints(devices, new Set(), 8_002)).toEqual([
    '192.0.2.1:8002',
    '[2001:db8::1]:8002',
  ]);
});

test('puts the way out first, and addresses that are the same on every host last', () => {
  const devices = [
    device('docker0', [address('172.17.0.1')], { kind: 'bridge' }),
    device('eth1', [address('198.51.100.1')]),
    device('eth0', [address('192.0.2.1')]),
  ];
  expect(selectEndpoints(devices, new Set(['eth0']), 8_002)).toEqual([
    '192.0.2.1:8002',
    '198.51.100.1:8002',
    '172.17.0.1:8002',
  ]);
});

test('prefers stable addresses and leaves out those that cannot be used', () => {
  const addresses = [
    address('2001:db8::aaaa', { isTemporary: true }),
    address('2001:db8::1'),
    address('2001:db8::2', { isDeprecated: true }),
    address('2001:db8::3', { isUnusable: true }),
  ];
  expect(selectEndpoints([device('eth0', addresses)], new Set(), 8_002)).toEqual([
    '[2001:db8::1]:8002',
    '[2001:db8::aaaa]:8002',
  ]);
});

test('offers no more than the contract takes, each of them an endpoint', () => {
  const addresses = Array.from({ length: 100 }, (_, n) => address(`192.0.2.${n + 1}`));
  const endpoints = selectEndpoints([device('eth0', addresses)], new Set(), 8_002);
  expect(endpoints).toHaveLength(NODE_ENDPOINTS_MAX);
  for (const endpoint of endpoints) expect(() => parseEndpoint(endpoint)).not.toThrow();
});

test.each([
  ['192.0.2.1', ['192.0.2.1:8002']],
  ['203.0.113.7', ['192.0.2.1:8002', '203.0.113.7:8002']],
  ['2001:db8::9', ['192.0.2.1:8002', '[2001:db8::9]:8002']],
  ['127.0.0.1', ['192.0.2.1:8002']],
])('adds what the controller sees, %s, when it is news', (observed, expected) => {
  expect(withObserved(['192.0.2.1:8002'], observed, 8_002)).toEqual(expected);
});

test('leaves room for what the controller sees', () => {
  const many = Array.from({ length: NODE_ENDPOINTS_MAX }, (_, n) => `192.0.2.${n + 1}:8002`);
  const endpoints = withObserved(many, '203.0.113.7', 8_002);
  expect(endpoints).toHaveLength(NODE_ENDPOINTS_MAX);
  expect(endpoints.at(-1)).toBe('203.0.113.7:8002');
});

function device(
  name: string,
  addresses: ActualAddress[],
  change: Partial<ActualInterface> = {},
): ActualInterface {
  return {
    name,
    alias: '',
    isUp: true,
    isLoopback: false,
    mac: '',
    mtuBytes: 1_500,
    kind: '',
    isUsableTap: false,
    addresses,
    ...change,
  };
}

function address(ip: string, change: Partial<ActualAddress> = {}): ActualAddress {
  return {
    ip,
    prefixLength: 24,
    scope: 'global',
    isDeprecated: false,
    isTemporary: false,
    isUnusable: false,
    ...change,
  };
}
