/**
 * The language between agent and data path, described once.
 *
 * From this table come the TypeScript codec (codec.ts), the C header
 * (tools/generate-control-header.ts writes datapath/src/control_messages.h) and the golden vectors
 * (datapath/vectors/control.hex) that both sides are tested against.
 *
 * Frame on the unix stream socket, big-endian: u32 length of all that follows, u16 message code,
 * u16 zero, u32 request id, then the fields in order. A field of kind `tail` is the last of its
 * message and takes the remaining bytes. Requests carry an id other than 0 and are answered by any
 * number of data messages and then exactly one `ok` or `error`, all with that id. Events carry id
 * 0. The first request on a connection is `hello`. Requests may be pipelined; they are answered in
 * order.
 *
 * Every `*Set` is idempotent: it creates the entry or replaces it. It carries a generation; `sweep`
 * deletes the entries of one kind whose generation is another, so that an agent that takes over a
 * running data path sets what it wants and sweeps the rest, and traffic flows all the while.
 */

/**
 * Raised by one with every incompatible change of a message, and when the version of the protocol
 * between hosts rises: an agent replaces a running data path that would drop its handshakes.
 */
export const CONTROL_VERSION = 2;

/**
 * Longest frame either side accepts, bytes after the length field: one UDP datagram of 65,535 bytes
 * and its fields.
 */
export const CONTROL_FRAME_BYTES_MAX = 66_560;

export type FieldKind = 'u8' | 'u16' | 'u32' | 'u64' | { readonly bytes: number } | 'tail';

export interface MessageShape {
  readonly code: number;
  /** Who sends it. */
  readonly from: 'agent' | 'datapath' | 'both';
  readonly doc: string;
  readonly fields: readonly (readonly [name: string, kind: FieldKind, doc: string])[];
}

const ENDPOINT = { bytes: 18 } as const;
const MAC = { bytes: 6 } as const;
const IP = { bytes: 16 } as const;
const KEY = { bytes: 32 } as const;
const INTERFACE_NAME = { bytes: 16 } as const;

/** Entry kinds of `dump` and `sweep`. */
export const TABLE_KIND = {
  port: 1,
  peer: 2,
  session: 3,
  fdb: 4,
  neighbour: 5,
  flood: 6,
} as const;

/** When a session becomes the one that its peer is sent with. */
export const SESSION_ACTIVATION = {
  /** At once: the initiator, which has seen the response. */
  now: 1,
  /** On the first datagram opened with it: the responder (key confirmation). */
  onReceive: 2,
} as const;

/** Bits of `peerActivity.flags`. */
export const ACTIVITY = { received: 1, sent: 2 } as const;

/** Bits of `helloReply.features`. */
export const FEATURE = { udpSegment: 1, udpGro: 2, ipsecMb: 4, tapUso: 8 } as const;

export const MESSAGES = {
  // Answers.
  ok: { code: 1, from: 'datapath', doc: 'The request is done.', fields: [] },
  error: {
    code: 2,
    from: 'datapath',
    doc: 'The request was refused; nothing was changed.',
    fields: [
      ['errno', 'u32', 'positive errno value'],
      ['text', 'tail', 'UTF-8 sentence'],
    ],
  },
  // Attach.
  hello: {
    code: 3,
    from: 'agent',
    doc: 'First request: version check. Answered by helloReply and ok; another version by error EPROTO.',
    fields: [['version', 'u16', 'CONTROL_VERSION']],
  },
  helloReply: {
    code: 4,
    from: 'datapath',
    doc: 'Who the data path is.',
    fields: [
      ['version', 'u16', 'CONTROL_VERSION of the data path'],
      ['lanes', 'u8', 'workers, each with its own lane, 1..16'],
      ['features', 'u8', 'FEATURE bits found at run time'],
      ['pid', 'u32', 'process id'],
      [
        'instance',
        { bytes: 16 },
        'random at start: another value means another process, whose keys are gone',
      ],
      ['generation', 'u32', 'highest generation seen in any set'],
    ],
  },
  // Tables.
  portSet: {
    code: 16,
    from: 'both',
    doc: 'Attaches the TAP device `name` (made persistent beforehand, multi_queue vnet_hdr) as the port of network `vni`.',
    fields: [
      ['generation', 'u32', ''],
      ['vni', 'u32', '24 bits; the key: one port a network'],
      ['name', INTERFACE_NAME, 'interface name, NUL padded'],
      ['mac', MAC, "the port's own address"],
      ['mtu', 'u16', 'largest inner layer-3 length, bytes'],
    ],
  },
  portDelete: {
    code: 17,
    from: 'agent',
    doc: 'Detaches; idempotent.',
    fields: [['vni', 'u32', '']],
  },
  peerSet: {
    code: 18,
    from: 'both',
    doc: 'Creates a peer or moves its endpoint.',
    fields: [
      ['generation', 'u32', ''],
      ['peer', 'u32', 'chosen by the agent, 1..'],
      ['endpoint', ENDPOINT, 'where its datagrams go; all zero: unknown'],
    ],
  },
  peerDelete: {
    code: 19,
    from: 'agent',
    doc: 'Deletes the peer and with it its sessions, FDB, neighbour and flood entries; idempotent.',
    fields: [['peer', 'u32', '']],
  },
  sessionSet: {
    code: 20,
    from: 'agent',
    doc: 'Installs the keys of a session. EEXIST when the local id is in use: counters never restart under a key.',
    fields: [
      ['localId', 'u32', 'receiver session id of what we receive'],
      ['remoteId', 'u32', 'receiver session id of what we send'],
      ['peer', 'u32', ''],
      ['activation', 'u8', 'SESSION_ACTIVATION'],
      ['initiator', 'u8', '1 when this host initiated; kept for the agent, returned by dump'],
      ['receiveLanes', 'u8', "the peer's lanes, 1..16"],
      ['lifetimeMs', 'u32', 'after this the session neither seals nor opens'],
      ['sendKey', KEY, ''],
      ['receiveKey', KEY, ''],
    ],
  },
  sessionDelete: {
    code: 21,
    from: 'agent',
    doc: 'Forgets the keys; idempotent.',
    fields: [['localId', 'u32', '']],
  },
  sessionEntry: {
    code: 22,
    from: 'datapath',
    doc: 'Dump of a session. Keys are never read back.',
    fields: [
      ['localId', 'u32', ''],
      ['remoteId', 'u32', ''],
      ['peer', 'u32', ''],
      ['active', 'u8', '1 when the peer is sent with it'],
      ['confirmed', 'u8', '1 when a datagram was opened with it'],
      ['initiator', 'u8', ''],
      ['ageMs', 'u32', 'since it was set'],
      ['lifetimeMs', 'u32', ''],
      ['sentDatagrams', 'u64', ''],
      ['receivedDatagrams', 'u64', ''],
    ],
  },
  fdbSet: {
    code: 24,
    from: 'both',
    doc: 'Binds a MAC of a network to a peer, for sending and as allowed source.',
    fields: [
      ['generation', 'u32', ''],
      ['vni', 'u32', ''],
      ['mac', MAC, ''],
      ['peer', 'u32', ''],
    ],
  },
  fdbDelete: {
    code: 25,
    from: 'agent',
    doc: 'Idempotent.',
    fields: [
      ['vni', 'u32', ''],
      ['mac', MAC, ''],
    ],
  },
  neighbourSet: {
    code: 26,
    from: 'both',
    doc: 'Binds an IP of a network to a MAC and peer: ARP/ND is answered from it, and it is an allowed source.',
    fields: [
      ['generation', 'u32', ''],
      ['vni', 'u32', ''],
      ['ip', IP, 'IPv4 as ::ffff:a.b.c.d'],
      ['mac', MAC, ''],
      ['peer', 'u32', ''],
    ],
  },
  neighbourDelete: {
    code: 27,
    from: 'agent',
    doc: 'Idempotent.',
    fields: [
      ['vni', 'u32', ''],
      ['ip', IP, ''],
    ],
  },
  floodSet: {
    code: 28,
    from: 'both',
    doc: 'Adds a peer to the flood list of a network, which is also the list of its members.',
    fields: [
      ['generation', 'u32', ''],
      ['vni', 'u32', ''],
      ['peer', 'u32', ''],
    ],
  },
  floodDelete: {
    code: 29,
    from: 'agent',
    doc: 'Idempotent.',
    fields: [
      ['vni', 'u32', ''],
      ['peer', 'u32', ''],
    ],
  },
  dump: {
    code: 32,
    from: 'agent',
    doc: 'Lists a table as portSet, peerSet, sessionEntry, fdbSet, neighbourSet or floodSet messages, then ok.',
    fields: [['kind', 'u8', 'TABLE_KIND']],
  },
  sweep: {
    code: 33,
    from: 'agent',
    doc: 'Deletes all entries of a kind (not sessions) whose generation differs.',
    fields: [
      ['kind', 'u8', 'TABLE_KIND'],
      ['generation', 'u32', ''],
    ],
  },
  // Handshakes.
  guardSet: {
    code: 36,
    from: 'agent',
    doc: 'Keys with which handshake datagrams are judged before they are punted (docs/protocol.md 2.3).',
    fields: [
      ['mac1Key', KEY, 'key of the mac1 of datagrams to this host'],
      ['cookieReplyKey', KEY, 'seals cookie replies'],
      ['cookieSecret', KEY, 'of the cookies that are given away'],
      ['previousSecret', KEY, 'of cookies that are accepted too'],
    ],
  },
  // Sending.
  sendDatagram: {
    code: 40,
    from: 'agent',
    doc: 'Sends bytes as one datagram from the UDP port (handshakes).',
    fields: [
      ['endpoint', ENDPOINT, ''],
      ['bytes', 'tail', ''],
    ],
  },
  sendControl: {
    code: 41,
    from: 'agent',
    doc: "Seals bytes as a control body in the peer's active session. ENOTCONN without one, EHOSTUNREACH when the peer is unknown.",
    fields: [
      ['peer', 'u32', ''],
      ['endpoint', ENDPOINT, "where to; all zero: the peer's endpoint"],
      ['bytes', 'tail', 'control message, may be empty'],
    ],
  },
  // Counters.
  counters: {
    code: 48,
    from: 'agent',
    doc: 'Answered by counterEntry messages and ok.',
    fields: [],
  },
  counterEntry: {
    code: 49,
    from: 'datapath',
    doc: 'Counters of one scope since the start of the data path. DropReason order for drops.',
    fields: [
      ['scope', 'u8', 'COUNTER_SCOPE'],
      ['id', 'u32', 'VNI or peer; 0 for the whole'],
      ['sentFrames', 'u64', 'frames sealed; a train counts its segments'],
      ['sentBytes', 'u64', 'bytes of those frames'],
      ['receivedFrames', 'u64', 'frames delivered to a port'],
      ['receivedBytes', 'u64', ''],
      ['sentDatagrams', 'u64', ''],
      ['receivedDatagrams', 'u64', 'opened datagrams'],
      ['answeredLocally', 'u64', 'ARP and ND requests answered from the neighbour table'],
      ['drops', 'tail', 'u64 for each DropReason'],
    ],
  },
  // Events.
  datagramReceived: {
    code: 64,
    from: 'datapath',
    doc: 'A handshake datagram, punted.',
    fields: [
      ['endpoint', ENDPOINT, 'where it came from'],
      ['bytes', 'tail', ''],
    ],
  },
  controlReceived: {
    code: 65,
    from: 'datapath',
    doc: 'A control body opened in a session, punted. An empty one (keepalive) is punted too.',
    fields: [
      ['peer', 'u32', ''],
      ['localId', 'u32', 'session it was opened with'],
      ['endpoint', ENDPOINT, 'where it came from'],
      ['bytes', 'tail', ''],
    ],
  },
  sessionConfirmed: {
    code: 66,
    from: 'datapath',
    doc: 'First datagram opened with a session; an onReceive session is active from here.',
    fields: [
      ['localId', 'u32', ''],
      ['peer', 'u32', ''],
    ],
  },
  sessionNeeded: {
    code: 67,
    from: 'datapath',
    doc: 'A frame waited for a peer without a usable session; at most one a second and peer.',
    fields: [['peer', 'u32', '']],
  },
  sessionSpent: {
    code: 68,
    from: 'datapath',
    doc: 'A lane reached 2^32 datagrams: time to rekey.',
    fields: [
      ['localId', 'u32', ''],
      ['peer', 'u32', ''],
    ],
  },
  peerActivity: {
    code: 69,
    from: 'datapath',
    doc: 'Coalesced, at most every 250 ms and peer: what was opened or sealed since the last one.',
    fields: [
      ['peer', 'u32', ''],
      ['flags', 'u8', 'ACTIVITY'],
    ],
  },
  memberNeeded: {
    code: 70,
    from: 'datapath',
    doc: 'A frame looked for an address that no table knows; each at most once a second and worker, 32 a second and worker in all.',
    fields: [
      ['vni', 'u32', ''],
      ['kind', 'u8', 'SOUGHT'],
      ['address', IP, 'a MAC in the first 6 bytes, zeros behind; IPv4 as ::ffff:a.b.c.d'],
    ],
  },
} as const satisfies Record<string, MessageShape>;

/** What `memberNeeded.address` is. */
export const SOUGHT = { mac: 1, ip: 2 } as const;

export const COUNTER_SCOPE = { total: 1, network: 2, peer: 3 } as const;

/**
 * Why a frame or datagram was dropped, in counter order. Append only; the names are metric names.
 */
export const DROP_REASONS = [
  // Outbound: from a port to a peer.
  ['frame_too_short', 'less than an Ethernet header from a port'],
  ['frame_too_long', 'over the MTU of the port'],
  ['frame_unsplittable', 'a super-frame whose headers do not allow to split it'],
  ['unicast_unknown', 'destination MAC is in no FDB entry of the network'],
  ['neighbour_unknown', 'ARP or ND request for an address that no member has'],
  ['session_missing', 'no usable session with the peer yet'],
  ['session_spent', 'counter limit or lifetime of the session reached'],
  ['endpoint_missing', 'endpoint of the peer is not known'],
  ['send_failed', 'the UDP socket refused the datagram'],
  // Inbound: from a datagram to a port.
  ['datagram_too_short', 'shorter than header and tag'],
  ['header_invalid', 'unknown kind or flags'],
  ['session_unknown', 'no session has that receiver id'],
  ['session_expired', 'lifetime of the session reached'],
  ['counter_invalid', 'lane that the peer did not declare'],
  ['counter_replayed', 'seen before'],
  ['counter_too_old', 'below the replay window'],
  ['seal_invalid', 'authentication tag is wrong'],
  ['body_invalid', 'body does not parse'],
  ['network_unknown', 'no port has that VNI'],
  ['peer_not_member', 'sender is not a member of the network'],
  ['source_mac_denied', 'source MAC is not bound to the sender'],
  ['source_ip_denied', 'source IP is not bound to the sender'],
  ['destination_unknown', 'destination MAC is no port of this host'],
  ['port_full', 'the TAP device refused the frame'],
  // Punts.
  ['punt_limited', 'more punts of a kind than its rate'],
  ['agent_absent', 'no agent is attached, or it reads too slowly'],
  ['mac1_invalid', 'handshake of who does not know the static key of this host'],
  [
    'cookie_required',
    'handshake without a cookie while there are many; answered by a cookie reply',
  ],
  // By the kernel, of what came to the port.
  ['lobby_full', 'more handshakes, or data from no address of a peer, than are looked at'],
  ['socket_full', 'data datagrams that no worker was in time for'],
] as const;

export type DropReason = (typeof DROP_REASONS)[number][0];
export type MessageName = keyof typeof MESSAGES;
