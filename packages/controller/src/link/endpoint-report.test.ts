import { expect, test } from 'vitest';
import { makeEndpoints, makeNode } from '../testing/controller-fixture.ts';
import { checkEndpointReport } from './endpoint-report.ts';

const node = makeNode();

test.each([
  '127.0.0.1:1',
  '0.0.0.0:1',
  '224.0.0.1:1',
  '255.255.255.255:1',
  '[::]:1',
  '[::1]:1',
  '[ff02::1]:1',
  '[fe80::1]:1',
  '[::ffff:127.0.0.1]:1',
])('a record with %s, which leads nowhere, is not passed on', (text) => {
  const { record } = makeEndpoints(node, ['192.0.2.1:8002', text]);
  const endpoints = ['192.0.2.1:8002', text.replace('[::ffff:127.0.0.1]', '127.0.0.1')];
  expect(
    checkEndpointReport({ type: 'endpoints', endpoints, record }, node.id, node.signKey),
  ).toBeNull();
});

test('what the node signed is taken in its order', () => {
  const endpoints = ['[2001:db8::1]:8002', '10.0.0.1:8002'];
  const report = checkEndpointReport(makeEndpoints(node, endpoints), node.id, node.signKey);
  expect(report?.endpoints).toEqual(endpoints);
});
