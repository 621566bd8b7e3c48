/** Resources of the controller's API as they are answered, and the bodies that make them. */
import { z } from 'zod';
import {
  MTU_BYTES_DEFAULT,
  MTU_BYTES_MAX,
  MTU_BYTES_MIN,
  TOKEN_LIFETIME_SECONDS_DEFAULT,
  TOKEN_LIFETIME_SECONDS_MAX,
  TOKEN_USES_MAX,
} from './limits.ts';
import {
  AUTHORITY_KEYS_MAX,
  STATEMENT_CHARS_MAX,
  authorityChainSchema,
  networkSettingsSchema,
  signedStatementSchema,
  statementHashSchema,
} from './statements.ts';
import {
  endpointSchema,
  idSchema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
  nodeStateSchema,
  publicKeySchema,
  signatureSchema,
  timeSchema,
} from './values.ts';

export const organizationSchema = z.object({
  id: idSchema,
  name: nameSchema,
  createdAt: timeSchema,
});
export type Organization = z.infer<typeof organizationSchema>;
export const organizationCreateSchema = z.strictObject({ name: nameSchema });

export const networkSchema = z.object({
  id: idSchema,
  organizationId: idSchema,
  name: nameSchema,
  vni: z.int().min(1).max(0xff_ffff).describe('24-bit identifier on the wire'),
  mtuBytes: z.int().describe('inner MTU'),
  ipv4: ipv4PrefixSchema.nullable(),
  ipv6: ipv6PrefixSchema.nullable(),
  settings: networkSettingsSchema,
  revision: z
    .int()
    .nonnegative()
    .describe('rises with every change that members must know; 0: nothing is signed yet'),
  isPending: z.boolean().describe('changes of it wait for signatures of the authority'),
  memberCount: z.int().nonnegative(),
  createdAt: timeSchema,
});
export type Network = z.infer<typeof networkSchema>;

/** Settings to set; what is left out stays, or has its default. */
export const networkSettingsChangeSchema = networkSettingsSchema.partial();

export const networkCreateSchema = z.strictObject({
  name: nameSchema,
  organizationId: idSchema.optional().describe('default: the organization of the credentials'),
  ipv4: ipv4PrefixSchema
    .nullable()
    .optional()
    .describe('pool for members; default: a free /24 of 10.0.0.0/8; null: none'),
  ipv6: ipv6PrefixSchema
    .nullable()
    .optional()
    .describe('pool for members; default: a random /64 of fd00::/8 (RFC 4193); null: none'),
  mtuBytes: z.int().min(MTU_BYTES_MIN).max(MTU_BYTES_MAX).default(MTU_BYTES_DEFAULT),
  settings: networkSettingsChangeSchema.optional(),
});

export const reservationSchema = z.object({
  id: idSchema,
  networkId: idSchema,
  address: ipSchema,
  nodeId: nodeIdSchema
    .nullable()
    .describe('node that gets the address when it joins; null: nobody'),
  note: z.string().max(200),
  createdAt: timeSchema,
});
export type Reservation = z.infer<typeof reservationSchema>;
export const reservationCreateSchema = z.strictObject({
  address: ipSchema,
  nodeId: nodeIdSchema.optional(),
  note: z.string().max(200).default(''),
});

export const membershipSchema = z.object({
  networkId: idSchema,
  networkName: nameSchema,
  nodeId: nodeIdSchema,
  nodeName: nameSchema,
  mac: macSchema,
  addresses: z.array(ipSchema),
  expiresAt: timeSchema
    .nullable()
    .describe('end of its credential unless it is renewed; null: it waits for a signature'),
  createdAt: timeSchema,
});
export type Membership = z.infer<typeof membershipSchema>;

export const nodeSchema = z.object({
  id: nodeIdSchema,
  organizationId: idSchema,
  name: nameSchema,
  signKey: publicKeySchema.describe('Ed25519'),
  sessionKey: publicKeySchema.describe('X25519'),
  state: nodeStateSchema.describe('pending: a clone that waits for approval'),
  clonedFrom: nodeIdSchema.nullable().describe('node of which this one is a copy'),
  endpoints: z.array(endpointSchema),
  connected: z.boolean().describe('its agent is connected to this controller'),
  lastSeenAt: timeSchema.nullable(),
  problems: z
    .array(z.object({ networkId: idSchema.nullable(), code: z.string(), message: z.string() }))
    .describe('what its agent refuses or misses; empty while it is not connected'),
  memberships: z.array(membershipSchema),
  createdAt: timeSchema,
});
export type Node = z.infer<typeof nodeSchema>;

/** How many nodes there are, by what one looks for. A node may count in several. */
export const nodeCountsSchema = z.object({
  total: z.int().nonnegative(),
  online: z.int().nonnegative().describe('agents that are connected'),
  offline: z.int().nonnegative().describe('all others'),
  pending: z.int().nonnegative().describe('clones that wait for approval'),
  withProblems: z.int().nonnegative().describe('whose agents tell of problems'),
});
export type NodeCounts = z.infer<typeof nodeCountsSchema>;

export const joinTokenSchema = z.object({
  id: idSchema,
  networkId: idSchema,
  label: nameSchema.nullable().describe('what names it in its network; null: it has no name'),
  usesLeft: z.int().nonnegative(),
  uses: z.int().positive(),
  offlineOk: z.boolean().describe('it is also good while no controller answers'),
  expiresAt: timeSchema,
  createdAt: timeSchema,
});
export type JoinTokenRow = z.infer<typeof joinTokenSchema>;
export const joinTokenCreateSchema = z.strictObject({
  network: z.string().describe('network id or name'),
  label: nameSchema
    .optional()
    .describe('names it in its network, so that files can; such a token is kept until revoked'),
  uses: z.int().min(1).max(TOKEN_USES_MAX).default(1),
  lifetimeSeconds: z
    .int()
    .min(1)
    .max(TOKEN_LIFETIME_SECONDS_MAX)
    .default(TOKEN_LIFETIME_SECONDS_DEFAULT),
  offlineOk: z
    .boolean()
    .default(false)
    .describe('the token is also good while no controller answers; it has one use then'),
});
export const joinTokenCreatedSchema = z.object({
  ...joinTokenSchema.shape,
  token: z.string().describe('the join token itself; shown once, stored hashed'),
});

/**
 * A node registers itself. The signature proves the signing key: Ed25519 over the bytes of
 * joinSigningText(). Joining again with the same node id and keys is idempotent and does not cost a
 * use.
 */
export const joinRequestSchema = z.strictObject({
  tokenId: idSchema,
  network: nameSchema.describe('the network that the token names'),
  secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url (43 characters)'),
  nodeId: nodeIdSchema,
  name: nameSchema,
  nameIsSuggestion: z.boolean().describe('true: a number is appended when the name is taken'),
  signKey: publicKeySchema,
  sessionKey: publicKeySchema,
  signature: signatureSchema,
});
export type JoinRequest = z.infer<typeof joinRequestSchema>;
export const joinReplySchema = z.object({
  nodeId: nodeIdSchema,
  nodeName: nameSchema,
  organizationId: idSchema,
  networkId: idSchema,
  networkName: nameSchema,
  authority: authorityChainSchema.describe(
    'versions of the authority in order, the one that the token names among them, to the newest',
  ),
  isPending: z
    .boolean()
    .default(false)
    .describe('the membership waits for a signature of the authority'),
});
export type JoinReply = z.infer<typeof joinReplySchema>;

/** The text that a joining node signs. */
export function joinSigningText(request: Omit<JoinRequest, 'signature'>): string {
  return [
    'etherloom join 1',
    request.tokenId,
    request.network,
    request.secret,
    request.nodeId,
    request.signKey,
    request.sessionKey,
  ].join('\n');
}

/**
 * A clone becomes a node of its own, with keys that it made. The ticket came over the link that was
 * refused; the signature proves the signing key: Ed25519 over the bytes of splitSigningText().
 * Repeating it with the same keys is idempotent.
 */
export const splitRequestSchema = z.strictObject({
  ticket: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url (43 characters)'),
  originNodeId: nodeIdSchema.describe('the node whose identity was copied'),
  nodeId: nodeIdSchema,
  signKey: publicKeySchema,
  sessionKey: publicKeySchema,
  signature: signatureSchema,
});
export type SplitRequest = z.infer<typeof splitRequestSchema>;
export const splitReplySchema = z.object({
  nodeId: nodeIdSchema,
  nodeName: nameSchema,
  organizationId: idSchema,
  state: nodeStateSchema,
});
export type SplitReply = z.infer<typeof splitReplySchema>;

/** The text that a split-off node signs. */
export function splitSigningText(request: Omit<SplitRequest, 'signature'>): string {
  return [
    'etherloom split 1',
    request.ticket,
    request.originNodeId,
    request.nodeId,
    request.signKey,
    request.sessionKey,
  ].join('\n');
}

export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() });
/** A controller that takes requests and reaches its database. */
export const readySchema = z.object({ status: z.literal('ready'), database: z.literal('ok') });

/** An organization's authority as this controller stores it: to be verified by a pinned hash. */
export const authoritySchema = z.object({
  organizationId: idSchema,
  organizationName: nameSchema,
  custody: z
    .enum(['held', 'offline'])
    .describe('held: this controller signs what its operators change; offline: changes wait'),
  version: z.int().min(1),
  hash: statementHashSchema,
  chain: authorityChainSchema.describe('the last versions in order, the newest at the end'),
  heldKeys: z.array(publicKeySchema).describe('keys of the newest version that are here'),
  renewalKey: publicKeySchema.nullable().describe('of this controller; null: it cannot renew'),
  pendingCount: z.int().nonnegative().describe('statements that wait for signatures'),
  unsettledCount: z
    .int()
    .nonnegative()
    .describe('networks whose statements are not all made for the newest version yet'),
});
export type AuthorityView = z.infer<typeof authoritySchema>;

/** Keys that this controller made for the next version of an authority. */
export const authorityKeysSchema = z.object({
  key: publicKeySchema.describe('signs when a version of the authority names it'),
  renewalKey: publicKeySchema,
});

const signaturesSchema = z
  .array(z.strictObject({ key: publicKeySchema, signature: signatureSchema }))
  .max(2 * AUTHORITY_KEYS_MAX);

/** The next version of an authority; what this controller can sign of it, it adds. */
export const authorityProposalSchema = z.strictObject({
  statement: z.string().max(STATEMENT_CHARS_MAX).describe('JSON of an authority statement'),
  signatures: signaturesSchema,
});

const rosterEntrySchema = z.object({ nodeId: nodeIdSchema, hash: statementHashSchema });

/** What a statement that waits is about. */
export const pendingKindSchema = z.enum([
  'authority',
  'network',
  'credential',
  'revocation',
  'roster',
]);

/** A statement that waits, with what is needed to judge it. */
export const pendingStatementSchema = z.object({
  hash: statementHashSchema,
  kind: pendingKindSchema,
  networkId: idSchema.nullable(),
  networkName: nameSchema.nullable().describe('as this controller says: `network` is signed'),
  network: signedStatementSchema.nullable().describe('the statement in force of its network'),
  summary: z.string().describe('what it says, in words'),
  statement: z.string().max(STATEMENT_CHARS_MAX),
  held: signedStatementSchema
    .nullable()
    .describe('what is in force in its place; of a revocation: the credential that it ends'),
  roster: z
    .object({
      network: statementHashSchema,
      credentials: z.array(rosterEntrySchema),
      revocations: z.array(statementHashSchema),
      heldCredentials: z.array(rosterEntrySchema),
      heldRevocations: z.array(statementHashSchema),
    })
    .nullable()
    .describe('of a roster: the hashes behind its own, and those behind the roster in force'),
  signedBy: z.array(publicKeySchema),
  missing: z.int().nonnegative().describe('signatures that it lacks'),
  createdAt: timeSchema,
});
export type PendingStatement = z.infer<typeof pendingStatementSchema>;

/** Signatures for a request; larger amounts take several. */
export const SIGNATURES_PER_REQUEST_MAX = 200;
export const authoritySignaturesSchema = z.strictObject({
  signatures: z
    .array(
      z.strictObject({
        hash: statementHashSchema.describe('of the pending statement'),
        key: publicKeySchema,
        signature: signatureSchema,
      }),
    )
    .min(1)
    .max(SIGNATURES_PER_REQUEST_MAX),
});
export const authoritySignedSchema = z.object({
  taken: z.int().nonnegative().describe('signatures that count'),
  published: z.int().nonnegative().describe('statements that are in force by them'),
  pendingCount: z.int().nonnegative(),
});
