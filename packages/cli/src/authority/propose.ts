/**
 * Makes the next version of an authority: the statement, the key files of the keys that it names
 * first, the signatures that are at hand; and proposes it. The files are on disk before the
 * controller hears of their keys.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuthorityStatement, AuthorityView, Client, SignedStatement } from '@etherloom/api';
import { ApiError } from '@etherloom/api';
import type { Authority, Signer } from '@etherloom/core';
import { addSignature, hashStatement } from '@etherloom/core';
import type { FreshKey } from './key-file.ts';
import { writeKeyFile } from './key-file.ts';

/** What the next version changes. */
export interface NextVersion {
  readonly keys: readonly string[];
  readonly threshold: number;
  readonly recoveryKeys: readonly string[];
  readonly recoveryThreshold: number;
  readonly renewalKeys: readonly string[];
}

export interface Proposal {
  readonly view: AuthorityView;
  readonly authority: Authority;
  readonly next: NextVersion;
  /** Keys made for it: written to `out`, and signing. */
  readonly fresh: readonly FreshKey[];
  readonly out: string;
  readonly passphrase: string | null;
  /** Keys that sign besides. */
  readonly signers: readonly Signer[];
}

export interface Proposed {
  readonly view: AuthorityView;
  readonly isInForce: boolean;
  readonly files: readonly string[];
}

/** Writes the key files, signs, and proposes. A refusal takes the files away again. */
export async function propose(client: Client, proposal: Proposal): Promise<Proposed> {
  const { view, authority, next } = proposal;
  const statement: AuthorityStatement = {
    type: 'authority',
    organizationId: view.organizationId,
    version: authority.statement.version + 1,
    keys: [...next.keys],
    threshold: next.threshold,
    recoveryKeys: [...next.recoveryKeys],
    recoveryThreshold: next.recoveryThreshold,
    renewalKeys: [...next.renewalKeys],
    previous: authority.hash,
    issuedAt: new Date().toISOString(),
  };
  const unsigned: SignedStatement = { statement: JSON.stringify(statement), signatures: [] };
  const own = proposal.fresh.filter(({ purpose }) => purpose === 'authority');
  const signers = [...proposal.signers, ...own.map(({ signer }) => signer)];
  const signed = signers.reduce(addSignature, unsigned);
  const files = await writeFresh(proposal, hashStatement(unsigned.statement));
  try {
    const reply = await client.call('authorityPropose', {
      params: { organization: view.organizationId },
      body: { statement: signed.statement, signatures: signed.signatures },
    });
    return { view: reply, isInForce: reply.version === statement.version, files };
  } catch (error) {
    // Without an answer it may be in force: then the files are all there is of its keys.
    if (error instanceof ApiError && error.code !== 'reply_invalid')
      for (const path of files) await rm(path, { force: true });
    throw error;
  }
}

async function writeFresh(proposal: Proposal, anchor: string): Promise<string[]> {
  const { view, fresh, out, passphrase } = proposal;
  if (fresh.length === 0) return [];
  await mkdir(out, { recursive: true, mode: 0o700 });
  const of = {
    organizationId: view.organizationId,
    organizationName: view.organizationName,
    anchor,
    passphrase,
  };
  const files: string[] = [];
  const version = proposal.authority.statement.version + 1;
  const counts = { authority: 0, recovery: 0 };
  for (const key of fresh) {
    counts[key.purpose] += 1;
    const ofVersion = `${view.organizationName}-${key.purpose}-v${version}`;
    const path = join(out, `${ofVersion}-${counts[key.purpose]}.key`);
    try {
      await writeKeyFile(path, key, of);
    } catch (error) {
      for (const written of files) await rm(written, { force: true });
      throw error;
    }
    files.push(path);
  }
  return files;
}
