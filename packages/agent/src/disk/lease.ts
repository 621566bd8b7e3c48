/**
 * What the state directory keeps of the node's place among its copies (docs/trust.md, section 5):
 *
 *   lease.json      epoch, secret and the next secret; stored before a link and before its use
 *   standing.json   why this host may not act as the node, and the identity that it is about to
 *                   take; none while it may
 *   lineage.json    the node of which this one is a copy
 *
 * A damaged lease begins anew: the controller tells an honest host by its silence. A damaged
 * standing was one that kept the host down, so it stays down until a controller welcomes it.
 */
import { renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nameSchema, nodeIdSchema, nodeStateSchema } from '@etherloom/api';
import { z } from 'zod';
import { AgentError } from '../errors.ts';
import { syncDirectory } from './atomic-file.ts';
import { identityContentSchema } from './identity.ts';
import { deleteStateFile, readStateFile, writeStateFile } from './state-file.ts';
import type { StateFileKind } from './state-file.ts';

const secretSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const leaseSchema = z.strictObject({
  epoch: z.int().nonnegative(),
  secret: secretSchema,
  next: secretSchema.nullable(),
});
export type StoredLease = z.infer<typeof leaseSchema>;

const rebirthSchema = z.strictObject({
  originNodeId: nodeIdSchema,
  identity: identityContentSchema,
  /** For POST /v1/split; null: none is held. */
  ticket: secretSchema.nullable(),
  /** Set: the controller knows the node; the host is to become it, whatever happens. */
  granted: z
    .strictObject({ nodeName: nameSchema, state: nodeStateSchema, isClone: z.boolean() })
    .nullable(),
});
/** An identity that this host is about to take in place of a copied one. */
export type Rebirth = z.infer<typeof rebirthSchema>;

const standingFileSchema = z.strictObject({
  state: z.enum(['rejected', 'replaced', 'split', 'waits']),
  message: z.string(),
  rebirth: rebirthSchema.nullable(),
});
export type StoredStanding = z.infer<typeof standingFileSchema>;

const lineageSchema = z.strictObject({ clonedFrom: nodeIdSchema });

const SET_ASIDE = 'It is set aside; nothing has to be done.';
const LEASE: StateFileKind<typeof leaseSchema> = {
  kind: 'lease',
  schema: leaseSchema,
  recovery: SET_ASIDE,
};
const STANDING: StateFileKind<typeof standingFileSchema> = {
  kind: 'standing',
  schema: standingFileSchema,
  recovery: SET_ASIDE,
};
const LINEAGE: StateFileKind<typeof lineageSchema> = {
  kind: 'lineage',
  schema: lineageSchema,
  recovery: SET_ASIDE,
};

/** The three files of one state directory. */
export class PlaceFiles {
  readonly #path: string;
  #lease: StoredLease | null;
  #standing: StoredStanding | null;
  #clonedFrom: string | null;

  constructor(path: string) {
    this.#path = path;
    this.#lease = this.#read('lease', LEASE) ?? null;
    this.#standing = this.#read('standing', STANDING, damaged) ?? null;
    this.#clonedFrom = this.#read('lineage', LINEAGE)?.clonedFrom ?? null;
  }

  /** null: the node never had one. */
  get lease(): StoredLease | null {
    return this.#lease;
  }

  /** null: this host may act as its node. */
  get standing(): StoredStanding | null {
    return this.#standing;
  }

  get clonedFrom(): string | null {
    return this.#clonedFrom;
  }

  /** On disk when it returns. */
  saveLease(lease: StoredLease): void {
    writeStateFile(this.#file('lease'), LEASE, lease);
    this.#lease = lease;
  }

  /** Goes down at once, even when the disk does not take it. */
  saveStanding(standing: StoredStanding | null): void {
    if (standing !== null) this.#standing = standing;
    if (standing === null) deleteStateFile(this.#file('standing'));
    else writeStateFile(this.#file('standing'), STANDING, standing);
    this.#standing = standing;
  }

  saveClonedFrom(clonedFrom: string | null): void {
    if (clonedFrom === null) deleteStateFile(this.#file('lineage'));
    else writeStateFile(this.#file('lineage'), LINEAGE, { clonedFrom });
    this.#clonedFrom = clonedFrom;
  }

  deleteLease(): void {
    deleteStateFile(this.#file('lease'));
    this.#lease = null;
  }

  #file(name: 'lease' | 'standing' | 'lineage'): string {
    return join(this.#path, `${name}.json`);
  }

  #read<S extends z.ZodType>(
    name: 'lease' | 'standing' | 'lineage',
    kind: StateFileKind<S>,
    instead?: () => z.output<S>,
  ): z.output<S> | undefined {
    const path = this.#file(name);
    try {
      return readStateFile(path, kind);
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'state_file_corrupt') throw error;
      renameSync(path, `${path}.corrupt`);
      syncDirectory(dirname(path));
      return instead?.();
    }
  }
}

function damaged(): StoredStanding {
  const message =
    'standing.json, which kept this host out of its networks, was damaged: it waits for a controller';
  return { state: 'rejected', message, rebirth: null };
}
