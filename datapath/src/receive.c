#include "receive.h"

#include <errno.h>
#include <netinet/udp.h>
#include <unistd.h>

#include "body.h"
#include "source.h"

/* An opened datagram. */
struct opened {
	struct session *session;
	uint8_t *body;
	size_t length;
	uint8_t flags;
	uint16_t index;
	uint64_t counter;
};

static void handle_data(struct receive *receive, uint8_t *datagram, size_t length);
static void handle_handshake(struct receive *receive, const uint8_t *datagram, size_t length);
static void handle_frames(struct receive *receive, const struct opened *opened);

static void drop(const struct receive *receive, const struct network *network,
		 const struct peer *peer, enum drop_reason reason)
{
	const struct scope scope = tables_scope(receive->tables, receive->worker, network, peer);
	counters_drop(&scope, reason);
}

void receive_begin(struct receive *receive, uint64_t now_us)
{
	receive->now_us = now_us;
	receive->now_ms = now_us / 1000;
	receive->last_session = NULL;
	receive->member = NULL;
}

void receive_datagram(struct receive *receive, uint8_t *datagram, size_t length,
		      const struct sockaddr *source)
{
	receive->source = source;
	switch (length == 0 ? 0 : datagram[0]) {
	case DATAGRAM_DATA:
		handle_data(receive, datagram, length);
		return;
	case DATAGRAM_INITIATION:
	case DATAGRAM_RESPONSE:
	case DATAGRAM_COOKIE:
		handle_handshake(receive, datagram, length);
		return;
	default:
		drop(receive, NULL, NULL,
		     length == 0 ? DROP_DATAGRAM_TOO_SHORT : DROP_HEADER_INVALID);
	}
}

/* The size of the segments that the kernel put together, or the whole length. */
static size_t segment_bytes(struct msghdr *message, size_t length)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL;
	     at = CMSG_NXTHDR(message, at)) {
		int size;
		if (at->cmsg_level != IPPROTO_UDP || at->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(at), sizeof(size));
		return size > 0 ? (size_t)size : length;
	}
	return length;
}

static void handle_message(struct receive *receive, struct mmsghdr *message, uint8_t *buffer)
{
	size_t length = message->msg_len;
	size_t segment = segment_bytes(&message->msg_hdr, length);
	const struct sockaddr *source = message->msg_hdr.msg_name;
	if (length == 0)
		receive_datagram(receive, buffer, 0, source);
	/* Steered as data for its size, and none: many of them are a flood past the lobbies. */
	if (length > DATAGRAM_BYTES_ALONE && buffer[0] != DATAGRAM_DATA)
		receive->refused += length / segment;
	for (size_t at = 0; at < length; at += segment) {
		size_t left = length - at;
		receive_datagram(receive, buffer + at, left < segment ? left : segment, source);
	}
}

unsigned receive_batch(struct receive *receive, int socket, unsigned most)
{
	struct mmsghdr messages[RECEIVE_MESSAGES];
	struct iovec pieces[RECEIVE_MESSAGES];
	struct sockaddr_in6 sources[RECEIVE_MESSAGES];
	for (unsigned i = 0; i < most; i++) {
		pieces[i] = (struct iovec){ .iov_base = receive->buffers[i],
					    .iov_len = RECEIVE_BUFFER_BYTES };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &sources[i],
						       .msg_namelen = sizeof(sources[i]),
						       .msg_iov = &pieces[i],
						       .msg_iovlen = 1,
						       .msg_control = receive->control[i],
						       .msg_controllen = RECEIVE_CONTROL_BYTES };
	}
	int count = recvmmsg(socket, messages, most, MSG_DONTWAIT, NULL);
	if (count <= 0)
		return 0;
	for (unsigned i = 0; i < (unsigned)count; i++)
		handle_message(receive, &messages[i], receive->buffers[i]);
	receive_flush(receive);
	return (unsigned)count;
}

bool receive_turn(struct receive *receive)
{
	for (unsigned i = 0; i < UDP_BATCHES_PER_TURN; i++)
		if (receive_batch(receive, receive->socket, RECEIVE_MESSAGES) < RECEIVE_MESSAGES)
			return true;
	return false;
}

/* Tells the sender how to prove that it receives. Lost, it asks again. */
static void send_cookie(struct receive *receive, const struct guard_keys *keys,
			const uint8_t *datagram, size_t length,
			const uint8_t endpoint[ENDPOINT_BYTES])
{
	uint8_t reply[COOKIE_BYTES];
	const uint64_t unique[2] = { receive->now_us, receive->cookies_sent++ };
	socklen_t size = receive->source->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								: sizeof(struct sockaddr_in);
	if (guard_write_cookie(keys, receive->worker, unique, datagram, length, endpoint, reply))
		(void)sendto(receive->socket, reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL,
			     receive->source, size);
}

/* Hands bytes to the agent, if there is one and their rate allows. Returns -1 or the drop reason.
 */
static int punt(struct receive *receive, struct event *event, const uint8_t *bytes, size_t length)
{
	int reason = -1;
	endpoint_to_wire(event->endpoint, receive->source);
	if (!atomic_load_explicit(&receive->events->agent_attached, memory_order_relaxed))
		return DROP_AGENT_ABSENT;
	if (event->kind == EVENT_DATAGRAM) {
		const struct guard_keys *keys =
			atomic_load_explicit(&receive->punts->keys, memory_order_acquire);
		reason = punt_judge_handshake(receive->punts, keys, bytes, length, event->endpoint,
					      receive->now_us);
		if (reason == DROP_COOKIE_REQUIRED)
			send_cookie(receive, keys, bytes, length, event->endpoint);
	} else if (!punt_allows_control(receive->punts, event->peer, receive->now_us)) {
		reason = DROP_PUNT_LIMITED;
	}
	if (reason < 0 && !events_push(receive->events, receive->worker, event, bytes, length))
		reason = DROP_AGENT_ABSENT;
	return reason;
}

static void handle_handshake(struct receive *receive, const uint8_t *datagram, size_t length)
{
	struct event event = { .kind = EVENT_DATAGRAM };
	int reason = punt_check_shape(datagram, length);
	if (reason < 0)
		reason = punt(receive, &event, datagram, length);
	if (reason >= 0)
		drop(receive, NULL, NULL, (enum drop_reason)reason);
}

static void handle_control(struct receive *receive, const struct opened *opened)
{
	struct peer *peer = opened->session->peer;
	struct event event = { .kind = EVENT_CONTROL,
			       .peer = peer->id,
			       .local_id = opened->session->local_id };
	int reason = punt(receive, &event, opened->body + BODY_HEADER_BYTES,
			  opened->length - BODY_HEADER_BYTES);
	if (reason >= 0)
		drop(receive, NULL, peer, (enum drop_reason)reason);
}

/* What an opened datagram says of its session and peer. */
static void note_opened(struct receive *receive, struct session *session)
{
	struct peer *peer = session->peer;
	counters_add(&receive->tables->total[receive->worker], COUNTER_RECEIVED_DATAGRAMS, 1);
	counters_add(&peer->counters[receive->worker], COUNTER_RECEIVED_DATAGRAMS, 1);
	if ((atomic_load_explicit(&peer->activity, memory_order_relaxed) & ACTIVITY_RECEIVED) == 0)
		atomic_fetch_or_explicit(&peer->activity, ACTIVITY_RECEIVED, memory_order_relaxed);
	if (atomic_load_explicit(&session->confirmed, memory_order_acquire))
		return;
	if (tables_confirm_session(session)) {
		const struct event event = { .kind = EVENT_CONFIRMED,
					     .peer = peer->id,
					     .local_id = session->local_id };
		/* When the ring is full the agent learns it from a dump. */
		(void)events_push(receive->events, receive->worker, &event, NULL, 0);
	}
}

static enum drop_reason reason_of(enum replay_verdict verdict)
{
	return verdict == REPLAY_REPEATED ? DROP_COUNTER_REPLAYED : DROP_COUNTER_TOO_OLD;
}

/* Authenticates a datagram of a known session. Returns -1 or the drop reason. */
static int open_datagram(struct receive *receive, struct session *session, uint8_t *datagram,
			 size_t length, uint64_t counter)
{
	uint64_t sequence = counter & ((1ull << LANE_SHIFT) - 1);
	uint64_t lane = counter >> LANE_SHIFT;
	if (receive->now_ms >= session->expires_at_ms)
		return DROP_SESSION_EXPIRED;
	if (lane >= session->receive_lanes)
		return DROP_COUNTER_INVALID;
	enum replay_verdict verdict = replay_peek(&session->windows[lane], sequence);
	if (verdict != REPLAY_FRESH)
		return (int)reason_of(verdict);
	uint8_t nonce[NONCE_BYTES];
	size_t body_bytes = length - DATA_HEADER_BYTES - TAG_BYTES;
	uint8_t *body = datagram + DATA_HEADER_BYTES;
	wire_nonce(nonce, counter);
	if (!aead_open(session->opening, receive->worker, nonce, datagram, DATA_HEADER_BYTES, body,
		       body_bytes, body + body_bytes))
		return DROP_SEAL_INVALID;
	verdict = replay_commit(&session->windows[lane], sequence);
	return verdict == REPLAY_FRESH ? -1 : (int)reason_of(verdict);
}

static bool header_is_valid(const uint8_t *datagram)
{
	uint8_t flags = datagram[1];
	bool is_train = (flags & DATA_FLAG_TRAIN) != 0;
	return (flags & ~(unsigned)(DATA_FLAG_TRAIN | DATA_FLAG_LAST)) == 0 &&
	       (is_train || (flags == 0 && load_be16(datagram + 2) == 0));
}

static void refuse(struct receive *receive, const struct peer *peer, enum drop_reason reason)
{
	receive->refused++;
	drop(receive, NULL, peer, reason);
}

static void handle_data(struct receive *receive, uint8_t *datagram, size_t length)
{
	if (length < DATA_HEADER_BYTES + TAG_BYTES) {
		refuse(receive, NULL, DROP_DATAGRAM_TOO_SHORT);
		return;
	}
	if (!header_is_valid(datagram)) {
		refuse(receive, NULL, DROP_HEADER_INVALID);
		return;
	}
	uint32_t id = load_be32(datagram + 4);
	struct session *session = receive->last_session;
	if (session == NULL || session->local_id != id)
		session = tables_find_session(receive->tables, id);
	if (session == NULL) {
		refuse(receive, NULL, DROP_SESSION_UNKNOWN);
		return;
	}
	receive->last_session = session;
	struct opened opened = { .session = session,
				 .body = datagram + DATA_HEADER_BYTES,
				 .length = length - DATA_HEADER_BYTES - TAG_BYTES,
				 .flags = datagram[1],
				 .index = load_be16(datagram + 2),
				 .counter = load_be64(datagram + 8) };
	int reason = open_datagram(receive, session, datagram, length, opened.counter);
	if (reason >= 0) {
		refuse(receive, session->peer, (enum drop_reason)reason);
		return;
	}
	note_opened(receive, session);
	bool is_train = (opened.flags & DATA_FLAG_TRAIN) != 0;
	bool is_whole = opened.length >= BODY_HEADER_BYTES;
	if (is_whole && opened.body[0] == BODY_CONTROL && load_be24(opened.body + 1) == 0 &&
	    !is_train)
		handle_control(receive, &opened);
	else if (is_whole && opened.body[0] == BODY_FRAMES &&
		 body_is_valid(opened.body, opened.length, is_train))
		handle_frames(receive, &opened);
	else
		drop(receive, NULL, session->peer, DROP_BODY_INVALID);
}

/* Delivery. */

static void write_port(struct receive *receive, struct network *network, struct port *port,
		       struct peer *peer, const struct iovec *pieces, size_t count, size_t frames,
		       size_t bytes)
{
	const struct scope scope = tables_scope(receive->tables, receive->worker, network, peer);
	if (writev(port->descriptors[receive->worker], pieces, (int)count) < 0) {
		counters_scope_add(&scope, COUNTER_DROPS + DROP_PORT_FULL, frames);
		return;
	}
	counters_scope_add(&scope, COUNTER_RECEIVED_FRAMES, frames);
	counters_scope_add(&scope, COUNTER_RECEIVED_BYTES, bytes);
}

void receive_flush(struct receive *receive)
{
	struct join *join = &receive->join;
	if (!join_is_open(join))
		return;
	size_t segments = join->segments;
	size_t bytes = join->bytes + (segments - 1) * join->header_bytes;
	size_t pieces = join_finish(join);
	write_port(receive, receive->join_network, receive->join_port, receive->join_peer,
		   join->pieces, pieces, segments, bytes);
}

static void deliver(struct receive *receive, struct network *network, struct port *port,
		    struct peer *peer, const struct received_frame *frame)
{
	if (join_start(&receive->join, frame, port->takes_uso)) {
		receive->join_network = network;
		receive->join_port = port;
		receive->join_peer = peer;
		return;
	}
	struct virtio_net_hdr_mrg_rxbuf vnet;
	join_single(&vnet, frame);
	const struct iovec pieces[2] = { { .iov_base = &vnet, .iov_len = sizeof(vnet) },
					 { .iov_base = frame->bytes, .iov_len = frame->length } };
	write_port(receive, network, port, peer, pieces, 2, 1, frame->length);
}

/* Rules 2 to 4 of source binding; rule 1 was checked for the body. Returns -1 or the drop reason.
 */
static int check_frame(const struct receive *receive, uint32_t vni, const struct port *port,
		       const struct peer *peer, const struct received_frame *frame)
{
	int reason = source_check(receive->tables, vni, peer, frame->bytes, frame->length);
	if (reason >= 0)
		return reason;
	bool is_ours =
		frame_is_multicast(frame->bytes) ||
		load_be48(frame->bytes) == atomic_load_explicit(&port->mac, memory_order_relaxed);
	return is_ours ? -1 : DROP_DESTINATION_UNKNOWN;
}

/* Rule 1 of source binding: sets last_network and last_port. Returns -1 or the drop reason. */
static int find_network(struct receive *receive, uint32_t vni, struct peer *peer)
{
	if (receive->member == peer && receive->last_network->vni == vni)
		return -1;
	receive->member = NULL;
	receive->last_network = tables_find_network(receive->tables, vni);
	receive->last_port =
		receive->last_network == NULL
			? NULL
			: atomic_load_explicit(&receive->last_network->port, memory_order_acquire);
	if (receive->last_port == NULL)
		return DROP_NETWORK_UNKNOWN;
	if (tables_find_member(receive->tables, vni, peer->id) == NULL)
		return DROP_PEER_NOT_MEMBER;
	receive->member = peer;
	return -1;
}

static void handle_frames(struct receive *receive, const struct opened *opened)
{
	struct peer *peer = opened->session->peer;
	uint32_t vni = load_be24(opened->body + 1);
	int refused = find_network(receive, vni, peer);
	struct network *network = receive->last_network;
	struct port *port = receive->last_port;
	size_t at = BODY_HEADER_BYTES;
	struct body_entry entry;
	while (at < opened->length && body_next(opened->body, opened->length, &at, &entry)) {
		const struct received_frame frame = {
			.bytes = entry.frame,
			.length = entry.length,
			.checksum_start = entry.checksum_start,
			.checksum_offset = entry.checksum_offset,
			.is_train = (opened->flags & DATA_FLAG_TRAIN) != 0,
			.is_last = (opened->flags & DATA_FLAG_LAST) != 0,
			.index = opened->index,
			.session = opened->session->local_id,
			.counter = opened->counter
		};
		/* What continues a super-frame has its checked headers, and came in the same
		 * session and network. */
		if (refused < 0 && join_is_open(&receive->join) && receive->join_port == port &&
		    join_append(&receive->join, &frame))
			continue;
		receive_flush(receive);
		int reason = refused >= 0 ? refused : check_frame(receive, vni, port, peer, &frame);
		if (reason >= 0)
			drop(receive, network, peer, (enum drop_reason)reason);
		else
			deliver(receive, network, port, peer, &frame);
	}
}
