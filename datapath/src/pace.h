/*
 * When a worker's socket of data wakes it, and when it is looked into now and then.
 *
 * While many datagrams are refused (a replayed capture, forged ones with a session id), each would
 * wake the worker by itself. They come in batches then, and so does data, PACE_PAUSE_US later at
 * most; what else wakes the worker has it look at once.
 *
 * Ownership and threads: one worker owns a pace.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loom_limits.h"

struct pace {
	bool is_slow;
	uint64_t judged_at_ms;
	uint64_t refused_before;
};

/* Whether the socket should be looked into now and then, after `refused` datagrams of all time. */
static inline bool pace_judge(struct pace *pace, uint64_t now_ms, uint64_t refused)
{
	uint64_t interval_ms = now_ms - pace->judged_at_ms;
	if (interval_ms < PACE_INTERVAL_MS)
		return pace->is_slow;
	bool is_slow = refused - pace->refused_before >= interval_ms * PACE_REFUSED_PER_MS;
	pace->judged_at_ms = now_ms;
	pace->refused_before = refused;
	return is_slow;
}
