#include "replay.h"

#define RELAXED memory_order_relaxed

enum replay_verdict replay_peek(const struct replay_window *window, uint64_t sequence)
{
	uint64_t next = atomic_load_explicit(&window->next, RELAXED);
	if (sequence >= next)
		return REPLAY_FRESH;
	if (next - sequence > REPLAY_WINDOW)
		return REPLAY_TOO_OLD;
	uint64_t word = atomic_load_explicit(&window->words[sequence / 64 % REPLAY_WORDS], RELAXED);
	return (word >> (sequence % 64) & 1) != 0 ? REPLAY_REPEATED : REPLAY_FRESH;
}

/* Clears the words that the window newly covers up to `sequence`. */
static void advance(struct replay_window *window, uint64_t sequence)
{
	uint64_t next = atomic_load_explicit(&window->next, RELAXED);
	uint64_t first = next == 0 ? 0 : (next - 1) / 64 + 1;
	uint64_t last = sequence / 64;
	if (last >= first && last - first >= REPLAY_WORDS)
		first = last - REPLAY_WORDS + 1;
	for (uint64_t word = first; word <= last; word++)
		atomic_store_explicit(&window->words[word % REPLAY_WORDS], 0, RELAXED);
	atomic_store_explicit(&window->next, sequence + 1, RELAXED);
}

enum replay_verdict replay_commit(struct replay_window *window, uint64_t sequence)
{
	while (atomic_flag_test_and_set_explicit(&window->lock, memory_order_acquire))
		;
	enum replay_verdict verdict = replay_peek(window, sequence);
	if (verdict == REPLAY_FRESH) {
		if (sequence >= atomic_load_explicit(&window->next, RELAXED))
			advance(window, sequence);
		_Atomic uint64_t *word = &window->words[sequence / 64 % REPLAY_WORDS];
		atomic_store_explicit(word,
				      atomic_load_explicit(word, RELAXED) | 1ull << (sequence % 64),
				      RELAXED);
		atomic_store_explicit(&window->accepted,
				      atomic_load_explicit(&window->accepted, RELAXED) + 1,
				      RELAXED);
	}
	atomic_flag_clear_explicit(&window->lock, memory_order_release);
	return verdict;
}
