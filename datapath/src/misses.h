/*
 * Addresses that a port looked for and no table knows, as far as they are told to the agent: each
 * once a second, and so many a second in all, so that a host that scans its network costs the agent
 * and the ring of events a bounded little. What is not told is asked for again by the host.
 *
 * Threads: one worker owns a `misses`.
 */
#pragma once

#include "wire.h"

#define MISSES_KEPT 64u

struct misses {
	uint64_t tags[MISSES_KEPT]; /* hash of network and address; 0: free */
	uint64_t told_at_ms[MISSES_KEPT];
	uint64_t second; /* that `told` counts in */
	unsigned told;
};

/* True when the address of a network is to be told. */
bool misses_take(struct misses *misses, uint32_t vni, const uint8_t address[16], uint64_t now_ms);
