/*
 * What two threads share of a session: the counters of a lane, where one that is handed out twice
 * would be a nonce used twice, and the window of a lane. The threads meet by spinning, so that both
 * run when a round begins; one round may still miss a race, hence many.
 */
#include <pthread.h>

#include "session.h"
#include "test.h"

void test_lanes(void);

#define THREADS 2u
#define ROUNDS 300u
#define TAKES 2000u
#define RUN_MAX 7u /* datagrams of one train */
#define SPAN (TAKES * RUN_MAX)
/* Both run into the end of the counters. */
#define START (SESSION_DATAGRAMS_MAX - SPAN / 2)
#define SEQUENCES 4000u /* of a round, below the window's size */

_Static_assert(SEQUENCES < REPLAY_WINDOW, "none becomes too old");

typedef void part(unsigned thread);

static _Atomic unsigned arrived;
static part *played;

static void meet(void)
{
	unsigned ticket = atomic_fetch_add(&arrived, 1);
	unsigned all = (ticket / THREADS + 1) * THREADS;
	while (atomic_load(&arrived) < all)
		;
}

static void *play_second(void *context)
{
	(void)context;
	for (unsigned round = 0; round < ROUNDS; round++) {
		meet();
		played(1);
		meet();
	}
	return NULL;
}

/* Lets two threads play a part at once, round after round. Returns the sum of what was wrong. */
static unsigned play(part *both, void (*prepare)(void), unsigned (*judge)(void))
{
	pthread_t second;
	unsigned wrong = 0;
	atomic_store(&arrived, 0);
	played = both;
	CHECK_EQUAL(pthread_create(&second, NULL, play_second, NULL), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		prepare();
		meet();
		both(0);
		meet();
		wrong += judge();
	}
	pthread_join(second, NULL);
	return wrong;
}

struct run {
	uint64_t first;
	unsigned count; /* 0: refused */
};

static struct session_lane lane;
static struct session session = { .send_lanes = &lane, .send_lane_count = 1 };
static struct run runs[THREADS][TAKES];

static void set_lane(void)
{
	atomic_store(&lane.sequence, START);
}

static void take(unsigned thread)
{
	for (unsigned i = 0; i < TAKES; i++) {
		struct run *run = &runs[thread][i];
		run->count = 1 + (i + thread) % RUN_MAX;
		if (!session_take(&session, 0, run->count, &run->first))
			run->count = 0;
	}
}

/* What was handed out twice, or lies beyond the limit. */
static unsigned judge_runs(void)
{
	static uint8_t seen[SPAN];
	unsigned wrong = 0;
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < THREADS * TAKES; i++) {
		const struct run *run = &runs[i / TAKES][i % TAKES];
		for (uint64_t at = run->first; at < run->first + run->count; at++)
			wrong += at < START || at >= SESSION_DATAGRAMS_MAX ||
				 seen[at - START]++ != 0;
	}
	return wrong;
}

static struct replay_window window;
static _Atomic unsigned accepted[SEQUENCES];

static void clear_window(void)
{
	memset(&window, 0, sizeof(window));
	memset(accepted, 0, sizeof(accepted));
}

/* A worker to which the network has brought all datagrams of a lane. */
static void receive(unsigned thread)
{
	(void)thread;
	for (unsigned sequence = 0; sequence < SEQUENCES; sequence++)
		if (replay_commit(&window, sequence) == REPLAY_FRESH)
			atomic_fetch_add(&accepted[sequence], 1);
}

static unsigned judge_window(void)
{
	unsigned wrong = atomic_load(&window.accepted) != SEQUENCES;
	for (unsigned i = 0; i < SEQUENCES; i++)
		wrong += atomic_load(&accepted[i]) != 1;
	return wrong;
}

static void check_lanes_are_apart(void)
{
	for (unsigned i = 0; i + 1 < WORKERS_MAX; i++)
		CHECK(session_counter(i, SESSION_DATAGRAMS_MAX) < session_counter(i + 1, 0));
}

void test_lanes(void)
{
	CHECK_EQUAL(play(take, set_lane, judge_runs), 0);
	CHECK_EQUAL(play(receive, clear_window, judge_window), 0);
	check_lanes_are_apart();
}
