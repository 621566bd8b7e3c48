#include "checksum.h"
#include "join.h"
#include "test.h"

void test_frame(void);
void test_train(void);

static void parse_hex(const char *hex, struct frame_layout *layout)
{
	uint8_t frame[256];
	size_t length = test_hex(hex, frame, sizeof(frame));
	frame_parse(frame, length, layout);
}

#define MACS "020000000002020000000001"
#define IPV4_TCP "4500002800004000400600000a0900010a090002"
#define TCP                                    \
	"303914510000000000000000501000000000" \
	"0000"
#define IPV6(next)   \
	"6000000000" \
	"14" next "40fd090000000000000000000000000001fd090000000000000000000000000002"

void test_frame(void)
{
	struct frame_layout layout;
	parse_hex(MACS "0800" IPV4_TCP TCP, &layout);
	CHECK_EQUAL(layout.network, 14);
	CHECK_EQUAL(layout.ip_version, 4);
	CHECK_EQUAL(layout.transport, 34);
	CHECK_EQUAL(layout.ip_end, 54);
	parse_hex(MACS "81000007"
		       "0800" IPV4_TCP TCP,
		  &layout);
	CHECK_EQUAL(layout.vlan_id, 7);
	CHECK_EQUAL(layout.network, 18);
	parse_hex(MACS "88a80000"
		       "81000009"
		       "0800" IPV4_TCP TCP,
		  &layout);
	CHECK_EQUAL(layout.tags, 2);
	CHECK_EQUAL(layout.vlan_id, 9);
	parse_hex(MACS "81000000"
		       "81000000"
		       "81000000"
		       "0800" IPV4_TCP TCP,
		  &layout);
	CHECK(layout.tags_exceeded);
	parse_hex(MACS "8100", &layout);
	CHECK_EQUAL(layout.tags, 0);
	CHECK_EQUAL(layout.ip_version, 0);
	/* A fragment, a header that is too short, one that is cut. */
	parse_hex(MACS "0800"
		       "4500002800002000400600000a0900010a090002" TCP,
		  &layout);
	CHECK_EQUAL(layout.transport, 0);
	CHECK(layout.fragmented);
	parse_hex(MACS "0800"
		       "4400002800004000400600000a0900010a090002" TCP,
		  &layout);
	CHECK_EQUAL(layout.ip_version, 0);
	parse_hex(MACS "0800"
		       "4500002800004000400600000a0900010a09",
		  &layout);
	CHECK_EQUAL(layout.ip_version, 0);
	/* IPv6 extension headers are walked. */
	parse_hex(MACS "86dd" IPV6("00") "3c00000000000000"
					 "0600000000000000" TCP,
		  &layout);
	CHECK_EQUAL(layout.protocol, PROTOCOL_TCP);
	CHECK_EQUAL(layout.transport, 14 + 40 + 16);
	parse_hex(MACS "86dd" IPV6("2b") "0600000000000000" TCP, &layout);
	CHECK(layout.routed);
	parse_hex(MACS "86dd" IPV6("2c") "0600000000000000" TCP, &layout);
	CHECK(layout.fragmented);
	CHECK_EQUAL(layout.transport, 0);
	parse_hex(MACS "86dd" IPV6("00") "06ff", &layout);
	CHECK_EQUAL(layout.transport, 0);
	parse_hex(MACS "86dd" IPV6("00") "06ff000000000000", &layout);
	CHECK_EQUAL(layout.transport, 0);
}

/* Splits a super-frame of the vectors and joins it again. */
static void check_vector(const char *name, uint8_t gso_type)
{
	static uint8_t whole[4096], expected[2048], frames[3][2048], joined[4096];
	char label[64];
	struct train train;
	static struct join join;
	struct received_frame received[3];
	snprintf(label, sizeof(label), "%s.superframe", name);
	size_t length = test_vector("data.hex", label, whole, sizeof(whole));
	const struct virtio_net_hdr hdr = { .gso_type = gso_type, .gso_size = 500 };
	CHECK(train_plan(&train, whole, length, &hdr));
	CHECK_EQUAL(train.segments, 3);
	for (size_t i = 0; i < 3; i++) {
		snprintf(label, sizeof(label), "%s.frame.%zu", name, i);
		size_t expected_length = test_vector("data.hex", label, expected, sizeof(expected));
		CHECK_EQUAL(train_frame_bytes(&train, i), expected_length);
		train_write(&train, i, frames[i]);
		CHECK_BYTES(frames[i], expected, expected_length);
		received[i] =
			(struct received_frame){ .bytes = frames[i],
						 .length = expected_length,
						 .checksum_start = (uint8_t)train.layout.transport,
						 .checksum_offset = train.checksum_offset,
						 .is_train = true,
						 .is_last = i == 2,
						 .index = (uint16_t)i,
						 .counter = 100 + i };
	}
	CHECK(join_start(&join, &received[0], true));
	CHECK(!join_append(&join, &received[2])); /* not the next one */
	CHECK(join_append(&join, &received[1]));
	CHECK(!join_append(&join, &received[1]));
	CHECK(join_append(&join, &received[2]));
	size_t pieces = join_finish(&join);
	size_t at = 0;
	for (size_t i = 1; i < pieces; i++) {
		memcpy(joined + at, join.pieces[i].iov_base, join.pieces[i].iov_len);
		at += join.pieces[i].iov_len;
	}
	CHECK_EQUAL(at, length);
	CHECK_BYTES(joined, whole, length);
	CHECK_EQUAL(join.vnet.hdr.gso_type, gso_type);
	CHECK_EQUAL(join.vnet.hdr.gso_size, 500);
	CHECK_EQUAL(join.vnet.hdr.hdr_len, train.header_bytes);
}

/* What must not be split. */
static void check_refusals(void)
{
	static uint8_t whole[4096];
	struct train train;
	size_t length = test_vector("data.hex", "tcp4.superframe", whole, sizeof(whole));
	struct virtio_net_hdr hdr = { .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 500 };
	CHECK(train_plan(&train, whole, length, &hdr));
	hdr.gso_size = 0;
	CHECK(!train_plan(&train, whole, length, &hdr));
	hdr.gso_size = 500;
	hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	CHECK(!train_plan(&train, whole, length, &hdr));
	hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	CHECK(!train_plan(&train, whole, length, &hdr));
	hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	CHECK(!train_plan(&train, whole, length - 1, &hdr));
	CHECK(!train_plan(&train, whole, 50, &hdr));
	whole[14 + 6] = 0x20; /* more fragments */
	CHECK(!train_plan(&train, whole, length, &hdr));
	whole[14 + 6] = 0x40;
	whole[34 + 12] = 0x40; /* a TCP header of 16 bytes */
	CHECK(!train_plan(&train, whole, length, &hdr));
}

/* Each single change of a header ends the super-frame instead of being lost in it. */
static void check_join_is_strict(void)
{
	static uint8_t frames[2][2048], original[2048], changed[2048];
	static struct join join;
	size_t lengths[2];
	unsigned wrongly_joined = 0;
	lengths[0] = test_vector("data.hex", "tcp4.frame.0", frames[0], sizeof(frames[0]));
	lengths[1] = test_vector("data.hex", "tcp4.frame.1", frames[1], sizeof(frames[1]));
	memcpy(original, frames[0], lengths[0]);
	struct received_frame first = { .bytes = frames[0],
					.length = lengths[0],
					.checksum_start = 34,
					.checksum_offset = 16,
					.is_train = true };
	struct received_frame next = { .bytes = changed,
				       .length = lengths[1],
				       .checksum_start = 34,
				       .checksum_offset = 16,
				       .is_train = true,
				       .index = 1,
				       .counter = 1 };
	for (size_t bit = 0; bit < 66 * 8; bit++) {
		size_t byte = bit / 8;
		bool is_free = (byte == 24 || byte == 25) ||
			       (byte == 50 || byte == 51) ||		       /* checksums */
			       (byte == 47 && (bit % 8 == 0 || bit % 8 == 3)); /* FIN, PSH */
		memcpy(frames[0], original, lengths[0]); /* joining adds flags to the first */
		memcpy(changed, frames[1], lengths[1]);
		changed[byte] ^= (uint8_t)(1 << bit % 8);
		join.segment_bytes = 0;
		CHECK(join_start(&join, &first, true));
		if (join_append(&join, &next) != is_free)
			wrongly_joined++;
	}
	CHECK_EQUAL(wrongly_joined, 0);
	memcpy(changed, frames[1], lengths[1]);
	join.segment_bytes = 0;
	memcpy(frames[0], original, lengths[0]);
	CHECK(join_start(&join, &first, true));
	next.session = 5;
	CHECK(!join_append(&join, &next));
	next.session = 0;
	next.counter = 2;
	CHECK(!join_append(&join, &next));
	next.counter = 1;
	next.checksum_offset = 6;
	CHECK(!join_append(&join, &next));
	first.checksum_start = first.checksum_offset = 0;
	CHECK(!join_start(&join, &first, true));
}

/* A completed checksum verifies: sums to zero with the pseudo-header. */
static void check_checksum(void)
{
	static uint8_t frame[2048];
	struct frame_layout layout;
	size_t length = test_vector("data.hex", "udp6.frame.2", frame, sizeof(frame));
	frame_parse(frame, length, &layout);
	checksum_complete(frame, length, layout.transport, 6);
	uint64_t sum = frame_pseudo_sum(frame, &layout) + length - layout.transport;
	CHECK_EQUAL(checksum_fold(
			    checksum_add(sum, frame + layout.transport, length - layout.transport)),
		    0xffff);
}

void test_train(void)
{
	check_vector("tcp4", VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
	check_vector("udp6", VIRTIO_NET_HDR_GSO_UDP_L4);
	check_refusals();
	check_join_is_strict();
	check_checksum();
}
