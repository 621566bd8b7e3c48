/**
 * What command lines are made of, checked before anything is sent: a wrong value is a usage error
 * that says what would be right.
 */
import type { IdentityProvider, Permission, Role } from '@etherloom/api';
import {
  AUDIT_DAYS_MAX,
  AUDIT_DAYS_MIN,
  fingerprintSchema,
  interfaceNameSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  LIST_LIMIT_MAX,
  MTU_BYTES_MAX,
  MTU_BYTES_MIN,
  nameSchema,
  PERMISSIONS,
  PING_COUNT_MAX,
  publicKeySchema,
  ROLES,
  STALENESS_DAYS_MAX,
  timeSchema,
  TOKEN_LIFETIME_SECONDS_MAX,
  TOKEN_USES_MAX,
  userNameSchema,
} from '@etherloom/api';
import { InvalidArgumentError } from 'commander';

type GroupRole = IdentityProvider['groupRoles'][number];

/** Word that leaves an address family out. */
export const NO_POOL = 'none';

const DURATION_UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
};

/** "30m", "1h", "7d", "1h30m" as seconds. */
export function parseDuration(text: string): number {
  const isWhole = /^(?:\d{1,9}[smhdw])+$/.test(text);
  const parts = [...text.matchAll(/(\d+)([smhdw])/g)];
  const seconds = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (DURATION_UNITS[unit ?? ''] ?? 0),
    0,
  );
  if (!isWhole || seconds < 1)
    throw new InvalidArgumentError('A duration looks like 90s, 30m, 1h, 7d or 1h30m.');
  if (seconds > TOKEN_LIFETIME_SECONDS_MAX) {
    throw new InvalidArgumentError(
      `The longest life of a token is ${TOKEN_LIFETIME_SECONDS_MAX / 86_400}d.`,
    );
  }
  return seconds;
}

/** A parser of whole numbers in a range. */
export function integerIn(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

export const parseMtu = integerIn(MTU_BYTES_MIN, MTU_BYTES_MAX);
export const parseUses = integerIn(1, TOKEN_USES_MAX);
export const parseStalenessDays = integerIn(1, STALENESS_DAYS_MAX);
export const parseCount = integerIn(1, PING_COUNT_MAX);

/** A public key. */
export function parseKey(text: string): string {
  return check(publicKeySchema, text);
}

/** A network or node name. */
export function parseName(text: string): string {
  return check(nameSchema, text);
}

/** What names a thing that exists: a name or an id. */
export function parseReference(text: string): string {
  if (/^[A-Za-z0-9_-]{1,128}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a name or an id: letters, digits, "-" and "_".');
}

/** The name of a user. */
export function parseUserName(text: string): string {
  return check(userNameSchema, text);
}

/** What names a user: a name or an id. */
export function parseUser(text: string): string {
  if (/^[a-z0-9][a-z0-9_.@+-]{0,127}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be the name or the id of a user.');
}

/** A role. */
export function parseRole(text: string): Role {
  const role = ROLES.find((name) => name === text);
  if (role !== undefined) return role;
  throw new InvalidArgumentError(`A role is one of ${ROLES.join(', ')}.`);
}

/** Roles, one after the other. */
export function collectRoles(text: string, former: readonly Role[] | undefined): readonly Role[] {
  return [...(former ?? []), parseRole(text)];
}

/** A group and the role that it gives, "staff=operator", one after the other. */
export function collectGroupRoles(
  text: string,
  former: readonly GroupRole[] | undefined,
): readonly GroupRole[] {
  const at = text.lastIndexOf('='); // groups of a directory have their own: cn=staff,dc=example
  if (at < 1) throw new InvalidArgumentError('It looks like GROUP=ROLE, for example staff=member.');
  const role = parseRole(text.slice(at + 1));
  return [...(former ?? []), { group: text.slice(0, at), role }];
}

/** Permissions, one after the other. */
export function collectScopes(
  text: string,
  former: readonly Permission[] | undefined,
): readonly Permission[] {
  const scope = PERMISSIONS.find((name) => name === text);
  if (scope !== undefined) return [...(former ?? []), scope];
  throw new InvalidArgumentError(`A scope is one of ${PERMISSIONS.join(', ')}.`);
}

/** A Linux interface name. */
export function parseInterface(text: string): string {
  return check(interfaceNameSchema, text);
}

/** An IPv4 pool, or "none": commander takes a parser's null for an empty text. */
export function parseIpv4Pool(text: string): string {
  if (text === NO_POOL) return text;
  return check(ipv4PrefixSchema, text, 'A pool looks like 10.1.0.0/24; "none" leaves IPv4 out.');
}

/** An IPv6 pool, or "none". */
export function parseIpv6Pool(text: string): string {
  if (text === NO_POOL) return text;
  return check(ipv6PrefixSchema, text, 'A pool looks like fd00:1::/64; "none" leaves IPv6 out.');
}

/** Days that the ledger is kept. */
export const parseAuditDays = integerIn(AUDIT_DAYS_MIN, AUDIT_DAYS_MAX);
/** Number of an entry of the ledger. */
export const parseEntryNumber = integerIn(0, Number.MAX_SAFE_INTEGER);
/** Items of a list. */
export const parseLimit = integerIn(1, LIST_LIMIT_MAX);

/** A time in UTC. */
export function parseTime(text: string): string {
  return check(timeSchema, text, 'A time looks like 2026-05-01T08:00:00Z.');
}

/** A public key. */
export function parsePublicKey(text: string): string {
  return check(publicKeySchema, text);
}

/** A SHA-256 fingerprint, with or without the colons and capitals that openssl prints. */
export function parseFingerprint(text: string): string {
  const hex = text
    .replace(/^sha256[: ]?(?:fingerprint=)?/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  return check(
    fingerprintSchema,
    hex,
    'It must be SHA-256 as 64 hex digits; colons between them do no harm.',
  );
}

/** The URL of a controller, without a trailing slash. */
export function parseControllerUrl(text: string): string {
  const url = URL.parse(text);
  const isPlain = url !== null && url.username === '' && url.search === '' && url.hash === '';
  if (url?.protocol === 'https:' && isPlain) return url.href.replace(/\/+$/, '');
  throw new InvalidArgumentError('A controller URL looks like https://192.0.2.1:8443.');
}

interface Schema {
  safeParse(text: string): {
    success: boolean;
    error?: { issues: readonly { message: string }[] } | undefined;
  };
}

function check(schema: Schema, text: string, message?: string): string {
  const parsed = schema.safeParse(text);
  if (parsed.success) return text;
  throw new InvalidArgumentError(
    message ?? `It ${parsed.error?.issues[0]?.message ?? 'is invalid'}.`,
  );
}
