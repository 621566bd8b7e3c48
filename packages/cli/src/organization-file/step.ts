/** What a plan is made of. A step that changes what is there has the ETag that it was read with. */
import type {
  JoinTokenRow,
  Membership,
  Network,
  Node,
  Reservation,
  Role,
  User,
} from '@etherloom/api';
import type { JoinTokenWanted, NetworkWanted, ReservationWanted } from './schema.ts';

/** A field that differs. */
export interface Difference {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

export type NetworkStep =
  | { readonly kind: 'network.create'; readonly name: string; readonly wanted: NetworkWanted }
  | {
      readonly kind: 'network.set';
      readonly name: string;
      readonly network: Network;
      readonly etag: string;
      readonly settings: NonNullable<NetworkWanted['settings']>;
      readonly differences: readonly Difference[];
    }
  | {
      readonly kind: 'network.delete';
      readonly name: string;
      readonly network: Network;
      readonly etag: string;
    };

export type ReservationStep =
  | {
      readonly kind: 'reservation.create';
      readonly networkName: string;
      readonly wanted: ReservationWanted;
      readonly nodeId: string | undefined;
    }
  | {
      readonly kind: 'reservation.delete';
      readonly networkName: string;
      readonly reservation: Reservation;
      readonly etag: string;
    };

export type NodeStep =
  | {
      readonly kind: 'node.approve';
      readonly name: string;
      readonly node: Node;
      readonly etag: string;
    }
  | {
      readonly kind: 'node.delete';
      readonly name: string;
      readonly node: Node;
      readonly etag: string;
    }
  | {
      readonly kind: 'member.delete';
      readonly name: string;
      readonly membership: Membership;
      readonly etag: string;
    };

export interface UserStep {
  readonly kind: 'user.roles';
  readonly name: string;
  readonly user: User;
  readonly etag: string;
  /** All that somebody gave, from then on. */
  readonly roles: readonly Role[];
  readonly from: readonly Role[];
}

export type JoinTokenStep =
  | {
      readonly kind: 'join_token.create';
      readonly networkName: string;
      readonly label: string;
      readonly wanted: JoinTokenWanted;
    }
  | {
      /** The one that is there is revoked, and another made. */
      readonly kind: 'join_token.replace';
      readonly networkName: string;
      readonly label: string;
      readonly wanted: JoinTokenWanted;
      readonly token: JoinTokenRow;
      readonly etag: string;
      readonly why: string;
    }
  | {
      readonly kind: 'join_token.delete';
      readonly networkName: string;
      readonly label: string;
      readonly token: JoinTokenRow;
      readonly etag: string;
    };

export type Step = NetworkStep | ReservationStep | NodeStep | UserStep | JoinTokenStep;

export interface Plan {
  /** In the order in which they are to be done. */
  readonly steps: readonly Step[];
  /** What is not as the file says and only a host can change, as joining. */
  readonly waits: readonly string[];
  /** What is as the file says and yet of no use, as a join token that is used up. */
  readonly notes: readonly string[];
  /** What cannot be done: the file has to change. */
  readonly refusals: readonly string[];
}

/** A plan in the making. */
export interface Draft {
  readonly steps: Step[];
  readonly waits: string[];
  readonly notes: string[];
  readonly refusals: string[];
}

export interface PlanOptions {
  /** What a section does not name goes. */
  readonly isPruning: boolean;
  /** Join tokens that are used up or expired are made again. */
  readonly isRenewing: boolean;
}
