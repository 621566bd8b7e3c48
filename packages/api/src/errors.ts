/**
 * The one table of errors that the API answers with. Body: `{"error": {"code", "message",
 * "requestId", "details"?}}`. The CLI, the documentation page and the OpenAPI document are made
 * from it.
 */
import { z } from 'zod';

export const ERRORS = {
  invalid_request: {
    status: 400,
    when: 'A body, query or path value does not fit its schema.',
    action: 'Correct the fields named in details.',
  },
  token_invalid: {
    status: 401,
    when: 'The join token is not known here.',
    action: 'Create one with `loom token create --network NAME`.',
  },
  token_expired: {
    status: 401,
    when: 'The join token is past its expiry.',
    action: 'Create a new one; `--expires` sets its life.',
  },
  token_used_up: {
    status: 401,
    when: 'The join token was used as often as it allows.',
    action: 'Create a new one; `--uses` sets how often.',
  },
  token_network_mismatch: {
    status: 401,
    when: 'The join token is for another network than the one that it was presented for.',
    action: 'Create one for that network with `loom token create --network NAME`.',
  },
  ticket_invalid: {
    status: 401,
    when: 'The ticket of a clone is not known here, was used, or is older than an hour.',
    action: 'None: the agent asks for another one by its link.',
  },
  unauthenticated: {
    status: 401,
    when: 'Credentials are missing or wrong.',
    action: 'Log in with `loom login URL`.',
  },
  forbidden: {
    status: 403,
    when: 'The credentials do not allow this.',
    action: 'Ask an administrator of the organization.',
  },
  node_removed: {
    status: 403,
    when: 'The node was removed from the organization.',
    action: 'Join again with a fresh state directory.',
  },
  clone_rejected: {
    status: 403,
    when: 'The host is a copy of another one that runs, and a network of the node rejects copies.',
    action: 'Stop the other host, or join with a fresh token to make this one a node of its own.',
  },
  clone_replaced: {
    status: 403,
    when: 'A copy of the host came later, and a network of the node lets the later one stay.',
    action: 'Join with a fresh token to make this host a node of its own.',
  },
  not_found: {
    status: 404,
    when: 'No such thing.',
    action: 'List what there is, for example `loom network list`.',
  },
  method_not_allowed: {
    status: 405,
    when: 'The path exists, but not with this method.',
    action: 'Use a method of the Allow header.',
  },
  signature_invalid: {
    status: 409,
    when: 'A signature is wrong, or of a key that may not sign this.',
    action: 'Use a key file of this organization: `loom authority show` lists the keys.',
  },
  pending_unknown: {
    status: 409,
    when: 'No such statement waits: it changed, or others have signed it already.',
    action: 'List what waits with `loom authority pending`, and sign that.',
  },
  authority_outdated: {
    status: 409,
    when: 'The proposed version does not follow from the authority in force.',
    action: 'Look at it with `loom authority show`, and propose again.',
  },
  organization_not_empty: {
    status: 409,
    when: 'The organization has networks or nodes, or is the one that is meant where none is named.',
    action: 'Delete its networks and remove its nodes first.',
  },
  last_owner: {
    status: 409,
    when: 'The organization would be left without an owner.',
    action: 'Make another user an owner first.',
  },
  setup_done: {
    status: 409,
    when: 'The controller has users already.',
    action: 'Log in; `loom user create` makes further users.',
  },
  provider_failed: {
    status: 502,
    when: 'The identity provider does not answer, or not as OpenID Connect says.',
    action: 'Check its issuer and client; the log of the controller has more.',
  },
  name_taken: { status: 409, when: 'The name is in use.', action: 'Choose another name.' },
  reservation_overlaps: {
    status: 409,
    when: 'The address is assigned or reserved.',
    action: 'Choose another address, or release this one first.',
  },
  lease_waits: {
    status: 409,
    when: 'The host shows an older state of its node, whose last holder may come back yet.',
    action: 'None: the agent asks again by itself.',
  },
  prefix_invalid: {
    status: 409,
    when: 'The network already has another address prefix.',
    action: 'Delete the network or choose another one.',
  },
  pool_exhausted: {
    status: 409,
    when: 'The address pool named in the message has no free address.',
    action: 'Remove members, or create a network with a larger prefix.',
  },
  vni_exhausted: {
    status: 409,
    when: 'Every VNI is in use or in quarantine.',
    action:
      'Delete networks; their VNIs are free when each former member has confirmed, or its credential has run out.',
  },
  limit_reached: {
    status: 409,
    when: 'A documented limit is reached.',
    action: 'The message names the limit.',
  },
  idempotency_mismatch: {
    status: 409,
    when: 'The Idempotency-Key was used for another request.',
    action: 'Make a key for each change; repeat it only with the same request.',
  },
  precondition_failed: {
    status: 412,
    when: 'The resource is not the one that If-Match names: somebody changed it.',
    action: 'Read it again, and change what it is.',
  },
  body_too_large: {
    status: 413,
    when: 'The body is larger than the controller reads.',
    action: 'Send at most 65536 bytes.',
  },
  too_many_requests: {
    status: 429,
    when: 'More requests than the rate allows.',
    action: 'Wait as long as Retry-After says.',
  },
  interface_taken: {
    status: 409,
    when: 'The interface name is in use on this host by something else.',
    action: 'Join with `--interface` and another name.',
  },
  controller_other: {
    status: 409,
    when: 'The join token is of another controller than the one that this agent serves.',
    action: 'Run a second agent with its own `--state`, `--socket` and `--port`.',
  },
  authority_mismatch: {
    status: 409,
    when: 'The controller shows another authority than the join token or this node pins.',
    action: 'Compare `loom authority show` with `loom status`; ask who made the token.',
  },
  tls_fingerprint_mismatch: {
    status: 502,
    when: 'The server at the URL of the token shows another certificate than the token pins.',
    action: 'Compare the fingerprint that the controller prints with that of the token.',
  },
  controller_unreachable: {
    status: 502,
    when: 'No controller named in the token answers this host.',
    action: 'Check the addresses in the message, and that the controller runs.',
  },
  host_unfit: {
    status: 500,
    when: 'The host lacks a device, a program or a privilege that the agent needs.',
    action: 'The message names it.',
  },
  internal: {
    status: 500,
    when: 'A fault of the controller.',
    action: 'Look for the request id in its log.',
  },
  unavailable: {
    status: 503,
    when: 'The controller is stopping, or its disk cannot be written.',
    action: 'Try again.',
  },
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
