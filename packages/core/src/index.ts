/** Pure protocol logic: no IO, no clock, no randomness of its own. */
export { decodeBody, encodeBody } from './data-codec/body.ts';
export type { Body, FrameEntry } from './data-codec/body.ts';
export {
  DATA_FLAG,
  DATA_HEADER_BYTES,
  DATAGRAM_KIND_DATA,
  DataCodecError,
  encodeHeader,
  openDatagram,
  sealDatagram,
} from './data-codec/datagram.ts';
export type { DatagramHeader, OpenedDatagram } from './data-codec/datagram.ts';
export { joinTrain, splitTrain } from './data-codec/train.ts';
export {
  ControlCodecError,
  ControlDeframer,
  CONTROL_HEADER_BYTES,
  decodeControl,
  encodeControl,
  fieldBytes,
  fixedBytes,
} from './datapath-control/codec.ts';
export type { ControlMessage, MessageValues } from './datapath-control/codec.ts';
export {
  ACTIVITY,
  CONTROL_FRAME_BYTES_MAX,
  CONTROL_VERSION,
  COUNTER_SCOPE,
  DROP_REASONS,
  FEATURE,
  MESSAGES,
  SESSION_ACTIVATION,
  SOUGHT,
  TABLE_KIND,
} from './datapath-control/messages.ts';
export type {
  DropReason,
  FieldKind,
  MessageName,
  MessageShape,
} from './datapath-control/messages.ts';
export {
  ENDPOINT_BYTES,
  EndpointError,
  UNKNOWN_ENDPOINT,
  endpointAddress,
  endpointPort,
  formatEndpoint,
  formatIpv6,
  isIpv4Endpoint,
  leadsToOneHost,
  makeEndpoint,
  parseEndpoint,
  parseIpv4,
  parseIpv6,
  sameEndpoint,
} from './endpoint.ts';
export type { Endpoint } from './endpoint.ts';
export { Gossip } from './gossip/gossip.ts';
export { GOSSIP_REFUSALS } from './gossip/gossip-types.ts';
export type {
  GossipAction,
  GossipDeps,
  GossipMember,
  GossipRefusal,
  OwnStatement,
  StatementVerdict,
} from './gossip/gossip-types.ts';
export type { PostQuantum } from './handshake/exchange.ts';
export { INSTANCE_BYTES } from './handshake/payload.ts';
export { Mesh } from './mesh/mesh.ts';
export type {
  AdoptedSession,
  MeshAction,
  MeshDeps,
  MeshEvent,
  MeshOptions,
  MeshTimeout,
  PeerConfig,
  PeerDownReason,
  PeerState,
  PeerStatus,
  StaticKeys,
} from './mesh/types.ts';
export { linkLocalOfMac, parseIp, parseMac } from './network-state/addresses.ts';
export { applyDelta, applySnapshot, needsResync } from './network-state/apply.ts';
export type { Applied, NetworkStateRefusal, Snapshot } from './network-state/apply.ts';
export { canonicalJson, digestOfTexts, networkDigest } from './network-state/canonical.ts';
export { allocatePeerIds, NO_PEER_IDS } from './network-state/peer-ids.ts';
export type { PeerIds } from './network-state/peer-ids.ts';
export { planTables } from './network-state/plan-tables.ts';
export type {
  PlanNetwork,
  PlannedFdb,
  PlannedFlood,
  PlannedNeighbour,
  PlannedPort,
  SkippedMember,
  TablePlan,
} from './network-state/plan-tables.ts';
export { keyPairOf } from './noise/x25519.ts';
export type { KeyPair } from './noise/x25519.ts';
export { REFUSAL_REASONS } from './handshake/refusals.ts';
export type { RefusalReason } from './handshake/refusals.ts';
export {
  advanceAuthority,
  changesRecovery,
  followAuthority,
  formerEndMs,
  openAuthority,
  signedByAuthority,
  signedByRenewalKey,
} from './trust/authority.ts';
export type { Authority, AuthorityRefusal, AuthorityResult } from './trust/authority.ts';
export { signerOf, verifyEd25519 } from './trust/ed25519.ts';
export type { Signer } from './trust/ed25519.ts';
export {
  ENDPOINT_RECORD_BYTES_MAX,
  compareOrdinals,
  decodeEndpointRecord,
  encodeOrdinal,
  signEndpointRecord,
  verifyEndpointRecord,
} from './trust/endpoint-record.ts';
export type { EndpointRecord } from './trust/endpoint-record.ts';
export {
  INTRODUCTION_CODES,
  makeIntroduction,
  readIntroduction,
  readVoucher,
} from './trust/introduction.ts';
export type {
  CheckedVoucher,
  Introduction,
  IntroductionCode,
  IntroductionRefusal,
  VouchedNode,
  VouchingContext,
} from './trust/introduction.ts';
export { INTRODUCTION_BYTES_MAX } from './trust/limits.ts';
export { memberMac } from './trust/member-mac.ts';
export { VouchedBook, memberOfIntroduction } from './trust/vouched-book.ts';
export type { BookContext, IntroductionVerdict, VouchingNetwork } from './trust/vouched-book.ts';
export { TokenBuckets } from './gossip/token-buckets.ts';
export type { TokenRate } from './handshake/token-bucket.ts';
export { encodeStatement, parseGossip } from './gossip/gossip-messages.ts';
export { judgePeerRoster, readPeerRevocation } from './trust/gossip.ts';
export type { RosterVerdict } from './trust/gossip.ts';
export { endpointRecordOf } from './trust/member-endpoints.ts';
export { TRUST_CODES } from './trust/refusal.ts';
export type { TrustCode, TrustRefusal } from './trust/refusal.ts';
export {
  applyPartial,
  namedBy,
  toPartial,
  verifyPartialState,
  verifyState,
  withoutMembers,
} from './trust/partial-network.ts';
export type { PartialEvidence, StateAndProof } from './trust/partial-network.ts';
export { applyProofDelta, rosterContentOf, rosterHash } from './trust/roster.ts';
export {
  EMPTY_ROSTER_BRANCH,
  EMPTY_ROSTER_HASH,
  isRosterEntryProved,
  proveRosterEntry,
  replaceRosterBucket,
  rosterBranchOf,
  rosterBucketHash,
  rosterBucketOf,
  rosterNodeHash,
  rosterPathsOf,
  rosterTree,
  rosterTreeRoot,
} from './trust/roster-tree.ts';
export type { RosterBranch, RosterChildren, RosterEntry, RosterTree } from './trust/roster-tree.ts';
export type { RosterContent } from './trust/roster.ts';
export {
  addSignature,
  hashStatement,
  isSigned,
  readStatement,
  signStatement,
} from './trust/statement.ts';
export type { StatementRead, StatementRefusal, StatementSchema } from './trust/statement.ts';
export { NO_CLOCK_RECORD, TrustedClock } from './trust/trusted-clock.ts';
export type { TimeOutcome } from './trust/trusted-clock.ts';
export type { ClockRecord, ClockStart } from './trust/trusted-clock.ts';
export { isValidAt, memberBegin, memberEnd, nextValidityChange } from './trust/validity.ts';
export type { Validity } from './trust/validity.ts';
export { isRevokedBy, verifyNetworkState } from './trust/verify-network.ts';
export type {
  NetworkEvidence,
  NetworkVerification,
  VerifiedMember,
  VerifiedNetwork,
  VersionMarks,
} from './trust/verify-network.ts';
export { LEASE_GRACE_MS } from './lease/limits.ts';
export {
  advance as advanceLease,
  compareLease,
  firstLease,
  leaseHash,
  passOn as passOnLease,
  presentLease,
  takeEpoch,
  withNext,
} from './lease/ratchet.ts';
export type { HeldLease, LeaseRecord, LeaseUse } from './lease/ratchet.ts';
export { judgeLease, kinshipOf, strictestRule } from './lease/verdict.ts';
export type { HostMarks, Kinship, LeaseFacts, LeaseVerdict } from './lease/verdict.ts';
