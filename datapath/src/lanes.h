/*
 * Which worker sends on which lane, and which worker receives a lane. Pure functions.
 *
 * A flow must stay with one worker on each side: its frames keep their order then, and an answer
 * needs no second thread. Peers of one worker each, which all send on lane 0, must still spread
 * over the workers of a busy host. So a host hands a datagram to worker "lane XOR low bits of its
 * own session id", and exchanges the lanes that it sends on by the same bits. Whatever both ids
 * are, an answer comes back to the worker whose frame it answers, and the TAP, which lets a flow
 * leave by the queue where it came in, keeps it there.
 */
#pragma once

#include <stdint.h>

/* The low bits of a session id that count: as many as all numbers below `workers` fill. */
static inline uint32_t lanes_mask(unsigned workers)
{
	return (1u << (31 - __builtin_clz(workers))) - 1;
}

/* The lane that a worker sends on in a session: a permutation of the workers' numbers, so no two
 * workers share one. */
static inline unsigned lanes_of_worker(unsigned worker, unsigned workers, uint32_t local_id)
{
	uint32_t mask = lanes_mask(workers);
	return worker <= mask ? worker ^ (local_id & mask) : worker;
}
