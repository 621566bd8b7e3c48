#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "test.h"

void test_control(void);

static struct control control;
static int agent_end;

/* Whether bytes count up from 0. */
static bool counts_up(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != i)
			return false;
	return true;
}

static void check_values(const char *name, const uint8_t *fields)
{
	if (strcmp(name, "peerSet") == 0) {
		const struct control_peer_set *m = (const void *)fields;
		CHECK_EQUAL(be32_get(m->generation), 0x01020304);
		CHECK_EQUAL(be32_get(m->peer), 0x01020304);
		CHECK(counts_up(m->endpoint, sizeof(m->endpoint)));
	} else if (strcmp(name, "sessionSet") == 0) {
		const struct control_session_set *m = (const void *)fields;
		CHECK_EQUAL(be32_get(m->local_id), 0x01020304);
		CHECK_EQUAL(be32_get(m->peer), 0x01020304);
		CHECK_EQUAL(m->activation, 1);
		CHECK_EQUAL(m->receive_lanes, 1);
		CHECK_EQUAL(be32_get(m->lifetime_ms), 0x01020304);
		CHECK(counts_up(m->send_key, sizeof(m->send_key)));
		CHECK(counts_up(m->receive_key, sizeof(m->receive_key)));
	} else if (strcmp(name, "fdbSet") == 0) {
		const struct control_fdb_set *m = (const void *)fields;
		CHECK_EQUAL(be32_get(m->vni), 0x01020304);
		CHECK(counts_up(m->mac, sizeof(m->mac)));
		CHECK_EQUAL(be32_get(m->peer), 0x01020304);
	} else if (strcmp(name, "neighbourSet") == 0) {
		const struct control_neighbour_set *m = (const void *)fields;
		CHECK(counts_up(m->ip, sizeof(m->ip)));
		CHECK(counts_up(m->mac, sizeof(m->mac)));
		CHECK_EQUAL(be32_get(m->peer), 0x01020304);
	} else if (strcmp(name, "counterEntry") == 0) {
		const struct control_counter_entry *m = (const void *)fields;
		CHECK_EQUAL(be64_get(m->answered_locally), 0x0102030405060708);
		CHECK_BYTES(m->drops, "tail", 4);
	} else if (strcmp(name, "portSet") == 0) {
		const struct control_port_set *m = (const void *)fields;
		CHECK_EQUAL(be16_get(m->mtu), 0x0102);
		CHECK(counts_up(m->name, sizeof(m->name)));
	}
}

/* Decodes a vector, and encodes it again by the way that answers take. */
static void check_vector(const char *name, const uint8_t *frame, size_t length)
{
	const struct control_header *header = (const void *)frame;
	uint8_t back[512];
	CHECK_EQUAL(be32_get(header->length), length - 4);
	CHECK_EQUAL(be32_get(header->request_id), 0x01020304);
	check_values(name, frame + sizeof(*header));
	agent_send(&control.agent, be16_get(header->code), 0x01020304, frame + sizeof(*header),
		   length - sizeof(*header), NULL, 0);
	CHECK(agent_write(&control.agent));
	CHECK_EQUAL(read(agent_end, back, sizeof(back)), length);
	CHECK_BYTES(back, frame, length);
}

static void attach(void)
{
	int ends[2];
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	agent_end = ends[0];
	control.agent.connection = ends[1];
	control.agent.greeted = false;
	control.agent.failed = false;
}

static void detach(void)
{
	agent_close(&control.agent);
	close(agent_end);
}

static size_t encode(uint8_t *out, uint16_t code, uint32_t id, const void *fields, size_t length)
{
	store_be32(out, (uint32_t)(8 + length));
	store_be16(out + 4, code);
	store_be16(out + 6, 0);
	store_be32(out + 8, id);
	if (length != 0)
		memcpy(out + 12, fields, length);
	return 12 + length;
}

/* Sends a request and returns its errno, 0 for ok. Other answers are skipped. */
static int request(uint16_t code, const void *fields, size_t length)
{
	uint8_t frame[512];
	size_t bytes = encode(frame, code, 7, fields, length);
	CHECK_EQUAL(write(agent_end, frame, bytes), bytes);
	CHECK(agent_read(&control.agent, requests_handle, &control));
	(void)agent_write(&control.agent);
	static uint8_t answers[1 << 20];
	ssize_t got = read(agent_end, answers, sizeof(answers));
	for (ssize_t at = 0; at + 12 <= got; at += 4 + (ssize_t)load_be32(answers + at)) {
		if (load_be16(answers + at + 4) == CONTROL_OK)
			return 0;
		if (load_be16(answers + at + 4) == CONTROL_ERROR)
			return (int)load_be32(answers + at + 12);
	}
	return -1;
}

static void greet(void)
{
	const struct control_hello fields = { .version = be16_of(CONTROL_VERSION) };
	CHECK_EQUAL(request(CONTROL_HELLO, &fields, sizeof(fields)), 0);
}

static void check_greeting(void)
{
	const struct control_hello wrong = { .version = be16_of(CONTROL_VERSION + 1) };
	const struct control_dump dump = { .kind = TABLE_KIND_PEER };
	attach();
	CHECK_EQUAL(request(CONTROL_DUMP, &dump, sizeof(dump)), EPROTO);
	CHECK(control.agent.failed);
	detach();
	attach();
	CHECK_EQUAL(request(CONTROL_HELLO, &wrong, sizeof(wrong)), EPROTO);
	detach();
	attach();
	greet();
	CHECK_EQUAL(request(CONTROL_DUMP, &dump, sizeof(dump)), 0);
}

static void check_requests(void)
{
	struct control_peer_set peer = { .generation = be32_of(3), .peer = be32_of(1) };
	struct control_fdb_set fdb = {
		.generation = be32_of(3), .vni = be32_of(9), .mac = { 2 }, .peer = be32_of(1)
	};
	struct control_session_set session = { .local_id = be32_of(1),
					       .remote_id = be32_of(2),
					       .peer = be32_of(1),
					       .activation = 1,
					       .receive_lanes = 1,
					       .lifetime_ms = be32_of(1000) };
	struct control_send_control send = { .peer = be32_of(1) };
	CHECK_EQUAL(request(CONTROL_FDB_SET, &fdb, sizeof(fdb)), ENOENT);
	CHECK_EQUAL(request(CONTROL_PEER_SET, &peer, sizeof(peer)), 0);
	CHECK_EQUAL(request(CONTROL_FDB_SET, &fdb, sizeof(fdb)), 0);
	fdb.vni = be32_of(1 << 24);
	CHECK_EQUAL(request(CONTROL_FDB_SET, &fdb, sizeof(fdb)), EINVAL);
	fdb.vni = be32_of(9);
	fdb.mac[0] = 1;
	CHECK_EQUAL(request(CONTROL_FDB_SET, &fdb, sizeof(fdb)), EINVAL);
	CHECK_EQUAL(request(CONTROL_FDB_SET, &fdb, sizeof(fdb) - 1), EBADMSG);
	CHECK_EQUAL(request(999, NULL, 0), ENOSYS);
	CHECK_EQUAL(request(CONTROL_HELLO_REPLY, NULL, 0), ENOSYS);
	CHECK_EQUAL(request(CONTROL_SEND_CONTROL, &send, sizeof(send)), EDESTADDRREQ);
	send.endpoint[10] = send.endpoint[11] = 0xff;
	send.endpoint[12] = 127;
	send.endpoint[15] = send.endpoint[17] = 1;
	CHECK_EQUAL(request(CONTROL_SEND_CONTROL, &send, sizeof(send)), ENOTCONN);
	send.peer = be32_of(2);
	CHECK_EQUAL(request(CONTROL_SEND_CONTROL, &send, sizeof(send)), EHOSTUNREACH);
	CHECK_EQUAL(request(CONTROL_SESSION_SET, &session, sizeof(session)), 0);
	CHECK_EQUAL(request(CONTROL_SESSION_SET, &session, sizeof(session)), EEXIST);
	session.local_id = be32_of(5);
	session.receive_lanes = 17;
	CHECK_EQUAL(request(CONTROL_SESSION_SET, &session, sizeof(session)), EINVAL);
	session.receive_lanes = 1;
	session.activation = 3;
	CHECK_EQUAL(request(CONTROL_SESSION_SET, &session, sizeof(session)), EINVAL);
	CHECK_EQUAL(request(CONTROL_COUNTERS, NULL, 0), 0);
	for (uint8_t kind = 0; kind < 8; kind++) {
		const struct control_dump dump = { .kind = kind };
		const struct control_sweep sweep = { .kind = kind, .generation = be32_of(3) };
		CHECK_EQUAL(request(CONTROL_DUMP, &dump, sizeof(dump)),
			    kind >= 1 && kind <= 6 ? 0 : EINVAL);
		bool can_sweep = kind >= 1 && kind <= 6 && kind != TABLE_KIND_SESSION;
		CHECK_EQUAL(request(CONTROL_SWEEP, &sweep, sizeof(sweep)), can_sweep ? 0 : EINVAL);
	}
	CHECK_EQUAL(control.tables.of[TABLE_KIND_FDB].count, 1);
	CHECK_EQUAL(control.tables.generation_max, 3);
}

/* Keys do not stay in the input buffer. */
static void check_input_is_wiped(void)
{
	struct control_session_set session = { .local_id = be32_of(77),
					       .peer = be32_of(1),
					       .activation = 1,
					       .receive_lanes = 1,
					       .lifetime_ms = be32_of(1000) };
	memset(session.send_key, 0xab, sizeof(session.send_key));
	CHECK_EQUAL(request(CONTROL_SESSION_SET, &session, sizeof(session)), 0);
	CHECK(memchr(control.agent.input, 0xab, sizeof(control.agent.input)) == NULL);
}

static void check_framing(void)
{
	uint8_t frame[64], impossible[4] = { 0xff, 0xff, 0xff, 0xff };
	const struct control_dump dump = { .kind = TABLE_KIND_PEER };
	size_t bytes = encode(frame, CONTROL_DUMP, 9, &dump, sizeof(dump));
	for (size_t i = 0; i < bytes; i++) {
		CHECK(!agent_has_output(&control.agent));
		CHECK_EQUAL(write(agent_end, frame + i, 1), 1);
		CHECK(agent_read(&control.agent, requests_handle, &control));
	}
	CHECK(agent_has_output(&control.agent));
	CHECK_EQUAL(write(agent_end, impossible, sizeof(impossible)), sizeof(impossible));
	CHECK(agent_read(&control.agent, requests_handle, &control));
	CHECK(control.agent.failed);
	CHECK(!agent_write(&control.agent));
}

/* A slow agent loses events, not answers. */
static void check_bounds(void)
{
	static uint8_t bytes[1000];
	unsigned taken = 0;
	while (agent_send_event(&control.agent, CONTROL_DATAGRAM_RECEIVED, bytes, 18, bytes,
				sizeof(bytes)))
		taken++;
	CHECK(taken > 110 && taken < 150);
	agent_send_error(&control.agent, 5, EINVAL, "an answer");
	CHECK(!control.agent.failed);
}

void test_control(void)
{
	attach();
	control.agent.greeted = true;
	test_each_vector("control.hex", check_vector);
	detach();
	CHECK_EQUAL(tables_init(&control.tables, 1, 2, AF_INET6, 1), 0);
	control.workers.count = 1;
	control.sockets.descriptors[0] = -1;
	check_greeting();
	check_requests();
	check_input_is_wiped();
	check_bounds();
	detach();
	attach();
	greet();
	check_framing();
	detach();
}
