/** What members of a network are told, as values: for tests that look at it without a link. */
import type { ControllerMessage, Delta, NetworkProof, NetworkState } from '@etherloom/api';
import { NO_REVISION, WholeNetwork } from '../link/whole-network.ts';
import { readChanges, readHead } from '../store/published-changes.ts';
import type { Tx } from '../store/store.ts';

type SnapshotMessage = Extract<ControllerMessage, { type: 'snapshot' }>;

export interface PublishedState {
  readonly state: NetworkState;
  readonly proof: NetworkProof;
}

async function readWhole(tx: Tx, networkId: string): Promise<WholeNetwork | null> {
  const head = await readHead(tx, networkId);
  return head && new WholeNetwork(await readChanges(tx, head, NO_REVISION));
}

/** The whole published state of a network; null when there is none. */
export async function readState(tx: Tx, networkId: string): Promise<PublishedState | null> {
  const whole = await readWhole(tx, networkId);
  if (whole === null) return null;
  const message: unknown = JSON.parse(whole.messageFrom(NO_REVISION).toString());
  const { state, proof } = message as SnapshotMessage; // of nothing held, it is one
  return { state, proof };
}

/** What an agent at a revision lacks; null when it gets a snapshot. */
export async function readDelta(
  tx: Tx,
  { state }: PublishedState,
  fromRevision: number,
): Promise<Delta | null> {
  const whole = await readWhole(tx, state.config.id);
  if (whole === null) return null;
  const json: unknown = JSON.parse(whole.messageFrom(fromRevision).toString());
  const message = json as Delta | SnapshotMessage; // as it is sent
  return message.type === 'delta' ? message : null;
}
