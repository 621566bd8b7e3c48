/*
 * Super-frames of the less common shapes against the vectors: behind tags, behind a routing header,
 * behind extension headers so long that an entry cannot name the checksum.
 */
#include "join.h"
#include "test.h"

void test_shapes(void);

#define SEGMENTS 3u
#define FRAME_BYTES 4096u

struct shape {
	const char *name;
	uint8_t gso_type;
	uint16_t transport;
	bool joins; /* its segments may be joined again */
};

static uint8_t whole[FRAME_BYTES];
static uint8_t segments[SEGMENTS][FRAME_BYTES];
static struct received_frame received[SEGMENTS];
static struct join join;

static size_t read_vector(const struct shape *shape, const char *what, uint8_t *out)
{
	char name[64];
	snprintf(name, sizeof(name), "%s.%s", shape->name, what);
	return test_vector("data.hex", name, out, FRAME_BYTES);
}

static struct virtio_net_hdr header_of(const struct shape *shape)
{
	return (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.gso_type = shape->gso_type,
					.gso_size = 500,
					.csum_start = shape->transport };
}

static void check_split(const struct shape *shape, size_t length)
{
	static uint8_t expected[FRAME_BYTES];
	const struct virtio_net_hdr hdr = header_of(shape);
	struct train train;
	CHECK(train_plan(&train, whole, length, &hdr));
	CHECK_EQUAL(train.segments, SEGMENTS);
	CHECK_EQUAL(train.layout.transport, shape->transport);
	CHECK_EQUAL(train.completes_checksum, shape->transport > CHECKSUM_START_MAX);
	for (size_t i = 0; i < SEGMENTS; i++) {
		char what[32];
		snprintf(what, sizeof(what), "frame.%zu", i);
		size_t bytes = read_vector(shape, what, expected);
		CHECK_EQUAL(train_frame_bytes(&train, i), bytes);
		train_write(&train, i, segments[i]);
		CHECK_BYTES(segments[i], expected, bytes);
		bool is_named = !train.completes_checksum;
		received[i] = (struct received_frame){
			.bytes = segments[i],
			.length = bytes,
			.checksum_start = is_named ? (uint8_t)shape->transport : 0,
			.checksum_offset = is_named ? train.checksum_offset : 0,
			.is_train = true,
			.is_last = i + 1 == SEGMENTS,
			.index = (uint16_t)i,
			.counter = i,
		};
	}
}

static void check_join(const struct shape *shape, size_t length)
{
	static uint8_t joined[FRAME_BYTES];
	size_t at = 0;
	CHECK_EQUAL(join_start(&join, &received[0], true), shape->joins);
	if (!shape->joins)
		return;
	for (size_t i = 1; i < SEGMENTS; i++)
		CHECK(join_append(&join, &received[i]));
	size_t pieces = join_finish(&join);
	for (size_t i = 1; i < pieces; i++) {
		memcpy(joined + at, join.pieces[i].iov_base, join.pieces[i].iov_len);
		at += join.pieces[i].iov_len;
	}
	CHECK_EQUAL(at, length);
	CHECK_BYTES(joined, whole, length);
	CHECK_EQUAL(join.vnet.hdr.csum_start, shape->transport);
}

/* Without the kernel's sum there is none behind a routing header. */
static void check_routed_needs_sum(const struct shape *shape, size_t length)
{
	struct virtio_net_hdr hdr = header_of(shape);
	struct train train;
	hdr.flags = 0;
	CHECK(!train_plan(&train, whole, length, &hdr));
	hdr = header_of(shape);
	hdr.csum_start--;
	CHECK(!train_plan(&train, whole, length, &hdr));
}

void test_shapes(void)
{
	static const struct shape shapes[] = {
		{ "vlan4", VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 38, true },
		{ "qinq6", VIRTIO_NET_HDR_GSO_UDP_L4, 62, true },
		{ "routed6", VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, 94, false },
		{ "long6", VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, 262, false },
	};
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		size_t length = read_vector(&shapes[i], "superframe", whole);
		check_split(&shapes[i], length);
		check_join(&shapes[i], length);
		if (strcmp(shapes[i].name, "routed6") == 0)
			check_routed_needs_sum(&shapes[i], length);
	}
}
