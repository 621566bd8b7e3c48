import { expect, test } from 'vitest';
import { errorsOf, impliedErrors } from './route-facts.ts';
import type { Route } from './routes.ts';
import { ROUTES } from './routes.ts';

const routes = Object.entries(ROUTES) as [string, Route][]; // rows of the table

test('a route names only errors that do not follow from what it is', () => {
  const repeated = routes.flatMap(([name, route]) =>
    (route.errors ?? []).filter((code) => impliedErrors(route).has(code)).map((it) => [name, it]),
  );
  expect(repeated).toEqual([]);
});

test('whoever changes something may meet what its method, its principal and its path bring', () => {
  expect([...errorsOf(ROUTES.networkCreate)]).toEqual(
    expect.arrayContaining(['name_taken', 'unauthenticated', 'idempotency_mismatch', 'not_found']),
  );
  expect(errorsOf(ROUTES.networkList).has('precondition_failed')).toBe(false);
  expect(errorsOf(ROUTES.join).has('idempotency_mismatch')).toBe(false);
});
