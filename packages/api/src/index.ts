/** HTTP and WebSocket contract of etherloom: no Node, no DOM. */
export {
  memberSchema,
  networkConfigSchema,
  networkStateSchema,
  snapshotSchema,
  deltaSchema,
  controllerMessageSchema,
  agentMessageSchema,
  linkSigningText,
} from './agent-link.ts';
export type {
  Member,
  NetworkConfig,
  NetworkState,
  Delta,
  ControllerMessage,
  AgentMessage,
} from './agent-link.ts';
export {
  AGENT_SOCKET_DEFAULT,
  PING_COUNT_MAX,
  interfaceNameSchema,
  agentJoinSchema,
  agentJoinReplySchema,
  agentNetworkSchema,
  agentStatusSchema,
  peerRowSchema,
  fdbRowSchema,
  neighbourRowSchema,
  leaveRequestSchema,
  pingRequestSchema,
  pingResultSchema,
} from './agent-local.ts';
export type { AgentJoin, AgentStatus, PeerRow } from './agent-local.ts';
export { toBase64url, fromBase64url } from './base64url.ts';
export { ERRORS, errorBodySchema } from './errors.ts';
export type { ErrorCode, ErrorBody } from './errors.ts';
export {
  fingerprintSchema,
  JoinTokenError,
  encodeJoinToken,
  decodeJoinToken,
} from './join-token.ts';
export type { JoinToken } from './join-token.ts';
export {
  NAME_CHARS_MAX,
  BODY_BYTES_MAX,
  LINK_MESSAGE_BYTES_MAX,
  NODE_ENDPOINTS_MAX,
  NETWORK_MEMBERS_MAX,
  NODE_NETWORKS_MAX,
  LIST_ROWS_MAX,
  MTU_BYTES_MIN,
  MTU_BYTES_MAX,
  MTU_BYTES_DEFAULT,
  TOKEN_USES_MAX,
  TOKEN_LIFETIME_SECONDS_MAX,
  TOKEN_LIFETIME_SECONDS_DEFAULT,
} from './limits.ts';
export {
  organizationSchema,
  organizationCreateSchema,
  networkSchema,
  networkCreateSchema,
  reservationSchema,
  reservationCreateSchema,
  membershipSchema,
  nodeSchema,
  joinTokenSchema,
  joinTokenCreateSchema,
  joinTokenCreatedSchema,
  joinRequestSchema,
  joinReplySchema,
  joinSigningText,
  healthSchema,
} from './resources.ts';
export type {
  Organization,
  Network,
  Reservation,
  Membership,
  Node,
  JoinTokenRow,
  JoinRequest,
  JoinReply,
} from './resources.ts';
export { ROUTES } from './routes.ts';
export type { Route, RouteName } from './routes.ts';
export {
  nameSchema,
  nodeIdSchema,
  idSchema,
  publicKeySchema,
  signatureSchema,
  macSchema,
  endpointSchema,
  ipv4Schema,
  ipv6Schema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  timeSchema,
} from './values.ts';
export { ApiError, createClient, toApiError } from './client.ts';
export type {
  CallOptions,
  CallReply,
  Client,
  ClientOptions,
  ErrorDetail,
  Send,
  SendReply,
  SendRequest,
} from './client.ts';
export { EXAMPLE_BODIES, renderDocumentationPage } from './documentation-page.ts';
export type { DocumentationOptions } from './documentation-page.ts';
export { DOCUMENTATION_STYLE } from './documentation-style.ts';
export { makeOpenApiDocument, pathParameters } from './openapi.ts';
export type { JsonObject } from './openapi.ts';
