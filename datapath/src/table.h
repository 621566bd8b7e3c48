/*
 * A hash table with one writer and many lock-free readers.
 *
 * Buckets are a fixed array, sized for the table's limit at creation and never resized, so a single
 * insert costs O(1) and copies nothing. An entry is published by one atomic store; a removed one
 * keeps its next pointer and is freed by its owner after a grace period (reclaim.h). A key is a VNI
 * or an id, and up to 16 bytes more; it is hashed with a seed drawn at start.
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

#include "bytes.h"
#include "reclaim.h"

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Packed, so that an entry wastes nothing. */
struct table_key {
	uint64_t high;
	uint64_t low;
	uint32_t space;
} __attribute__((packed, aligned(4)));

/* A doubly linked ring; the control thread's own bookkeeping, never read by workers. */
struct link {
	struct link *next;
	struct link *previous;
};

struct table_entry {
	_Atomic(struct table_entry *) next;
	struct table_key key;
	uint32_t generation; /* of the last set; the control thread's */
	union {
		struct link owned; /* while in the table: a place in a list of its owner */
		struct reclaim_node reclaim; /* after that */
	};
};

struct table {
	_Atomic(struct table_entry *) *buckets;
	size_t mask;
	size_t count;
	size_t count_max;
	uint64_t seed;
};

/* Returns 0 or -ENOMEM. */
int table_init(struct table *table, size_t count_max, uint64_t seed);

struct table_entry *table_find(const struct table *table, struct table_key key);

static inline uint64_t table_mix(uint64_t value)
{
	/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every
	 * bit. */
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static inline bool table_is_full(const struct table *table)
{
	return table->count >= table->count_max;
}

/* Publishes an entry whose key is set. It shadows an older one with the same key. */
void table_insert(struct table *table, struct table_entry *entry);

/* Unlinks an entry; the caller retires it. */
void table_remove(struct table *table, struct table_entry *entry);

/* A walk over all entries; begins with the table alone. The entry that it gave may be removed. */
struct table_walk {
	const struct table *table;
	size_t bucket; /* to be looked at */
	struct table_entry *next;
};

/* The next entry, or NULL at the end. */
struct table_entry *table_next(struct table_walk *walk);

/* The key in `bytes` of a message: four of VNI or id, then what is left as one number. */
static inline struct table_key table_key_load(const uint8_t *at, size_t bytes)
{
	uint8_t rest[16] = { 0 };
	memcpy(rest + (20 - bytes), at + 4, bytes - 4);
	return (struct table_key){ .space = load_be32(at),
				   .high = load_be64(rest),
				   .low = load_be64(rest + 8) };
}

static inline void table_key_store(struct table_key key, uint8_t *at, size_t bytes)
{
	uint8_t rest[16];
	store_be64(rest, key.high);
	store_be64(rest + 8, key.low);
	store_be32(at, key.space);
	memcpy(at + 4, rest + (20 - bytes), bytes - 4);
}

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
