/**
 * Whatever is sent, the controller answers as its own OpenAPI document says: requests are made of
 * the document that it serves, valid and broken ones, for every operation. Never a fault (500),
 * never a status that is not documented, bodies by their schemas, errors with the one body.
 *
 * A failure prints seed and path of fast-check; LOOM_CONFORMANCE_SEED repeats a run.
 */
import { Agent, request as httpsRequest } from 'node:https';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXAMPLE_BODIES, ROUTES, errorBodySchema } from '@etherloom/api';
import type { RouteName } from '@etherloom/api';
import type { TestController } from '../testing/controller-fixture.ts';
import { joinNetwork, makeNode, startTestController } from '../testing/controller-fixture.ts';

const SEED = Number(process.env['LOOM_CONFORMANCE_SEED'] ?? Date.now() % 2 ** 31);
const RUNS = 60;
/** Operations that cost a computation of a password each time they are asked well. */
const SLOW_RUNS = 8;
const MANY = { burst: 1_000_000, perSecond: 100_000 };

type Json = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: Json;
}

interface Operation {
  readonly operationId: RouteName;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly bodySchema: Json | undefined;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Json }>> }>
  >;
  readonly security: readonly unknown[];
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

let running: TestController;
let agent: Agent;
let schemas: Json;
let operations: readonly Operation[];
/** Names and ids that are there, by parameter. */
const things = new Map<string, string[]>();

beforeAll(async () => {
  running = await startTestController({ requestRates: { principal: MANY, source: MANY } });
  agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 4 });
  await furnish();
  const { body } = await send('GET', '/v1/openapi.json', {});
  const document = JSON.parse(body) as Json; // as served
  const components = document['components'] as { readonly schemas: Json }; // OpenAPI says so
  schemas = components.schemas;
  operations = readOperations(document['paths'] as Json); // likewise
}, 30_000);
afterAll(async () => {
  agent.destroy();
  await running.remove();
});

/** Several of everything: some are deleted. */
async function furnish(): Promise<void> {
  const { client } = running;
  const put = (name: string, ...values: string[]): void =>
    void things.set(name, [...(things.get(name) ?? []), ...values]);
  await client.call('organizationCreate', { body: { name: 'spare' } });
  put('organization', 'default', 'spare');
  for (const [i, name] of ['one', 'two', 'three'].entries()) {
    const ipv4 = `10.${40 + i}.0.0/24`;
    const network = await client.call('networkCreate', { body: { name, ipv4 } });
    put('network', network.id, name);
    const node = makeNode();
    await joinNetwork(running, name, node, { name: `node-${name}` });
    put('node', node.id, `node-${name}`);
    put('token', (await client.call('tokenCreate', { body: { network: name } })).id);
    const params = { network: name };
    const reserved = { address: ipv4.replace('0/24', '99') };
    put('reservation', (await client.call('reservationCreate', { params, body: reserved })).id);
    const provider = { name: `p-${name}`, issuer: 'https://127.0.0.1:1', clientId: 'c' };
    const { id } = await client.call('identityProviderCreate', { body: provider });
    put('identityProvider', id);
    put('provider', id);
    const apiToken = { name, role: 'operator' } as const;
    put('apiToken', (await client.call('apiTokenCreate', { body: apiToken })).id);
  }
  for (const name of ['anna', 'ben']) {
    const user = { name, password: 'correct horse battery', roles: ['owner' as const] };
    put('user', (await client.call('userCreate', { body: user })).id, name);
  }
}

function readOperations(paths: Json): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Json).map(([method, given]) => {
      const operation = given as Json; // OpenAPI says so, as with all that follows
      const body = operation['requestBody'] as
        | { content: { 'application/json': { schema: Json } } }
        | undefined;
      return {
        operationId: operation['operationId'] as RouteName,
        method: method.toUpperCase(),
        path,
        parameters: (operation['parameters'] ?? []) as Parameter[],
        bodySchema: body?.content['application/json'].schema,
        responses: operation['responses'] as Operation['responses'],
        security: operation['security'] as unknown[],
      };
    }),
  );
}

function send(
  method: string,
  path: string,
  more: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(running.controller.url + path, {
      agent,
      method,
      headers: {
        ...more.headers,
        ...(more.body === undefined ? {} : { 'content-length': Buffer.byteLength(more.body) }),
      },
    });
    outgoing.on('error', reject);
    outgoing.once('response', (incoming) => {
      const { statusCode: status = 0, headers } = incoming;
      const isStream = String(headers['content-type']) === 'text/event-stream';
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        body += chunk;
        if (isStream) finish();
      });
      incoming.once('end', finish);
      incoming.once('error', (error) => (isStream ? undefined : reject(error)));
      function finish(): void {
        resolve({ status, headers, body });
        if (isStream) outgoing.destroy();
      }
    });
    outgoing.end(more.body);
  });
}

/** Values that fit a schema, as far as its words are ones that this document uses. */
function valid(schema: Json): fc.Arbitrary<unknown> {
  const reference = schema['$ref'];
  if (typeof reference === 'string')
    return valid(schemas[reference.replace('#/components/schemas/', '')] as Json);
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...schema['enum']);
  const variants = (schema['anyOf'] ?? schema['oneOf']) as Json[] | undefined;
  if (variants !== undefined) return fc.oneof(...variants.map(valid));
  switch (schema['type']) {
    case 'string':
      return validText(schema);
    case 'integer':
    case 'number':
      return fc.integer({
        min: Math.max(Number(schema['minimum'] ?? 0), -1e6),
        max: Math.min(Number(schema['maximum'] ?? 1e6), 1e6),
      });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(valid((schema['items'] ?? {}) as Json), {
        minLength: Number(schema['minItems'] ?? 0),
        maxLength: Math.max(Number(schema['minItems'] ?? 0), 3),
      });
    case 'object':
      return validObject(schema);
    default:
      return fc.jsonValue({ maxDepth: 1 });
  }
}

function validText(schema: Json): fc.Arbitrary<string> {
  const pattern = schema['pattern'];
  const max = Math.min(Number(schema['maxLength'] ?? 40), 300);
  if (schema['format'] === 'date-time')
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
      .map((date) => date.toISOString());
  if (schema['format'] === 'ipv4') return fc.ipV4();
  if (schema['format'] === 'cidrv4')
    return fc.constantFrom('10.7.0.0/24', '10.8.0.0/30', '0.0.0.0/0');
  if (schema['format'] === 'cidrv6') return fc.constantFrom('fd00:7::/64', '::/0');
  if (schema['format'] === 'ipv6') return fc.constantFrom('fd00::1', '::');
  if (schema['format'] === 'uri')
    return fc.constantFrom('https://127.0.0.1:1', 'https://x.invalid');
  if (typeof pattern === 'string')
    return fc
      .stringMatching(new RegExp(pattern), { size: 'small' })
      .map((text) => text.slice(0, max));
  return fc.string({ minLength: Math.min(Number(schema['minLength'] ?? 0), max), maxLength: max });
}

function validObject(schema: Json): fc.Arbitrary<object> {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Json>>;
  const required = (schema['required'] ?? []) as string[];
  const arbitraries = Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, valid(inner)]),
  );
  return fc.record(arbitraries, { requiredKeys: required });
}

/** Bodies that nobody should send. */
const broken: fc.Arbitrary<string> = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom('', '{', 'null', '[]', '"x"', '{"name":"a\\u0000"}', '{"__proto__":{"a":1}}'),
  fc.string().map((text) => JSON.stringify({ name: text, network: text, uses: 1e308 })),
  fc.constant(`{"name":"${'x'.repeat(70_000)}"}`),
);

function bodyOf({ operationId, bodySchema }: Operation): fc.Arbitrary<string | undefined> {
  if (bodySchema === undefined) return rarely(broken, undefined);
  const good = fc.oneof(valid(bodySchema), fc.constant(EXAMPLE_BODIES[operationId] ?? {}));
  const changed = fc
    .tuple(good, fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 1 }))
    .map(([value, name, other]) => JSON.stringify({ ...(value as object), [name]: other }));
  return fc.oneof(
    { weight: 5, arbitrary: good.map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: changed },
    { weight: 2, arbitrary: broken },
  );
}

/** Mostly `otherwise`. */
function rarely<T, U>(arbitrary: fc.Arbitrary<T>, otherwise: U): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary });
}

/** Text of any kind as a part of a URL. */
const anyPart = fc.oneof(
  fc
    .string({ unit: 'binary', maxLength: 30 })
    .map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom('%00', '..', '%2e%2e', '%zz', 'a'.repeat(200), "'%20or%201=1--", '%F0%9F%92%A9'),
);

function pathOf({ path, parameters }: Operation): fc.Arbitrary<string> {
  const names = parameters.filter(({ in: place }) => place === 'path').map(({ name }) => name);
  const values = names.map((name) => {
    const known = things.get(name) ?? ['x'];
    return fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...known) },
      { weight: 2, arbitrary: anyPart.map((part) => (part === '' ? 'x' : part)) },
    );
  });
  return fc
    .tuple(...values)
    .map((given) =>
      names.reduce((text, name, i) => text.replace(`{${name}}`, () => given[i] ?? ''), path),
    );
}

function queryOf({ parameters }: Operation): fc.Arbitrary<string> {
  const own = parameters.filter(({ in: place }) => place === 'query');
  const pairs = own.map(({ name, schema }) => {
    const good = valid(schema).map((value) => encodeURIComponent(String(value)));
    const value = fc.oneof(
      { weight: 6, arbitrary: name === 'organization' ? fc.constant('default') : good },
      { weight: 1, arbitrary: anyPart },
    );
    const pair = value.map((text) => `${name}=${text}`);
    return fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: pair });
  });
  const unknown = rarely(
    anyPart.map((part) => `unknown=${part}`),
    '',
  );
  return fc
    .tuple(...pairs, unknown)
    .map((parts) => parts.filter((part) => part !== '').join('&'))
    .map((text) => (text === '' ? '' : `?${text}`));
}

function headersOf({ parameters }: Operation): fc.Arbitrary<Record<string, string>> {
  const visible = fc.string({ maxLength: 70 }).map((text) => text.replace(/[^ -~]/g, '~').trim());
  const value = fc.oneof(visible, fc.constantFrom('*', '"x"', 'a-key', '1'));
  const own = parameters.filter(({ in: place }) => place === 'header');
  return fc
    .tuple(
      ...own.map(({ name }) =>
        rarely(
          value.map((text) => [[name, text]]),
          [],
        ),
      ),
    )
    .map((pairs) => Object.fromEntries(pairs.flat()) as Record<string, string>); // names and texts
}

function credentials(): fc.Arbitrary<Record<string, string>> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.constant({ authorization: `Bearer ${running.adminToken}` }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Record<string, string>>(
        {},
        { authorization: 'Bearer x' },
        { authorization: 'Basic eDp5' },
        { cookie: '__Host-loom=forged' },
      ),
    },
  );
}

const parsers = new Map<string, z.ZodType>();

/** A validator of a schema of the document. */
function parserOf(schema: Json): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: schemas }).replaceAll(
    '#/components/schemas/',
    '#/$defs/',
  );
  const known = parsers.get(text);
  if (known !== undefined) return known;
  const made = z.fromJSONSchema(JSON.parse(text));
  parsers.set(text, made);
  return made;
}

function check(operation: Operation, reply: Reply, isHead = false): void {
  const { status, headers, body } = reply;
  expect(status, body).not.toBe(500);
  const documented = operation.responses[String(status)];
  expect(documented, `status ${status} is not documented: ${body.slice(0, 300)}`).toBeDefined();
  expect(headers['x-request-id']).toMatch(/^req_/);
  if (status === 429) expect(headers['retry-after']).toMatch(/^\d+$/);
  const [type, content] = Object.entries(documented?.content ?? {})[0] ?? [];
  if (content === undefined || isHead) return expect(body).toBe('');
  expect(String(headers['content-type'])).toContain(type);
  if (type !== 'application/json') return;
  const value: unknown = JSON.parse(body);
  if (status >= 400) {
    const { error } = errorBodySchema.strict().parse(value);
    expect(error.requestId).toBe(headers['x-request-id']);
    return;
  }
  const parsed = parserOf(content.schema).safeParse(value);
  expect(parsed.error?.message, body.slice(0, 500)).toBeUndefined();
}

const SLOW: ReadonlySet<RouteName> = new Set<RouteName>([
  'sessionCreate',
  'loginToken',
  'userCreate',
  'userPassword',
  'passwordChange',
  'setupCreate',
]);
/** Deletions come after all that needs what is deleted, and these at the very end. */
const LAST: readonly RouteName[] = ['nodeDelete', 'networkDelete', 'organizationDelete'];

function placeOf({ method, operationId }: Operation): number {
  return (method === 'DELETE' ? 1 : 0) + LAST.indexOf(operationId) + 1;
}

test(`every operation answers as the document says (seed ${SEED})`, async () => {
  const seen = new Set<number>();
  const succeeded = new Set<string>();
  const inOrder = operations.toSorted((a, b) => placeOf(a) - placeOf(b));
  for (const operation of inOrder) {
    const property = fc.asyncProperty(
      pathOf(operation),
      queryOf(operation),
      headersOf(operation),
      bodyOf(operation),
      credentials(),
      fc.boolean(),
      async (path, query, own, body, proof, isHead) => {
        const method =
          operation.method === 'GET' && isHead && !isStream(operation) ? 'HEAD' : operation.method;
        const headers = {
          ...own,
          ...proof,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        };
        const isRead = operation.method === 'GET';
        const reply = await send(method, path + query, {
          headers,
          ...(body === undefined || isRead ? {} : { body }),
        });
        seen.add(reply.status);
        if (reply.status < 400) succeeded.add(operation.operationId);
        check(operation, reply, method === 'HEAD');
      },
    );
    const numRuns = SLOW.has(operation.operationId) ? SLOW_RUNS : RUNS;
    await fc
      .assert(property, { seed: SEED, numRuns, endOnFailure: true })
      .catch((error: unknown) => {
        throw new Error(`${operation.operationId} ${operation.method} ${operation.path}`, {
          cause: error,
        });
      });
  }
  expect(operations.map(({ operationId }) => operationId).toSorted()).toEqual(
    Object.keys(ROUTES).toSorted(),
  );
  // The requests were worth something: most operations were asked well at least once.
  for (const status of [200, 201, 204, 400, 401, 404, 409, 412, 413])
    expect([...seen], `${status}`).toContain(status);
  const failed = operations.map((one) => one.operationId).filter((name) => !succeeded.has(name));
  expect(succeeded.size, failed.join(' ')).toBeGreaterThan(operations.length * 0.7);
}, 120_000);

function isStream({ responses }: Operation): boolean {
  const [type = ''] = Object.keys(responses['200']?.content ?? {});
  return type !== 'application/json';
}
