/**
 * One agent's side of the protocol: keys, join, link, lease. It follows what it is told by the
 * revision alone, which it finds at the begin of each message; a few of them (`isSample`) keep all
 * and are verified in the end (sample.ts).
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, randomInt, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { JoinReply } from '@etherloom/api';
import { decodeJoinToken, joinSigningText, linkSigningText, toBase64url } from '@etherloom/api';
import type { HeldLease } from '@etherloom/core';
import { firstLease, presentLease, takeEpoch, withNext } from '@etherloom/core';
import { BackOff } from '../../packages/agent/src/back-off.ts';
import {
  LINK_OPEN_MS,
  LINK_RETRY_MS_MAX,
  LINK_RETRY_MS_MIN,
} from '../../packages/agent/src/limits.ts';
import type { Target } from './wire.ts';
import { WireLink, post } from './wire.ts';

/** Enough to find the type and the revision of any message. */
const HEAD_BYTES = 768;

/** 0 up to, not including, 1. */
function randomShare(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

export type AgentState = 'down' | 'opening' | 'linked';

/** What the fleet hears of its agents. */
export interface AgentEvents {
  readonly onRevision: (agent: SimAgent, revision: number) => void;
  readonly onRefused: (agent: SimAgent, text: string) => void;
}

export class SimAgent {
  readonly nodeId = randomBytes(16).toString('hex');
  readonly name: string;
  readonly isSample: boolean;
  /** Every message since the link opened; of a sample. */
  received: string[] = [];
  state: AgentState = 'down';
  revision = -1;
  networkId = '';
  authority: JoinReply['authority'] = [];
  readonly #target: Target;
  readonly #address: string;
  readonly #events: AgentEvents;
  readonly #signing: { readonly key: KeyObject; readonly text: string };
  readonly #sessionKey = toBase64url(randomBytes(32));
  readonly #instance = randomBytes(8).toString('hex');
  readonly #backOff = new BackOff({
    minMs: LINK_RETRY_MS_MIN,
    maxMs: LINK_RETRY_MS_MAX,
    random: randomShare,
    jitter: 'full',
  });
  #lease: HeldLease = firstLease(toBase64url(randomBytes(32)));
  #authorityHash: string | null = null;
  #link: WireLink | null = null;
  #isStopped = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    target: Target,
    index: number,
    given: { readonly isSample: boolean; readonly events: AgentEvents },
  ) {
    this.#target = target;
    this.name = `agent-${index}`;
    // Each host has an address of its own: 127.1.0.1 and on.
    this.#address = `127.${1 + (index >> 16)}.${(index >> 8) & 0xff}.${1 + (index & 0x7f)}`;
    this.isSample = given.isSample;
    this.#events = given.events;
    const pair = generateKeyPairSync('ed25519');
    this.#signing = {
      key: createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' })),
      text: pair.publicKey.export({ format: 'jwk' }).x ?? '',
    };
  }

  /** Registers the node; rejects when the controller does not take it. */
  async join(token: string): Promise<void> {
    const { tokenId, secret, networkName } = decodeJoinToken(token);
    const unsigned = {
      tokenId,
      network: networkName,
      secret,
      nodeId: this.nodeId,
      name: this.name,
      nameIsSuggestion: true,
      signKey: this.#signing.text,
      sessionKey: this.#sessionKey,
    };
    const request = { ...unsigned, signature: this.#sign(joinSigningText(unsigned)) };
    const { status, body } = await post(this.#target, this.#address, '/v1/join', request);
    if (status !== 200 && status !== 201) throw new Error(`join: ${status} ${body}`);
    const reply = JSON.parse(body) as JoinReply; // of the controller that is measured
    this.networkId = reply.networkId;
    this.authority = reply.authority;
  }

  /** Keeps a link open from here on, with the real agent's waits between tries. */
  start(): void {
    this.#open().catch(() => this.#again());
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    this.#link?.end();
  }

  ping(): void {
    if (this.state === 'linked') this.#link?.ping();
  }

  #sign(text: string): string {
    return toBase64url(sign(null, Buffer.from(text), this.#signing.key));
  }

  async #open(): Promise<void> {
    this.state = 'opening';
    const link = await WireLink.open(this.#target, this.#address, LINK_OPEN_MS, {
      onMessage: (payload) => this.#take(payload),
      onClose: (reason) => {
        if (this.#link === link || this.#link === null) this.#closed(reason);
      },
    });
    this.#link = link;
    this.#retry = setTimeout(() => {
      if (this.state === 'opening') link.end();
    }, LINK_OPEN_MS);
  }

  #closed(reason: string): void {
    clearTimeout(this.#retry);
    this.#link = null;
    if (this.state === 'opening') this.#events.onRefused(this, reason);
    this.state = 'down';
    this.#again();
  }

  #again(): void {
    if (this.#isStopped) return;
    this.state = 'down';
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.start(), this.#backOff.nextMs());
  }

  #take(payload: Buffer): void {
    if (this.isSample) this.received.push(payload.toString());
    const head = payload.toString('latin1', 0, HEAD_BYTES);
    const type = /"type":"(\w+)"/.exec(head)?.[1];
    switch (type) {
      case 'challenge':
        return this.#authenticate((JSON.parse(head) as { nonce: string }).nonce); // it is short
      case 'welcome':
        return this.#welcome(JSON.parse(payload.toString()) as { lease: { epoch: number } });
      case 'interestWanted':
        return this.#sendInterest();
      case 'snapshot':
      case 'delta':
      case 'partial': {
        const found = /"(?:toRevision|revision)":(\d+)/.exec(head)?.[1];
        if (found !== undefined) this.#reach(Number(found));
        return;
      }
      case 'refused':
      case 'split':
        return this.#events.onRefused(this, payload.toString().slice(0, 300));
      default:
        return;
    }
  }

  #authenticate(nonce: string): void {
    const lease = withNext(this.#lease, toBase64url(randomBytes(32)));
    this.#lease = lease;
    const message = {
      type: 'authenticate',
      nodeId: this.nodeId,
      version: 'sim',
      signature: this.#sign(linkSigningText(nonce, this.nodeId, this.#target.tlsFingerprint)),
      revisions: this.revision < 0 ? {} : { [this.networkId]: this.revision },
      authority: this.#authorityHash,
      instance: this.#instance,
      lease: presentLease({ ...lease, next: lease.next ?? '' }),
      host: {
        bootId: 'sim',
        machineId: this.nodeId,
        cloudInstanceId: null,
        vmGenerationId: null,
      },
    };
    this.#link?.send(JSON.stringify(message));
  }

  #welcome({ lease }: { readonly lease: { readonly epoch: number } }): void {
    this.#lease = takeEpoch(this.#lease, lease.epoch) ?? this.#lease;
    clearTimeout(this.#retry);
    this.state = 'linked';
    this.#backOff.reset();
  }

  /** Nobody but itself: what it deals with is for the data path to say. */
  #sendInterest(): void {
    this.#link?.send(
      JSON.stringify({
        type: 'interest',
        networkId: this.networkId,
        revision: this.revision < 0 ? null : this.revision,
        nodeIds: [],
        hasMore: false,
      }),
    );
  }

  #reach(revision: number): void {
    if (revision <= this.revision) return;
    this.revision = revision;
    this.#events.onRevision(this, revision);
  }
}
