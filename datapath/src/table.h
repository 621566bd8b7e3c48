/*
 * A hash table with one writer and many lock-free readers.
 *
 * Buckets are a fixed array, sized for the table's limit at creation and never resized, so a single
 * insert costs O(1) and copies nothing. An entry is published by one atomic store; a removed one
 * keeps its next pointer and is freed by its owner after a grace period (reclaim.h). Keys are three
 * words, hashed with a seed drawn at start.
 *
 * Threads: table_find by any thread that is online (reclaim.h) and by the control thread; all else
 * by the control thread. Ownership: entries are embedded in objects of the caller, who allocates
 * and frees them.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reclaim.h"

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct table_key {
	uint64_t space;
	uint64_t high;
	uint64_t low;
};

struct table_entry {
	_Atomic(struct table_entry *) next;
	struct table_key key;
	struct reclaim_node reclaim;
};

struct table {
	_Atomic(struct table_entry *) *buckets;
	size_t mask;
	size_t count;
	size_t count_max;
	uint64_t seed;
};

/* A doubly linked ring; the control thread's own bookkeeping, never read by workers. */
struct link {
	struct link *next;
	struct link *previous;
};

/* Returns 0 or -ENOMEM. */
int table_init(struct table *table, size_t count_max, uint64_t seed);

struct table_entry *table_find(const struct table *table, struct table_key key);

static inline bool table_is_full(const struct table *table)
{
	return table->count >= table->count_max;
}

/* Publishes an entry whose key is set. It shadows an older one with the same key. */
void table_insert(struct table *table, struct table_entry *entry);

/* Unlinks an entry; the caller retires it. */
void table_remove(struct table *table, struct table_entry *entry);

/* Calls `visit` for every entry; it may remove the entry it is given. */
void table_each(struct table *table, void (*visit)(struct table_entry *entry, void *context),
		void *context);

static inline void link_init(struct link *link)
{
	link->next = link;
	link->previous = link;
}

static inline bool link_is_alone(const struct link *link)
{
	return link->next == link;
}

static inline void link_add(struct link *head, struct link *link)
{
	link->next = head->next;
	link->previous = head;
	head->next->previous = link;
	head->next = link;
}

static inline void link_remove(struct link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link_init(link);
}
