/**
 * One step of a plan through the API. What changes something that is there carries the ETag that
 * the plan was made of: what somebody else changed meanwhile is not written over.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@etherloom/api';
import { ApiError } from '@etherloom/api';
import { TransportError } from '@etherloom/transport';
import { CliError } from '../failure.ts';
import { LOST_REPLY_PAUSE_MS, LOST_REPLY_TRIES } from '../limits.ts';
import { describeStep } from './describe.ts';
import type { NetworkWanted } from './schema.ts';
import type { JoinTokenStep, Step } from './step.ts';

/** A join token that was made: its text is given this once. */
export interface MadeToken {
  readonly network: string;
  readonly label: string;
  readonly id: string;
  readonly uses: number;
  readonly expiresAt: string;
  readonly token: string;
}

/**
 * Does it. Gives the join token that it made; null: it made none. Rejects with CliError
 * changed_meanwhile when what the plan speaks of is another, or gone.
 */
export async function carryOut(client: Client, step: Step): Promise<MadeToken | null> {
  try {
    return await send(client, step);
  } catch (error) {
    const isChanged = error instanceof ApiError && error.code === 'precondition_failed';
    const isGone = error instanceof ApiError && error.code === 'not_found' && 'etag' in step;
    if (!isChanged && !isGone) throw error;
    throw new CliError(
      'changed_meanwhile',
      `somebody ${isGone ? 'removed it' : 'changed it'} after the plan was made (${describeStep(step).text}): look at the plan again with --plan, and apply anew`,
      error,
    );
  }
}

async function send(client: Client, step: Step): Promise<MadeToken | null> {
  switch (step.kind) {
    case 'network.create':
      await client.call('networkCreate', { body: toCreate(step.name, step.wanted) });
      return null;
    case 'network.set':
      await client.call('networkSettings', {
        params: { network: step.network.id },
        body: step.settings,
        ifMatch: step.etag,
      });
      return null;
    case 'network.delete':
      await client.call('networkDelete', {
        params: { network: step.network.id },
        ifMatch: step.etag,
      });
      return null;
    case 'reservation.create':
      await client.call('reservationCreate', {
        params: { network: step.networkName },
        body: {
          address: step.wanted.address,
          note: step.wanted.note,
          ...(step.nodeId === undefined ? {} : { nodeId: step.nodeId }),
        },
      });
      return null;
    case 'reservation.delete':
      await client.call('reservationDelete', {
        params: { network: step.networkName, reservation: step.reservation.id },
        ifMatch: step.etag,
      });
      return null;
    case 'node.approve':
      await client.call('nodeApprove', { params: { node: step.node.id }, ifMatch: step.etag });
      return null;
    case 'node.delete':
      await client.call('nodeDelete', { params: { node: step.node.id }, ifMatch: step.etag });
      return null;
    case 'member.delete':
      await client.call('memberDelete', {
        params: { network: step.membership.networkId, node: step.membership.nodeId },
        ifMatch: step.etag,
      });
      return null;
    case 'user.roles':
      await client.call('userRoles', {
        params: { user: step.user.id },
        body: { roles: [...step.roles] },
        ifMatch: step.etag,
      });
      return null;
    case 'join_token.delete':
      await revoke(client, step);
      return null;
    case 'join_token.replace':
      await revoke(client, step);
      return makeToken(client, step);
    case 'join_token.create':
      return makeToken(client, step);
    default:
      throw new Error(`unexpected ${JSON.stringify(step satisfies never)}`);
  }
}

function revoke(
  client: Client,
  { token, etag }: Exclude<JoinTokenStep, { kind: 'join_token.create' }>,
): Promise<undefined> {
  return client.call('tokenDelete', { params: { token: token.id }, ifMatch: etag });
}

/** A reply that is lost would be the token itself: it is asked for again under the same key. */
async function makeToken(
  client: Client,
  { networkName, label, wanted }: Exclude<JoinTokenStep, { kind: 'join_token.delete' }>,
): Promise<MadeToken> {
  const idempotencyKey = `apply_${randomUUID()}`;
  const body = {
    network: networkName,
    label,
    ...(wanted.uses === undefined ? {} : { uses: wanted.uses }),
    ...(wanted.lifetimeSeconds === undefined ? {} : { lifetimeSeconds: wanted.lifetimeSeconds }),
    ...(wanted.offlineOk === undefined ? {} : { offlineOk: wanted.offlineOk }),
  };
  for (let tries = 1; ; tries += 1)
    try {
      const made = await client.call('tokenCreate', { body, idempotencyKey });
      const { id, uses, expiresAt, token } = made;
      return { network: networkName, label, id, uses, expiresAt, token };
    } catch (error) {
      if (!(error instanceof TransportError) || tries >= LOST_REPLY_TRIES) throw error;
      await sleep(tries * LOST_REPLY_PAUSE_MS);
    }
}

/** The body that makes a network; what the file leaves out the controller chooses. */
function toCreate(name: string, { ipv4, ipv6, mtuBytes, settings }: NetworkWanted) {
  return {
    name,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(settings === undefined ? {} : { settings }),
  };
}
