/*
 * The sliding replay window of one lane of one session (docs/protocol.md 1.1).
 *
 * A ring of 64-bit words in the manner of RFC 6479: one word more than the window, so that moving
 * it clears whole words. replay_peek is a cheap look without the lock, to spare the cipher what is
 * surely a repetition; replay_commit decides, under a spinlock, and only after the tag was found
 * valid. Threads: any worker; a lane is usually received by one, so the lock is idle.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loom_limits.h"

#define REPLAY_WORDS (REPLAY_WINDOW / 64u + 1u)

struct replay_window {
	_Alignas(64) atomic_flag lock;
	_Atomic uint64_t next; /* one above the highest sequence seen */
	_Atomic uint64_t accepted;
	_Atomic uint64_t words[REPLAY_WORDS];
};

enum replay_verdict {
	REPLAY_FRESH,
	REPLAY_REPEATED,
	REPLAY_TOO_OLD,
};

/* Returns what replay_commit would, as far as that can be told without the lock. */
enum replay_verdict replay_peek(const struct replay_window *window, uint64_t sequence);

/* Marks an authenticated sequence as seen. Anything but REPLAY_FRESH means that nothing changed. */
enum replay_verdict replay_commit(struct replay_window *window, uint64_t sequence);
