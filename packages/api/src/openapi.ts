/**
 * The OpenAPI 3.1 document, made of ROUTES and ERRORS: it cannot say anything that the server does
 * not do. Schemas that several routes share are components, so that generated clients get one type
 * for each.
 */
import { z } from 'zod';
import {
  apiTokenCreateSchema,
  apiTokenCreatedSchema,
  apiTokenSchema,
  identityProviderChangeSchema,
  identityProviderCreateSchema,
  identityProviderSchema,
  loginProviderSchema,
  loginTokenSchema,
  organizationChangeSchema,
  passwordChangeSchema,
  sessionCreateSchema,
  sessionSchema,
  setupCreateSchema,
  setupSchema,
  userCreateSchema,
  userPasswordSchema,
  userRolesSchema,
  userSchema,
  userSystemSchema,
  whoamiSchema,
} from './access-resources.ts';
import {
  ledgerChangeSchema,
  ledgerCheckpointSchema,
  ledgerEntrySchema,
  ledgerSchema,
} from './audit/ledger.ts';
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
  readySchema,
  reservationCreateSchema,
  reservationSchema,
} from './resources.ts';
import type { Route, RouteName } from './routes.ts';
import { ROUTES } from './routes.ts';
import { errorsOf, hasEtag } from './route-facts.ts';
import { LIST_ETAGS } from './routes/route.ts';
import { parametersOf, replyHeaders } from './openapi-parameters.ts';

/** JSON of a document or of a part of one. */
export interface JsonObject {
  readonly [key: string]: unknown;
}

const REPLIES = {
  ApiToken: apiTokenSchema,
  ApiTokenCreated: apiTokenCreatedSchema,
  Authority: authoritySchema,
  AuthorityKeys: authorityKeysSchema,
  AuthoritySigned: authoritySignedSchema,
  Error: errorBodySchema,
  Ledger: ledgerSchema,
  LedgerCheckpoint: ledgerCheckpointSchema,
  LedgerEntry: ledgerEntrySchema,
  Ready: readySchema,
  Health: healthSchema,
  IdentityProvider: identityProviderSchema,
  JoinReply: joinReplySchema,
  JoinToken: joinTokenSchema,
  JoinTokenCreated: joinTokenCreatedSchema,
  LoginProvider: loginProviderSchema,
  Membership: membershipSchema,
  Network: networkSchema,
  Node: nodeSchema,
  Organization: organizationSchema,
  PendingStatement: pendingStatementSchema,
  Reservation: reservationSchema,
  Session: sessionSchema,
  Setup: setupSchema,
  User: userSchema,
  Whoami: whoamiSchema,
} as const;

const BODIES = {
  ApiTokenCreate: apiTokenCreateSchema,
  AuthorityProposal: authorityProposalSchema,
  AuthoritySignatures: authoritySignaturesSchema,
  IdentityProviderChange: identityProviderChangeSchema,
  IdentityProviderCreate: identityProviderCreateSchema,
  JoinRequest: joinRequestSchema,
  JoinTokenCreate: joinTokenCreateSchema,
  LedgerChange: ledgerChangeSchema,
  LoginToken: loginTokenSchema,
  NetworkCreate: networkCreateSchema,
  NetworkSettingsChange: networkSettingsChangeSchema,
  OrganizationChange: organizationChangeSchema,
  OrganizationCreate: organizationCreateSchema,
  PasswordChange: passwordChangeSchema,
  ReservationCreate: reservationCreateSchema,
  SessionCreate: sessionCreateSchema,
  SetupCreate: setupCreateSchema,
  UserCreate: userCreateSchema,
  UserPassword: userPasswordSchema,
  UserRoles: userRolesSchema,
  UserSystem: userSystemSchema,
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
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API token (loom_...), or the content of admin.token of the data directory',
        },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-loom',
          description:
            'The session of a user, set by logging in; a method other than GET or HEAD needs the header x-loom-csrf beside it',
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
  const parameters = parametersOf(route);
  return {
    operationId: name,
    summary: route.summary,
    tags: [route.path.split('/')[2] ?? 'controller'],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(referTo(route.body)) } }),
    responses: makeResponses(route),
    security: route.permission === null ? [] : [{ bearer: [] }, { cookie: [] }],
    ...(route.permission === null ? {} : { 'x-permission': route.permission }),
  };
}

function makeResponses(route: Route): JsonObject {
  const byStatus = Map.groupBy(errorsOf(route), (code: ErrorCode) => ERRORS[code].status);
  const failures = [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => `${code}: ${ERRORS[code].when}`).join(' '),
      headers: replyHeaders(route, status),
      content: json(refer('Error')),
    },
  ]);
  const notModified = {
    304: {
      description: 'It is the one that If-None-Match names',
      headers: replyHeaders(route, 304),
    },
  };
  return {
    [String(route.status)]: makeSuccess(route),
    ...(route.method === 'GET' && hasEtag(route) ? notModified : {}),
    ...Object.fromEntries(failures),
  };
}

function makeSuccess(route: Route): JsonObject {
  const headers = replyHeaders(route, route.status);
  if (route.media !== undefined)
    return {
      description: 'A stream',
      headers,
      content: { [route.media]: { schema: { type: 'string' } } },
    };
  if (route.reply === null) return { description: 'Done', headers };
  return { description: 'The result', headers, content: json(referTo(route.reply)) };
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
          required: ['items', 'next'],
          properties: {
            items: { type: 'array', items: refer(item) },
            next: {
              anyOf: [{ type: 'string' }, { type: 'null' }],
              description: 'the cursor of the next request; null: that was all',
            },
            etags: {
              type: 'array',
              items: { type: 'string' },
              description: LIST_ETAGS,
            },
          },
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
