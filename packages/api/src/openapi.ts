/**
 * The OpenAPI 3.1 document, made of ROUTES and ERRORS: it cannot say anything that the server does
 * not do. Schemas that several routes share are components, so that generated clients get one type
 * for each.
 */
import { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import { ERRORS, errorBodySchema } from './errors.ts';
import {
  authorityKeysSchema,
  authorityProposalSchema,
  authoritySchema,
  authoritySignaturesSchema,
  authoritySignedSchema,
  healthSchema,
  joinReplySchema,
  joinRequestSchema,
  joinTokenCreatedSchema,
  joinTokenCreateSchema,
  joinTokenSchema,
  membershipSchema,
  networkCreateSchema,
  networkSchema,
  networkSettingsChangeSchema,
  nodeSchema,
  organizationCreateSchema,
  organizationSchema,
  pendingStatementSchema,
  reservationCreateSchema,
  reservationSchema,
} from './resources.ts';
import type { Route, RouteName } from './routes.ts';
import { ROUTES } from './routes.ts';

/** JSON of a document or of a part of one. */
export interface JsonObject {
  readonly [key: string]: unknown;
}

const REPLIES = {
  Authority: authoritySchema,
  AuthorityKeys: authorityKeysSchema,
  AuthoritySigned: authoritySignedSchema,
  Error: errorBodySchema,
  Health: healthSchema,
  JoinReply: joinReplySchema,
  JoinToken: joinTokenSchema,
  JoinTokenCreated: joinTokenCreatedSchema,
  Membership: membershipSchema,
  Network: networkSchema,
  Node: nodeSchema,
  Organization: organizationSchema,
  PendingStatement: pendingStatementSchema,
  Reservation: reservationSchema,
} as const;

const BODIES = {
  AuthorityProposal: authorityProposalSchema,
  AuthoritySignatures: authoritySignaturesSchema,
  JoinRequest: joinRequestSchema,
  JoinTokenCreate: joinTokenCreateSchema,
  NetworkCreate: networkCreateSchema,
  NetworkSettingsChange: networkSettingsChangeSchema,
  OrganizationCreate: organizationCreateSchema,
  ReservationCreate: reservationCreateSchema,
} as const;

const REFERENCE = '#/components/schemas/';

/** The document. `serverUrl` is where the reader reaches the controller. */
export function makeOpenApiDocument(options: {
  readonly version: string;
  readonly serverUrl: string;
}): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'etherloom controller',
      version: options.version,
      description:
        'Networks, nodes and join tokens of an etherloom controller. Errors have one body and the codes named with each operation.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: options.serverUrl }],
    paths: makePaths(),
    components: {
      schemas: makeSchemas(),
      securitySchemes: {
        admin: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token in admin.token of the data directory',
        },
      },
    },
  };
}

function makeSchemas(): JsonObject {
  return { ...toJsonSchemas(REPLIES, 'output'), ...toJsonSchemas(BODIES, 'input') };
}

function toJsonSchemas(
  named: Readonly<Record<string, z.ZodType>>,
  io: 'input' | 'output',
): JsonObject {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => REFERENCE + id, io });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, withoutHead(schema)]),
  );
}

/** JSON Schema of one body, for the documentation page. */
export function bodyJsonSchema(schema: z.ZodType): JsonObject {
  return withoutHead(z.toJSONSchema(schema, { io: 'input' }));
}

function withoutHead(schema: object): JsonObject {
  return Object.fromEntries(
    Object.entries(schema).filter(([key]) => key !== '$schema' && key !== '$id' && key !== 'id'),
  );
}

function makePaths(): JsonObject {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    // keys of the table itself
    const item = (paths[route.path] ??= {});
    item[route.method.toLowerCase()] = makeOperation(name, route);
  }
  return paths;
}

function makeOperation(name: RouteName, route: Route): JsonObject {
  const parameters = pathParameters(route.path).map((parameter) => ({
    name: parameter,
    in: 'path',
    required: true,
    description: describeParameter(parameter),
    schema: { type: 'string' },
  }));
  return {
    operationId: name,
    summary: route.summary,
    tags: [route.path.split('/')[2] ?? 'controller'],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(referTo(route.body)) } }),
    responses: makeResponses(route),
    security: route.auth === 'admin' ? [{ admin: [] }] : [],
  };
}

function makeResponses(route: Route): JsonObject {
  const success =
    route.reply === null
      ? { description: 'Done' }
      : { description: 'The result', content: json(referTo(route.reply)) };
  const byStatus = Map.groupBy(route.errors, (code: ErrorCode) => ERRORS[code].status);
  const failures = [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => `${code}: ${ERRORS[code].when}`).join(' '),
      content: json(refer('Error')),
    },
  ]);
  return {
    [String(route.status)]: success,
    ...Object.fromEntries(failures),
    default: { description: 'Any other error', content: json(refer('Error')) },
  };
}

/** Refers to a component, or to a list of one; any other schema is written out. */
function referTo(schema: z.ZodType): JsonObject {
  const name = componentName(schema);
  if (name !== undefined) return refer(name);
  if (schema instanceof z.ZodObject) {
    const items: unknown = schema.shape['items'];
    if (items instanceof z.ZodArray) {
      const item = componentName(items.element as z.ZodType); // of our own lists
      if (item !== undefined) {
        return {
          type: 'object',
          required: ['items'],
          properties: { items: { type: 'array', items: refer(item) } },
        };
      }
    }
  }
  return withoutHead(z.toJSONSchema(schema));
}

function componentName(schema: z.ZodType): string | undefined {
  return Object.entries({ ...REPLIES, ...BODIES }).find(([, known]) => known === schema)?.[0];
}

function refer(name: string): JsonObject {
  return { $ref: REFERENCE + name };
}

function json(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

/** Names in braces of a path. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}

function describeParameter(name: string): string {
  return name === 'network' || name === 'node' ? `id or name of the ${name}` : `id of the ${name}`;
}
