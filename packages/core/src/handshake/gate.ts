/**
 * What stands before every asymmetric operation: layout, version, mac1, and under load cookie and
 * rate of the source. Whoever wants this host to compute a Diffie-Hellman has to pass here, and so
 * has whoever wants it to keep a part of a message. The data path looks at mac1 and cookie before,
 * with the same keys (guardSet), to keep a flood off; what passes is decided here.
 */
import type { MessageValues } from '../datapath-control/codec.ts';
import type { Endpoint } from '../endpoint.ts';
import { CookieJar, cookieKey } from './cookie-jar.ts';
import type { CookieSecrets } from './cookie-jar.ts';
import { HandshakeLoad } from './load.ts';
import { hasValidMac1, hasValidMac2, mac1Key, mac1Of } from './macs.ts';
import { parseHandshake } from './messages.ts';
import type { HandshakeDatagram, InitiationPart, Response } from './messages.ts';
import { PartJoiner } from './parts.ts';
import type { RefusalReason } from './refusals.ts';
import { SourceLimiter } from './source-limiter.ts';

export type Admission =
  | { readonly verdict: 'admitted'; readonly message: Exclude<HandshakeDatagram, InitiationPart> }
  /** A part of an initiation, kept until the others have come. */
  | { readonly verdict: 'waiting' }
  | { readonly verdict: 'refused'; readonly reason: RefusalReason }
  /** Refused for want of a cookie; the reply goes back to the source. */
  | { readonly verdict: 'challenged'; readonly reason: RefusalReason; readonly reply: Uint8Array };

/**
 * What a response is to this host: an answer to nothing that it sent, an answer that it waits for,
 * or one more after several.
 */
export type Expectation = 'nothing' | 'answer' | 'surplus';

export interface GateDeps {
  readonly random: (bytes: number) => Uint8Array;
  /** Whether a source is an address of a peer: its parts have room that strangers cannot take. */
  readonly isPeerAddress: (source: Endpoint, now: number) => boolean;
  /** Told of every change of what `keys` gives. */
  readonly onKeys?: (keys: MessageValues<'guardSet'>) => void;
}

export class HandshakeGate {
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  readonly #jar: CookieJar;
  readonly #load = new HandshakeLoad();
  readonly #sources = new SourceLimiter();
  readonly #joiner = new PartJoiner();
  readonly #isPeerAddress: GateDeps['isPeerAddress'];

  constructor(ownStatic: Uint8Array, deps: GateDeps) {
    this.#mac1Key = mac1Key(ownStatic);
    this.#cookieKey = cookieKey(ownStatic);
    this.#jar = new CookieJar(ownStatic, deps.random, (secrets) =>
      deps.onKeys?.(this.#keysOf(secrets)),
    );
    this.#isPeerAddress = deps.isPeerAddress;
  }

  /** What waits for further parts. */
  get waiting(): PartJoiner['held'] {
    return this.#joiner.held;
  }

  /** What the data path judges handshake datagrams with. */
  keys(now: number): MessageValues<'guardSet'> {
    return this.#keysOf(this.#jar.secrets(now));
  }

  /**
   * `expect` is asked of a response with a valid mac1. Whoever names the random id of a handshake
   * under way has seen its initiation: the first such responses need no cookie, and a flood of
   * forged ones cannot keep a host from its own handshakes.
   */
  admit(
    source: Endpoint,
    bytes: Uint8Array,
    now: number,
    expect: (response: Response) => Expectation = () => 'surplus',
  ): Admission {
    const message = parseHandshake(bytes);
    if (typeof message === 'string') return { verdict: 'refused', reason: message };
    // A cookie reply costs one symmetric opening, and that only when it matches a handshake under
    // way.
    if (message.kind === 'cookieReply') return { verdict: 'admitted', message };
    if (!hasValidMac1(bytes, this.#mac1Key)) return { verdict: 'refused', reason: 'mac1_invalid' };
    if (message.kind === 'response') {
      const expectation = expect(message);
      if (expectation === 'nothing') return { verdict: 'refused', reason: 'session_unmatched' };
      if (expectation === 'answer') return { verdict: 'admitted', message };
    }
    const share = message.kind === 'initiationPart' ? 1 / message.count : 1;
    if (this.#load.countMessage(now, share)) {
      const cookies = this.#jar.cookiesOf(source, now);
      if (!cookies.some((cookie) => hasValidMac2(bytes, cookie))) {
        const reply = this.#jar.reply(source, message.senderId, mac1Of(bytes), now);
        return { verdict: 'challenged', reason: 'cookie_required', reply };
      }
      if (!this.#sources.allows(source, now, share))
        return { verdict: 'refused', reason: 'source_limited' };
    }
    return message.kind === 'initiationPart'
      ? this.#join(source, message, now)
      : { verdict: 'admitted', message };
  }

  #join(source: Endpoint, part: InitiationPart, now: number): Admission {
    const isPeer = this.#isPeerAddress(source, now);
    const joined = this.#joiner.take({ source, isPeer }, part, now);
    if (joined.kind === 'refused') return { verdict: 'refused', reason: joined.reason };
    if (joined.kind === 'waiting') return { verdict: 'waiting' };
    return { verdict: 'admitted', message: joined.message };
  }
  #keysOf({ current, previous }: CookieSecrets): MessageValues<'guardSet'> {
    return {
      mac1Key: this.#mac1Key,
      cookieReplyKey: this.#cookieKey,
      cookieSecret: current,
      previousSecret: previous,
    };
  }
}
