/** Questions to other controllers and their answers: what is asked, taken, bounded and lost. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deflateRawSync } from 'node:zlib';
import { pino } from 'pino';
import { LOOKS_ANSWERED_MAX, LOOKS_MAX, LOOK_NODES_MAX, LOOK_PIECE_MS } from '../limits.ts';
import { LookAnswers } from './look-answers.ts';
import type { LookEntry } from './look-text.ts';
import { packEntries, unpackEntries } from './look-text.ts';
import type { LookMessage, LookedMessage } from './looks.ts';
import { Looks } from './looks.ts';
import type { PeerMessage } from './messages.ts';

const CONTROLLER = `ctl_${'1'.repeat(20)}`;
const LOOK = { controllerId: CONTROLLER, peersMax: 24, deadlineMs: 1_000 };
const nodeId = (i: number): string => i.toString(16).padStart(32, '0');
const entry = (i: number, reason: string | null = null): LookEntry => ({
  nodeId: nodeId(i),
  report: null,
  ageMs: 0,
  reason,
  problems: [],
});

let said: PeerMessage[];
let left: Map<string, string>;
const say = (message: PeerMessage): void => void said.push(message);
const log = pino({ level: 'silent' });
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  said = [];
  left = new Map();
});
afterEach(() => {
  vi.useRealTimers();
});

const asked = (): LookMessage[] => said.filter((message) => message.type === 'look');
const answers = (): LookedMessage[] => said.filter((message) => message.type === 'looked');
const settle = (ms = 10): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('who asks', () => {
  const make = (): Looks =>
    new Looks({
      say,
      collect: (key) => {
        const text = left.get(key);
        left.delete(key);
        return Promise.resolve(text);
      },
      log,
    });

  const piece = (text: string | null, changes: Partial<LookedMessage> = {}): LookedMessage => ({
    type: 'looked',
    id: asked()[0]?.id ?? '',
    text,
    key: null,
    isLast: true,
    ...changes,
  });

  test('asks once for the nodes of a moment, each once, and for other things apart', async () => {
    const looks = make();
    for (const i of [1, 2, 1]) void looks.ask(LOOK, nodeId(i));
    void looks.ask({ ...LOOK, peersMax: null }, nodeId(1));
    await settle();
    expect(asked().map(({ nodeIds, peersMax }) => [nodeIds, peersMax])).toEqual([
      [[nodeId(1), nodeId(2)], 24],
      [[nodeId(1)], null],
    ]);
  });

  test('asks for no more nodes at once than one message names', async () => {
    const looks = make();
    for (let i = 0; i <= LOOK_NODES_MAX; i += 1) void looks.ask(LOOK, nodeId(i));
    await settle();
    expect(asked().map(({ nodeIds }) => nodeIds.length)).toEqual([LOOK_NODES_MAX, 1]);
    expect(JSON.stringify(asked()[0]).length).toBeLessThan(7_800);
  });

  test('takes what it asked for, and nothing else', async () => {
    const looks = make();
    const [one, two] = [looks.ask(LOOK, nodeId(1)), looks.ask(LOOK, nodeId(2))];
    await settle();
    const [stray] = await packEntries([entry(2, 'stray')]);
    looks.take(piece(stray ?? '', { id: '0'.repeat(16) }));
    const [text] = await packEntries([entry(1), entry(3)]);
    looks.take(piece(text ?? ''));
    expect(await one).toEqual(entry(1));
    expect(await two, 'not answered, and not waited for after the last piece').toBeUndefined();
  });

  test('collects what is too long for a message', async () => {
    const looks = make();
    const one = looks.ask(LOOK, nodeId(1));
    await settle();
    const [text] = await packEntries([entry(1)]);
    left.set('x.0', text ?? '');
    looks.take(piece(null, { key: 'x.0' }));
    expect(await one).toEqual(entry(1));
    expect(left.size).toBe(0);
  });

  test('waits until the deadline and no longer, whatever is broken', async () => {
    const looks = make();
    const one = looks.ask(LOOK, nodeId(1));
    await settle();
    looks.take(piece('not packed at all', { isLast: false }));
    looks.take(piece(null, { key: 'nowhere', isLast: false }));
    await settle(LOOK.deadlineMs);
    expect(await one).toBeUndefined();
  });

  test('has a bounded number of questions open, and room again afterwards', async () => {
    const looks = make();
    for (let i = 0; i < LOOKS_MAX; i += 1)
      void looks.ask({ ...LOOK, controllerId: `c${i}` }, nodeId(1));
    expect(await looks.ask({ ...LOOK, controllerId: 'other' }, nodeId(1))).toBeUndefined();
    await settle();
    await settle(LOOK.deadlineMs);
    said = [];
    void looks.ask(LOOK, nodeId(1));
    await settle();
    expect(asked()).toHaveLength(1);
  });
});

test('a text that unpacks to far more than a piece is refused', async () => {
  const bomb = deflateRawSync(Buffer.alloc(16_000_000, ' ')).toString('base64');
  await expect(unpackEntries(bomb)).rejects.toThrow();
});

describe('who answers', () => {
  const look = (nodeIds: readonly string[]): LookMessage => ({
    type: 'look',
    id: 'a'.repeat(16),
    controllerId: CONTROLLER,
    peersMax: 24,
    nodeIds: [...nodeIds],
  });
  const leave = (key: string, text: string): Promise<void> => {
    left.set(key, text);
    return Promise.resolve();
  };

  /** Of the answers that were given inline. */
  const given = async (): Promise<string[]> =>
    (
      await Promise.all(
        answers().map(({ text }) => (text === null ? Promise.resolve([]) : unpackEntries(text))),
      )
    ).flatMap((entries) => entries.map((one) => one.nodeId));

  test('gives what is ready at once, and what is slow behind it', async () => {
    let answerSlow: (entry: LookEntry) => void = () => undefined;
    const slow = new Promise<LookEntry>((resolve) => (answerSlow = resolve));
    const book = new LookAnswers({
      say,
      leave,
      look: (id) => (id === nodeId(2) ? slow : Promise.resolve(entry(1))),
      log,
    });
    book.answer(look([nodeId(1), nodeId(2)]));
    await settle(LOOK_PIECE_MS);
    await vi.waitFor(async () => expect(await given()).toEqual([nodeId(1)]));
    expect(answers().map(({ isLast }) => isLast)).toEqual([false]);
    answerSlow(entry(2));
    await vi.waitFor(async () => expect(await given()).toEqual([nodeId(1), nodeId(2)]));
    expect(answers().at(-1)?.isLast).toBe(true);
  });

  test('says so when there is nothing to say', async () => {
    const book = new LookAnswers({ say, leave, look: () => Promise.resolve(null), log });
    book.answer(look([nodeId(1)]));
    await vi.waitFor(() => expect(answers()).toMatchObject([{ text: null, isLast: true }]));
  });

  test('answers a bounded number at one time', async () => {
    const never = new Promise<null>(() => undefined);
    let count = 0;
    const book = new LookAnswers({
      say,
      leave,
      look: () => {
        count += 1;
        return never;
      },
      log,
    });
    for (let i = 0; i < LOOKS_ANSWERED_MAX + 5; i += 1) book.answer(look([nodeId(1)]));
    expect(count).toBe(LOOKS_ANSWERED_MAX);
  });
});
