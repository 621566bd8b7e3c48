import { expect, test } from 'vitest';
import { z } from 'zod';
import { EXAMPLE_BODIES, renderDocumentationPage } from './documentation-page.ts';
import { ERRORS } from './errors.ts';
import { makeOpenApiDocument } from './openapi.ts';
import { errorsOf, hasEtag } from './route-facts.ts';
import { isListRoute } from './routes/route.ts';
import type { Route } from './routes.ts';
import { ROUTES } from './routes.ts';

const schema = z.record(z.string(), z.unknown());
const content = z.partialRecord(
  z.enum(['application/json', 'application/jsonl', 'text/event-stream']),
  z.strictObject({ schema }),
);
const headers = z.record(
  z.string().regex(/^[A-Za-z-]+$/),
  z.strictObject({ description: z.string().min(1), schema }),
);
const response = z.strictObject({
  description: z.string().min(1),
  headers,
  content: content.optional(),
});
const operation = z.strictObject({
  operationId: z.string(),
  summary: z.string().min(1),
  tags: z.array(z.string()),
  parameters: z
    .array(
      z.strictObject({
        name: z.string(),
        in: z.enum(['path', 'query', 'header']),
        required: z.boolean(),
        description: z.string().optional(),
        schema,
      }),
    )
    .optional(),
  requestBody: z.strictObject({ required: z.literal(true), content }).optional(),
  responses: z.record(z.string().regex(/^[1-5]\d\d$/), response),
  security: z.array(z.partialRecord(z.enum(['bearer', 'cookie']), z.array(z.never()))),
  'x-permission': z.string().optional(),
});
/** The parts of OpenAPI 3.1 that the document uses, strictly. */
const documentSchema = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.strictObject({
    title: z.string(),
    version: z.string(),
    description: z.string(),
    license: z.strictObject({ name: z.string(), identifier: z.string() }),
  }),
  servers: z.array(z.strictObject({ url: z.url() })),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'post', 'put', 'patch', 'delete']), operation),
  ),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), schema),
    securitySchemes: z.strictObject({
      bearer: z.strictObject({
        type: z.literal('http'),
        scheme: z.literal('bearer'),
        description: z.string(),
      }),
      cookie: z.strictObject({
        type: z.literal('apiKey'),
        in: z.literal('cookie'),
        name: z.string(),
        description: z.string(),
      }),
    }),
  }),
});

const document = documentSchema.parse(
  JSON.parse(
    JSON.stringify(makeOpenApiDocument({ version: '1.2.3', serverUrl: 'https://192.0.2.1:8443' })),
  ),
);

function collectReferences(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' ? [String(inner)] : collectReferences(inner),
  );
}

test('the document has an operation for every route and no other', () => {
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  expect(operations.map((entry) => entry.operationId).toSorted()).toEqual(
    Object.keys(ROUTES).toSorted(),
  );
});

test('every reference leads to a component, and every component is used', () => {
  const known = Object.keys(document.components.schemas).map(
    (name) => `#/components/schemas/${name}`,
  );
  const references = new Set(collectReferences(document));
  for (const reference of references) expect(known).toContain(reference);
  expect([...references].toSorted()).toEqual(known.toSorted());
});

test('every name in a path is a parameter of its operations', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    for (const entry of Object.values(item))
      expect(
        (entry.parameters ?? [])
          .filter((parameter) => parameter.in === 'path')
          .map((parameter) => parameter.name),
      ).toEqual(names);
  }
});

test('operations answer with the statuses of the table', () => {
  for (const [name, route] of Object.entries(ROUTES) as [string, Route][]) {
    // the table itself
    const item = Object.values(document.paths)
      .flatMap((entry) => Object.values(entry))
      .find((entry) => entry.operationId === name);
    const statuses = new Set([
      String(route.status),
      ...(route.method === 'GET' && hasEtag(route) ? ['304'] : []),
      ...[...errorsOf(route)].map((code) => String(ERRORS[code].status)),
    ]);
    expect(new Set(Object.keys(item?.responses ?? {})), name).toEqual(statuses);
    expect(item?.security.length, name).toBe(route.permission === null ? 0 : 2);
  }
});

test('every list takes a limit and a cursor and says where it goes on', () => {
  for (const [name, route] of Object.entries(ROUTES) as [string, Route][]) {
    // the table itself
    if (!isListRoute(route)) continue;
    expect(Object.keys(route.query?.shape ?? {}), name).toEqual(
      expect.arrayContaining(['limit', 'cursor']),
    );
    const schema = JSON.stringify(document.paths[route.path]?.get?.responses['200']);
    expect(schema, name).toContain('"next"');
  }
});

test('the schemas of the document are ones that a reader of JSON Schema can follow', () => {
  const { schemas } = document.components;
  for (const [name, inner] of Object.entries(schemas)) {
    const whole = { ...inner, $defs: schemas };
    const text = JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/');
    expect(() => z.fromJSONSchema(JSON.parse(text)), name).not.toThrow();
  }
});

test('every example body is one that its route takes, and every route with a body has one', () => {
  for (const [name, route] of Object.entries(ROUTES) as [keyof typeof ROUTES, Route][]) {
    // the table itself
    expect(EXAMPLE_BODIES[name] === undefined, name).toBe(route.body === undefined);
    if (route.body) expect(route.body.safeParse(EXAMPLE_BODIES[name]).error, name).toBeUndefined();
  }
});

test('the documentation page has every error, and every link in it has its place', () => {
  const page = renderDocumentationPage({
    version: '1',
    serverUrl: 'https://x"><script>',
    tlsFingerprint: 'f',
  });
  for (const code of Object.keys(ERRORS)) expect(page).toContain(`id="error-${code}"`);
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g))
    expect(page).toContain(`id="${target}"`);
  expect(page).not.toContain('<script');
});
