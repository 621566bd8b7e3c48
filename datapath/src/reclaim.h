/*
 * Deferred freeing: when is memory that workers may still read safe to free?
 *
 * Scheme: quiescent-state based reclamation. A worker loop is online while it handles a batch and
 * holds no table pointer while it is offline (waiting in epoll). The control thread unlinks an
 * object first, then retires it under the global epoch of that moment. A loop that came online at a
 * later epoch cannot have seen the object, so it is freed once every loop is offline or online
 * since a later epoch. Workers never wait and never write shared memory but their own epoch word.
 *
 * Threads: reclaim_online and reclaim_offline by the worker that owns the reader index; all else by
 * the control thread alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct reclaim_node {
	struct reclaim_node *next;
	void (*release)(struct reclaim_node *node);
	uint64_t epoch;
};

/* Called at the start of a batch. Table pointers read after it stay valid until reclaim_offline. */
void reclaim_online(unsigned reader);

/* Called when the loop holds no table pointer any more. */
void reclaim_offline(unsigned reader);

/* Takes an object that no table links to any more; `release` runs on the control thread later. */
void reclaim_retire(struct reclaim_node *node, void (*release)(struct reclaim_node *node));

/* Frees what is safe to free. Returns true while something waits. */
bool reclaim_poll(void);
