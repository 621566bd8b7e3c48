/*
 * Frames in from a TAP: the whole way from the port's queue through trains and aggregates to the
 * messages of the UDP socket.
 *
 * Input: u8 options, u8 which sends fail, then records: u8 port, a blob of vnet header and frame.
 * Held against it: every datagram opens, its counter is the next one, its body parses, and the
 * frames are those that were handed in: singles byte for byte, super-frames as slow_offload
 * splits them. What is not sent is counted as a drop.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <sanitizer/asan_interface.h>

#include "body.h"
#include "expect.h"
#include "fake_io.h"
#include "fake_world.h"
#include "input.h"
#include "lanes.h"
#include "slow_offload.h"
#include "transmit.h"

#define RECORDS_MAX 256u
#define ARENA_BYTES (160u * 1024u)
#define SENT_BYTES_MAX (8u * 1024u * 1024u)
#define SEGMENTS_MAX 96u /* more than one run of UDP_SEGMENT; smaller segments are made larger */

struct record {
	size_t at; /* in the arena: vnet header, frame */
	size_t length;
	bool second_port;
	bool accepted;
};

struct sent {
	size_t at;
	size_t length;
	uint32_t peer;
};

struct expected {
	size_t next; /* record */
	size_t segment;
	uint64_t counter;
	bool has_counter;
};

static struct transmit transmit;
static struct input input;
static uint8_t arena[ARENA_BYTES];
static size_t arena_used;
static struct record records[RECORDS_MAX];
static size_t records_used;
static size_t records_settled;
static uint64_t drops_before;
static uint8_t sent_bytes[SENT_BYTES_MAX];
static size_t sent_used;
static struct sent sent[65536];
static size_t sent_count;
static uint8_t failing;
static unsigned sends;

/* Drops that keep a frame from everyone. */
static uint64_t refused_frames(void)
{
	return fake_world_drops(DROP_FRAME_TOO_SHORT) + fake_world_drops(DROP_FRAME_TOO_LONG) +
	       fake_world_drops(DROP_FRAME_UNSPLITTABLE) + fake_world_drops(DROP_UNICAST_UNKNOWN) +
	       fake_world_drops(DROP_NEIGHBOUR_UNKNOWN) + fake_world_drops(DROP_PORT_FULL) +
	       fake_world_counter(COUNTER_ANSWERED_LOCALLY);
}

/* The frame read last is done with: was it refused? */
static void settle_record(void)
{
	if (records_settled == records_used)
		return;
	uint64_t drops = refused_frames();
	EXPECT(drops - drops_before <= 1);
	records[records_settled++].accepted = drops == drops_before;
	EXPECT(records_settled == records_used);
	drops_before = drops;
}

static void limit_segments(uint8_t *frame, size_t length)
{
	struct virtio_net_hdr header;
	if (length < sizeof(header))
		return;
	memcpy(&header, frame, sizeof(header));
	if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE || header.gso_size == 0)
		return;
	if (header.gso_size < length / SEGMENTS_MAX)
		header.gso_size = (uint16_t)(length / SEGMENTS_MAX);
	memcpy(frame, &header, sizeof(header));
}

/* Whether an entry can name the place of the frame's checksum. */
static bool names_checksum(const struct virtio_net_hdr *header)
{
	return header->csum_start != 0 && header->csum_start <= 255 && header->csum_offset <= 255;
}

/* Completes a checksum that an entry cannot name, as the data path is to. */
static void complete(uint8_t *record, size_t length)
{
	struct virtio_net_hdr header;
	if (length < VNET_BYTES + ETHERNET_BYTES)
		return;
	memcpy(&header, record, sizeof(header));
	size_t start = header.csum_start;
	size_t at = start + header.csum_offset;
	size_t frame_bytes = length - VNET_BYTES;
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE || names_checksum(&header) ||
	    (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 || at + 2 > frame_bytes)
		return;
	uint8_t *frame = record + VNET_BYTES;
	uint16_t sum = (uint16_t)~slow_sum(0, frame + start, frame_bytes - start);
	store_be16(frame + at, sum == 0 ? 0xffff : sum);
}

static bool next_is_second_port;

static size_t read_frame(uint8_t *buffer, size_t size)
{
	__asan_unpoison_memory_region(buffer, size);
	settle_record();
	if (records_used == RECORDS_MAX || input.left == 0 ||
	    (input.at[0] & 1) != next_is_second_port)
		return 0;
	(void)input_u8(&input);
	uint8_t *frame = arena + arena_used;
	size_t room = ARENA_BYTES - arena_used;
	size_t length = input_blob(&input, frame, size < room ? size : room);
	if (length == 0)
		return 0;
	limit_segments(frame, length);
	records[records_used++] = (struct record){ .at = arena_used,
						   .length = length,
						   .second_port = next_is_second_port };
	arena_used += length;
	memcpy(buffer, frame, length);
	complete(frame, length);
	/* Bytes behind the frame are of an earlier one: nobody may look at them. */
	__asan_poison_memory_region(buffer + length, size - length);
	return length;
}

static bool take_answer(const struct iovec *pieces, int count)
{
	EXPECT(count == 1 && pieces[0].iov_len > VNET_BYTES + ETHERNET_BYTES);
	const uint8_t *answer = pieces[0].iov_base;
	EXPECT(bytes_are_zero(answer, VNET_BYTES));
	return (failing & 0x80) == 0;
}

static void keep_datagram(const uint8_t *bytes, size_t length, uint32_t peer)
{
	if (sent_used + length > SENT_BYTES_MAX || sent_count == sizeof(sent) / sizeof(sent[0]))
		return;
	memcpy(sent_bytes + sent_used, bytes, length);
	sent[sent_count++] = (struct sent){ .at = sent_used, .length = length, .peer = peer };
	sent_used += length;
}

static size_t segment_bytes_of(const struct msghdr *message, size_t bytes)
{
	if (message->msg_controllen == 0)
		return bytes;
	struct msghdr copy = *message;
	const struct cmsghdr *control = CMSG_FIRSTHDR(&copy);
	uint16_t segment;
	EXPECT(control != NULL && control->cmsg_level == IPPROTO_UDP);
	memcpy(&segment, CMSG_DATA(control), sizeof(segment));
	EXPECT(segment != 0 && fake_io.has_segments);
	return segment;
}

static int take_message(const struct msghdr *message)
{
	static const int errors[] = { EIO,    EINVAL, EMSGSIZE, ECONNREFUSED,
				      EAGAIN, EINTR,  ENOBUFS,	EPERM };
	struct sockaddr_in6 address;
	EXPECT(message->msg_namelen == sizeof(address) && message->msg_iovlen == 1);
	memcpy(&address, message->msg_name, sizeof(address));
	const uint8_t *bytes = message->msg_iov[0].iov_base;
	size_t length = message->msg_iov[0].iov_len;
	size_t segment = segment_bytes_of(message, length);
	EXPECT(length > 0 && length <= 65507 && (length + segment - 1) / segment <= 64);
	sends++;
	if ((failing & 0x7f) != 0 && sends % 8 == (failing & 7u))
		return errors[failing >> 3 & 7];
	for (size_t at = 0; at < length; at += segment)
		keep_datagram(bytes + at, length - at < segment ? length - at : segment,
			      address.sin6_addr.s6_addr[15]);
	return 0;
}

static bool goes_to(const struct record *record, uint32_t peer)
{
	const uint8_t *frame = arena + record->at + VNET_BYTES;
	if (!record->accepted || (record->second_port && peer != 1))
		return false;
	return (frame[0] & 1) != 0 || frame[5] == peer + 1;
}

/* The next record that this peer is to get; there must be one. */
static const struct record *next_record(struct expected *expected, uint32_t peer)
{
	while (expected->next < records_used && !goes_to(&records[expected->next], peer))
		expected->next++;
	EXPECT(expected->next < records_used);
	return &records[expected->next];
}

static void check_single(const struct record *record, const struct body_entry *entry)
{
	struct virtio_net_hdr header;
	const uint8_t *frame = arena + record->at + VNET_BYTES;
	memcpy(&header, arena + record->at, sizeof(header));
	EXPECT(header.gso_type == VIRTIO_NET_HDR_GSO_NONE);
	EXPECT(entry->length == record->length - VNET_BYTES);
	bool partial = (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	bool named = partial && names_checksum(&header);
	EXPECT(entry->checksum_start == (named ? header.csum_start : 0));
	EXPECT(entry->checksum_offset == (named ? header.csum_offset : 0));
	EXPECT(memcmp(entry->frame, frame, entry->length) == 0);
}

/* One segment of a train. Returns whether it must be the last. */
static bool check_segment(const struct record *record, const struct body_entry *entry, size_t index)
{
	static uint8_t segment[FRAME_BYTES_MAX + 64];
	struct virtio_net_hdr header;
	struct slow_headers headers;
	const uint8_t *whole = arena + record->at + VNET_BYTES;
	size_t length = record->length - VNET_BYTES;
	memcpy(&header, arena + record->at, sizeof(header));
	EXPECT(header.gso_type != VIRTIO_NET_HDR_GSO_NONE && header.gso_size != 0);
	EXPECT(slow_read(whole, length, &headers));
	size_t bytes = slow_segment(whole, length, &headers, header.gso_size, index, segment);
	EXPECT(bytes == entry->length && memcmp(segment, entry->frame, bytes) == 0);
	EXPECT(entry->checksum_start == (headers.is_complete ? 0 : headers.transport));
	EXPECT(entry->checksum_offset == (headers.is_complete ? 0 : headers.checksum_offset));
	return headers.payload + (index + 1) * header.gso_size >= length;
}

static void check_body(struct expected *expected, uint32_t peer, uint8_t *datagram, size_t length,
		       bool checks_order)
{
	uint8_t *body = datagram + DATA_HEADER_BYTES;
	size_t body_bytes = length - DATA_HEADER_BYTES - TAG_BYTES;
	bool is_train = (datagram[1] & DATA_FLAG_TRAIN) != 0;
	size_t at = BODY_HEADER_BYTES;
	struct body_entry entry;
	EXPECT(body[0] == BODY_FRAMES && body_is_valid(body, body_bytes, is_train));
	if (!checks_order)
		return;
	while (at < body_bytes) {
		EXPECT(body_next(body, body_bytes, &at, &entry));
		const struct record *record = next_record(expected, peer);
		EXPECT(load_be24(body + 1) == (record->second_port ? WORLD_VNI_SECOND : WORLD_VNI));
		if (!is_train) {
			check_single(record, &entry);
			expected->next++;
			continue;
		}
		bool last = check_segment(record, &entry, expected->segment);
		EXPECT(load_be16(datagram + 2) == expected->segment);
		EXPECT(last == ((datagram[1] & DATA_FLAG_LAST) != 0));
		expected->segment = last ? 0 : expected->segment + 1;
		expected->next += last;
	}
}

static void check_datagram(struct expected *expected, const struct sent *datagram,
			   bool checks_order)
{
	uint8_t nonce[NONCE_BYTES];
	uint8_t *bytes = sent_bytes + datagram->at;
	size_t body_bytes = datagram->length - DATA_HEADER_BYTES - TAG_BYTES;
	uint64_t counter = load_be64(bytes + 8);
	EXPECT(datagram->length > DATA_HEADER_BYTES + TAG_BYTES && bytes[0] == DATAGRAM_DATA);
	EXPECT(counter >> LANE_SHIFT ==
	       lanes_of_worker(WORLD_LANE, WORLD_LANES, load_be32(bytes + 4)));
	EXPECT(load_be32(bytes + 4) ==
	       (datagram->peer == 1 ? WORLD_SESSION_FIRST : WORLD_SESSION_OTHER));
	/* No nonce twice, and none left out when every send succeeds. */
	EXPECT(!expected->has_counter || counter > expected->counter);
	EXPECT(!expected->has_counter || !checks_order || counter == expected->counter + 1);
	expected->counter = counter;
	expected->has_counter = true;
	wire_nonce(nonce, counter);
	EXPECT(aead_open(world.opening, 0, nonce, bytes, DATA_HEADER_BYTES,
			 bytes + DATA_HEADER_BYTES, body_bytes,
			 bytes + DATA_HEADER_BYTES + body_bytes));
	check_body(expected, datagram->peer, bytes, datagram->length, checks_order);
}

static void check_sent(bool checks_order)
{
	struct expected expected[WORLD_PEERS + 1] = { 0 };
	for (size_t i = 0; i < sent_count; i++) {
		EXPECT(sent[i].peer == 1 || sent[i].peer == 2);
		check_datagram(&expected[sent[i].peer], &sent[i], checks_order);
	}
	for (uint32_t peer = 1; peer <= 2 && checks_order; peer++) {
		EXPECT(expected[peer].segment == 0);
		while (expected[peer].next < records_used)
			EXPECT(!goes_to(&records[expected[peer].next++], peer));
	}
}

static bool set_options(uint8_t options)
{
	static const uint32_t mtus[] = { 1398, MTU_BYTES_MIN, 8898, MTU_BYTES_MAX };
	uint64_t sequence = 0;
	bool can_run_dry = false;
	fake_io.has_segments = (options & 1) != 0;
	outbox_probe(FAKE_SOCKET);
	for (unsigned i = 0; i < 2; i++)
		atomic_store(&world.ports[i]->mtu, mtus[options >> 1 & 3]);
	if ((options & 8) != 0)
		sequence = SESSION_REKEY_DATAGRAMS - 3;
	if ((options & 16) != 0) {
		sequence = SESSION_DATAGRAMS_MAX - 40;
		can_run_dry = true;
	}
	for (unsigned i = 0; i < WORLD_SESSIONS; i++) {
		struct session *session = world.sessions[i];
		unsigned lane = lanes_of_worker(WORLD_LANE, WORLD_LANES, session->local_id);
		atomic_store(&session->send_lanes[lane].sequence, sequence);
	}
	transmit.now_ms = (options & 32) != 0 ? 600001 : 1;
	return !can_run_dry && (options & 32) == 0;
}

static void init(void)
{
	fake_world_init();
	fake_io.tap_read = read_frame;
	fake_io.tap_write = take_answer;
	fake_io.message = take_message;
	transmit.tables = &world.tables;
	transmit.events = &world.events;
	transmit.worker = WORLD_LANE;
	transmit.outbox.socket = FAKE_SOCKET;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static bool is_ready;
	if (!is_ready)
		init();
	is_ready = true;
	fake_world_reset();
	input = (struct input){ bytes, length };
	arena_used = records_used = records_settled = sent_used = sent_count = 0;
	drops_before = 0;
	sends = 0;
	bool all_leave = set_options(input_u8(&input));
	failing = input_u8(&input);
	for (unsigned turn = 0; turn < 64 && input.left > 0 && records_used < RECORDS_MAX; turn++) {
		next_is_second_port = (input.at[0] & 1) != 0;
		unsigned index = next_is_second_port ? 1 : 0;
		uint32_t vni = index == 1 ? WORLD_VNI_SECOND : WORLD_VNI;
		struct network *network = tables_find_network(&world.tables, vni);
		EXPECT(transmit_port(&transmit, network, world.ports[index]));
		settle_record();
	}
	__asan_unpoison_memory_region(transmit.frame, sizeof(transmit.frame));
	check_sent(all_leave && (failing & 0x7f) == 0);
	return 0;
}
