/** Reads what an agent sends, at the edge. */
import type { AgentMessage } from '@etherloom/api';
import { agentMessageSchema } from '@etherloom/api';
import { RequestError } from '../request-error.ts';

/** Throws RequestError for what is no message. */
export function parseMessage(text: string): AgentMessage {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RequestError('invalid_request', 'the message is no JSON');
  }
  const parsed = agentMessageSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RequestError(
    'invalid_request',
    `${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'does not fit'}`,
  );
}
