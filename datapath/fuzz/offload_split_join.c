/*
 * Splitting a super-frame and joining it again, without the rest of the data path.
 *
 * Input: u8 options, u8 gso type, u16 segment bytes, a blob (the super-frame), then changes of 6
 * bytes: what, which segment, u16 where, u16 value. The segments are made, changed, and joined as
 * receive.c does. Held against it: segments are those of slow_offload and keep the rules of
 * docs/protocol.md 1.2-1.3; unchanged they come back as one super-frame, as far as one can hold
 * them; changed ones come back as they are or inside a super-frame that splits into them.
 */
#include "expect.h"
#include "input.h"
#include "join.h"
#include "slow_offload.h"

#define SEGMENTS_MAX 280u /* more than two super-frames hold */
#define ARENA_BYTES (1024u * 1024u)

enum change {
	CHANGE_BYTE,
	CHANGE_CUT,
	CHANGE_LEAVE_OUT,
	CHANGE_REPEAT,
	CHANGE_SWAP,
	CHANGE_TRAIN,
	CHANGE_LAST,
	CHANGE_COUNTER,
	CHANGE_SESSION,
	CHANGE_CHECKSUM,
	CHANGE_TRAIN_ALL, /* as an aggregate would carry them */
	CHANGE_KINDS,
};

static struct join join;
static uint8_t whole[FRAME_BYTES_MAX];
static uint8_t *segments[2 * SEGMENTS_MAX];  /* each of its own allocation */
static uint8_t *originals[2 * SEGMENTS_MAX]; /* joining writes to the first of a super-frame */
static struct received_frame frames[2 * SEGMENTS_MAX];
static size_t count;
static size_t compared; /* how many have come back */
static size_t written;

/* Copies to memory of exactly this size, so that a look behind the end is seen. */
static uint8_t *copy_of(const uint8_t *bytes, size_t length)
{
	EXPECT(length != 0);
	uint8_t *copy = malloc(length);
	EXPECT(copy != NULL);
	memcpy(copy, bytes, length);
	return copy;
}

static void add(const uint8_t *bytes, const struct received_frame *like)
{
	if (count == sizeof(frames) / sizeof(frames[0]))
		return;
	segments[count] = copy_of(bytes, like->length);
	frames[count] = *like;
	frames[count].bytes = segments[count];
	count++;
}

static void split(const struct train *train, size_t length, const struct virtio_net_hdr *header)
{
	static uint8_t out[FRAME_BYTES_MAX];
	static uint8_t slow[FRAME_BYTES_MAX];
	struct slow_headers headers;
	EXPECT(slow_read(whole, length, &headers));
	EXPECT(headers.payload == train->header_bytes && headers.payload <= HEADERS_BYTES_MAX);
	EXPECT(train->completes_checksum == headers.is_complete);
	for (size_t i = 0; i < train->segments; i++) {
		size_t bytes = train_frame_bytes(train, i);
		const struct received_frame frame = {
			.length = bytes,
			.checksum_start =
				headers.is_complete ? 0 : (uint8_t)train->layout.transport,
			.checksum_offset = headers.is_complete ? 0 : train->checksum_offset,
			.is_train = true,
			.is_last = i + 1 == train->segments,
			.index = (uint16_t)i,
			.session = 1,
			.counter = 1000 + i,
		};
		EXPECT(bytes <= sizeof(out));
		memset(out, 0xee, bytes);
		train_write(train, i, out);
		EXPECT(slow_segment(whole, length, &headers, header->gso_size, i, slow) == bytes);
		EXPECT(memcmp(out, slow, bytes) == 0);
		EXPECT(headers.is_complete || frame.checksum_start == headers.transport);
		add(out, &frame);
	}
	EXPECT(slow_segment(whole, length, &headers, header->gso_size, train->segments, slow) == 0);
}

/* Gather writes: the pieces of one write are one frame. */
static size_t gather(size_t pieces, uint8_t *out, size_t size)
{
	size_t length = 0;
	EXPECT(pieces >= 2 && pieces <= 1 + JOIN_SEGMENTS_MAX);
	for (size_t i = 1; i < pieces; i++) {
		EXPECT(length + join.pieces[i].iov_len <= size);
		memcpy(out + length, join.pieces[i].iov_base, join.pieces[i].iov_len);
		length += join.pieces[i].iov_len;
	}
	return length;
}

/*
 * A joined frame takes its checksums anew, and what may not be fragmented has no identification
 * (RFC 6864).
 */
static void level(uint8_t *frame, size_t length, const uint8_t *other, bool is_train)
{
	struct slow_headers headers;
	EXPECT(slow_read(frame, length, &headers));
	uint8_t *ip = frame + headers.network;
	if (!headers.is_ipv6 && !is_train && (ip[6] & 0x40) != 0)
		memcpy(ip + 4, other + headers.network + 4, 2);
	slow_fix(frame, length, &headers);
}

static void compare_joined(const uint8_t *joined, size_t length, size_t parts)
{
	static uint8_t part[FRAME_BYTES_MAX];
	const struct virtio_net_hdr *header = &join.vnet.hdr;
	struct slow_headers headers;
	EXPECT(slow_read(joined, length, &headers));
	EXPECT(header->hdr_len == headers.payload && header->csum_start == headers.transport);
	EXPECT(header->csum_offset == headers.checksum_offset);
	EXPECT(header->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM);
	EXPECT(length <= JOIN_BYTES_MAX && header->gso_size != 0);
	unsigned type = header->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
	EXPECT(type == (!headers.is_tcp	  ? VIRTIO_NET_HDR_GSO_UDP_L4
			: headers.is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
					  : VIRTIO_NET_HDR_GSO_TCPV4));
	bool has_cwr = headers.is_tcp && (joined[headers.transport + 13] & 0x80) != 0;
	EXPECT(((header->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0) == has_cwr);
	for (size_t i = 0; i < parts; i++, compared++) {
		const struct received_frame *frame = &frames[compared];
		uint8_t *original = originals[compared];
		size_t bytes = slow_segment(joined, length, &headers, header->gso_size, i, part);
		EXPECT(compared < count && bytes == frame->length);
		level(original, bytes, part, frame->is_train);
		EXPECT(memcmp(part, original, bytes) == 0);
		EXPECT(i == 0 || !frame->is_train ||
		       (frame->counter == frame[-1].counter + 1 &&
			frame->index == (uint16_t)(frame[-1].index + 1)));
		EXPECT(i == 0 || (frame->session == frame[-1].session &&
				  frame->is_train == frame[-1].is_train));
	}
	EXPECT(slow_segment(joined, length, &headers, header->gso_size, parts, part) == 0);
}

static void compare_single(const uint8_t *bytes, size_t length)
{
	const struct received_frame *frame = &frames[compared];
	bool partial = frame->checksum_start != 0 || frame->checksum_offset != 0;
	EXPECT(compared < count && length == frame->length);
	EXPECT(memcmp(bytes, originals[compared], length) == 0);
	EXPECT(join.vnet.hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE);
	EXPECT(join.vnet.hdr.flags == (partial ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0));
	EXPECT(join.vnet.hdr.csum_start == frame->checksum_start);
	EXPECT(join.vnet.hdr.csum_offset == frame->checksum_offset);
	compared++;
}

static void flush(void)
{
	static uint8_t joined[JOIN_BYTES_MAX + 1];
	if (!join_is_open(&join))
		return;
	size_t parts = join.segments;
	size_t length = gather(join_finish(&join), joined, sizeof(joined));
	EXPECT(!join_is_open(&join) && join.vnet.num_buffers == 1);
	if (parts == 1)
		compare_single(joined, length);
	else
		compare_joined(joined, length, parts);
	written++;
}

/* As receive.c treats frames that passed the source binding. */
static void join_all(bool takes_uso)
{
	compared = written = 0;
	for (size_t i = 0; i < count; i++)
		originals[i] = copy_of(frames[i].bytes, frames[i].length);
	for (size_t i = 0; i < count; i++) {
		if (join_is_open(&join) && join_append(&join, &frames[i]))
			continue;
		flush();
		if (join_start(&join, &frames[i], takes_uso))
			continue;
		join_single(&join.vnet, &frames[i]);
		compare_single(frames[i].bytes, frames[i].length);
		written++;
	}
	flush();
	EXPECT(compared == count);
}

/* What was not changed must come back in as few writes as a super-frame allows. */
static void expect_whole(const struct train *train, bool takes_uso)
{
	bool is_tcp = train->layout.protocol == PROTOCOL_TCP;
	uint8_t flags = is_tcp ? whole[train->layout.transport + 13] : 0;
	/* SYN, RST and URG are never joined, nor what has another destination or no place for its
	 * checksum in an entry. */
	if (train->layout.routed || train->completes_checksum)
		return;
	if ((is_tcp && (flags & 0x26) != 0) || (!is_tcp && !takes_uso))
		return;
	size_t room = JOIN_BYTES_MAX - train->header_bytes;
	size_t most = room / train->segment_bytes;
	size_t step = (most < JOIN_SEGMENTS_MAX ? most : JOIN_SEGMENTS_MAX) * train->segment_bytes;
	size_t writes = 0;
	for (size_t left = train->payload_bytes; left != 0; writes++) {
		size_t parts = (left + train->segment_bytes - 1) / train->segment_bytes;
		bool is_end = left <= room && parts <= JOIN_SEGMENTS_MAX;
		left -= is_end ? left : step;
	}
	EXPECT(written == writes);
}

static void swap(size_t a, size_t b)
{
	const struct received_frame frame = frames[a];
	uint8_t *bytes = segments[a];
	frames[a] = frames[b];
	segments[a] = segments[b];
	frames[b] = frame;
	segments[b] = bytes;
}

static void leave_out(size_t at)
{
	free(segments[at]);
	count--;
	memmove(&segments[at], &segments[at + 1], (count - at) * sizeof(segments[0]));
	memmove(&frames[at], &frames[at + 1], (count - at) * sizeof(frames[0]));
}

/* The rules that body_next has held a frame to before it is joined. */
static bool is_receivable(const struct received_frame *frame)
{
	bool partial = frame->checksum_start != 0 || frame->checksum_offset != 0;
	return frame->length >= ETHERNET_BYTES &&
	       (!partial || frame->checksum_start + frame->checksum_offset + 2u <= frame->length);
}

static void cut(struct received_frame *frame, size_t at, size_t length)
{
	size_t before = frame->length;
	frame->length = length < before && length >= ETHERNET_BYTES ? length : before;
	uint8_t *shorter = copy_of(frame->bytes, frame->length);
	free(segments[at]);
	segments[at] = frame->bytes = shorter;
}

static void change(enum change what, size_t at, uint16_t where, uint16_t value)
{
	struct received_frame *frame = &frames[at];
	const struct received_frame before = *frame;
	switch (what) {
	case CHANGE_BYTE:
		frame->bytes[where % frame->length] ^= (uint8_t)value;
		break;
	case CHANGE_CUT:
		cut(frame, at, where);
		break;
	case CHANGE_LEAVE_OUT:
		leave_out(at);
		return;
	case CHANGE_REPEAT:
		add(frame->bytes, frame);
		return;
	case CHANGE_SWAP:
		swap(at, where % count);
		return;
	case CHANGE_TRAIN:
		frame->is_train = !frame->is_train;
		break;
	case CHANGE_LAST:
		frame->is_last = !frame->is_last;
		break;
	case CHANGE_COUNTER:
		frame->counter += (uint64_t)(int16_t)where;
		frame->index = (uint16_t)(frame->index + value);
		break;
	case CHANGE_SESSION:
		frame->session ^= 1;
		break;
	case CHANGE_CHECKSUM:
		frame->checksum_start = (uint8_t)where;
		frame->checksum_offset = (uint8_t)value;
		break;
	case CHANGE_TRAIN_ALL:
		for (size_t i = 0; i < count; i++)
			frames[i].is_train = frames[i].is_last = false;
		return;
	case CHANGE_KINDS:
		return;
	}
	if (!is_receivable(frame)) {
		frame->checksum_start = before.checksum_start;
		frame->checksum_offset = before.checksum_offset;
		if (!is_receivable(frame))
			frame->checksum_start = frame->checksum_offset = 0;
	}
}

static void forget(void)
{
	for (size_t i = 0; i < count; i++) {
		free(segments[i]);
		free(originals[i]);
		originals[i] = NULL;
	}
	count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct input input = { bytes, length };
	struct train train;
	bool takes_uso = (input_u8(&input) & 1) != 0;
	struct virtio_net_hdr header = { .gso_type = input_u8(&input) };
	header.gso_size = input_u16(&input);
	size_t whole_bytes = input_blob(&input, whole, sizeof(whole));
	if (whole_bytes < ETHERNET_BYTES)
		return 0;
	if (header.gso_size != 0 && header.gso_size < whole_bytes / SEGMENTS_MAX + 1)
		header.gso_size = (uint16_t)(whole_bytes / SEGMENTS_MAX + 1);
	uint8_t *exact = copy_of(whole, whole_bytes);
	struct slow_headers headers;
	header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header.csum_start =
		slow_read(exact, whole_bytes, &headers) ? (uint16_t)headers.transport : 0;
	bool is_split = train_plan(&train, exact, whole_bytes, &header);
	bool is_changed = input.left != 0;
	if (is_split)
		split(&train, whole_bytes, &header);
	else /* it may still arrive as a single frame */
		add(whole, &(struct received_frame){ .length = whole_bytes, .session = 1 });
	for (int i = 0; i < 200 && input.left != 0 && count != 0; i++) {
		enum change what = (enum change)(input_u8(&input) % CHANGE_KINDS);
		size_t at = input_u8(&input) % count;
		uint16_t where = input_u16(&input);
		change(what, at, where, input_u16(&input));
	}
	join_all(takes_uso);
	if (is_split && !is_changed)
		expect_whole(&train, takes_uso);
	forget();
	free(exact);
	return 0;
}
