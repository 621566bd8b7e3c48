#include <pthread.h>
#include <stdlib.h>

#include "entries.h"
#include "test.h"

void test_replay(void);
void test_session(void);

static struct replay_window window;

#define EXPECT(sequence, verdict) CHECK_EQUAL(replay_commit(&window, sequence), verdict)

void test_replay(void)
{
	memset(&window, 0, sizeof(window));
	EXPECT(0, REPLAY_FRESH);
	EXPECT(0, REPLAY_REPEATED);
	EXPECT(1, REPLAY_FRESH);
	EXPECT(1, REPLAY_REPEATED);
	EXPECT(9, REPLAY_FRESH);
	EXPECT(8, REPLAY_FRESH);
	EXPECT(7, REPLAY_FRESH);
	EXPECT(7, REPLAY_REPEATED);
	EXPECT(REPLAY_WINDOW, REPLAY_FRESH);
	EXPECT(REPLAY_WINDOW - 1, REPLAY_FRESH);
	EXPECT(REPLAY_WINDOW - 1, REPLAY_REPEATED);
	EXPECT(1, REPLAY_REPEATED); /* the lowest that the window holds */
	EXPECT(0, REPLAY_TOO_OLD);
	EXPECT(2, REPLAY_FRESH);
	EXPECT(2 * REPLAY_WINDOW + 16, REPLAY_FRESH);
	EXPECT(REPLAY_WINDOW + 16, REPLAY_TOO_OLD);
	EXPECT(REPLAY_WINDOW + 17, REPLAY_FRESH);
	EXPECT(REPLAY_WINDOW + 17, REPLAY_REPEATED);
	EXPECT(1ull << 59, REPLAY_FRESH);
	EXPECT((1ull << 59) - REPLAY_WINDOW + 1, REPLAY_FRESH);
	EXPECT((1ull << 59) - REPLAY_WINDOW, REPLAY_TOO_OLD);
	CHECK_EQUAL(replay_peek(&window, 1ull << 59), REPLAY_REPEATED);
	CHECK_EQUAL(replay_peek(&window, (1ull << 59) + 1), REPLAY_FRESH);
	CHECK_EQUAL(replay_peek(&window, 5), REPLAY_TOO_OLD);
	/* In any order, each sequence is fresh once. */
	memset(&window, 0, sizeof(window));
	static uint8_t seen[3 * REPLAY_WINDOW];
	uint64_t high = 0;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t base = i / 10;
		uint64_t sequence = (base + test_random() % (REPLAY_WINDOW / 2)) % sizeof(seen);
		if (high > REPLAY_WINDOW - 1 && sequence < high - (REPLAY_WINDOW - 1))
			continue;
		enum replay_verdict verdict = replay_commit(&window, sequence);
		if (verdict != (seen[sequence] ? REPLAY_REPEATED : REPLAY_FRESH)) {
			CHECK_EQUAL(verdict, seen[sequence] ? REPLAY_REPEATED : REPLAY_FRESH);
			return;
		}
		seen[sequence] = 1;
		high = sequence > high ? sequence : high;
	}
}

#define TAKERS 4
#define TAKES 20000

static void *take_many(void *context)
{
	struct session *session = context;
	uint64_t *taken = calloc(TAKES, sizeof(uint64_t));
	for (unsigned i = 0; i < TAKES; i++)
		if (!session_take(session, 0, 3, &taken[i]))
			abort();
	return taken;
}

static void check_no_sequence_twice(struct session *session)
{
	pthread_t threads[TAKERS];
	static uint8_t seen[TAKERS * TAKES];
	unsigned repeated = 0;
	for (unsigned i = 0; i < TAKERS; i++)
		pthread_create(&threads[i], NULL, take_many, session);
	for (unsigned i = 0; i < TAKERS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		const uint64_t *taken = result;
		for (unsigned j = 0; j < TAKES; j++)
			repeated += seen[taken[j] / 3]++ != 0 || taken[j] % 3 != 0;
		free(result);
	}
	CHECK_EQUAL(repeated, 0);
	CHECK_EQUAL(session_sent(session), 3ull * TAKERS * TAKES);
}

void test_session(void)
{
	const uint8_t key[KEY_BYTES] = { 7 };
	const struct entries_session given = {
		.local_id = 1, .remote_id = 2, .lifetime_ms = 1000, .receive_lanes = 2, .key = key
	};
	const struct control_session_set fields = entries_session_fields(&given);
	struct session *session = session_create(&fields, 3, 5);
	CHECK_EQUAL(session->expires_at_ms, 1005);
	check_no_sequence_twice(session);
	uint64_t first;
	atomic_store(&session->send_lanes[1].sequence, SESSION_DATAGRAMS_MAX - 5);
	CHECK(session_take(session, 1, 3, &first));
	CHECK_EQUAL(first, SESSION_DATAGRAMS_MAX - 5);
	CHECK(!session_take(session, 1, 3, &first));
	CHECK(session_take(session, 1, 2, &first));
	CHECK(!session_take(session, 1, 1, &first));
	CHECK(session_take(session, 2, 1, &first));
	CHECK_EQUAL(session_counter(15, 5) >> 60, 15);
	session_destroy(session);
}
