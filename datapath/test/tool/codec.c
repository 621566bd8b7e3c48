/*
 * The data path as a function, for the differential tests (test/differential): cases in on standard
 * input, answers out on standard output. The sources are the real ones; the machine below them and
 * the tables are those of datapath/fuzz (fake_io.h, fake_world.h).
 *
 * A case is u32 length and, in that many bytes:
 *   u8 1  transmit: u16 MTU, u8 whether the kernel segments (UDP_SEGMENT), u64 the next sequence
 *         of every session, records: frames with their vnet header, as read from the TAP of the
 *         first network
 *   u8 2  receive: u8 whether the port takes USO, records: datagrams; an empty one ends a batch
 * A record is u32 length and the bytes. The answer is u32 length, u8 number of drop reasons, a u32
 * count for each, and records with a byte in front: to which peer a datagram went, 0 for a write to
 * the TAP, 128 for an event to the control thread (u32 event_kind, u32 peer). All integers are
 * big-endian; the vnet header is the kernel's.
 */
#include <netinet/udp.h>
#include <unistd.h>

#include "expect.h"
#include "fake_io.h"
#include "fake_world.h"
#include "lanes.h"
#include "receive.h"
#include "transmit.h"

#define CASE_BYTES_MAX (16u * 1024u * 1024u)
#define ANSWER_BYTES_MAX (64u * 1024u * 1024u)
#define BATCH_DATAGRAMS_MAX 4096u
#define RECORD_EVENT 128u
#define TRANSMIT_FIELDS_BYTES 12u

enum case_kind {
	CASE_TRANSMIT = 1,
	CASE_RECEIVE = 2,
};

static struct transmit transmit;
static struct receive receive;
static uint8_t given[CASE_BYTES_MAX];
static size_t given_bytes;
static size_t given_at;
static uint8_t answer[ANSWER_BYTES_MAX];
static size_t answer_bytes;
static uint8_t *batch[BATCH_DATAGRAMS_MAX]; /* joining reads datagrams until the batch ends */
static size_t batch_used;

static bool read_all(uint8_t *out, size_t length)
{
	for (size_t at = 0; at < length;) {
		ssize_t got = read(STDIN_FILENO, out + at, length - at);
		EXPECT(got >= 0 && (got > 0 || at == 0));
		if (got == 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

static void write_all(const uint8_t *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		ssize_t put = write(STDOUT_FILENO, bytes + at, length - at);
		EXPECT(put > 0);
		at += (size_t)put;
	}
}

static uint8_t *answer_room(size_t bytes)
{
	EXPECT(answer_bytes + bytes <= ANSWER_BYTES_MAX);
	answer_bytes += bytes;
	return answer + answer_bytes - bytes;
}

static uint8_t *add_record(uint8_t kind, size_t length)
{
	*answer_room(1) = kind;
	store_be32(answer_room(4), (uint32_t)length);
	return answer_room(length);
}

/* Sets `bytes` to the next record's; false when there is none. */
static bool next_record(const uint8_t **bytes, size_t *length)
{
	if (given_at == given_bytes)
		return false;
	EXPECT(given_bytes - given_at >= 4);
	*length = load_be32(given + given_at);
	given_at += 4;
	EXPECT(given_bytes - given_at >= *length);
	*bytes = given + given_at;
	given_at += *length;
	return true;
}

static size_t read_frame(uint8_t *buffer, size_t size)
{
	const uint8_t *bytes;
	size_t length;
	if (!next_record(&bytes, &length))
		return 0;
	EXPECT(length <= size);
	memcpy(buffer, bytes, length);
	return length;
}

static int take_message(const struct msghdr *message)
{
	struct sockaddr_in6 address;
	const uint8_t *bytes = message->msg_iov[0].iov_base;
	size_t length = message->msg_iov[0].iov_len;
	size_t segment = length;
	EXPECT(message->msg_name != NULL && message->msg_namelen == sizeof(address));
	memcpy(&address, message->msg_name, sizeof(address));
	if (message->msg_controllen != 0) {
		struct msghdr copy = *message;
		uint16_t size;
		const struct cmsghdr *control = CMSG_FIRSTHDR(&copy);
		EXPECT(control != NULL);
		memcpy(&size, CMSG_DATA(control), sizeof(size));
		segment = size;
	}
	/* What the kernel refuses: net/ipv4/udp.c. */
	EXPECT(length <= 65507 && (length + segment - 1) / segment <= 64);
	for (size_t at = 0; at < length; at += segment) {
		size_t bytes_now = length - at < segment ? length - at : segment;
		memcpy(add_record(address.sin6_addr.s6_addr[15], bytes_now), bytes + at, bytes_now);
	}
	return 0;
}

static bool take_write(const struct iovec *pieces, int count)
{
	size_t length = 0;
	for (int i = 0; i < count; i++)
		length += pieces[i].iov_len;
	uint8_t *out = add_record(0, length);
	for (int i = 0; i < count; i++) {
		memcpy(out, pieces[i].iov_base, pieces[i].iov_len);
		out += pieces[i].iov_len;
	}
	return true;
}

static void add_event(const struct event *event, void *context)
{
	(void)context;
	uint8_t *out = add_record(RECORD_EVENT, 2 * sizeof(be32_t));
	store_be32(out, event->kind);
	store_be32(out + sizeof(be32_t), event->peer);
}

static void end_batch(void)
{
	receive_flush(&receive);
	for (size_t i = 0; i < batch_used; i++)
		free(batch[i]);
	batch_used = 0;
}

static void receive_case(void)
{
	static const struct sockaddr_in6 source = { .sin6_family = AF_INET6,
						    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const uint8_t *bytes;
	size_t length;
	EXPECT(given_bytes >= 2);
	world.ports[0]->takes_uso = given[1] != 0;
	given_at = 2;
	receive_begin(&receive, 1000000);
	while (next_record(&bytes, &length)) {
		if (length == 0 || batch_used == BATCH_DATAGRAMS_MAX)
			end_batch();
		if (length == 0)
			continue;
		uint8_t *datagram = malloc(length);
		EXPECT(datagram != NULL);
		memcpy(datagram, bytes, length);
		batch[batch_used++] = datagram;
		receive_datagram(&receive, datagram, length, (const struct sockaddr *)&source);
	}
	end_batch();
}

static void transmit_case(void)
{
	struct network *network = tables_find_network(&world.tables, WORLD_VNI);
	EXPECT(given_bytes >= TRANSMIT_FIELDS_BYTES);
	for (unsigned i = 0; i < WORLD_SESSIONS; i++) {
		struct session *session = world.sessions[i];
		unsigned lane = lanes_of_worker(WORLD_LANE, WORLD_LANES, session->local_id);
		atomic_store(&session->send_lanes[lane].sequence, load_be64(given + 4));
	}
	atomic_store(&world.ports[0]->mtu, load_be16(given + 1));
	fake_io.has_segments = given[3] != 0;
	outbox_probe(FAKE_SOCKET);
	given_at = TRANSMIT_FIELDS_BYTES;
	while (given_at < given_bytes)
		EXPECT(transmit_port(&transmit, network, world.ports[0]));
	events_drain(&world.events, add_event, NULL);
}

static void handle_case(void)
{
	fake_world_reset();
	answer_bytes = 0;
	store_be32(answer_room(4), 0);
	*answer_room(1) = DROP_REASONS;
	uint8_t *drops = answer_room(DROP_REASONS * sizeof(be32_t));
	EXPECT(given_bytes >= 1);
	if (given[0] == CASE_TRANSMIT)
		transmit_case();
	else
		receive_case();
	for (unsigned reason = 0; reason < DROP_REASONS; reason++)
		store_be32(drops + reason * sizeof(be32_t),
			   (uint32_t)fake_world_drops((enum drop_reason)reason));
	store_be32(answer, (uint32_t)(answer_bytes - 4));
	write_all(answer, answer_bytes);
}

int main(void)
{
	uint8_t length[4];
	fake_world_init();
	fake_io.tap_read = read_frame;
	fake_io.tap_write = take_write;
	fake_io.message = take_message;
	transmit.tables = receive.tables = &world.tables;
	transmit.events = receive.events = &world.events;
	transmit.worker = WORLD_LANE;
	transmit.outbox.socket = FAKE_SOCKET;
	receive.punts = &world.punts;
	receive.worker = 1;
	while (read_all(length, sizeof(length))) {
		given_bytes = load_be32(length);
		EXPECT(given_bytes <= CASE_BYTES_MAX && read_all(given, given_bytes));
		handle_case();
	}
	return 0;
}
