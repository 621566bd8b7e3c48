/** Routes: an organization's authority (docs/trust.md). */
import {
  authorityKeysSchema,
  authorityProposalSchema,
  authoritySchema,
  authoritySignaturesSchema,
  authoritySignedSchema,
  pendingKindSchema,
  pendingStatementSchema,
} from '../resources.ts';
import { referenceSchema } from '../values.ts';
import type { Route } from './route.ts';
import { list, listQuery } from './route.ts';

export const AUTHORITY_ROUTES = {
  authorityShow: {
    method: 'GET',
    path: '/v1/organizations/{organization}/authority',
    summary: 'Show the authority of an organization',
    permission: 'authority:read',
    reply: authoritySchema,
    status: 200,
  },
  authorityKeys: {
    method: 'POST',
    path: '/v1/organizations/{organization}/authority/keys',
    summary: 'Make keys of this controller for the next version of the authority',
    permission: 'authority:write',
    reply: authorityKeysSchema,
    status: 200,
  },
  authorityPropose: {
    method: 'POST',
    path: '/v1/organizations/{organization}/authority',
    summary: 'Propose the next version of the authority; it is in force once enough keys signed it',
    permission: 'authority:write',
    body: authorityProposalSchema,
    reply: authoritySchema,
    status: 200,
    errors: ['authority_outdated', 'signature_invalid'],
  },
  authorityPending: {
    method: 'GET',
    path: '/v1/organizations/{organization}/authority/pending',
    summary: 'List statements that wait for signatures of the authority',
    permission: 'authority:read',
    query: listQuery({
      kind: pendingKindSchema.optional(),
      network: referenceSchema.optional(),
    }),
    reply: list(pendingStatementSchema),
    status: 200,
  },
  authoritySign: {
    method: 'POST',
    path: '/v1/organizations/{organization}/authority/signatures',
    summary: 'Bring signatures for pending statements; all of them or none',
    permission: 'authority:write',
    body: authoritySignaturesSchema,
    reply: authoritySignedSchema,
    status: 200,
    errors: ['pending_unknown', 'signature_invalid'],
  },
} as const satisfies Record<string, Route>;
