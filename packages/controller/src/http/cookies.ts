/**
 * Cookies: names with the prefix __Host-, which browsers take over TLS alone, from this host alone
 * and for every path, so that no other host of the domain sets or reads them.
 */

/** Cookie of a session. Strict: no other site's link or form carries it. */
export const SESSION_COOKIE = '__Host-loom';
/** Cookie of a login in progress. Lax: the browser comes back from another site with it. */
export const LOGIN_COOKIE = '__Host-loom-login';

/** Longest header that is read: two cookies of ours, and those that share the host name. */
const COOKIE_HEADER_CHARS_MAX = 16_384;

/** The value of a cookie; undefined when it is not there, or there more than once. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header.length > COOKIE_HEADER_CHARS_MAX) return undefined;
  const values = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  const [value] = values;
  return values.length === 1 && value !== undefined && /^[A-Za-z0-9_-]{1,4096}$/.test(value)
    ? value
    : undefined;
}

/** Set-Cookie of a session: it ends with the browser, or before. */
export function sessionCookie(secret: string): string {
  return `${SESSION_COOKIE}=${secret}; Path=/; Secure; HttpOnly; SameSite=Strict`;
}

/** Set-Cookie of a login in progress. */
export function loginCookie(sealed: string, lifetimeMs: number): string {
  return `${LOGIN_COOKIE}=${sealed}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${lifetimeMs / 1_000}`;
}

/** Set-Cookie that removes a cookie. */
export function endCookie(name: typeof SESSION_COOKIE | typeof LOGIN_COOKIE): string {
  const site = name === SESSION_COOKIE ? 'Strict' : 'Lax';
  return `${name}=; Path=/; Secure; HttpOnly; SameSite=${site}; Max-Age=0`;
}
