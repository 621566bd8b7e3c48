/**
 * An organization as YAML says it. A section that is left out is not looked after; a field that is
 * left out keeps what it is. Names stand for things, never ids, so that one file fits several
 * organizations. Fields have the names and units that they have in the API.
 */
import {
  MTU_BYTES_MAX,
  MTU_BYTES_MIN,
  ROLES,
  TOKEN_LIFETIME_SECONDS_MAX,
  TOKEN_USES_MAX,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  nameSchema,
  networkSettingsSchema,
  userNameSchema,
} from '@etherloom/api';
import { z } from 'zod';

const reservationSchema = z.strictObject({
  address: ipSchema,
  node: nameSchema.optional(),
  note: z.string().max(200).default(''),
});
export type ReservationWanted = z.infer<typeof reservationSchema>;

const joinTokenSchema = z
  .strictObject({
    uses: z.int().min(1).max(TOKEN_USES_MAX).optional(),
    lifetimeSeconds: z.int().min(1).max(TOKEN_LIFETIME_SECONDS_MAX).optional(),
    offlineOk: z.boolean().optional(),
  })
  .refine(
    ({ offlineOk, uses }) => offlineOk !== true || uses === undefined || uses === 1,
    'a token with offlineOk has one use',
  );
export type JoinTokenWanted = z.infer<typeof joinTokenSchema>;

const networkSchema = z.strictObject({
  ipv4: ipv4PrefixSchema.nullable().optional(),
  ipv6: ipv6PrefixSchema.nullable().optional(),
  mtuBytes: z.int().min(MTU_BYTES_MIN).max(MTU_BYTES_MAX).optional(),
  settings: networkSettingsSchema.partial().strict().optional(),
  reservations: z.array(reservationSchema).optional(),
  /** By label. */
  joinTokens: z.record(nameSchema, joinTokenSchema).optional(),
});
export type NetworkWanted = z.infer<typeof networkSchema>;

const nodeSchema = z.strictObject({ networks: z.array(nameSchema).optional() });
export type NodeWanted = z.infer<typeof nodeSchema>;

/** Roles that somebody gave; those of groups follow the groups, and no file speaks of them. */
const userSchema = z.strictObject({
  roles: z
    .array(z.enum(ROLES))
    .refine((roles) => new Set(roles).size === roles.length, 'must not name a role twice')
    .optional(),
});
export type UserWanted = z.infer<typeof userSchema>;

/** What one file, or several together, say. */
export const organizationFileSchema = z.strictObject({
  etherloom: z.literal(1, 'must be 1, the version of this format'),
  networks: z.record(nameSchema, networkSchema).optional(),
  nodes: z.record(nameSchema, nodeSchema).optional(),
  users: z.record(userNameSchema, userSchema).optional(),
});
export type OrganizationFile = z.infer<typeof organizationFileSchema>;
