/** Who is told what; what happens on bad networks and between many is in test/sim/moves.test.ts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAsk, encodeRecords, encodeStatement, parseGossip } from './gossip-messages.ts';
import { Gossip } from './gossip.ts';
import type { GossipAction, GossipMember, StatementVerdict } from './gossip-types.ts';
import {
  ANSWER_BURST,
  ASK_AGAIN_MS,
  ASK_BURST,
  GOSSIP_FANOUT,
  MESSAGE_BURST,
  PASS_BURST,
  RECENT_MS,
  RECENT_RECORDS_MAX,
  REFUSED_BURST,
  STATEMENTS_MAX,
} from './limits.ts';
import { CONTROL_BYTES_MAX } from '../mesh/limits.ts';
import { parseEndpoint } from '../endpoint.ts';
import { signerOf } from '../trust/ed25519.ts';
import { encodeOrdinal, signEndpointRecord } from '../trust/endpoint-record.ts';

const SIGNED = { statement: '{"type":"roster"}', signatures: [] };

describe('a record that is heard', () => {
  it('is told to the shell and passed on to some of those that share a network, not back', () => {
    const { gossip } = room(8);
    tell(gossip, 1, record(2, 1n));
    const actions = gossip.drainActions();
    expect(heard(actions)).toEqual([[2, ['10.0.0.2:1']]]);
    const targets = sentTo(actions);
    expect(targets.length).toBe(GOSSIP_FANOUT);
    expect(targets).not.toContain(1);
    expect(targets).not.toContain(2);
  });

  it('is dropped when it is as old as what is held, without a look at its signature', () => {
    const { gossip } = room(4);
    tell(gossip, 1, record(2, 5n));
    gossip.drainActions();
    for (const sequence of [5n, 4n]) tell(gossip, 3, record(2, sequence, 1));
    expect(gossip.drainActions()).toEqual([]);
    expect(gossip.refusals().size).toBe(0);
  });

  it.each([
    ['gossip_record_unsigned', 2, 1],
    ['gossip_member_unknown', 99, 99],
  ])('is refused and changes nothing: %s', (reason, about, signer) => {
    const { gossip } = room(4);
    tell(gossip, 1, record(about, 1n, signer));
    expect(gossip.drainActions()).toEqual([]);
    expect([...gossip.refusals()]).toEqual([[reason, 1]]);
  });

  it('is refused from a member of another network than its node', () => {
    const { gossip } = room(4, (id) => (id === 2 ? ['net_b'] : ['net_a']));
    tell(gossip, 1, record(2, 1n));
    expect([...gossip.refusals()]).toEqual([['gossip_member_unknown', 1]]);
  });

  it('of one node is passed on a few times at once, later ones only as the last', () => {
    const { gossip } = room(6);
    let sent = 0;
    for (let count = 1; count <= 100; count++) {
      tell(gossip, 1, record(2, BigInt(count)));
      sent += sentTo(gossip.drainActions()).length;
    }
    expect(sent).toBe(PASS_BURST * GOSSIP_FANOUT);
    const at = gossip.pollTimeout();
    expect(at).toBe(5_000);
    gossip.handleTimeout(at);
    const [last] = gossip.drainActions();
    expect(last?.kind === 'send' && last.bytes).toEqual(Uint8Array.of(16, ...record(2, 100n)));
    expect(gossip.pollTimeout()).toBe(Infinity);
  });

  it('from the controller or the disk is told to the shell and to nobody else', () => {
    const { gossip } = room(4);
    gossip.takeRecord(record(2, 1n), 0);
    const actions = gossip.drainActions();
    expect([heard(actions).length, sentTo(actions).length]).toEqual([1, 0]);
    gossip.takeRecord(record(2, 2n, 1), 0);
    expect([...gossip.refusals()]).toEqual([['gossip_record_unsigned', 1]]);
  });

  it('is forgotten with its member', () => {
    const { gossip, members } = room(4);
    gossip.takeRecord(record(2, 1n), 0);
    gossip.setMembers(members.filter(({ peer }) => peer !== 2));
    expect(gossip.records().size).toBe(0);
  });
});

describe('the own record', () => {
  it('goes to all that are up, once, and is followed by asks', () => {
    const { gossip } = room(3);
    const own = record(7, 1n);
    gossip.setOwnRecord(own, 0);
    gossip.setOwnRecord(own, 0);
    expect(sentTo(gossip.drainActions())).toEqual([1, 2, 3]);
    for (const at of ASK_AGAIN_MS) {
      expect(gossip.pollTimeout()).toBe(at);
      gossip.handleTimeout(at);
      expect(sentTo(gossip.drainActions()).length).toBe(2 * 3);
    }
    expect(gossip.pollTimeout()).toBe(Infinity);
  });

  it('goes to a peer that comes up; many at once are not all asked', () => {
    const { gossip } = room(0);
    gossip.setMembers(room(20).members);
    gossip.setOwnRecord(record(7, 1n), 0);
    gossip.drainActions();
    for (let peer = 1; peer <= 20; peer++) gossip.handlePeerUp(peer, 0);
    const sent = gossip.drainActions();
    const asks = sent.filter((action) => action.kind === 'send' && action.bytes[0] === 18);
    expect([asks.length, sent.length]).toEqual([ASK_BURST, 20 + ASK_BURST]);
  });
});

describe('an ask', () => {
  it('is answered with what changed within the hour and concerns the one who asks', () => {
    const { gossip } = room(5, (id) => (id === 4 ? ['net_b'] : ['net_a']));
    gossip.takeRecord(record(5, 1n), 0);
    for (const id of [1, 2, 4]) gossip.takeRecord(record(id, 1n), RECENT_MS);
    gossip.drainActions();
    gossip.handleMessage(1, encodeAsk(), RECENT_MS);
    const [answer, ...rest] = gossip.drainActions();
    expect(rest).toEqual([]);
    expect(answer).toEqual({
      kind: 'send',
      peer: 1,
      bytes: Uint8Array.of(16, ...record(2, 1n)),
    });
  });

  it('is answered with a bounded number of records, in messages of one datagram', () => {
    const { gossip } = room(100);
    for (let id = 2; id <= 100; id++) gossip.takeRecord(record(id, 1n), 0);
    gossip.drainActions();
    gossip.handleMessage(1, encodeAsk(), 0);
    const messages = gossip.drainActions().flatMap((a) => (a.kind === 'send' ? [a.bytes] : []));
    const counts = messages.map((bytes) => {
      expect(bytes.length).toBeLessThanOrEqual(CONTROL_BYTES_MAX);
      const parsed = parseGossip(bytes);
      return parsed?.type === 'records' ? parsed.records.length : 0;
    });
    expect(counts.reduce((a, b) => a + b, 0)).toBe(RECENT_RECORDS_MAX);
  });

  it('is not answered as often as somebody likes', () => {
    const { gossip } = room(3);
    gossip.takeRecord(record(2, 1n), 0);
    gossip.drainActions();
    for (let count = 0; count < 20; count++) gossip.handleMessage(1, encodeAsk(), 0);
    expect(sentTo(gossip.drainActions()).length).toBe(ANSWER_BURST);
    expect(gossip.refusals().get('gossip_ask_limited')).toBe(20 - ANSWER_BURST);
  });
});

describe('a statement', () => {
  const fresh = { verdict: 'fresh', networkId: 'net_a', topic: 'roster net_a' } as const;

  it('that is new goes on to members of its network, and to who asks later', () => {
    const networksOf = (id: number) => (id === 3 ? ['net_b'] : ['net_a']);
    const { gossip } = room(5, networksOf, () => fresh);
    const message = encodeStatement(SIGNED);
    gossip.handleMessage(1, message, 0);
    const targets = sentTo(gossip.drainActions());
    expect(targets.toSorted((a, b) => a - b)).toEqual([2, 4, 5]);
    gossip.handleMessage(2, encodeAsk(), 0);
    gossip.handleMessage(3, encodeAsk(), 0);
    expect(gossip.drainActions()).toEqual([{ kind: 'send', peer: 2, bytes: message }]);
  });

  it.each([
    ['known', 0],
    ['refused', 1],
  ] as const)('that is %s goes nowhere', (verdict, refused) => {
    const { gossip } = room(
      3,
      () => ['net_a'],
      () => ({ verdict }),
    );
    gossip.handleMessage(1, encodeStatement(SIGNED), 0);
    expect(gossip.drainActions()).toEqual([]);
    expect(gossip.refusals().get('gossip_statement_refused') ?? 0).toBe(refused);
  });

  it('is kept as the newest of its topic, and of bounded many', () => {
    let count = 0;
    const judge = () => ({ ...fresh, topic: `revocation ${count++ % (2 * STATEMENTS_MAX)}` });
    const { gossip } = room(2, () => ['net_a'], judge);
    for (let index = 0; index < 3 * STATEMENTS_MAX; index++)
      gossip.handleMessage(1, encodeStatement(SIGNED), index * 1_000);
    gossip.drainActions();
    gossip.handleMessage(2, encodeAsk(), 3 * STATEMENTS_MAX * 1_000);
    expect(sentTo(gossip.drainActions()).length).toBe(16);
  });
});

describe('a member that misbehaves', () => {
  it('is not listened to when it sends too much', () => {
    const { gossip } = room(2);
    for (let count = 0; count < MESSAGE_BURST + 10; count++)
      gossip.handleMessage(1, Uint8Array.of(99), 0);
    expect([...gossip.refusals()]).toEqual([['gossip_sender_limited', 10]]);
    gossip.handleMessage(1, Uint8Array.of(99), 1_000);
    expect(gossip.refusals().get('gossip_sender_limited')).toBe(10);
  });

  it('is not listened to when too much of it is refused; others are', () => {
    const { gossip } = room(4);
    for (let count = 0; count < REFUSED_BURST; count++) tell(gossip, 1, record(2, 9n, 1));
    tell(gossip, 1, record(2, 1n));
    expect(gossip.refusals().get('gossip_sender_limited')).toBe(1);
    tell(gossip, 3, record(2, 1n));
    expect(heard(gossip.drainActions()).length).toBe(1);
  });

  it('that is no member at all is not listened to', () => {
    const { gossip } = room(2);
    gossip.handleMessage(9, encodeAsk(), 0);
    expect([...gossip.refusals()]).toEqual([['gossip_sender_unknown', 1]]);
  });

  it('can send any bytes', () => {
    const { gossip } = room(2);
    const type = fc.constantFrom(16, 17, 18, 19);
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 300 }), (first, rest) => {
        gossip.handleMessage(1, Uint8Array.of(first, ...rest), 0);
      }),
    );
    expect(gossip.records().size).toBe(0);
  });
});

describe('messages', () => {
  it('carry records whole, several to a datagram', () => {
    const { members } = room(10);
    const records = members.map(({ peer = 0 }) => record(peer, 1n));
    const read = encodeRecords(records).flatMap((bytes) => {
      const parsed = parseGossip(bytes);
      return parsed?.type === 'records' ? parsed.records : [];
    });
    expect(read).toEqual(records);
  });

  it('carry a statement as the exact text that was signed', () => {
    const signed = { statement: '{"name":"größe\\n"}', signatures: [{ key: 'k', signature: 's' }] };
    expect(parseGossip(encodeStatement(signed))).toEqual({ type: 'statement', ...signed });
  });

  it.each([
    ['no record', [16]],
    ['a cut record', [16, ...new Uint8Array(92)]],
    ['a count beyond the end', [16, ...new Uint8Array(28), 200, ...new Uint8Array(64)]],
    ['a statement beyond the end', [17, 0, 9, 65]],
    ['signatures that are no JSON', [17, 0, 1, 65, 66]],
    ['a text that is no UTF-8', [17, 0, 1, 0xff, 91, 93]],
    ['an ask with more', [18, 0]],
  ])('are refused: %s', (_name, bytes) => {
    expect(parseGossip(Uint8Array.from(bytes))).toBeUndefined();
  });
});

/** A room with members 1 to `count`, all of them up. */
function room(
  count: number,
  networksOf: (id: number) => string[] = () => ['net_a'],
  judge: () => StatementVerdict = () => ({ verdict: 'refused' }),
): { gossip: Gossip; members: readonly GossipMember[] } {
  let draws = 0;
  const random = (bytes: number) => new Uint8Array(bytes).fill(++draws * 37);
  const gossip = new Gossip({ random, ownNodeId: hexId(7_777), judge });
  const members = Array.from({ length: count }, (_, index) => ({
    nodeId: hexId(index + 1),
    peer: index + 1,
    signKey: signerFor(index + 1).key,
    networkIds: networksOf(index + 1),
  }));
  gossip.setMembers(members);
  for (const { peer } of members) gossip.handlePeerUp(peer, -1e9);
  gossip.drainActions();
  return { gossip, members };
}

function tell(gossip: Gossip, peer: number, bytes: Uint8Array): void {
  gossip.handleMessage(peer, Uint8Array.of(16, ...bytes), 0);
}

function record(about: number, sequence: bigint, signer = about): Uint8Array {
  const nodeId = new Uint8Array(16);
  new DataView(nodeId.buffer).setUint32(12, about);
  const endpoints = [parseEndpoint(`10.0.0.${about}:1`)];
  return signEndpointRecord(
    { nodeId, ordinal: encodeOrdinal(1, sequence), endpoints },
    signerFor(signer).sign,
  );
}

function signerFor(id: number) {
  return signerOf(new Uint8Array(32).fill(id));
}

function hexId(id: number): string {
  return id.toString(16).padStart(32, '0');
}

function heard(actions: readonly GossipAction[]): [number | undefined, string[]][] {
  return actions.flatMap((action) =>
    action.kind === 'endpointsHeard'
      ? [[action.peer, action.endpoints.map((at) => `10.0.0.${at[15]}:${at[17]}`)]]
      : [],
  );
}

function sentTo(actions: readonly GossipAction[]): number[] {
  return actions.flatMap((action) => (action.kind === 'send' ? [action.peer] : []));
}
