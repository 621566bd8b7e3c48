#include "transmit.h"

#include <errno.h>
#include <unistd.h>

#include "checksum.h"
#include "lanes.h"
#include "neighbour.h"

#define BODY_OFFSET DATA_HEADER_BYTES
#define ENTRIES_OFFSET (DATA_HEADER_BYTES + BODY_HEADER_BYTES)

/* A frame from the port with what the vnet header said of it. */
struct outgoing {
	uint8_t *bytes;
	size_t length;
	uint8_t checksum_start;
	uint8_t checksum_offset;
	const struct train *train; /* NULL: a single frame */
	size_t datagram_bytes_max; /* of the port's MTU, without the tag */
};

static void close_aggregate(struct transmit *transmit);
static void send_multicast(struct transmit *transmit, const struct outgoing *frame);
static void send_to_peer(struct transmit *transmit, struct peer *peer,
			 const struct outgoing *frame);

static struct scope scope_of(const struct transmit *transmit, const struct peer *peer)
{
	return tables_scope(transmit->tables, transmit->worker, transmit->network, peer);
}

static void drop(const struct transmit *transmit, const struct peer *peer, enum drop_reason reason)
{
	const struct scope scope = scope_of(transmit, peer);
	counters_drop(&scope, reason);
}

/* Reads what the vnet header says of a single frame's checksum; completes one whose start does not
 * fit a byte. */
static bool prepare_checksum(const struct virtio_net_hdr *hdr, struct outgoing *frame)
{
	size_t start = hdr->csum_start;
	size_t offset = hdr->csum_offset;
	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
		return true;
	if (start + offset + 2 > frame->length)
		return false;
	if (start == 0 || start > CHECKSUM_START_MAX || offset > UINT8_MAX) {
		checksum_complete(frame->bytes, frame->length, start, offset);
		return true;
	}
	frame->checksum_start = (uint8_t)start;
	frame->checksum_offset = (uint8_t)offset;
	return true;
}

/* Checks the frame in the buffer and describes it. False: it was dropped and counted. */
static bool prepare(struct transmit *transmit, size_t length, struct outgoing *frame,
		    struct train *train)
{
	struct virtio_net_hdr hdr;
	size_t mtu = atomic_load_explicit(&transmit->port->mtu, memory_order_relaxed);
	size_t longest = length;
	size_t link_bytes = ETHERNET_BYTES;
	memcpy(&hdr, transmit->frame, sizeof(hdr));
	*frame = (struct outgoing){ .bytes = transmit->frame + VNET_BYTES,
				    .length = length,
				    .datagram_bytes_max = ENTRIES_OFFSET + ENTRY_HEADER_BYTES +
							  ETHERNET_BYTES + mtu };
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		if (!train_plan(train, frame->bytes, length, &hdr)) {
			drop(transmit, NULL, DROP_FRAME_UNSPLITTABLE);
			return false;
		}
		frame->train = train;
		if (!train->completes_checksum) {
			frame->checksum_start = (uint8_t)train->layout.transport;
			frame->checksum_offset = train->checksum_offset;
		}
		longest = train_frame_bytes(train, 0);
		link_bytes = frame_link_bytes(&train->layout);
	} else if (!prepare_checksum(&hdr, frame)) {
		drop(transmit, NULL, DROP_FRAME_UNSPLITTABLE);
		return false;
	} else if (length > ETHERNET_BYTES + mtu) {
		struct frame_layout layout;
		frame_parse(frame->bytes, length, &layout);
		link_bytes = frame_link_bytes(&layout);
	}
	if (longest > link_bytes + mtu) {
		drop(transmit, NULL, DROP_FRAME_TOO_LONG);
		return false;
	}
	return true;
}

/* Tells the agent of an address that no table knows: it may know who to ask. */
static void report_unknown(struct transmit *transmit, enum sought kind, const uint8_t address[16])
{
	uint32_t vni = transmit->network->vni;
	struct event event = { .kind = EVENT_UNKNOWN, .peer = vni, .local_id = kind };
	if (!misses_take(&transmit->misses, vni, address, transmit->now_ms))
		return;
	memcpy(event.endpoint, address, 16);
	(void)events_push(transmit->events, transmit->worker, &event, NULL, 0);
}

static void handle_frame(struct transmit *transmit, size_t length)
{
	struct outgoing frame;
	struct train train;
	if (!prepare(transmit, length, &frame, &train))
		return;
	if (frame_is_multicast(frame.bytes)) {
		send_multicast(transmit, &frame);
		return;
	}
	uint32_t vni = transmit->network->vni;
	const struct binding *entry =
		tables_find_fdb(transmit->tables, vni, load_be48(frame.bytes));
	if (entry != NULL) {
		send_to_peer(transmit, entry->peer, &frame);
		return;
	}
	uint8_t address[16] = { 0 };
	memcpy(address, frame.bytes, MAC_BYTES);
	drop(transmit, NULL, DROP_UNICAST_UNKNOWN);
	report_unknown(transmit, SOUGHT_MAC, address);
}

bool transmit_port(struct transmit *transmit, struct network *network, struct port *port)
{
	bool present = true;
	transmit->network = network;
	transmit->port = port;
	for (unsigned i = 0; i < TAP_FRAMES_PER_TURN; i++) {
		ssize_t got = read(port->descriptors[transmit->worker], transmit->frame,
				   sizeof(transmit->frame));
		if (got < 0) {
			present = errno == EAGAIN || errno == EINTR;
			break;
		}
		if ((size_t)got < VNET_BYTES + ETHERNET_BYTES)
			drop(transmit, NULL, DROP_FRAME_TOO_SHORT);
		else
			handle_frame(transmit, (size_t)got - VNET_BYTES);
	}
	close_aggregate(transmit);
	outbox_flush(&transmit->outbox);
	return present;
}

static void answer_port(struct transmit *transmit, const uint8_t *answer, size_t length)
{
	uint8_t out[VNET_BYTES + NEIGHBOUR_ANSWER_BYTES_MAX] = { 0 };
	const struct scope scope = scope_of(transmit, NULL);
	memcpy(out + VNET_BYTES, answer, length);
	ssize_t wrote =
		write(transmit->port->descriptors[transmit->worker], out, VNET_BYTES + length);
	counters_scope_add(
		&scope, wrote < 0 ? COUNTER_DROPS + DROP_PORT_FULL : COUNTER_ANSWERED_LOCALLY, 1);
}

static void send_multicast(struct transmit *transmit, const struct outgoing *frame)
{
	const struct network *network = transmit->network;
	uint8_t answer[NEIGHBOUR_ANSWER_BYTES_MAX];
	size_t answer_length = 0;
	struct frame_layout layout;
	frame_parse(frame->bytes, frame->length, &layout);
	switch (neighbour_answer(transmit->tables, network->vni, frame->bytes, frame->length,
				 &layout, answer, &answer_length)) {
	case NEIGHBOUR_ANSWERED:
		answer_port(transmit, answer, answer_length);
		return;
	case NEIGHBOUR_UNKNOWN:
		drop(transmit, NULL, DROP_NEIGHBOUR_UNKNOWN);
		if (answer_length != 0)
			report_unknown(transmit, SOUGHT_IP, answer);
		return;
	case NEIGHBOUR_NO_REQUEST:
		break;
	}
	struct member *member = atomic_load_explicit(&network->members, memory_order_acquire);
	while (member != NULL) {
		send_to_peer(transmit, member->binding.peer, frame);
		member = atomic_load_explicit(&member->next, memory_order_acquire);
	}
}

static void report_need(struct transmit *transmit, struct peer *peer)
{
	if (atomic_load_explicit(&peer->session_needed, memory_order_relaxed) ||
	    atomic_exchange(&peer->session_needed, true))
		return;
	const struct event event = { .kind = EVENT_NEEDED, .peer = peer->id };
	if (!events_push(transmit->events, transmit->worker, &event, NULL, 0))
		atomic_store(&peer->session_needed, false);
}

/* Takes `count` consecutive counters of this worker's lane and says when it is time to rekey. */
static bool take_counters(struct transmit *transmit, struct session *session, uint64_t count,
			  uint64_t *first)
{
	unsigned lane =
		lanes_of_worker(transmit->worker, session->send_lane_count, session->local_id);
	uint64_t sequence;
	if (!session_take(session, lane, count, &sequence))
		return false;
	*first = session_counter(lane, sequence);
	if (sequence + count > SESSION_REKEY_DATAGRAMS && !atomic_exchange(&session->spent, true)) {
		const struct event event = { .kind = EVENT_SPENT,
					     .peer = session->peer->id,
					     .local_id = session->local_id };
		if (!events_push(transmit->events, transmit->worker, &event, NULL, 0))
			atomic_store(&session->spent, false);
	}
	return true;
}

/* Session and endpoint of a peer. False: the frame was dropped and counted. */
static bool find_target(struct transmit *transmit, struct peer *peer, struct session **session,
			const struct endpoint **endpoint)
{
	*session = atomic_load_explicit(&peer->active, memory_order_acquire);
	*endpoint = atomic_load_explicit(&peer->endpoint, memory_order_acquire);
	if (*session == NULL || transmit->now_ms >= (*session)->expires_at_ms) {
		drop(transmit, peer, *session == NULL ? DROP_SESSION_MISSING : DROP_SESSION_SPENT);
		report_need(transmit, peer);
		return false;
	}
	if (*endpoint == NULL) {
		drop(transmit, peer, DROP_ENDPOINT_MISSING);
		return false;
	}
	return true;
}

static void note_sent(const struct scope *scope, struct peer *peer, uint64_t frames, uint64_t bytes,
		      uint64_t datagrams)
{
	counters_scope_add(scope, COUNTER_SENT_FRAMES, frames);
	counters_scope_add(scope, COUNTER_SENT_BYTES, bytes);
	counters_scope_add(scope, COUNTER_SENT_DATAGRAMS, datagrams);
	if ((atomic_load_explicit(&peer->activity, memory_order_relaxed) & ACTIVITY_SENT) == 0)
		atomic_fetch_or_explicit(&peer->activity, ACTIVITY_SENT, memory_order_relaxed);
}

/* Seals what lies behind the header. `bytes` is header and body; the tag follows. */
static bool seal(const struct transmit *transmit, struct session *session, uint8_t *datagram,
		 size_t bytes)
{
	uint8_t nonce[NONCE_BYTES];
	wire_nonce(nonce, load_be64(datagram + 8));
	return aead_seal(session->sealing, transmit->worker, nonce, datagram, DATA_HEADER_BYTES,
			 datagram + BODY_OFFSET, bytes - BODY_OFFSET, datagram + bytes);
}

static void send_train(struct transmit *transmit, struct peer *peer, const struct outgoing *frame)
{
	const struct train *train = frame->train;
	const struct scope scope = scope_of(transmit, peer);
	struct session *session;
	const struct endpoint *endpoint;
	uint64_t counter;
	close_aggregate(transmit);
	if (!find_target(transmit, peer, &session, &endpoint))
		return;
	if (!take_counters(transmit, session, train->segments, &counter)) {
		counters_drop(&scope, DROP_SESSION_SPENT);
		report_need(transmit, peer);
		return;
	}
	for (size_t i = 0; i < train->segments; i++) {
		size_t length = train_frame_bytes(train, i);
		size_t bytes = ENTRIES_OFFSET + ENTRY_HEADER_BYTES + length;
		uint8_t *datagram = outbox_room(&transmit->outbox, bytes + TAG_BYTES);
		uint8_t flags = i + 1 == train->segments ? DATA_FLAG_TRAIN | DATA_FLAG_LAST
							 : DATA_FLAG_TRAIN;
		wire_data_header(datagram, flags, (uint16_t)i, session->remote_id, counter + i);
		wire_body_header(datagram + BODY_OFFSET, BODY_FRAMES, transmit->network->vni);
		wire_entry_header(datagram + ENTRIES_OFFSET, length, frame->checksum_start,
				  frame->checksum_offset);
		train_write(train, i, datagram + ENTRIES_OFFSET + ENTRY_HEADER_BYTES);
		if (seal(transmit, session, datagram, bytes))
			outbox_commit(&transmit->outbox, bytes + TAG_BYTES, endpoint, &scope);
		else
			counters_drop(&scope, DROP_SEND_FAILED);
	}
	note_sent(&scope, peer, train->segments,
		  train->payload_bytes + train->segments * train->header_bytes, train->segments);
}

static void close_aggregate(struct transmit *transmit)
{
	struct aggregate *open = &transmit->aggregate;
	if (open->peer == NULL)
		return;
	const struct scope scope = scope_of(transmit, open->peer);
	uint64_t counter;
	if (!take_counters(transmit, open->session, 1, &counter)) {
		counters_scope_add(&scope, COUNTER_DROPS + DROP_SESSION_SPENT, open->frames);
		report_need(transmit, open->peer);
	} else {
		wire_data_header(open->datagram, 0, 0, open->session->remote_id, counter);
		if (seal(transmit, open->session, open->datagram, open->bytes)) {
			outbox_commit(&transmit->outbox, open->bytes + TAG_BYTES, open->endpoint,
				      &scope);
			note_sent(&scope, open->peer, open->frames, open->frame_bytes, 1);
		} else {
			counters_scope_add(&scope, COUNTER_DROPS + DROP_SEND_FAILED, open->frames);
		}
	}
	open->peer = NULL;
}

static bool open_aggregate(struct transmit *transmit, struct peer *peer, size_t bytes_max)
{
	struct aggregate *open = &transmit->aggregate;
	*open = (struct aggregate){ .bytes = ENTRIES_OFFSET, .bytes_max = bytes_max };
	if (!find_target(transmit, peer, &open->session, &open->endpoint))
		return false;
	open->peer = peer;
	open->datagram = outbox_room(&transmit->outbox, bytes_max + TAG_BYTES);
	wire_body_header(open->datagram + BODY_OFFSET, BODY_FRAMES, transmit->network->vni);
	return true;
}

static void send_to_peer(struct transmit *transmit, struct peer *peer, const struct outgoing *frame)
{
	if (frame->train != NULL) {
		send_train(transmit, peer, frame);
		return;
	}
	struct aggregate *open = &transmit->aggregate;
	size_t entry_bytes = ENTRY_HEADER_BYTES + frame->length;
	if (open->peer != peer || open->bytes + entry_bytes > open->bytes_max)
		close_aggregate(transmit);
	if (open->peer == NULL) {
		/* A tagged frame may be longer than an untagged one of the same MTU. */
		size_t least = ENTRIES_OFFSET + entry_bytes;
		size_t bytes_max =
			frame->datagram_bytes_max < least ? least : frame->datagram_bytes_max;
		if (!open_aggregate(transmit, peer, bytes_max))
			return;
	}
	uint8_t *entry = open->datagram + open->bytes;
	wire_entry_header(entry, frame->length, frame->checksum_start, frame->checksum_offset);
	memcpy(entry + ENTRY_HEADER_BYTES, frame->bytes, frame->length);
	open->bytes += entry_bytes;
	open->frames++;
	open->frame_bytes += frame->length;
}

int transmit_seal_control(struct peer *peer, unsigned user, uint64_t now_ms, const uint8_t *bytes,
			  size_t length, uint8_t *datagram, size_t *datagram_bytes)
{
	struct session *session = atomic_load(&peer->active);
	uint64_t sequence;
	if (session == NULL || now_ms >= session->expires_at_ms ||
	    !session_take(session, 0, 1, &sequence))
		return -ENOTCONN;
	uint8_t nonce[NONCE_BYTES];
	size_t body_bytes = BODY_HEADER_BYTES + length;
	uint64_t counter = session_counter(0, sequence);
	wire_data_header(datagram, 0, 0, session->remote_id, counter);
	wire_body_header(datagram + BODY_OFFSET, BODY_CONTROL, 0);
	if (length != 0)
		memcpy(datagram + ENTRIES_OFFSET, bytes, length);
	wire_nonce(nonce, counter);
	if (!aead_seal(session->sealing, user, nonce, datagram, DATA_HEADER_BYTES,
		       datagram + BODY_OFFSET, body_bytes, datagram + BODY_OFFSET + body_bytes))
		return -ENOTCONN;
	*datagram_bytes = BODY_OFFSET + body_bytes + TAG_BYTES;
	atomic_fetch_or(&peer->activity, ACTIVITY_SENT);
	return 0;
}
