#include "reclaim.h"

#include <stdatomic.h>
#include <stddef.h>

#include "loom_limits.h"

struct reader {
	_Alignas(64) _Atomic uint64_t online_since; /* 0: offline */
};

static struct reader readers[WORKERS_MAX];
static _Atomic uint64_t epoch = 1;
static struct reclaim_node *oldest;
static struct reclaim_node **newest = &oldest;

void reclaim_online(unsigned reader)
{
	atomic_store_explicit(&readers[reader].online_since, atomic_load(&epoch),
			      memory_order_relaxed);
	/* Orders the store before every table load that follows; pairs with the fetch_add in
	 * reclaim_retire. */
	atomic_thread_fence(memory_order_seq_cst);
}

void reclaim_offline(unsigned reader)
{
	atomic_store_explicit(&readers[reader].online_since, 0, memory_order_release);
}

void reclaim_retire(struct reclaim_node *node, void (*release)(struct reclaim_node *node))
{
	node->release = release;
	node->next = NULL;
	node->epoch = atomic_fetch_add(&epoch, 1);
	*newest = node;
	newest = &node->next;
}

static uint64_t oldest_online(void)
{
	uint64_t oldest_epoch = UINT64_MAX;
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		uint64_t since = atomic_load(&readers[i].online_since);
		if (since != 0 && since < oldest_epoch)
			oldest_epoch = since;
	}
	return oldest_epoch;
}

bool reclaim_poll(void)
{
	if (oldest == NULL)
		return false;
	uint64_t safe = oldest_online();
	while (oldest != NULL && oldest->epoch < safe) {
		struct reclaim_node *node = oldest;
		oldest = node->next;
		if (oldest == NULL)
			newest = &oldest;
		node->release(node);
	}
	return oldest != NULL;
}
