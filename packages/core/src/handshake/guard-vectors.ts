/**
 * The vectors of datapath/vectors/guard.hex: the keys by which a data path judges handshake
 * datagrams, and datagrams with their macs. Keys and bodies are runs of one byte.
 */
import { CookieJar } from './cookie-jar.ts';
import { HandshakeGate } from './gate.ts';
import { COOKIE_LIFETIME_MS } from './limits.ts';
import { appendMacs, mac1Key } from './macs.ts';
import { encodeInitiation, encodeResponse, INITIATION_BYTES_MIN } from './messages.ts';
import { makeEndpoint } from '../endpoint.ts';

const OWN_STATIC = new Uint8Array(32).fill(0x21);
const SENDER_ID = 0x0a0b0c0d;
const SOURCE = makeEndpoint(Uint8Array.of(192, 0, 2, 1), 8002);
/** A part of a message may be longer than the shortest message. */
const PART_BYTES = 1_100;

/** Bytes of one value, another one with each call. */
function runs(): (bytes: number) => Uint8Array {
  let value = 0x40;
  return (bytes) => new Uint8Array(bytes).fill(++value);
}

/** The vectors by name. */
export function guardVectors(): ReadonlyMap<string, Uint8Array> {
  const gate = new HandshakeGate(OWN_STATIC, { random: runs(), isPeerAddress: () => false });
  const jar = new CookieJar(OWN_STATIC, runs());
  gate.keys(0);
  const previous = jar.cookieOf(SOURCE, 0);
  const keys = gate.keys(COOKIE_LIFETIME_MS);
  const current = jar.cookieOf(SOURCE, COOKIE_LIFETIME_MS);
  const key = mac1Key(OWN_STATIC);
  const initiation = encodeInitiation(
    SENDER_ID,
    new Uint8Array(INITIATION_BYTES_MIN - 40).fill(0x61),
  );
  const part = encodeResponse(SENDER_ID, 1, new Uint8Array(PART_BYTES).fill(0x62));
  return new Map([
    ['mac1Key', keys.mac1Key],
    ['cookieReplyKey', keys.cookieReplyKey],
    ['cookieSecret', keys.cookieSecret],
    ['previousSecret', keys.previousSecret],
    ['source', SOURCE],
    ['cookie', current],
    ['initiation', appendMacs(initiation, key, undefined)],
    ['initiation.cookie', appendMacs(initiation, key, current)],
    ['initiation.previous', appendMacs(initiation, key, previous)],
    ['part', appendMacs(part, key, undefined)],
    ['part.cookie', appendMacs(part, key, current)],
  ]);
}

/** The text of guard.hex. */
export function guardVectorText(): string {
  return [...guardVectors()]
    .map(([name, bytes]) => `${name} ${[...bytes].map(hexOf).join('')}\n`)
    .join('');
}

const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0');
