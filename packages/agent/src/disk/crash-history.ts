/**
 * What an agent writes in the life of a node, by the code that writes it, in phases that can each
 * be done again: for the tests that let it die at every moment. Run as a program it lives a whole
 * life: `node crash-history.ts STATE_DIRECTORY PROGRESS_FILE`.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import type { JoinReply } from '@etherloom/api';
import { advanceLease, compareLease } from '@etherloom/core';
import type { LeaseRecord } from '@etherloom/core';
import { pino } from 'pino';
import { AgentError } from '../errors.ts';
import { writeRecords } from '../gossip-store.ts';
import { Place } from '../identity/place.ts';
import { forgetNetwork, recordJoin, takeNetworkMessage } from '../networks.ts';
import { AgentTrust } from '../trust/agent-trust.ts';
import {
  ISSUED_MS,
  NETWORK_ID,
  ORGANIZATION_ID,
  TestOrganization,
  testMember,
  testSigner,
} from '../trust/test-organization.ts';
import type { TestNetwork } from '../trust/test-organization.ts';
import { readVouched, writeVouched } from '../vouching/vouched-store.ts';
import { StateDirectory } from './state-directory.ts';

/** What the world outside knows of a node, which its disk must never fall behind. */
export interface Progress {
  /** Phases that were begun. */
  readonly begun: readonly string[];
  readonly done: readonly string[];
  /** Node ids that this host has acted as. */
  readonly nodeIds: readonly string[];
  /** The newest start that peers of the node may have seen, by node id. */
  readonly startCounts: Readonly<Record<string, number>>;
  /** What the controller has recorded of the node's lease. */
  readonly lease: LeaseRecord | null;
}

export const NOTHING: Progress = { begun: [], done: [], nodeIds: [], startCounts: {}, lease: null };

/** An open state directory and those who act on it. */
export interface Life {
  directory: StateDirectory;
  trust: AgentTrust;
  place: Place;
  progress: Progress;
  /** False between the end and the start of `restart`. */
  isOpen: boolean;
  /** Told of each step of the progress before it goes on. */
  readonly note: (progress: Progress) => void;
}

export const ORGANIZATION: TestOrganization = new TestOrganization();
const NEXT_SIGNER = testSigner(201);
/** Any signed statement: who reads the file judges it. */
const VOUCHED = { introductions: [...ORGANIZATION.chain], own: null };
export const PEER_ID: string = testMember(2).nodeId;

const SCRATCH_BYTES = 128 * 1024 * 1024;

/** Revision of the network after each phase that changes it. */
export const REVISION_AFTER: Readonly<Record<string, number>> = {
  'first state': 3,
  'state update': 4,
  'authority rotation': 5,
};

const PHASES: readonly (readonly [string, (life: Life) => void])[] = [
  ['first start', () => undefined],
  ['join', join],
  ['first link', link],
  ['first state', (life) => take(life, snapshot(life, { revision: 3, members: [1, 2] }))],
  ['endpoint records', ({ directory }) => writeRecords(directory.path, { [PEER_ID]: 'AAAA' })],
  ['vouched members', ({ directory }) => writeVouched(directory.path, VOUCHED)],
  ['restart', restart],
  ['lease advance', link],
  ['state update', update],
  ['revocation by gossip', hearRevocation],
  ['authority rotation', rotate],
  ['leave', leave],
  ['rejected as a copy', ({ place }) => void place.takeRefusal('clone_rejected', 'a copy')],
  ['split', split],
];
export const PHASE_NAMES: readonly string[] = PHASES.map(([name]) => name);

/** Opens the directory as a start of the agent does. Throws what the agent would end with. */
export function openLife(
  path: string,
  progress: Progress,
  note: Life['note'] = () => undefined,
): Life {
  const directory = StateDirectory.open(path);
  try {
    return openWith(directory, progress, note);
  } catch (error) {
    directory.close();
    throw error;
  }
}

function openWith(directory: StateDirectory, progress: Progress, note: Life['note']): Life {
  readVouched(directory.path);
  if ((directory.place.standing?.rebirth?.granted ?? null) !== null) directory.completeRebirth();
  const clocks = { wallMs: () => ISSUED_MS, sinceBootMs: () => 0 };
  const trust = new AgentTrust({ directory, clocks, onProblem: () => undefined });
  const log = pino({ level: 'silent' });
  const place = new Place({ directory, instance: () => '0'.repeat(16), log });
  return { directory, trust, place, progress, isOpen: true, note };
}

/** Lives from the first phase that is not done to the end, or to the end of the phase `until`. */
export function liveOn(life: Life, until?: string): void {
  for (const [name, run] of PHASES) {
    if (life.progress.done.includes(name)) continue;
    tell(life, { ...actAs(life), begun: [...life.progress.begun, name] });
    run(life);
    tell(life, { ...actAs(life), done: [...life.progress.done, name] });
    if (name === until) return;
  }
}

function tell(life: Life, change: Partial<Progress>): void {
  life.progress = { ...life.progress, ...change };
  life.note(life.progress);
}

/** From here on peers may have heard this start of this node. */
function actAs({ directory, progress }: Life): Partial<Progress> {
  const { nodeId } = directory.identity;
  const startCounts = { ...progress.startCounts, [nodeId]: directory.startCount };
  return { nodeIds: [...new Set([...progress.nodeIds, nodeId])], startCounts };
}

function join({ directory, trust }: Life): void {
  trust.pinForJoin(ORGANIZATION.authorityHash, {
    authority: [...ORGANIZATION.chain],
    organizationId: ORGANIZATION_ID,
  });
  const controller = {
    urls: ['https://192.0.2.1:8443'],
    tlsFingerprint: '0'.repeat(64),
    organizationId: ORGANIZATION_ID,
  };
  const granted = { networkId: NETWORK_ID, networkName: 'demo', nodeName: 'a' };
  const reply = granted as JoinReply; // what recordJoin reads of it
  recordJoin(directory, { controller, reply, interfaceName: undefined });
  directory.savePeerIds({ next: 3, ids: { [PEER_ID]: 2 } });
}

/** Shows the lease and takes what the controller says; gives how the controller saw it. */
function link(life: Life): void {
  const shown = life.place.show().lease;
  const record = life.progress.lease;
  const use = compareLease(record ?? undefined, false, shown);
  if (use === 'older') throw new Error('a controller would take this host for a copy');
  const next = advanceLease(record ?? undefined, shown, use);
  tell(life, { lease: next });
  const refusal = life.place.takeEpoch(next.epoch);
  if (refusal?.includes('cannot be stored') === true)
    throw new AgentError('state_directory_unusable', refusal);
  if (refusal !== undefined) throw new Error(refusal);
}

function snapshot({ directory }: Life, wish: { revision: number; members: readonly number[] }) {
  return ORGANIZATION.snapshot(networkOf(directory, wish));
}

function networkOf(
  directory: StateDirectory,
  { revision, members }: { revision: number; members: readonly number[] },
): TestNetwork {
  const { nodeId } = directory.identity;
  const rows = members.map((number) => (number === 1 ? testMember(1, nodeId) : testMember(number)));
  return { revision, members: rows };
}

function take({ directory, trust }: Life, message: Parameters<typeof takeNetworkMessage>[1]): void {
  const outcome = takeNetworkMessage({ directory, trust }, message);
  if (outcome.kind === 'changed') return;
  const held = directory.networks.get(NETWORK_ID)?.state.revision ?? 0;
  const given = message.type === 'snapshot' ? message.state.revision : 0;
  if (held < given || given === 0) throw new Error(`${outcome.kind}: ${outcome.reason}`);
}

function update(life: Life): void {
  const { directory } = life;
  if (directory.networks.get(NETWORK_ID)?.state.revision === 4) return;
  const from = networkOf(directory, { revision: 3, members: [1, 2] });
  const to = networkOf(directory, { revision: 4, members: [1, 2, 3] });
  take(life, ORGANIZATION.delta(from, to));
}

function hearRevocation({ directory, trust }: Life): void {
  trust.judgeStatement(ORGANIZATION.revocation(PEER_ID, 1), testMember(3).nodeId);
  if (!trust.isRevoked(NETWORK_ID, PEER_ID)) throw new Error('the revocation was not taken');
  if (directory.trust.revocations.length === 0)
    throw new AgentError('state_directory_unusable', 'it acts, and is not on disk');
}

function rotate(life: Life): void {
  life.trust.takeAuthority(ORGANIZATION.rotated(NEXT_SIGNER));
  const after = { ...networkOf(life.directory, { revision: 5, members: [1, 3] }) };
  take(life, ORGANIZATION.snapshot({ ...after, signer: NEXT_SIGNER }));
}

function restart(life: Life): void {
  life.directory.close();
  life.isOpen = false;
  Object.assign(life, openLife(life.directory.path, life.progress, life.note));
}

/** As Agent.leave. */
function leave({ directory, trust }: Life): void {
  const { memberships } = directory;
  if (!memberships.leaving.includes(NETWORK_ID))
    directory.saveMemberships({ ...memberships, leaving: [NETWORK_ID] });
  forgetNetwork({ directory, trust }, NETWORK_ID);
}

/** As split-off.ts and Rebirths: the ticket, the grant, the other node. */
function split({ directory, place }: Life): void {
  if (directory.place.clonedFrom !== null) return;
  place.takeTicket('A'.repeat(43), 'a copy');
  place.grant(place.rebirth(), { nodeName: 'a-2', state: 'pending', isClone: true });
  directory.completeRebirth();
}

/**
 * A directory for a test: in memory where there is room for some 700 state directories of 60 KB,
 * since what a crash loses is reckoned, and nothing has to reach a disk.
 */
export function makeScratch(prefix: string): string {
  return mkdtempSync(joinPath(hasRoom('/dev/shm') ? '/dev/shm' : tmpdir(), prefix));
}

function hasRoom(path: string): boolean {
  if (!existsSync(path)) return false;
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize >= SCRATCH_BYTES;
}

/** What stood in a progress file last. */
export function readProgress(path: string): Progress {
  if (!existsSync(path)) return NOTHING;
  const last = readFileSync(path, 'utf8').trim().split('\n').at(-1);
  if (last === undefined || last === '') return NOTHING;
  return JSON.parse(last) as Progress; // its own line
}

/** Lives once, noting the progress. */
function liveOnce(path: string, progressPath: string): void {
  const note = (progress: Progress): void =>
    appendFileSync(progressPath, `${JSON.stringify(progress)}\n`);
  note({ ...NOTHING, begun: ['first start'] });
  const life = openLife(path, NOTHING, note);
  try {
    liveOn(life);
  } finally {
    if (life.isOpen) life.directory.close();
  }
}

/** A life for each call that takes room, with a disk that is full from there on. */
function liveWithFullDisks(path: string, progressPath: string): void {
  for (let at = 1; ; at++) {
    process.env['CRASH_FULL_AT'] = String(at);
    try {
      liveOnce(`${path}-${at}`, `${progressPath}-${at}`);
      return; // no call was left to fail
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
    }
  }
}

const [, program, path = '', progressPath = ''] = process.argv;
if (program === import.meta.filename) {
  if (process.env['CRASH_FULL_AT'] === undefined) liveOnce(path, progressPath);
  else liveWithFullDisks(path, progressPath);
}
