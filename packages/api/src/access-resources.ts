/**
 * Users, sessions, API tokens, identity providers and the first set-up: resources as they are
 * answered, and the bodies that make them. Secrets are in bodies and in what answers their making,
 * never in a resource.
 */
import { z } from 'zod';
import {
  API_TOKEN_LIFETIME_SECONDS_MAX,
  GROUP_ROLES_MAX,
  PASSWORD_CHARS_MAX,
  PASSWORD_CHARS_MIN,
  USER_NAME_CHARS_MAX,
} from './limits.ts';
import { PERMISSIONS, ROLES } from './permissions.ts';
import { idSchema, nameSchema, timeSchema } from './values.ts';

export const roleSchema = z.enum(ROLES);
export const permissionSchema = z.enum(PERMISSIONS);

/** Lower-case ASCII alone: no two names look alike, and no spelling escapes the login throttle. */
export const userNameSchema = z
  .string()
  .max(USER_NAME_CHARS_MAX)
  .regex(
    /^[a-z0-9]([a-z0-9.@+-]*[a-z0-9])?$/,
    'must be lower-case letters and digits, with . @ + - inside',
  );

/** A password to set: long, and nothing else is asked of it. */
export const passwordSchema = z
  .string()
  .min(PASSWORD_CHARS_MIN, `must have ${PASSWORD_CHARS_MIN} characters or more`)
  .max(PASSWORD_CHARS_MAX, `must have ${PASSWORD_CHARS_MAX} characters at most`);

/** A password that is given to be compared: a wrong one may have any form. */
const givenPasswordSchema = z.string().min(1).max(PASSWORD_CHARS_MAX);

/** A name that people read: of a token or a provider. */
const titleSchema = z
  .string()
  .max(64)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._@+-]*$/u, 'must be letters, digits, blanks and . _ @ + -');

const rolesSchema = z
  .array(roleSchema)
  .max(ROLES.length)
  .refine((roles) => new Set(roles).size === roles.length, 'must not name a role twice');

export const userSchema = z.object({
  id: idSchema,
  name: userNameSchema,
  organizationId: idSchema.describe('where it logs in; it may have roles in others'),
  roles: z.array(roleSchema).describe('in the organization of the request'),
  groupRoles: z.array(roleSchema).describe('those of them that follow groups of its provider'),
  isSystemAdministrator: z.boolean(),
  hasPassword: z.boolean(),
  identityProviderId: idSchema.nullable().describe('that it logs in with; null: none'),
  lastLoginAt: timeSchema.nullable(),
  createdAt: timeSchema,
});
export type User = z.infer<typeof userSchema>;

export const userCreateSchema = z.strictObject({
  name: userNameSchema,
  password: passwordSchema,
  roles: rolesSchema.default([]),
});
export const userRolesSchema = z.strictObject({ roles: rolesSchema });
export const userPasswordSchema = z.strictObject({ password: passwordSchema });
export const userSystemSchema = z.strictObject({ isSystemAdministrator: z.boolean() });

/** Who asks, and what it may do where. */
export const whoamiSchema = z.object({
  kind: z.enum(['bootstrap', 'user', 'api_token']),
  id: idSchema.nullable(),
  userId: idSchema
    .nullable()
    .describe('the user that it is, or whose token it is; null: admin.token, or a token of it'),
  name: z.string(),
  isSystemAdministrator: z.boolean(),
  organizations: z
    .array(
      z.object({
        id: idSchema,
        name: nameSchema,
        roles: z.array(roleSchema),
        permissions: z.array(permissionSchema),
      }),
    )
    .describe('where it has a part; a system administrator may name any other'),
  csrf: z
    .string()
    .nullable()
    .describe('value of x-loom-csrf for requests with the cookie; null: not a session'),
  expiresAt: timeSchema.nullable().describe('end of the session or token; null: none'),
});
export type Whoami = z.infer<typeof whoamiSchema>;

/** One login of a user. */
export const sessionSchema = z.object({
  id: idSchema,
  isCurrent: z.boolean(),
  source: z.string().describe('address that logged in'),
  createdAt: timeSchema,
  lastSeenAt: timeSchema.describe('to the minute'),
  expiresAt: timeSchema,
});
export type Session = z.infer<typeof sessionSchema>;

/** Organization in which a user name is looked up; "default" where none is given. */
const homeSchema = nameSchema.optional().describe('of the user; default: "default"');

export const sessionCreateSchema = z.strictObject({
  organization: homeSchema,
  name: userNameSchema,
  password: givenPasswordSchema,
});
export const passwordChangeSchema = z.strictObject({
  current: givenPasswordSchema,
  password: passwordSchema,
});

const lifetimeSchema = z.int().min(60).max(API_TOKEN_LIFETIME_SECONDS_MAX);

export const apiTokenSchema = z.object({
  id: idSchema,
  name: z.string(),
  prefix: z.string().describe('how it begins'),
  userId: idSchema
    .nullable()
    .describe('who made it, beyond whom it may nothing; null: admin.token'),
  role: roleSchema.nullable().describe('null: whatever its user may do'),
  scopes: z.array(permissionSchema).nullable().describe('what its role is narrowed to; null: not'),
  expiresAt: timeSchema.nullable(),
  lastUsedAt: timeSchema.nullable().describe('to the minute'),
  createdAt: timeSchema,
});
export type ApiToken = z.infer<typeof apiTokenSchema>;
export const apiTokenCreateSchema = z.strictObject({
  name: titleSchema,
  role: roleSchema,
  scopes: z.array(permissionSchema).min(1).max(PERMISSIONS.length).optional(),
  lifetimeSeconds: lifetimeSchema.optional().describe('default: it does not expire'),
});
export const apiTokenCreatedSchema = apiTokenSchema.extend({
  token: z.string().describe('shown once'),
});
export const loginTokenSchema = z.strictObject({
  organization: homeSchema,
  name: userNameSchema,
  password: givenPasswordSchema,
  tokenName: titleSchema.default('loom login'),
  lifetimeSeconds: lifetimeSchema.default(30 * 86_400),
});

const groupRolesSchema = z
  .array(z.strictObject({ group: z.string().min(1).max(256), role: roleSchema }))
  .max(GROUP_ROLES_MAX);
const claimSchema = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9_.:/-]+$/, 'must be the name of a claim');

export const identityProviderSchema = z.object({
  id: idSchema,
  name: z.string(),
  issuer: z.url(),
  clientId: z.string(),
  hasSecret: z.boolean(),
  groupsClaim: z.string(),
  groupRoles: z.array(z.object({ group: z.string(), role: roleSchema })),
  refusesUnmapped: z.boolean().describe('who has none of these groups may not log in'),
  redirectUri: z.url().describe('to register with the provider'),
  createdAt: timeSchema,
});
export type IdentityProvider = z.infer<typeof identityProviderSchema>;
export const identityProviderCreateSchema = z.strictObject({
  name: titleSchema,
  issuer: z.url().max(512).describe('https, or http on loopback by a system administrator'),
  clientId: z.string().min(1).max(256),
  clientSecret: z.string().min(1).max(1_024).optional().describe('default: a public client'),
  groupsClaim: claimSchema.default('groups'),
  groupRoles: groupRolesSchema.default([]),
  refusesUnmapped: z.boolean().default(true),
});
export const identityProviderChangeSchema = z.strictObject({
  name: titleSchema.optional(),
  clientId: z.string().min(1).max(256).optional(),
  clientSecret: z.string().min(1).max(1_024).optional(),
  groupsClaim: claimSchema.optional(),
  groupRoles: groupRolesSchema.optional(),
  refusesUnmapped: z.boolean().optional(),
});

/** What a login page offers. */
export const loginProviderSchema = z.object({ id: idSchema, name: z.string() });

export const setupSchema = z.object({
  isNeeded: z.boolean().describe('no user exists: the set-up code makes the first one'),
});
export const setupCreateSchema = z.strictObject({
  code: z.string().max(128).describe('that the controller printed, and keeps in DIR/setup.code'),
  name: userNameSchema,
  password: passwordSchema,
});

export const organizationChangeSchema = z.strictObject({ name: nameSchema });
