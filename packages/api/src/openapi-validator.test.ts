/** The OpenAPI document as somebody else's tool reads it. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { makeOpenApiDocument } from './openapi.ts';

function makeDocument(): Record<string, unknown> {
  const options = { version: '0.1.0', serverUrl: 'https://192.0.2.1:8443' };
  const text = JSON.stringify(makeOpenApiDocument(options));
  return JSON.parse(text) as Record<string, unknown>; // an object of JSON
}

test('is an OpenAPI 3.1 document', async () => {
  const validator = new Validator();
  const result = await validator.validate(makeDocument());
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('every reference in it leads somewhere', async () => {
  const validator = new Validator();
  await validator.validate(makeDocument());
  expect(() => validator.resolveRefs()).not.toThrow();
});

test('the validator refuses a document with a fault', async () => {
  const document = makeDocument();
  document['paths'] = { 'no-slash': { get: { responses: 'none' } } };
  expect(await new Validator().validate(document)).toMatchObject({ valid: false });
});
