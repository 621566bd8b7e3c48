#include "outbox.h"

#include <errno.h>
#include <netinet/udp.h>

union segment_control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
};

static _Atomic bool uses_segments;

bool outbox_uses_segments(void)
{
	return atomic_load_explicit(&uses_segments, memory_order_relaxed);
}

void outbox_probe(int socket)
{
	int value = 0;
	socklen_t length = sizeof(value);
	atomic_store(&uses_segments,
		     getsockopt(socket, IPPROTO_UDP, UDP_SEGMENT, &value, &length) == 0);
}

uint8_t *outbox_room(struct outbox *outbox, size_t bytes)
{
	if (outbox->used + bytes > SEND_ARENA_BYTES || outbox->used >= SEND_FLUSH_BYTES)
		outbox_flush(outbox);
	return outbox->arena + outbox->used;
}

static bool run_takes(const struct outbox_run *run, size_t bytes, const struct endpoint *endpoint)
{
	return !run->closed && run->endpoint == endpoint && bytes <= run->segment_bytes &&
	       run->segments < SEND_SEGMENTS_MAX && run->bytes + bytes <= SEND_RUN_BYTES_MAX;
}

void outbox_commit(struct outbox *outbox, size_t bytes, const struct endpoint *endpoint,
		   const struct scope *scope)
{
	struct outbox_run *run =
		outbox->runs_used == 0 ? NULL : &outbox->runs[outbox->runs_used - 1];
	if (run != NULL && outbox_uses_segments() && run_takes(run, bytes, endpoint)) {
		run->bytes += bytes;
		run->segments++;
		run->closed = bytes < run->segment_bytes;
	} else {
		run = &outbox->runs[outbox->runs_used++];
		*run = (struct outbox_run){ .endpoint = endpoint,
					    .scope = *scope,
					    .offset = outbox->used,
					    .bytes = bytes,
					    .segment_bytes = bytes,
					    .segments = 1 };
	}
	outbox->used += bytes;
	if (outbox->runs_used == SEND_RUNS_MAX)
		outbox_flush(outbox);
}

static void count_failed(const struct outbox_run *run, unsigned segments)
{
	counters_scope_add(&run->scope, COUNTER_DROPS + DROP_SEND_FAILED, segments);
}

static void set_message(struct msghdr *message, const struct outbox_run *run, struct iovec *piece)
{
	*message = (struct msghdr){ .msg_iov = piece,
				    .msg_iovlen = 1,
				    .msg_namelen = run->endpoint->address_length };
	/* The kernel only reads the name; the field is not const. */
	message->msg_name = (void *)(uintptr_t)&run->endpoint->address;
}

/* Sends a run whose message was refused, datagram by datagram. */
static void send_singly(struct outbox *outbox, const struct outbox_run *run)
{
	size_t done = 0;
	for (unsigned i = 0; i < run->segments; i++) {
		size_t left = run->bytes - done;
		size_t bytes = left < run->segment_bytes ? left : run->segment_bytes;
		struct iovec piece = { .iov_base = outbox->arena + run->offset + done,
				       .iov_len = bytes };
		struct msghdr message;
		set_message(&message, run, &piece);
		if (sendmsg(outbox->socket, &message, MSG_NOSIGNAL) < 0)
			count_failed(run, 1);
		done += bytes;
	}
}

/* A message that was refused: finds out whether segmentation was the reason. */
static void handle_refusal(struct outbox *outbox, const struct outbox_run *run, int error)
{
	/* EIO: the device has no checksum offload, without which the kernel does not segment
	 * (net/ipv4/udp.c). */
	if (run->segments > 1 && error == EIO)
		atomic_store(&uses_segments, false);
	/* EINVAL, EMSGSIZE: a segment is longer than the path's MTU; alone it may be fragmented. */
	bool may_split =
		error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP;
	/* A pending error of an earlier datagram is reported once and does not concern this one. */
	bool may_repeat = error == ECONNREFUSED;
	if ((run->segments > 1 && may_split) || may_repeat)
		send_singly(outbox, run);
	else
		count_failed(run, run->segments);
}

void outbox_flush(struct outbox *outbox)
{
	struct mmsghdr messages[SEND_RUNS_MAX];
	struct iovec pieces[SEND_RUNS_MAX];
	union segment_control controls[SEND_RUNS_MAX];
	unsigned count = outbox->runs_used;
	for (unsigned i = 0; i < count; i++) {
		const struct outbox_run *run = &outbox->runs[i];
		pieces[i] = (struct iovec){ .iov_base = outbox->arena + run->offset,
					    .iov_len = run->bytes };
		set_message(&messages[i].msg_hdr, run, &pieces[i]);
		if (run->segments == 1)
			continue;
		uint16_t segment_bytes = (uint16_t)run->segment_bytes;
		controls[i].header =
			(struct cmsghdr){ .cmsg_level = IPPROTO_UDP,
					  .cmsg_type = UDP_SEGMENT,
					  .cmsg_len = CMSG_LEN(sizeof(segment_bytes)) };
		memcpy(CMSG_DATA(&controls[i].header), &segment_bytes, sizeof(segment_bytes));
		messages[i].msg_hdr.msg_control = &controls[i];
		messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
	}
	for (unsigned done = 0; done < count;) {
		int sent = sendmmsg(outbox->socket, messages + done, count - done, MSG_NOSIGNAL);
		if (sent > 0) {
			done += (unsigned)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		handle_refusal(outbox, &outbox->runs[done], errno);
		done++;
	}
	outbox->runs_used = 0;
	outbox->used = 0;
}
