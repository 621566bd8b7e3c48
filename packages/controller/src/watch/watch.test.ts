/** The watch stream over real TLS: what comes, what comes again, and what is refused. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WatchEvent } from '@etherloom/api';
import { collect, watch } from '@etherloom/api';
import { createPinnedStreamer } from '@etherloom/transport';
import { WATCHERS_PER_PRINCIPAL_MAX, WATCH_ENTRIES_KEPT } from '../limits.ts';
import { makeUser } from '../testing/access-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  joinNetwork,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';

const DEADLINE_MS = 10_000;
const MANY = { burst: 100_000, perSecond: 10_000 };
let running: TestController;
beforeAll(async () => {
  running = await startTestController({ requestRates: { principal: MANY, source: MANY } });
});
const readers = new Set<Reader>();
afterEach(async () => {
  await Promise.all([...readers].map((reader) => reader.stop()));
  readers.clear();
});
afterAll(() => running.remove());

const streamer = () =>
  createPinnedStreamer({
    tlsFingerprint: running.controller.tlsFingerprint,
    timeoutMs: DEADLINE_MS,
  });

/** A reader that gathers events, and whose connection can be broken. */
class Reader {
  readonly events: WatchEvent[] = [];
  readonly #stop = new AbortController();
  #break = new AbortController();
  #goOn: (() => void) | null = null;
  readonly done: Promise<void>;

  constructor(token: string, options: { readonly isHeld?: boolean } = {}) {
    const send = streamer();
    const events = watch({
      baseUrl: running.controller.url,
      token,
      sendStream: (request) => {
        this.#break = new AbortController();
        return send({
          ...request,
          signal: AbortSignal.any([this.#stop.signal, this.#break.signal]),
        });
      },
      pause: () =>
        options.isHeld === true
          ? new Promise((resolve) => {
              this.#goOn = resolve;
            })
          : Promise.resolve(),
      signal: this.#stop.signal,
    });
    this.done = this.#run(events);
    readers.add(this);
  }

  async #run(events: AsyncGenerator<WatchEvent>): Promise<void> {
    for await (const event of events) this.events.push(event);
  }

  changes(): string[] {
    return this.events.flatMap((event) => (event.kind === 'change' ? [event.action] : []));
  }

  count(kind: WatchEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  breakOff(): void {
    this.#break.abort();
  }

  async isBroken(): Promise<void> {
    await expect.poll(() => this.#goOn !== null, { timeout: DEADLINE_MS }).toBe(true);
  }

  goOn(): void {
    this.#goOn?.();
    this.#goOn = null;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.goOn();
    await this.done.catch(() => undefined);
  }
}

async function ready(reader: Reader, times = 1): Promise<void> {
  await expect.poll(() => reader.count('ready'), { timeout: DEADLINE_MS }).toBe(times);
}

test('changes come in the order of the ledger, also those made while the stream was broken', async () => {
  const reader = new Reader(running.adminToken, { isHeld: true });
  await ready(reader);
  await running.client.call('networkCreate', { body: { name: 'watched', ipv4: null } });
  await expect.poll(() => reader.changes(), { timeout: DEADLINE_MS }).toEqual(['network.create']);
  reader.breakOff();
  await reader.isBroken();
  const params = { network: 'watched' };
  await running.client.call('networkSettings', { params, body: { stalenessDays: 5 } });
  await running.client.call('networkDelete', { params });
  reader.goOn();
  await expect
    .poll(() => reader.changes(), { timeout: DEADLINE_MS })
    .toEqual(['network.create', 'network.settings', 'network.delete']);
  const numbers = reader.events.flatMap((event) => (event.kind === 'change' ? [event.number] : []));
  const [newest] = (await running.client.call('auditList', { query: { limit: 1 } })).items;
  expect(numbers.at(-1)).toBe(newest?.number);
  expect(reader.count('reset')).toBe(0);
  await reader.stop();
});

test('more was missed than is kept at hand: it is read from the ledger', async () => {
  const [early, late] = [
    new Reader(running.adminToken, { isHeld: true }),
    new Reader(running.adminToken),
  ];
  await ready(early);
  await ready(late);
  early.breakOff();
  await early.isBroken();
  const wanted = WATCH_ENTRIES_KEPT + 50;
  for (let made = 0; made < wanted; made += 10)
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        running.client.call('ledgerChange', { body: { auditDays: 100 + ((made + i) % 300) } }),
      ),
    );
  await expect
    .poll(() => late.changes().length, { timeout: DEADLINE_MS })
    .toBeGreaterThan(wanted - 50);
  early.goOn();
  await expect
    .poll(() => early.changes().length - late.changes().length, { timeout: DEADLINE_MS })
    .toBe(0);
  expect(early.changes()).toEqual(late.changes());
  expect(early.count('reset')).toBe(0);
  await Promise.all([early.stop(), late.stop()]);
}, 30_000);

test('readers that are gone before they have caught up cost nothing', async () => {
  const send = streamer();
  // They go at every moment of a stream's beginning.
  const gone = Array.from({ length: 60 }, async (_, afterMs) => {
    await send({
      method: 'GET',
      url: `${running.controller.url}/v1/watch`,
      headers: { authorization: `Bearer ${running.adminToken}`, 'last-event-id': '1' },
      signal: AbortSignal.timeout(afterMs),
    }).catch(() => undefined);
  });
  await Promise.all(gone);
  expect(await running.client.call('health')).toMatchObject({ status: 'ok' });
});

test('an id that the ledger does not have gives a reset', async () => {
  for (const id of ['999999', '0']) {
    const reply = await streamer()({
      method: 'GET',
      url: `${running.controller.url}/v1/watch`,
      headers: { authorization: `Bearer ${running.adminToken}`, 'last-event-id': id },
    });
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/event-stream']);
    let text = '';
    for await (const chunk of reply.chunks) {
      text += chunk;
      if (text.includes('\n\n')) break;
    }
    // Entry 1 is kept, so that 0 is a place from which nothing is missing.
    expect(text).toContain(id === '0' ? 'event: ready' : 'event: reset');
  }
});

test('links that come and go are told, and only to who may read nodes', async () => {
  const reader = new Reader(running.adminToken);
  await ready(reader);
  await running.client.call('networkCreate', { body: { name: 'live' } });
  const node = makeNode();
  await joinNetwork(running, 'live', node);
  const { link } = await connectAgent(running, node);
  const kinds = (): string[] =>
    reader.events
      .flatMap((event) =>
        event.kind === 'live' ? event.nodes.filter(({ id }) => id === node.id) : [],
      )
      .map(({ kind }) => kind);
  await expect.poll(kinds, { timeout: DEADLINE_MS }).toContain('connected');
  link.close();
  await expect.poll(kinds, { timeout: DEADLINE_MS }).toContain('disconnected');
  await reader.stop();
});

test('a member hears of networks and not of users, tokens or logins', async () => {
  const browser = await makeUser(running, 'default', 'watching', ['member']);
  const { token } = await browser
    .client()
    .call('apiTokenCreate', {
      body: { name: 'watch', role: 'member' },
    })
    .catch(() => ({ token: null }));
  const { client } = running;
  const made =
    token === null
      ? await client.call('apiTokenCreate', { body: { name: 'watch', role: 'member' } })
      : { token };
  const reader = new Reader(made.token);
  await ready(reader);
  await client.call('apiTokenCreate', { body: { name: 'hidden', role: 'member' } });
  await client.call('networkCreate', { body: { name: 'shown', ipv4: null } });
  await expect.poll(() => reader.changes(), { timeout: DEADLINE_MS }).toEqual(['network.create']);
  await reader.stop();
});

test('streams of one principal are bounded, and end with the controller', async () => {
  const many = Array.from(
    { length: WATCHERS_PER_PRINCIPAL_MAX },
    () => new Reader(running.adminToken, { isHeld: true }),
  );
  for (const reader of many) await ready(reader);
  const refused = new Reader(running.adminToken);
  await expect(refused.done).rejects.toMatchObject({ code: 'limit_reached', status: 409 });
  await Promise.all(many.slice(1).map((reader) => reader.stop()));
  const [last] = many;
  await running.stop();
  await last?.isBroken();
  await last?.stop();
  expect(await collect(running.client, 'auditList').catch(() => 'stopped')).toBe('stopped');
});
