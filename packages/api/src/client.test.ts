import { expect, test } from 'vitest';
import type { SendReply, SendRequest } from './client.ts';
import { createClient } from './client.ts';

function clientThat(answers: SendReply, sent: SendRequest[] = []) {
  return createClient({
    baseUrl: 'https://192.0.2.1:8443/',
    token: 'secret',
    send: async (request) => {
      sent.push(request);
      return answers;
    },
  });
}

test('a call fills the path, sends the body as JSON and the token only where the route asks for it', async () => {
  const sent: SendRequest[] = [];
  const client = clientThat({ status: 204, headers: {}, body: '' }, sent);
  expect(
    await client.call('memberDelete', { params: { network: 'a/b', node: 'ü' } }),
  ).toBeUndefined();
  expect(sent[0]).toMatchObject({
    method: 'DELETE',
    url: 'https://192.0.2.1:8443/v1/networks/a%2Fb/members/%C3%BC',
  });
  expect(sent[0]?.headers['authorization']).toBe('Bearer secret');
  await client.call('health').catch(() => {});
  expect(sent[1]?.headers['authorization']).toBeUndefined();
  await client.call('networkCreate', { body: { name: 'demo' } }).catch(() => {});
  expect(sent[2]).toMatchObject({
    body: '{"name":"demo"}',
    headers: { 'content-type': 'application/json' },
  });
});

test('an organization is named with every call that has a scope, and where the path names it not', async () => {
  const sent: SendRequest[] = [];
  const client = createClient({
    baseUrl: '',
    organization: 'acme',
    send: async (request) => {
      sent.push(request);
      return { status: 204, headers: {}, body: '' };
    },
  });
  await client.call('nodeDelete', { params: { node: 'a' } });
  await client.call('nodeDelete', { params: { node: 'a' }, query: { organization: 'other' } });
  await client.call('organizationDelete', { params: { organization: 'x' } });
  await client.call('health').catch(() => {});
  expect(sent.map(({ url }) => url)).toEqual([
    '/v1/nodes/a?organization=acme',
    '/v1/nodes/a?organization=other',
    '/v1/organizations/x',
    '/v1/health',
  ]);
});

test('under a cookie every change carries the value against forged requests', async () => {
  const sent: SendRequest[] = [];
  let csrf: string | null = null;
  const client = createClient({
    baseUrl: '',
    csrf: () => csrf,
    send: async (request) => {
      sent.push(request);
      return { status: 204, headers: {}, body: '' };
    },
  });
  await client.call('nodeDelete', { params: { node: 'a' } });
  csrf = 'value';
  await client.call('nodeDelete', { params: { node: 'a' } });
  await client.call('networkList').catch(() => {});
  expect(sent.map(({ headers }) => headers['x-loom-csrf'])).toEqual([
    undefined,
    'value',
    undefined,
  ]);
});

test('an empty path value is refused before anything is sent', async () => {
  const sent: SendRequest[] = [];
  const client = clientThat({ status: 204, headers: {}, body: '' }, sent);
  await expect(client.call('networkDelete', { params: { network: '' } })).rejects.toThrow(
    'network',
  );
  expect(sent).toEqual([]);
});

test('an error body becomes an ApiError with all it says', async () => {
  const body = JSON.stringify({
    error: {
      code: 'invalid_request',
      message: 'm',
      requestId: 'req_1',
      details: [{ field: 'f', reason: 'r' }],
    },
  });
  await expect(
    clientThat({ status: 400, headers: {}, body }).call('networkList'),
  ).rejects.toMatchObject({
    name: 'ApiError',
    code: 'invalid_request',
    message: 'm',
    status: 400,
    requestId: 'req_1',
    details: [{ field: 'f', reason: 'r' }],
  });
});

test.each([
  [200, '{"items":[{"id":7}]}'],
  [200, 'text'],
  [500, '<html>'],
  [404, '{"error":{"code":"unheard_of","message":"m","requestId":"r"}}'],
])('a reply of %i with %s is not passed on', async (status, body) => {
  await expect(clientThat({ status, headers: {}, body }).call('networkList')).rejects.toMatchObject(
    { code: 'reply_invalid', status },
  );
});
