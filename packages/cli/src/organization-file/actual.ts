/** An organization as the API shows it, each thing with the ETag that it had when it was read. */
import type {
  JoinTokenRow,
  Membership,
  Network,
  Node,
  Reservation,
  User,
  Tagged,
} from '@etherloom/api';

export interface Actual {
  /** By name. */
  readonly networks: readonly Tagged<Network>[];
  /** By name. */
  readonly nodes: readonly Tagged<Node>[];
  /** By network id; those for holders of join tokens, which come and go with them, are left out. */
  readonly reservations: ReadonlyMap<string, readonly Tagged<Reservation>[]>;
  /** ETags by `memberKey`; empty where no membership is to be ended. */
  readonly memberEtags: ReadonlyMap<string, string>;
  /** By network id, those with a label; null: they were not read. */
  readonly joinTokens: ReadonlyMap<string, readonly Tagged<JoinTokenRow>[]> | null;
  /** By name; null: they were not read. */
  readonly users: readonly Tagged<User>[] | null;
  /** The user that asks; null: none. */
  readonly selfId: string | null;
  readonly nowMs: number;
}

/** What names a membership. */
export function memberKey({ networkId, nodeId }: Pick<Membership, 'networkId' | 'nodeId'>): string {
  return `${networkId} ${nodeId}`;
}
