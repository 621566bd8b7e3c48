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
  makeEndpoint,
  parseEndpoint,
  parseIpv4,
  parseIpv6,
  sameEndpoint,
} from './endpoint.ts';
export type { Endpoint } from './endpoint.ts';
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
export { canonicalJson, networkDigest } from './network-state/canonical.ts';
export { allocatePeerIds, NO_PEER_IDS } from './network-state/peer-ids.ts';
export type { PeerIds } from './network-state/peer-ids.ts';
export { planTables } from './network-state/plan-tables.ts';
export type {
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
