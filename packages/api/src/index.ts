/** HTTP and WebSocket contract of etherloom: no Node, no DOM. */
export {
  memberSchema,
  networkConfigSchema,
  networkStateSchema,
  snapshotSchema,
  deltaSchema,
  memberKeySchema,
  partialSchema,
  agentProblemSchema,
  nodeRemovalSchema,
  controllerMessageSchema,
  agentMessageSchema,
  linkSigningText,
  knownControllerSchema,
} from './agent-link.ts';
export type {
  AgentProblem,
  KnownController,
  Member,
  NetworkConfig,
  NetworkState,
  Delta,
  MemberKey,
  PartialUpdate,
  NodeRemoval,
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
  networkTrustSchema,
  statusProblemSchema,
  agentStatusSchema,
  standingSchema,
  peerRowSchema,
  fdbRowSchema,
  neighbourRowSchema,
  leaveRequestSchema,
  pingRequestSchema,
  pingResultSchema,
} from './agent-local.ts';
export type { AgentJoin, AgentStatus, PeerRow, Standing } from './agent-local.ts';
export { nodeReportReplySchema, nodeReportSchema, topologySchema } from './node-report.ts';
export type { NodeReport, PathReport, Topology } from './node-report.ts';
export type { REPORT_ROUTES } from './routes/report.ts';
export {
  LEDGER_BEGIN,
  LEDGER_RESTORE,
  checkpointSigningText,
  exportSigningText,
  ledgerChangeSchema,
  ledgerCheckpointSchema,
  ledgerEntrySchema,
  ledgerExportEndSchema,
  ledgerExportHeadSchema,
  ledgerHashText,
  ledgerSchema,
} from './audit/ledger.ts';
export type { Ledger, LedgerCheckpoint, LedgerEntry, LedgerExportEnd } from './audit/ledger.ts';
export { describeRestore, verifyLedger } from './audit/verify-ledger.ts';
export type {
  LedgerPlace,
  LedgerRestore,
  LedgerVerdict,
  LedgerVerifierDeps,
} from './audit/verify-ledger.ts';
export { toBase64url, fromBase64url } from './base64url.ts';
export { canonicalJson } from './canonical-json.ts';
export { ERRORS, errorBodySchema } from './errors.ts';
export type { ErrorCode, ErrorBody } from './errors.ts';
export {
  fingerprintSchema,
  JOIN_TOKEN_CHARS_MAX,
  isVoucherNote,
  voucherNote,
  JoinTokenError,
  encodeJoinToken,
  decodeJoinToken,
} from './join-token.ts';
export type { JoinToken, TokenVoucher, VoucherContact } from './join-token.ts';
export {
  AGENT_PROBLEMS_MAX,
  API_TOKEN_LIFETIME_SECONDS_MAX,
  BODY_BYTES_MAX,
  CONTROLLERS_MAX,
  CONTROLLER_PING_MS_MAX,
  CONTROLLER_PING_MS_MIN,
  CONTROLLER_URLS_MAX,
  CURSOR_CHARS_MAX,
  INTEREST_MAX,
  INTEREST_PIECE_MAX,
  LINK_MESSAGE_BYTES_MAX,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  LIST_ROWS_MAX,
  NODE_IDS_MAX,
  SEARCH_CHARS_MAX,
  SEARCH_WORDS_MAX,
  AUDIT_DAYS_DEFAULT,
  AUDIT_DAYS_MAX,
  AUDIT_DAYS_MIN,
  MTU_BYTES_DEFAULT,
  MTU_BYTES_MAX,
  MTU_BYTES_MIN,
  NAME_CHARS_MAX,
  NETWORK_MEMBERS_MAX,
  NODE_ENDPOINTS_MAX,
  NODE_NETWORKS_MAX,
  PARTIAL_PIECE_MAX,
  PASSWORD_CHARS_MAX,
  PASSWORD_CHARS_MIN,
  PUSHED_WHOLE_MAX,
  REPORT_DROPS_MAX,
  REPORT_NETWORKS_MAX,
  REPORT_PEERS_MAX,
  TOKEN_LIFETIME_SECONDS_DEFAULT,
  TOKEN_LIFETIME_SECONDS_MAX,
  TOKEN_USES_MAX,
  TOPOLOGY_NODES_MAX,
  TOPOLOGY_PATHS_MAX,
  TOPOLOGY_PEERS_MAX,
  USER_NAME_CHARS_MAX,
} from './limits.ts';
export {
  SIGNATURES_PER_REQUEST_MAX,
  authorityKeysSchema,
  authorityProposalSchema,
  authoritySchema,
  authoritySignaturesSchema,
  authoritySignedSchema,
  networkSettingsChangeSchema,
  pendingStatementSchema,
  organizationSchema,
  organizationCreateSchema,
  networkSchema,
  networkCreateSchema,
  reservationSchema,
  reservationCreateSchema,
  membershipSchema,
  nodeSchema,
  nodeCountsSchema,
  joinTokenSchema,
  joinTokenCreateSchema,
  joinTokenCreatedSchema,
  joinRequestSchema,
  joinReplySchema,
  joinSigningText,
  splitReplySchema,
  splitRequestSchema,
  splitSigningText,
  healthSchema,
  readySchema,
} from './resources.ts';
export type {
  AuthorityView,
  PendingStatement,
  Organization,
  Network,
  Reservation,
  Membership,
  Node,
  NodeCounts,
  JoinTokenRow,
  JoinRequest,
  JoinReply,
  SplitReply,
  SplitRequest,
} from './resources.ts';
export {
  AUTHORITY_CHAIN_MAX,
  AUTHORITY_KEYS_MAX,
  MEMBER_GROUPS_MAX,
  NETWORK_REVOCATIONS_MAX,
  NETWORK_SETTINGS_DEFAULT,
  RENEWAL_KEYS_MAX,
  ROSTER_BUCKET_MAX,
  ROSTER_PROOF_CHARS_MAX,
  STALENESS_DAYS_DEFAULT,
  STALENESS_DAYS_MAX,
  STATEMENT_CHARS_MAX,
  authorityChainSchema,
  authorityStatementSchema,
  cloneRuleSchema,
  credentialStatementSchema,
  hostHintsSchema,
  leaseSchema,
  memberProofSchema,
  inclusionSchema,
  partialProofSchema,
  networkProofDeltaSchema,
  networkProofSchema,
  networkSettingsSchema,
  networkStatementSchema,
  renewalStatementSchema,
  revocationStatementSchema,
  rosterStatementSchema,
  signedStatementSchema,
  statementHashSchema,
  statementSchema,
  statementSigningText,
  voucherStatementSchema,
  NETWORK_VOUCHED_MAX,
  VOUCHER_CONTACTS_MAX,
  introductionStatementSchema,
} from './statements.ts';
export type {
  AuthorityStatement,
  CloneRule,
  CredentialStatement,
  HostHints,
  IntroductionStatement,
  Lease,
  MemberProof,
  Inclusion,
  PartialProof,
  NetworkProof,
  NetworkProofDelta,
  NetworkSettings,
  NetworkStatement,
  RenewalStatement,
  RevocationStatement,
  RosterStatement,
  SignedStatement,
  Statement,
  VoucherStatement,
} from './statements.ts';
export {
  apiTokenCreateSchema,
  apiTokenCreatedSchema,
  apiTokenSchema,
  identityProviderChangeSchema,
  identityProviderCreateSchema,
  identityProviderSchema,
  loginProviderSchema,
  loginTokenSchema,
  organizationChangeSchema,
  passwordChangeSchema,
  passwordSchema,
  permissionSchema,
  roleSchema,
  sessionCreateSchema,
  sessionSchema,
  setupCreateSchema,
  setupSchema,
  userCreateSchema,
  userNameSchema,
  userPasswordSchema,
  userRolesSchema,
  userSchema,
  userSystemSchema,
  whoamiSchema,
} from './access-resources.ts';
export type { ApiToken, IdentityProvider, Session, User, Whoami } from './access-resources.ts';
export { PERMISSIONS, ROLES, ROLE_PERMISSIONS, permissionsOf } from './permissions.ts';
export type { Permission, Role } from './permissions.ts';
export { ROUTES } from './routes.ts';
export type { API_TOKEN_ROUTES } from './routes/api-token.ts';
export type { AUDIT_ROUTES } from './routes/audit.ts';
export type { WATCH_ROUTES } from './routes/watch.ts';
export type { AUTHORITY_ROUTES } from './routes/authority.ts';
export type { CONTROLLER_ROUTES } from './routes/controller.ts';
export type { IDENTITY_PROVIDER_ROUTES } from './routes/identity-provider.ts';
export type { JOIN_ROUTES } from './routes/join.ts';
export type { JOIN_TOKEN_ROUTES } from './routes/join-token.ts';
export type { NETWORK_ROUTES } from './routes/network.ts';
export { wordsOf } from './routes/node.ts';
export type { NODE_ROUTES } from './routes/node.ts';
export type { ORGANIZATION_ROUTES } from './routes/organization.ts';
export type { SESSION_ROUTES } from './routes/session.ts';
export type { SETUP_ROUTES } from './routes/setup.ts';
export type { USER_ROUTES } from './routes/user.ts';

export type { Route, RouteName } from './routes.ts';
export { errorsOf, hasEtag, isGuardedWrite } from './route-facts.ts';
export { isListRoute } from './routes/route.ts';
export {
  nameSchema,
  referenceSchema,
  nodeIdSchema,
  idSchema,
  publicKeySchema,
  signatureSchema,
  macSchema,
  endpointSchema,
  endpointRecordSchema,
  ipv4Schema,
  ipv6Schema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  timeSchema,
  instanceSchema,
  nodeStateSchema,
} from './values.ts';
export type { NodeState } from './values.ts';
export { ApiError, collect, collectTagged, createClient, toApiError, toRequest } from './client.ts';
export type {
  CallArguments,
  CallOptions,
  CallReply,
  Client,
  ClientOptions,
  CollectArguments,
  Tagged,
  CollectOptions,
  Exchanged,
  ItemOf,
  ListRouteName,
  ErrorDetail,
  Send,
  SendReply,
  SendRequest,
} from './client.ts';
export { EXAMPLE_BODIES, renderDocumentationPage } from './documentation-page.ts';
export type { DocumentationOptions } from './documentation-page.ts';
export { DOCUMENTATION_STYLE } from './documentation-style.ts';
export { makeOpenApiDocument } from './openapi.ts';
export { readEvents, readLines, watch } from './watch.ts';
export type { SendStream, StreamReply, WatchEvent, WatchOptions } from './watch.ts';
export { pathParameters } from './openapi-parameters.ts';
export type { JsonObject } from './openapi.ts';
