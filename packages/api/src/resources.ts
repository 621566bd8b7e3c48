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
  endpointSchema,
  idSchema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
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
  revision: z.int().nonnegative().describe('rises with every change that members must know'),
  memberCount: z.int().nonnegative(),
  createdAt: timeSchema,
});
export type Network = z.infer<typeof networkSchema>;

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
  createdAt: timeSchema,
});
export type Membership = z.infer<typeof membershipSchema>;

export const nodeSchema = z.object({
  id: nodeIdSchema,
  organizationId: idSchema,
  name: nameSchema,
  signKey: publicKeySchema.describe('Ed25519'),
  sessionKey: publicKeySchema.describe('X25519'),
  endpoints: z.array(endpointSchema),
  connected: z.boolean().describe('its agent is connected to this controller'),
  lastSeenAt: timeSchema.nullable(),
  memberships: z.array(membershipSchema),
  createdAt: timeSchema,
});
export type Node = z.infer<typeof nodeSchema>;

export const joinTokenSchema = z.object({
  id: idSchema,
  networkId: idSchema,
  usesLeft: z.int().nonnegative(),
  uses: z.int().positive(),
  expiresAt: timeSchema,
  createdAt: timeSchema,
});
export type JoinTokenRow = z.infer<typeof joinTokenSchema>;
export const joinTokenCreateSchema = z.strictObject({
  network: z.string().describe('network id or name'),
  uses: z.int().min(1).max(TOKEN_USES_MAX).default(1),
  lifetimeSeconds: z
    .int()
    .min(1)
    .max(TOKEN_LIFETIME_SECONDS_MAX)
    .default(TOKEN_LIFETIME_SECONDS_DEFAULT),
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

export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() });
