/*
 * Counters of frames, datagrams and drops.
 *
 * Each scope (the whole, a network, a peer) holds one block a slot, and each slot has one writing
 * thread, so that counting is a plain addition on memory of one's own; a reader adds the slots up.
 * The field order is that of `counterEntry`.
 */
#pragma once

#include <stdatomic.h>
#include <stdlib.h>

#include "control_messages.h"

enum counter_field {
	COUNTER_SENT_FRAMES,
	COUNTER_SENT_BYTES,
	COUNTER_RECEIVED_FRAMES,
	COUNTER_RECEIVED_BYTES,
	COUNTER_SENT_DATAGRAMS,
	COUNTER_RECEIVED_DATAGRAMS,
	COUNTER_ANSWERED_LOCALLY,
	COUNTER_DROPS, /* the first of DROP_REASONS */
	COUNTER_FIELDS = COUNTER_DROPS + DROP_REASONS,
};

struct counters {
	_Alignas(64) _Atomic uint64_t values[COUNTER_FIELDS];
};

/* The blocks that one event is counted in; network and peer may be NULL. */
struct scope {
	struct counters *total;
	struct counters *network;
	struct counters *peer;
};

static inline struct counters *counters_create(unsigned slots)
{
	struct counters *counters = aligned_alloc(64, slots * sizeof(struct counters));
	if (counters != NULL)
		memset(counters, 0, slots * sizeof(struct counters));
	return counters;
}

static inline void counters_add(struct counters *counters, unsigned field, uint64_t amount)
{
	if (counters == NULL)
		return;
	_Atomic uint64_t *value = &counters->values[field];
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount,
			      memory_order_relaxed);
}

static inline void counters_scope_add(const struct scope *scope, unsigned field, uint64_t amount)
{
	counters_add(scope->total, field, amount);
	counters_add(scope->network, field, amount);
	counters_add(scope->peer, field, amount);
}

static inline void counters_drop(const struct scope *scope, enum drop_reason reason)
{
	counters_scope_add(scope, COUNTER_DROPS + (unsigned)reason, 1);
}

/* Sum over the slots. */
static inline uint64_t counters_sum(const struct counters *counters, unsigned slots, unsigned field)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < slots; i++)
		sum += atomic_load_explicit(&counters[i].values[field], memory_order_relaxed);
	return sum;
}
