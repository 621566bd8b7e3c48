/*
 * Datagrams in from the UDP socket: opening, replay window, source binding, joining, writing to
 * the TAP, punting.
 *
 * Input: u8 options, u8 which TAP writes fail, then records. A record is u8 kind and, by kind:
 *   sealed     u8 session, u8 flags, u16 index, u16 counter, u8 lane, a blob: the body, which is
 *              sealed here under the key of the session
 *   next       as sealed, but counter and index follow those of the one before
 *   raw        a blob: the datagram
 *   flush      nothing: the end of a batch
 *   gro        u16 segment bytes, a blob: what the kernel put together, through recvmmsg
 *   clock      u16 milliseconds
 *   handshake  u8 kind, u8 which macs, a blob: what is before them
 * Held against it: what reaches the TAP is, split again by slow_offload, the sequence of frames
 * that the source binding lets pass, and every frame is delivered or counted. Of handshakes only
 * those with a right mac1 are handed over or answered, and a cookie reply holds the cookie that
 * mac2 is then made with.
 */
#include <netinet/udp.h>
#include <openssl/hmac.h>

#include "body.h"
#include "expect.h"
#include "fake_io.h"
#include "fake_world.h"
#include "input.h"
#include "receive.h"
#include "slow_offload.h"
#include "source.h"

#define DATAGRAMS_MAX 256u
#define ARENA_BYTES (1024u * 1024u)
#define FRAMES_MAX 65536u

enum record_kind {
	RECORD_SEALED,
	RECORD_NEXT,
	RECORD_RAW,
	RECORD_FLUSH,
	RECORD_GRO,
	RECORD_CLOCK,
	RECORD_KINDS,
	RECORD_HANDSHAKE = 250, /* and all above it */
};

enum macs {
	MACS_RIGHT_FIRST = 1,
	MACS_COOKIE = 2,     /* the cookie of the last reply */
	MACS_ANY_SECOND = 4, /* a mac2 that is no mac */
};

/* A frame that came in, or that reached the TAP. */
struct seen {
	size_t at; /* in its arena */
	size_t length;
	uint8_t checksum_start;
	uint8_t checksum_offset;
	bool is_train;
	bool is_joined;
};

struct arena {
	uint8_t bytes[ARENA_BYTES];
	size_t used;
	struct seen frames[FRAMES_MAX];
	size_t count;
};

static struct receive receive;
static struct arena passed; /* by the source binding */
static struct arena delivered;
static uint8_t *datagrams[DATAGRAMS_MAX]; /* of the open batch, each of its own allocation */
static size_t datagrams_used;
static uint64_t counter;
static uint16_t train_index;
static uint8_t options;
static uint8_t failing;
static unsigned writes;
static uint64_t denied;
static uint8_t gro_bytes[RECEIVE_BUFFER_BYTES];
static size_t gro_length;
static int gro_segment;

static uint8_t cookie[16];		 /* as in the last reply */
static uint8_t answered[MAC_BYTES_SENT]; /* mac1 of the datagram at hand */
static unsigned replies;
static struct guard_keys *keys;

static const struct control_guard_set guard_fields = { .mac1_key = { 1 },
						       .cookie_reply_key = { 2 },
						       .cookie_secret = { 3 },
						       .previous_secret = { 4 } };

static const struct sockaddr_in6 source = { .sin6_family = AF_INET6,
					    .sin6_addr = IN6ADDR_LOOPBACK_INIT };

static uint8_t *keep(struct arena *arena, size_t length)
{
	EXPECT(arena->count < FRAMES_MAX && arena->used + length <= ARENA_BYTES);
	arena->frames[arena->count++] = (struct seen){ .at = arena->used, .length = length };
	arena->used += length;
	return arena->bytes + arena->frames[arena->count - 1].at;
}

static struct seen *newest(struct arena *arena)
{
	return &arena->frames[arena->count - 1];
}

static void deliver_joined(const struct virtio_net_hdr *header, const uint8_t *whole, size_t length)
{
	static uint8_t part[FRAME_BYTES_MAX];
	static uint8_t fixed[FRAME_BYTES_MAX];
	struct slow_headers headers;
	size_t bytes;
	EXPECT(slow_read(whole, length, &headers) && length <= JOIN_BYTES_MAX);
	EXPECT(header->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && header->hdr_len == headers.payload);
	EXPECT(header->csum_start == headers.transport);
	EXPECT(header->csum_offset == headers.checksum_offset);
	EXPECT(header->gso_size != 0 && length - headers.payload > header->gso_size);
	memcpy(fixed, whole, length);
	slow_fix(fixed, length, &headers);
	EXPECT(memcmp(fixed, whole, length) == 0);
	for (size_t i = 0;
	     (bytes = slow_segment(whole, length, &headers, header->gso_size, i, part)) != 0; i++) {
		memcpy(keep(&delivered, bytes), part, bytes);
		newest(&delivered)->is_joined = true;
		newest(&delivered)->checksum_start = (uint8_t)headers.transport;
		newest(&delivered)->checksum_offset = (uint8_t)headers.checksum_offset;
	}
}

static bool take_write(const struct iovec *pieces, int count)
{
	static uint8_t bytes[VNET_BYTES + FRAME_BYTES_MAX];
	struct virtio_net_hdr_mrg_rxbuf vnet;
	size_t length = 0;
	for (int i = 0; i < count; i++) {
		EXPECT(length + pieces[i].iov_len <= sizeof(bytes));
		memcpy(bytes + length, pieces[i].iov_base, pieces[i].iov_len);
		length += pieces[i].iov_len;
	}
	EXPECT(length >= VNET_BYTES + ETHERNET_BYTES);
	memcpy(&vnet, bytes, VNET_BYTES);
	EXPECT(vnet.num_buffers == 1);
	const uint8_t *frame = bytes + VNET_BYTES;
	length -= VNET_BYTES;
	if (vnet.hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		deliver_joined(&vnet.hdr, frame, length);
	} else {
		memcpy(keep(&delivered, length), frame, length);
		newest(&delivered)->checksum_start = (uint8_t)vnet.hdr.csum_start;
		newest(&delivered)->checksum_offset = (uint8_t)vnet.hdr.csum_offset;
		EXPECT(vnet.hdr.flags == 0 ||
		       vnet.hdr.csum_start + vnet.hdr.csum_offset + 2u <= length);
	}
	writes++;
	return failing == 0 || writes % 8 != (failing & 7u);
}

static void end_batch(void)
{
	receive_flush(&receive);
	for (size_t i = 0; i < datagrams_used; i++)
		free(datagrams[i]);
	datagrams_used = 0;
}

/* In the datagram the tag lies behind the last frame; here nothing does, so that a look behind it
 * is seen. */
static bool may_pass(uint32_t vni, const struct peer *peer, const struct body_entry *entry)
{
	uint8_t *exact = malloc(entry->length);
	EXPECT(exact != NULL);
	memcpy(exact, entry->frame, entry->length);
	int reason = source_check(&world.tables, vni, peer, exact, entry->length);
	free(exact);
	return reason < 0;
}

/*
 * Which frames of a body are to pass, judged before the body is handed over: joining changes
 * bytes.
 */
static void note_body(const struct session *session, uint8_t *body, size_t length, bool is_train)
{
	uint32_t vni = load_be24(body + 1);
	const struct network *network = tables_find_network(&world.tables, vni);
	size_t at = BODY_HEADER_BYTES;
	struct body_entry entry;
	if (network == NULL || tables_find_member(&world.tables, vni, session->peer->id) == NULL)
		return;
	while (at < length && body_next(body, length, &at, &entry)) {
		bool is_ours = (entry.frame[0] & 1) != 0 ||
			       load_be48(entry.frame) == atomic_load(&network->port->mac);
		if (!is_ours || !may_pass(vni, session->peer, &entry)) {
			denied++;
			continue;
		}
		memcpy(keep(&passed, entry.length), entry.frame, entry.length);
		newest(&passed)->checksum_start = entry.checksum_start;
		newest(&passed)->checksum_offset = entry.checksum_offset;
		newest(&passed)->is_train = is_train;
	}
}

/* Hands a datagram over; `body` is a copy of its plaintext, or NULL for bytes of a stranger. */
static void hand_over(uint8_t *datagram, size_t length, const struct session *session,
		      uint8_t *body)
{
	uint64_t before = fake_world_counter(COUNTER_RECEIVED_DATAGRAMS);
	bool is_train = length > 1 && (datagram[1] & DATA_FLAG_TRAIN) != 0;
	receive_datagram(&receive, datagram, length, (const struct sockaddr *)&source);
	bool opened = fake_world_counter(COUNTER_RECEIVED_DATAGRAMS) != before;
	EXPECT(!opened || body != NULL);
	if (!opened)
		return;
	size_t body_bytes = length - DATA_HEADER_BYTES - TAG_BYTES;
	if (body_bytes >= BODY_HEADER_BYTES && body[0] == BODY_FRAMES &&
	    body_is_valid(body, body_bytes, is_train))
		note_body(session, body, body_bytes, is_train);
}

/* Memory of exactly this size, kept until the batch ends: joining reads it later. */
static uint8_t *datagram_of(size_t length)
{
	if (datagrams_used == DATAGRAMS_MAX)
		end_batch();
	uint8_t *datagram = malloc(length + (length == 0));
	EXPECT(datagram != NULL);
	datagrams[datagrams_used++] = datagram;
	return datagram;
}

static void hand_over_sealed(struct input *input, bool follows)
{
	static uint8_t body[RECEIVE_BUFFER_BYTES];
	uint8_t nonce[NONCE_BYTES];
	const struct session *session = world.sessions[input_u8(input) % WORLD_SESSIONS];
	uint8_t flags = input_u8(input);
	uint16_t index = input_u16(input);
	uint16_t given = input_u16(input);
	uint8_t lane = input_u8(input);
	counter = follows ? counter + 1 : (uint64_t)lane << LANE_SHIFT | given;
	train_index = follows ? (uint16_t)(train_index + 1) : index;
	size_t length = input_blob(input, body, 65507 - DATA_HEADER_BYTES - TAG_BYTES);
	/*
	 * Frames of a body take no more room than the body, and split super-frames no more than
	 * 20 times theirs.
	 */
	if (passed.used + length > ARENA_BYTES / 2)
		return;
	uint8_t *datagram = datagram_of(DATA_HEADER_BYTES + length + TAG_BYTES);
	wire_data_header(datagram, flags, follows ? train_index : index, session->local_id,
			 counter);
	wire_nonce(nonce, counter);
	if (length != 0)
		memcpy(datagram + DATA_HEADER_BYTES, body, length);
	EXPECT(aead_seal(world.sealing, 0, nonce, datagram, DATA_HEADER_BYTES,
			 datagram + DATA_HEADER_BYTES, length,
			 datagram + DATA_HEADER_BYTES + length));
	hand_over(datagram, DATA_HEADER_BYTES + length + TAG_BYTES, session, body);
}

static void hand_over_raw(struct input *input)
{
	static uint8_t bytes[RECEIVE_BUFFER_BYTES];
	size_t length = input_blob(input, bytes, sizeof(bytes));
	uint8_t *datagram = datagram_of(length);
	if (length != 0)
		memcpy(datagram, bytes, length);
	hand_over(datagram, length, NULL, NULL);
}

static void put_mac(uint8_t *at, const uint8_t *datagram, const uint8_t *key, int key_bytes)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	EXPECT(HMAC(EVP_sha256(), key, key_bytes, datagram, (size_t)(at - datagram), mac, &size) !=
	       NULL);
	memcpy(at, mac, MAC_BYTES_SENT);
}

/* A cookie reply answers the datagram at hand, and its cookie opens. */
static int take_reply(const struct msghdr *message)
{
	uint8_t reply[COOKIE_BYTES];
	static struct aead_key *opening;
	if (opening == NULL)
		opening = aead_key_create(guard_fields.cookie_reply_key, AEAD_OPEN, 1);
	EXPECT(opening != NULL && message->msg_iovlen == 1);
	EXPECT(message->msg_iov[0].iov_len == COOKIE_BYTES);
	EXPECT(message->msg_namelen == sizeof(source));
	EXPECT(memcmp(message->msg_name, &source, sizeof(source)) == 0);
	memcpy(reply, message->msg_iov[0].iov_base, COOKIE_BYTES);
	EXPECT(load_be32(reply) == ((uint32_t)DATAGRAM_COOKIE << 24 | PROTOCOL_VERSION << 16));
	EXPECT(aead_open(opening, 0, reply + 8, answered, sizeof(answered), reply + 20, 16,
			 reply + 36));
	EXPECT(replies == 0 || memcmp(cookie, reply + 20, sizeof(cookie)) == 0);
	memcpy(cookie, reply + 20, sizeof(cookie));
	replies++;
	return 0;
}

static void hand_over_handshake(struct input *input)
{
	static uint8_t bytes[HANDSHAKE_BYTES_MAX + 64];
	uint8_t kind = input_u8(input);
	uint8_t macs = input_u8(input);
	size_t length = input_blob(input, bytes, sizeof(bytes) - MACS_BYTES) + MACS_BYTES;
	uint64_t before = fake_world_drops(DROP_MAC1_INVALID);
	uint8_t *datagram = datagram_of(length);
	memcpy(datagram, bytes, length - MACS_BYTES);
	memset(datagram + length - MACS_BYTES, (macs & MACS_ANY_SECOND) != 0, MACS_BYTES);
	if (length >= 4 + MACS_BYTES)
		store_be32(datagram, (uint32_t)(DATAGRAM_INITIATION + kind % 3) << 24 | 1u << 16);
	if ((macs & MACS_RIGHT_FIRST) != 0)
		put_mac(datagram + length - MACS_BYTES, datagram, guard_fields.mac1_key, KEY_BYTES);
	if ((macs & MACS_COOKIE) != 0)
		put_mac(datagram + length - MAC_BYTES_SENT, datagram, cookie, sizeof(cookie));
	memcpy(answered, datagram + length - MACS_BYTES, sizeof(answered));
	hand_over(datagram, length, NULL, NULL);
	if ((macs & MACS_RIGHT_FIRST) != 0)
		EXPECT(fake_world_drops(DROP_MAC1_INVALID) == before);
}

static unsigned receive_gro(struct mmsghdr *messages, unsigned count)
{
	if (gro_segment < 0)
		return 0;
	EXPECT(count >= 1 && messages[0].msg_hdr.msg_iov[0].iov_len >= gro_length);
	struct msghdr *message = &messages[0].msg_hdr;
	memcpy(message->msg_iov[0].iov_base, gro_bytes, gro_length);
	memcpy(message->msg_name, &source, sizeof(source));
	messages[0].msg_len = (unsigned)gro_length;
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	EXPECT(control != NULL && message->msg_controllen >= CMSG_SPACE(sizeof(int)));
	control->cmsg_level = IPPROTO_UDP;
	control->cmsg_type = UDP_GRO;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &gro_segment, sizeof(gro_segment));
	message->msg_controllen = gro_segment == 0 ? 0 : CMSG_SPACE(sizeof(int));
	gro_segment = -1;
	return 1;
}

static void hand_over_gro(struct input *input)
{
	end_batch(); /* receive_turn ends one */
	gro_segment = input_u16(input);
	gro_length = input_blob(input, gro_bytes, sizeof(gro_bytes));
	if (gro_segment != 0 && (size_t)gro_segment < gro_length / 64)
		gro_segment = (int)(gro_length / 64 + 1);
	receive_turn(&receive);
}

static void pass_clock(struct input *input)
{
	uint64_t now_us = receive.now_us + (uint64_t)input_u16(input) * 1000 * 10;
	end_batch();
	receive_begin(&receive, now_us);
}

static void hand_over_records(struct input *input)
{
	for (unsigned i = 0; i < 256 && input->left > 0; i++) {
		uint8_t number = input_u8(input);
		bool is_handshake = number >= RECORD_HANDSHAKE;
		switch (is_handshake ? RECORD_HANDSHAKE
				     : (enum record_kind)(number % RECORD_KINDS)) {
		case RECORD_HANDSHAKE:
			hand_over_handshake(input);
			break;
		case RECORD_SEALED:
			hand_over_sealed(input, false);
			break;
		case RECORD_NEXT:
			hand_over_sealed(input, true);
			break;
		case RECORD_RAW:
			hand_over_raw(input);
			break;
		case RECORD_FLUSH:
			end_batch();
			break;
		case RECORD_GRO:
			hand_over_gro(input);
			break;
		case RECORD_CLOCK:
			pass_clock(input);
			break;
		case RECORD_KINDS:
			break;
		}
	}
	end_batch();
}

/*
 * A joined frame takes its checksums anew, and what may not be fragmented has no identification
 * (RFC 6864).
 */
static void level(const struct seen *in, const struct seen *out)
{
	struct slow_headers headers;
	uint8_t *frame = passed.bytes + in->at;
	EXPECT(slow_read(frame, in->length, &headers));
	uint8_t *ip = frame + headers.network;
	if (!headers.is_ipv6 && !in->is_train && (ip[6] & 0x40) != 0)
		memcpy(ip + 4, delivered.bytes + out->at + headers.network + 4, 2);
	slow_fix(frame, in->length, &headers);
}

static void check_delivered(void)
{
	EXPECT(delivered.count == passed.count);
	for (size_t i = 0; i < passed.count; i++) {
		const struct seen *in = &passed.frames[i];
		const struct seen *out = &delivered.frames[i];
		EXPECT(in->length == out->length);
		EXPECT(in->checksum_start == out->checksum_start);
		EXPECT(in->checksum_offset == out->checksum_offset);
		if (out->is_joined)
			level(in, out);
		EXPECT(memcmp(passed.bytes + in->at, delivered.bytes + out->at, in->length) == 0);
	}
	uint64_t counted =
		fake_world_counter(COUNTER_RECEIVED_FRAMES) + fake_world_drops(DROP_PORT_FULL);
	EXPECT(counted == delivered.count);
	EXPECT(fake_world_drops(DROP_SOURCE_MAC_DENIED) + fake_world_drops(DROP_SOURCE_IP_DENIED) +
		       fake_world_drops(DROP_DESTINATION_UNKNOWN) ==
	       denied);
}

static void check_event(const struct event *event, void *context)
{
	(void)context;
	EXPECT(event->kind == EVENT_DATAGRAM || event->kind == EVENT_CONTROL ||
	       event->kind == EVENT_CONFIRMED);
	EXPECT(event->size >= offsetof(struct event, bytes) + event->length);
	if (event->kind == EVENT_DATAGRAM && (options & 4) != 0 &&
	    event->bytes[0] != DATAGRAM_COOKIE)
		EXPECT(guard_has_mac1(keys, event->bytes, event->length));
	if (event->kind == EVENT_DATAGRAM)
		EXPECT(event->length >= COOKIE_BYTES && event->length <= HANDSHAKE_BYTES_MAX);
	else
		EXPECT(event->peer >= 1 && event->peer <= WORLD_PEERS);
}

static void init(void)
{
	fake_world_init();
	fake_io.tap_write = take_write;
	fake_io.receive = receive_gro;
	receive.tables = &world.tables;
	receive.events = &world.events;
	receive.punts = &world.punts;
	fake_io.message = take_reply;
	keys = guard_create(&guard_fields, 2);
	EXPECT(keys != NULL);
	receive.socket = FAKE_SOCKET;
	receive.worker = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static bool is_ready;
	struct input input = { bytes, length };
	if (!is_ready)
		init();
	is_ready = true;
	fake_world_reset();
	passed.used = passed.count = delivered.used = delivered.count = 0;
	denied = counter = 0;
	train_index = 0;
	writes = 0;
	options = input_u8(&input);
	for (unsigned i = 0; i < 2; i++)
		world.ports[i]->takes_uso = (options & 1) != 0;
	atomic_store(&world.events.agent_attached, (options & 2) != 0);
	atomic_store(&world.punts.keys, (options & 4) != 0 ? keys : NULL);
	if ((options & 8) != 0) {
		uint8_t endpoint[ENDPOINT_BYTES];
		endpoint_to_wire(endpoint, (const struct sockaddr *)&source);
		punt_know(&world.punts, endpoint, 0);
	}
	replies = 0;
	failing = input_u8(&input);
	receive_begin(&receive, 1000000);
	hand_over_records(&input);
	check_delivered();
	events_drain(&world.events, check_event, NULL);
	if ((options & 8) != 0)
		memset(world.punts.endpoints, 0, sizeof(world.punts.endpoints));
	return 0;
}
