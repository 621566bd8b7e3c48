/** For tests: a browser with its cookies, users that log in with it, organizations with owners. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, Role, SendReply, Whoami } from '@etherloom/api';
import { createClient, errorBodySchema, whoamiSchema } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { TestController } from './controller-fixture.ts';

/** The password of every user of a test. */
export const PASSWORD = 'every test has this one';

/** Sends requests and keeps cookies as a browser does. */
export class Browser {
  readonly #test: TestController;
  readonly cookies = new Map<string, string>();
  csrf: string | null = null;

  constructor(test: TestController) {
    this.#test = test;
  }

  /** Sends a request; `headers` go before what a page of the console would send. */
  async send(
    method: string,
    path: string,
    more: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<SendReply> {
    const { url, tlsFingerprint } = this.#test.controller;
    const send = createPinnedSender({ tlsFingerprint, timeoutMs: 10_000 });
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await send({
      method,
      url: path.startsWith('https:') ? path : url + path,
      headers: {
        ...(cookie === '' ? {} : { cookie }),
        ...(this.csrf === null ? {} : { 'x-loom-csrf': this.csrf }),
        ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...more.headers,
      },
      ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
    });
    this.#keep(reply.headers['set-cookie']);
    return reply;
  }

  #keep(header: string | undefined): void {
    for (const text of (header ?? '').split(/, (?=__Host-)/)) {
      const [, name, value, rest] = /^([^=]+)=([^;]*);(.*)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) continue;
      if (rest?.includes('Max-Age=0') === true) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }

  /** Logs in. */
  async logIn(name: string, organization?: string, password = PASSWORD): Promise<Whoami> {
    const body = { name, password, ...(organization === undefined ? {} : { organization }) };
    const reply = await this.send('POST', '/v1/session', { body });
    if (reply.status !== 201) throw new Error(`logging in: ${reply.status} ${reply.body}`);
    return this.take(reply);
  }

  /** Reads what the session is, and its value against forged requests. */
  take(reply: SendReply): Whoami {
    const whoami = whoamiSchema.parse(JSON.parse(reply.body));
    this.csrf = whoami.csrf;
    return whoami;
  }

  /** A typed client that sends as this browser. */
  client(): Client {
    return createClient({
      baseUrl: this.#test.controller.url,
      send: ({ method, url, headers, body }) =>
        this.send(method, url, {
          headers,
          ...(body === undefined ? {} : { body: JSON.parse(body) as unknown }),
        }),
    });
  }
}

/** The code of an error reply. */
export function codeIn(reply: SendReply): string {
  return errorBodySchema.parse(JSON.parse(reply.body)).error.code;
}

export function setupCodeOf(test: TestController): string {
  return readFileSync(join(test.dataDirectory, 'setup.code'), 'utf8').trim();
}

/** A user of an organization, logged in. */
export async function makeUser(
  test: TestController,
  organization: string,
  name: string,
  roles: readonly Role[],
): Promise<Browser> {
  await test.client.call('userCreate', {
    query: { organization },
    body: { name, password: PASSWORD, roles: [...roles] },
  });
  const browser = new Browser(test);
  await browser.logIn(name, organization);
  return browser;
}
