#include "misses.h"

#include "loom_limits.h"
#include "table.h"

bool misses_take(struct misses *misses, uint32_t vni, const uint8_t address[16], uint64_t now_ms)
{
	uint64_t half = table_mix(load_be64(address) ^ vni);
	uint64_t tag = table_mix(half ^ load_be64(address + 8)) | 1;
	size_t slot = (tag >> 1) % MISSES_KEPT;
	if (misses->tags[slot] == tag && now_ms - misses->told_at_ms[slot] < MISS_INTERVAL_MS)
		return false;
	if (misses->second != now_ms / 1000) {
		misses->second = now_ms / 1000;
		misses->told = 0;
	}
	if (misses->told == MISSES_TOLD_MAX)
		return false;
	misses->told++;
	misses->tags[slot] = tag;
	misses->told_at_ms[slot] = now_ms;
	return true;
}
