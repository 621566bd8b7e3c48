/**
 * The typed client of packages/api over `fetch`. The cookie proves who calls; a method that changes
 * something carries the session's token besides (docs/controller.md 3), and every call names the
 * organization that is looked at.
 */
import type { Client, Send } from '@etherloom/api';
import { createClient } from '@etherloom/api';

const context: { csrf: string | null; organization: string | null } = {
  csrf: null,
  organization: null,
};

/** What `x-loom-csrf` is from here on; null: nobody is logged in. */
export function setCsrf(csrf: string | null): void {
  context.csrf = csrf;
}

/** The organization that calls act in; null: the only one of the user. */
export function setScope(organization: string | null): void {
  context.organization = organization;
}

/** The query parameter of the scope, for addresses that are not called by the client. */
export function scopeQuery(): string {
  return context.organization === null
    ? ''
    : `organization=${encodeURIComponent(context.organization)}`;
}

/** Paths that anybody calls, or that are about the user and no organization. */
const UNSCOPED = /^\/v1\/(session|setup|health|organizations$|login|sign-on)/;

/** A call that names its organization itself. */
const NAMED = /[?&]organization=/;

const send: Send = async ({ method, url, headers, body, signal }) => {
  const isRead = method === 'GET' || method === 'HEAD';
  const response = await fetch(scoped(url), {
    method,
    headers: {
      ...headers,
      ...(isRead || context.csrf === null ? {} : { 'x-loom-csrf': context.csrf }),
    },
    credentials: 'same-origin',
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
};

function scoped(url: string): string {
  const query = scopeQuery();
  if (query === '' || UNSCOPED.test(url) || NAMED.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** The client that every page calls. */
export const client: Client = createClient({ baseUrl: '', send });
