#include "table.h"

#include <errno.h>
#include <stdlib.h>

static size_t bucket_of(const struct table *table, struct table_key key)
{
	return (size_t)table_mix(table_mix(table_mix(table->seed ^ key.low) ^ key.high) ^
				 key.space) &
	       table->mask;
}

static bool same_key(struct table_key a, struct table_key b)
{
	return ((a.low ^ b.low) | (a.high ^ b.high) | (a.space ^ b.space)) == 0;
}

int table_init(struct table *table, size_t count_max, uint64_t seed)
{
	size_t size = 1;
	while (size < count_max)
		size *= 2;
	table->buckets = calloc(size, sizeof(*table->buckets));
	if (table->buckets == NULL)
		return -ENOMEM;
	table->mask = size - 1;
	table->count = 0;
	table->count_max = count_max;
	table->seed = seed;
	return 0;
}

struct table_entry *table_find(const struct table *table, struct table_key key)
{
	struct table_entry *entry =
		atomic_load_explicit(&table->buckets[bucket_of(table, key)], memory_order_acquire);
	while (entry != NULL && !same_key(entry->key, key))
		entry = atomic_load_explicit(&entry->next, memory_order_acquire);
	return entry;
}

void table_insert(struct table *table, struct table_entry *entry)
{
	_Atomic(struct table_entry *) *bucket = &table->buckets[bucket_of(table, entry->key)];
	atomic_store_explicit(&entry->next, atomic_load(bucket), memory_order_relaxed);
	atomic_store_explicit(bucket, entry, memory_order_release);
	table->count++;
}

void table_remove(struct table *table, struct table_entry *entry)
{
	_Atomic(struct table_entry *) *at = &table->buckets[bucket_of(table, entry->key)];
	while (atomic_load(at) != entry)
		at = &atomic_load(at)->next;
	atomic_store_explicit(at, atomic_load(&entry->next), memory_order_release);
	table->count--;
}

struct table_entry *table_next(struct table_walk *walk)
{
	const struct table *table = walk->table;
	while (walk->next == NULL && walk->bucket <= table->mask && table->count > 0)
		walk->next = atomic_load(&table->buckets[walk->bucket++]);
	struct table_entry *entry = walk->next;
	if (entry != NULL)
		walk->next = atomic_load(&entry->next);
	return entry;
}
