/*
 * A lobby: a socket where handshake datagrams wait (udp.h), and how many of them are looked at.
 *
 * A bucket of tokens, one a datagram. While there are some, a datagram wakes its worker like any
 * other. When they are used up the lobby is muted: it wakes nobody, and its worker looks in every
 * LOBBY_PAUSE_MS for what it may have by then, until hardly anything is there. So a flood costs a
 * worker a bounded share of its time and few wake-ups, and the kernel drops what finds the lobby
 * full. Nothing is lost at rates below.
 *
 * Ownership and threads: one worker owns a lobby.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loom_limits.h"

struct lobby {
	int socket;
	bool is_muted;
	unsigned tokens;
	uint64_t filled_at_ms;
};

/* How many datagrams may be read from it. */
static inline unsigned lobby_allowance(struct lobby *lobby, uint64_t now_ms)
{
	uint64_t more = (now_ms - lobby->filled_at_ms) * LOBBY_PER_MS;
	uint64_t tokens = lobby->tokens + more;
	lobby->tokens = tokens < LOBBY_BURST ? (unsigned)tokens : LOBBY_BURST;
	lobby->filled_at_ms = now_ms;
	return lobby->tokens;
}

static inline void lobby_spend(struct lobby *lobby, unsigned datagrams)
{
	lobby->tokens -= datagrams < lobby->tokens ? datagrams : lobby->tokens;
}
