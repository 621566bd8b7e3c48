/**
 * A clone on its way to a node of its own: presents its ticket until the controller has answered.
 * What was asked for is on disk, so an agent that dies on the way goes on where it was.
 */
import type { Logger } from 'pino';
import { BackOff } from '../back-off.ts';
import { pause } from '../clock.ts';
import { openIdentity } from '../disk/identity.ts';
import type { ControllerRecord } from '../disk/state-directory.ts';
import { AgentError, messageOf } from '../errors.ts';
import { SPLIT_RETRY_MS_MAX, SPLIT_RETRY_MS_MIN } from '../limits.ts';
import { requestSplit } from '../link/split.ts';
import { randomUnit } from '../random.ts';
import type { Place } from './place.ts';

export interface SplitOffDeps {
  readonly place: Place;
  readonly controller: ControllerRecord;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly onError: (message: string) => void;
}

/**
 * Resolves to `granted` when the other identity is granted and on disk, to `no ticket` when another
 * ticket has to be asked for over the link, to `stopped` when `signal` was aborted.
 */
export async function splitOff(deps: SplitOffDeps): Promise<'granted' | 'no ticket' | 'stopped'> {
  const backOff = new BackOff({
    minMs: SPLIT_RETRY_MS_MIN,
    maxMs: SPLIT_RETRY_MS_MAX,
    random: randomUnit,
    jitter: 'half',
  });
  while (!deps.signal.aborted) {
    try {
      return await trySplit(deps);
    } catch (error) {
      if (deps.signal.aborted) break;
      deps.onError(messageOf(error));
      deps.log.warn({ error: messageOf(error) }, 'no node of its own yet; trying again');
    }
    await pause(backOff.nextMs(), deps.signal);
  }
  return 'stopped';
}

async function trySplit({
  place,
  controller,
  signal,
  log,
}: SplitOffDeps): Promise<'granted' | 'no ticket'> {
  const rebirth = place.rebirth();
  const { ticket, originNodeId } = rebirth;
  if (ticket === null) return 'no ticket';
  try {
    const identity = openIdentity(rebirth.identity);
    const reply = await requestSplit({ ticket, originNodeId, identity, controller, signal });
    place.grant(rebirth, { nodeName: reply.nodeName, state: reply.state, isClone: true });
    log.warn(
      { originNodeId, nodeId: reply.nodeId, name: reply.nodeName, state: reply.state },
      'this host was a copy and is a node of its own from here on',
    );
    return 'granted';
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'ticket_invalid') throw error;
    log.warn({ error: error.message }, 'asking for another ticket');
    place.dropTicket();
    await pause(SPLIT_RETRY_MS_MIN, signal);
    return 'no ticket';
  }
}
