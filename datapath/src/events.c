#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENT_ALIGNMENT 8u
#define EVENT_WRAP UINT32_MAX /* a size that says: go on at the start of the ring */

struct event_ring {
	_Alignas(64) _Atomic size_t head; /* bytes ever pushed */
	_Alignas(64) _Atomic size_t tail; /* bytes ever drained */
	_Alignas(64) uint8_t bytes[EVENT_RING_BYTES];
};

int events_init(struct events *events, unsigned rings)
{
	events->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (events->wake < 0)
		return -errno;
	events->rings = rings;
	for (unsigned i = 0; i < rings; i++) {
		events->ring[i] = aligned_alloc(64, sizeof(struct event_ring));
		if (events->ring[i] == NULL)
			return -ENOMEM;
		memset(events->ring[i], 0, sizeof(struct event_ring));
	}
	return 0;
}

bool events_push(struct events *events, unsigned index, const struct event *header,
		 const uint8_t *bytes, size_t length)
{
	struct event_ring *ring = events->ring[index];
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t used = head - atomic_load_explicit(&ring->tail, memory_order_acquire);
	size_t size = (sizeof(struct event) + length + EVENT_ALIGNMENT - 1) / EVENT_ALIGNMENT *
		      EVENT_ALIGNMENT;
	size_t at = head % EVENT_RING_BYTES;
	size_t skipped = at + size > EVENT_RING_BYTES ? EVENT_RING_BYTES - at : 0;
	if (used + skipped + size > EVENT_RING_BYTES)
		return false;
	if (skipped != 0) {
		uint32_t wrap = EVENT_WRAP;
		memcpy(ring->bytes + at, &wrap, sizeof(wrap));
		at = 0;
	}
	struct event *event = (struct event *)(void *)(ring->bytes + at);
	*event = *header;
	event->size = (uint32_t)size;
	event->length = (uint32_t)length;
	if (length != 0)
		memcpy(event->bytes, bytes, length);
	atomic_store_explicit(&ring->head, head + skipped + size, memory_order_release);
	uint64_t one = 1;
	/* It can only fail when the count is at its maximum, and then the reader is awake. */
	(void)!write(events->wake, &one, sizeof(one));
	return true;
}

static void drain_ring(struct event_ring *ring, void (*handle)(const struct event *, void *),
		       void *context)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	while (tail != head) {
		const struct event *event =
			(const struct event *)(const void *)(ring->bytes + tail % EVENT_RING_BYTES);
		if (event->size == EVENT_WRAP) {
			tail += EVENT_RING_BYTES - tail % EVENT_RING_BYTES;
			continue;
		}
		handle(event, context);
		tail += event->size;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
}

void events_drain(struct events *events, void (*handle)(const struct event *event, void *context),
		  void *context)
{
	uint64_t count;
	(void)!read(events->wake, &count, sizeof(count));
	for (unsigned i = 0; i < events->rings; i++)
		drain_ring(events->ring[i], handle, context);
}
