/**
 * The one table of errors that the API answers with. Body: `{"error": {"code", "message", "requestId", "details"?}}`.
 * The CLI, the documentation page and the OpenAPI document are made from it.
 */
import { z } from 'zod';

export const ERRORS = {
  invalid_request: { status: 400, when: 'A body, query or path value does not fit its schema.', action: 'Correct the fields named in details.' },
  token_invalid: { status: 401, when: 'The join token is not known here.', action: 'Create one with `loom token create --network NAME`.' },
  token_expired: { status: 401, when: 'The join token is past its expiry.', action: 'Create a new one; `--expires` sets its life.' },
  token_used_up: { status: 401, when: 'The join token was used as often as it allows.', action: 'Create a new one; `--uses` sets how often.' },
  unauthenticated: { status: 401, when: 'Credentials are missing or wrong.', action: 'Log in with `loom login URL --token-file FILE`.' },
  forbidden: { status: 403, when: 'The credentials do not allow this.', action: 'Ask an administrator of the organization.' },
  node_removed: { status: 403, when: 'The node was removed from the organization.', action: 'Join again with a fresh state directory.' },
  not_found: { status: 404, when: 'No such thing.', action: 'List what there is, for example `loom network list`.' },
  name_taken: { status: 409, when: 'The name is in use.', action: 'Choose another name.' },
  reservation_overlaps: { status: 409, when: 'The address is assigned or reserved.', action: 'Choose another address, or release this one first.' },
  prefix_invalid: { status: 409, when: 'The network already has another address prefix.', action: 'Delete the network or choose another one.' },
  pool_exhausted: { status: 409, when: 'The address pool named in the message has no free address.', action: 'Remove members, or create a network with a larger prefix.' },
  vni_exhausted: { status: 409, when: 'Every VNI is in use or in quarantine.', action: 'Delete networks and wait for the end of their quarantine.' },
  limit_reached: { status: 409, when: 'A documented limit is reached.', action: 'The message names the limit.' },
  too_many_requests: { status: 429, when: 'More requests than the rate allows.', action: 'Wait as long as Retry-After says.' },
  internal: { status: 500, when: 'A fault of the controller.', action: 'Look for the request id in its log.' },
  unavailable: { status: 503, when: 'The controller is stopping.', action: 'Try again.' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export const errorBodySchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]), // keys of a const table
    message: z.string(),
    requestId: z.string(),
    details: z.array(z.object({ field: z.string(), reason: z.string() })).optional(),
  }),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;
