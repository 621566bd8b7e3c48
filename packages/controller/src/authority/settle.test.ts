/**
 * Whatever operators do, in whatever custody: what is published proves itself, never goes back, and
 * is what the rows want as soon as everything that waits is signed.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuthorityStatement, SignedStatement } from '@etherloom/api';
import type { Authority, Signer, VerifiedNetwork } from '@etherloom/core';
import {
  addSignature,
  isValidAt,
  openAuthority,
  signerOf,
  verifyNetworkState,
} from '@etherloom/core';
import { DAY_MS } from '../limits.ts';
import { createJoinToken } from '../store/join-tokens.ts';
import { join } from '../store/join.ts';
import { endMembership } from '../store/members.ts';
import { createNetwork, setNetworkSettings } from '../store/networks.ts';
import { removeNode, touchNode } from '../store/nodes.ts';
import { ensureDefaultOrganization } from '../store/organizations.ts';
import { supersedeRevisions } from '../store/revisions.ts';
import { readState } from '../testing/published-state.ts';
import { openTestEngine } from '../testing/test-database.ts';
import { Store } from '../store/store.ts';
import { makeNode } from '../testing/controller-fixture.ts';
import { authorityChain, authorityHash } from './authorities.ts';
import { Keyring } from './keyring.ts';
import { listPending } from './pending-list.ts';
import { refreshPending } from './pending.ts';
import { addSignatures, prepareKeys, proposeAuthority, showAuthority } from './proposals.ts';
import { renewDue } from './renew.ts';
import { settle } from './settle.ts';
import { settleAll } from './upkeep.ts';

const NODES = Array.from({ length: 4 }, () => makeNode());
const ORGANIZATION = 'default';
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(joinPath(tmpdir(), 'etherloom-settle-test-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Step =
  | { readonly kind: 'join' | 'leave' | 'rename' | 'remove'; readonly node: number }
  | { readonly kind: 'settings'; readonly days: number }
  | { readonly kind: 'wait'; readonly days: number }
  | { readonly kind: 'offline' | 'held' | 'sign' | 'restored' };

const node = fc.nat({ max: NODES.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('join' as const), node }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'rename' as const), node }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('settings' as const, 'wait' as const),
      days: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'offline' as const,
        'held' as const,
        'sign' as const,
        'sign' as const,
        'restored' as const,
      ),
    }),
  },
);

/** A store at work, and what a member that follows it holds. */
class World {
  readonly #store: Store;
  readonly #networkId: string;
  readonly #clock: { nowMs: number };
  #offline: Signer | null = null;
  #held: VerifiedNetwork | undefined;
  #names = 0;

  static async open(path: string): Promise<World> {
    const clock = { nowMs: Date.UTC(2030, 0, 1) };
    const store = new Store(await openTestEngine(path), {
      now: () => clock.nowMs,
      random: randomBytes,
      keyring: new Keyring(randomBytes(32)),
      settle,
    });
    await store.transact(ensureDefaultOrganization);
    const given = { name: 'a', ipv4: '10.0.0.0/24', ipv6: null, mtuBytes: 1_370 };
    const { id } = await store.transact((tx) => createNetwork(tx, given));
    return new World(store, id, clock);
  }

  constructor(store: Store, networkId: string, clock: { nowMs: number }) {
    this.#store = store;
    this.#networkId = networkId;
    this.#clock = clock;
  }

  async take(given: Step): Promise<void> {
    this.#clock.nowMs += 1_000;
    switch (given.kind) {
      case 'join':
        await this.#join(given.node);
        break;
      case 'leave':
        await this.#store.transact((tx) =>
          endMembership(tx, this.#networkId, NODES[given.node]?.id ?? ''),
        );
        break;
      case 'remove':
        await this.#store
          .transact((tx) => removeNode(tx, NODES[given.node]?.id ?? ''))
          .catch(() => {});
        break;
      case 'rename':
        await this.#rename(NODES[given.node]?.id ?? '');
        break;
      case 'settings':
        await this.#store.transact((tx) =>
          setNetworkSettings(tx, 'a', { stalenessDays: given.days }),
        );
        break;
      case 'wait':
        await this.#wait(given.days);
        break;
      case 'offline':
      case 'held':
        await this.#rotate(given.kind);
        break;
      case 'sign':
        await this.sign();
        break;
      case 'restored':
        await this.#store.transact(supersedeRevisions);
        await settleAll(this.#store);
        break;
      default:
        throw new Error(`unexpected ${JSON.stringify(given satisfies never)}`);
    }
    await this.check();
  }

  async #join(index: number): Promise<void> {
    const given = NODES[index];
    if (given === undefined) return;
    await this.#store
      .transact(async (tx) => {
        const token = await createJoinToken(tx, { network: 'a', uses: 1, lifetimeSeconds: 60 });
        await join(tx, {
          tokenId: token.row.id,
          network: 'a',
          secret: token.secret,
          nodeId: given.id,
          name: `node-${index}`,
          nameIsSuggestion: true,
          signKey: given.signKey,
          sessionKey: given.sessionKey,
          signature: '',
        });
      })
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'node_removed' }));
  }

  async #rename(nodeId: string): Promise<void> {
    this.#names += 1;
    const name = `name-${this.#names}`;
    await this.#store.transact(async (tx) => {
      await tx.db.updateTable('nodes').set({ name }).where('id', '=', nodeId).execute();
      await touchNode(tx, nodeId);
    });
  }

  /** Days go by, with the upkeep at work. */
  async #wait(days: number): Promise<void> {
    for (let day = 0; day < days; day += 1) {
      this.#clock.nowMs += DAY_MS;
      await this.#store.transact(refreshPending);
      while ((await this.#store.transact(renewDue)).count > 0);
    }
  }

  async #rotate(to: 'offline' | 'held'): Promise<void> {
    const fresh = to === 'offline' ? signerOf(new Uint8Array(randomBytes(32))) : null;
    const key =
      fresh?.key ?? (await this.#store.transact((tx) => prepareKeys(tx, ORGANIZATION))).key;
    const view = await this.#store.transact((tx) => showAuthority(tx, ORGANIZATION));
    const newest = JSON.parse(view.chain.at(-1)?.statement ?? '') as AuthorityStatement; // its form
    const next = { ...newest, version: view.version + 1, previous: view.hash, keys: [key] };
    const unsigned: SignedStatement = { statement: JSON.stringify(next), signatures: [] };
    const signers = [this.#offline, fresh].filter((signer) => signer !== null);
    const signed = signers.reduce(addSignature, unsigned);
    const reply = await this.#store
      .transact((tx) => proposeAuthority(tx, ORGANIZATION, signed))
      .catch((error: unknown) => {
        // What is in force must be signed by one version before the next.
        expect(error).toMatchObject({ code: 'authority_outdated' });
        return null;
      });
    if (reply === null) return;
    expect(reply.custody).toBe(to);
    this.#offline = fresh;
    await settleAll(this.#store);
  }

  /** The holder of an offline key signs all that waits. */
  async sign(): Promise<void> {
    const signer = this.#offline;
    if (signer === null) return;
    await this.#store.transact(refreshPending);
    await this.#store.transact(async (tx) => {
      const { items } = await listPending(tx, ORGANIZATION, { limit: 1_000 });
      const signatures = items.flatMap(({ statement, hash }) =>
        addSignature({ statement, signatures: [] }, signer).signatures.map((signature) => ({
          hash,
          ...signature,
        })),
      );
      if (signatures.length > 0) await addSignatures(tx, ORGANIZATION, signatures);
    });
    const { items: left } = await this.#store.transact((tx) =>
      listPending(tx, ORGANIZATION, { limit: 1_000 }),
    );
    expect(left).toEqual([]);
  }

  async #authority(): Promise<Authority> {
    const { hash, chain, organizationId } = await this.#store.transact(async (tx) => {
      const view = await showAuthority(tx, ORGANIZATION);
      return { hash: view.hash, chain: view.chain, organizationId: view.organizationId };
    });
    expect(await this.#store.transact((tx) => authorityHash(tx, organizationId))).toBe(hash);
    expect(await this.#store.transact((tx) => authorityChain(tx, organizationId))).toEqual(chain);
    const opened = openAuthority(hash, chain);
    if (!opened.ok) throw new Error(opened.refusal.code);
    return opened.authority;
  }

  /** What is published proves itself against all that was published before. */
  async check(): Promise<VerifiedNetwork> {
    const published = await this.#store.transact((tx) => readState(tx, this.#networkId));
    if (published === null) throw new Error('nothing is published');
    const { state, proof } = published;
    const authority = await this.#authority();
    const result = verifyNetworkState({ state, proof, authority, held: this.#held });
    if (!result.ok) throw new Error(`${result.refusal.code}: ${result.refusal.detail}`);
    this.#held = result.verified;
    return result.verified;
  }

  /** Once all is signed, members are those of the rows, and all are valid. */
  async checkEnd(): Promise<void> {
    await this.#wait(1);
    await this.sign();
    const { members } = await this.check();
    const wanted = await this.#store.transact((tx) =>
      tx.db
        .selectFrom('memberships')
        .innerJoin('nodes', 'nodes.id', 'memberships.node_id')
        .select(['nodes.id', 'nodes.name'])
        .execute(),
    );
    expect(new Map([...members].map(([id, { credential }]) => [id, credential.name]))).toEqual(
      new Map(wanted.map(({ id, name }) => [id, name])),
    );
    await this.#wait(1);
    for (const member of (await this.check()).members.values())
      expect(isValidAt(member, this.#clock.nowMs)).toBe(true);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

test('any order of changes, rotations, waits and signatures', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      run += 1;
      const world = await World.open(joinPath(directory, `${run}.db`));
      try {
        for (const given of steps) await world.take(given);
        await world.checkEnd();
      } finally {
        await world.close();
      }
    }),
    { numRuns: Number(process.env['SETTLE_RUNS'] ?? 12) },
  );
}, 120_000);
