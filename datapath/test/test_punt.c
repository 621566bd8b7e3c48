#include <openssl/hmac.h>

#include "punt.h"
#include "test.h"

void test_punt(void);
void test_events(void);

static int shape(uint8_t kind, uint8_t version, uint8_t reserved, size_t length)
{
	uint8_t datagram[4096] = { kind, version, reserved };
	return punt_check_shape(datagram, length);
}

static int part(uint8_t kind, uint8_t index, uint8_t count)
{
	uint8_t datagram[INITIATION_BYTES_MIN] = { kind, PROTOCOL_VERSION, index, count };
	return punt_check_shape(datagram, sizeof(datagram));
}

/* One host of 10.0.0.0/16; the budgets of the keys that are given, or none. */
struct sender {
	uint8_t kind;
	uint16_t host;
	bool has_mac1;
	bool has_mac2;
	bool guesses; /* has another mac2 */
};

static struct punts punts;
static struct guard_keys *keys;
static uint64_t now_us = 1000000000;

static void endpoint_of(uint16_t host, uint8_t endpoint[ENDPOINT_BYTES])
{
	memset(endpoint, 0, ENDPOINT_BYTES);
	endpoint[10] = endpoint[11] = 0xff;
	endpoint[12] = 10;
	store_be16(endpoint + 14, host);
	store_be16(endpoint + 16, 8002);
}

static void put_mac(uint8_t *at, const uint8_t *datagram, const uint8_t *key, int key_bytes)
{
	uint8_t mac[32];
	unsigned size = 0;
	HMAC(EVP_sha256(), key, key_bytes, datagram, (size_t)(at - datagram), mac, &size);
	memcpy(at, mac, 16);
}

/* What becomes of each of `attempts` datagrams: how many end in `verdict`. */
static unsigned count_of(int verdict, struct sender sender, unsigned attempts)
{
	static const uint8_t mac1_key[KEY_BYTES] = { 1 }, secret[KEY_BYTES] = { 3 };
	uint8_t datagram[200] = { sender.kind, 1 };
	uint8_t endpoint[ENDPOINT_BYTES], cookie[32];
	unsigned size = 0, count = 0;
	endpoint_of(sender.host, endpoint);
	if (sender.has_mac1)
		put_mac(datagram + 168, datagram, mac1_key, KEY_BYTES);
	HMAC(EVP_sha256(), secret, KEY_BYTES, endpoint, ENDPOINT_BYTES, cookie, &size);
	if (sender.has_mac2)
		put_mac(datagram + 184, datagram, cookie, 16);
	else
		datagram[199] = sender.guesses;
	for (unsigned i = 0; i < attempts; i++)
		count += punt_judge_handshake(&punts, keys, datagram, sizeof(datagram), endpoint,
					      now_us) == verdict;
	return count;
}

static void check_without_keys(void)
{
	const struct sender one = { .kind = DATAGRAM_INITIATION, .host = 1 };
	const struct sender two = { .kind = DATAGRAM_INITIATION, .host = 2 };
	CHECK_EQUAL(count_of(-1, one, 1000), PUNT_OF_SOURCE.burst);
	CHECK_EQUAL(count_of(DROP_PUNT_LIMITED, one, 10), 10);
	CHECK_EQUAL(count_of(-1, two, 1), 1);
	now_us += 1000000;
	CHECK_EQUAL(count_of(-1, one, 1000), PUNT_OF_SOURCE.burst);
	/* Many senders share the rate of the kind; another kind has its own. */
	now_us += 100000000;
	unsigned total = 0;
	for (uint16_t host = 0; host < 200; host++)
		total += count_of(-1,
				  (struct sender){ DATAGRAM_INITIATION, host, false, false, false },
				  PUNT_OF_SOURCE.burst);
	CHECK_EQUAL(total, PUNT_OF_ANYONE.burst);
	total = 0;
	for (uint16_t host = 210; host < 250; host++) /* some share a bucket with one above */
		total += count_of(
			-1, (struct sender){ DATAGRAM_RESPONSE, host, false, false, false }, 1);
	CHECK(total > 20);
	now_us += 100000000;
}

/* What is worth more passes while a flood of what is worth less has used up all of its own. */
static void check_worth(void)
{
	struct sender wrong = { DATAGRAM_INITIATION, 1, false, false, false };
	struct sender flood = { DATAGRAM_INITIATION, 1, true, false, false };
	struct sender known = { DATAGRAM_INITIATION, 5000, true, false, false };
	struct sender proved = { DATAGRAM_INITIATION, 6000, true, true, false };
	uint8_t endpoint[ENDPOINT_BYTES];
	CHECK_EQUAL(count_of(DROP_MAC1_INVALID, wrong, 10000), 10000);
	unsigned passed = 0, answered = 0;
	for (flood.host = 0; flood.host < PUNT_OF_ANYONE.burst; flood.host++)
		passed += count_of(-1, flood, 1);
	for (; flood.host < 4096; flood.host++)
		answered += count_of(DROP_COOKIE_REQUIRED, flood, 1);
	CHECK_EQUAL(passed, PUNT_OF_ANYONE.burst);
	CHECK_EQUAL(answered, PUNT_REPLIES.burst);
	/* A mac that could gain nothing is not looked at. */
	CHECK_EQUAL(count_of(DROP_PUNT_LIMITED, wrong, 1), 1);
	CHECK_EQUAL(count_of(-1, known, 1), 0);
	endpoint_of(known.host, endpoint);
	punt_know(&punts, endpoint, 0);
	punt_know(&punts, endpoint, 0);
	CHECK_EQUAL(count_of(-1, known, 1000), PUNT_OF_KNOWN.burst);
	CHECK_EQUAL(count_of(-1, proved, 1000), PUNT_OF_PROVED.burst);
	proved.host++;
	CHECK_EQUAL(count_of(-1, proved, 1), 1);
	/* All that are proved have one bound too. */
	passed = 0;
	for (uint16_t host = 7000; host < 8000; host++) {
		proved.host = host;
		passed += count_of(-1, proved, PUNT_OF_PROVED.burst);
	}
	CHECK_EQUAL(passed + PUNT_OF_PROVED.burst + 1, PUNT_OF_WORTHY.burst);
}

/* Guessed cookies take what is for guesses; endpoints that are known need none. */
static void check_guesses(void)
{
	struct sender proved = { DATAGRAM_INITIATION, 100, true, true, false };
	struct sender guess = { DATAGRAM_INITIATION, 200, true, false, true };
	const struct sender known = { DATAGRAM_INITIATION, 5000, true, false, true };
	for (unsigned i = 0; i < PUNT_OF_ANYONE.burst + PUNT_REPLIES.burst; i++, guess.host++)
		(void)count_of(-1, guess, 1);
	CHECK_EQUAL(count_of(DROP_PUNT_LIMITED, proved, 1), 1);
	CHECK_EQUAL(count_of(-1, known, 1), 1);
	now_us += 1000000;
	CHECK_EQUAL(count_of(-1, proved, PUNT_OF_PROVED.burst), PUNT_OF_PROVED.burst);
}

/* More endpoints than there is room for: the latest are known. */
static void check_room(void)
{
	uint8_t endpoint[ENDPOINT_BYTES];
	struct sender latest = { DATAGRAM_INITIATION, UINT16_MAX, true, false, false };
	for (unsigned host = 0; host <= UINT16_MAX; host++) {
		endpoint_of((uint16_t)host, endpoint);
		punt_know(&punts, endpoint, 0);
	}
	CHECK_EQUAL(count_of(-1, latest, 1), 1);
}

/* Those from whom an answer may come yet have a way of their own, also before they are peers. */
static void check_steering(void)
{
	struct steering steering = { .salt = 1, .is_flooded = true };
	const struct steering none = steering;
	uint8_t endpoint[ENDPOINT_BYTES];
	endpoint_of(1, endpoint);
	punt_know(&punts, endpoint, 1000);
	punt_steer(&punts, &steering, 1000 + PUNT_AWAITED_MS);
	CHECK(memcmp(steering.known, none.known, sizeof(none.known)) == 0);
	punt_know(&punts, endpoint, 2000);
	punt_steer(&punts, &steering, 1000 + PUNT_AWAITED_MS);
	struct steering expected = none;
	steering_know(&expected, endpoint);
	CHECK(memcmp(steering.known, expected.known, sizeof(none.known)) == 0);
}

static void check_controls(void)
{
	unsigned total = 0;
	/* A peer has its own rate for control bodies, and all peers share one. */
	for (unsigned i = 0; i < 10000; i++)
		total += punt_allows_control(&punts, 1, now_us);
	CHECK_EQUAL(total, PUNT_OF_PEER.burst);
	CHECK(punt_allows_control(&punts, 2, now_us));
	for (unsigned i = 0; i < 10000; i++)
		total += punt_allows_control(&punts, 3 + i % 500, now_us);
	CHECK_EQUAL(total, PUNT_OF_CONTROLS.burst - 1);
}

void test_punt(void)
{
	const struct control_guard_set fields = { .mac1_key = { 1 },
						  .cookie_reply_key = { 2 },
						  .cookie_secret = { 3 },
						  .previous_secret = { 4 } };
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 2, 0, INITIATION_BYTES_MIN), -1);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 2, 0, INITIATION_BYTES_MIN - 1),
		    DROP_DATAGRAM_TOO_SHORT);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 1, 1, 200), -1); /* the agent refuses the version */
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 2, 1, 200), DROP_HEADER_INVALID);
	CHECK_EQUAL(part(DATAGRAM_INITIATION, 0, 2), -1);
	CHECK_EQUAL(part(DATAGRAM_INITIATION, 2, 2), DROP_HEADER_INVALID);
	CHECK_EQUAL(part(DATAGRAM_INITIATION, 1, 0), DROP_HEADER_INVALID);
	CHECK_EQUAL(part(DATAGRAM_RESPONSE, 0, 2), DROP_HEADER_INVALID);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 2, 0, HANDSHAKE_BYTES_MAX + 1), DROP_HEADER_INVALID);
	CHECK_EQUAL(shape(DATAGRAM_RESPONSE, 2, 0, RESPONSE_BYTES_MIN), -1);
	CHECK_EQUAL(shape(DATAGRAM_COOKIE, 2, 0, COOKIE_BYTES), -1);
	CHECK_EQUAL(shape(DATAGRAM_COOKIE, 2, 0, COOKIE_BYTES + 1), DROP_HEADER_INVALID);
	check_without_keys();
	keys = guard_create(&fields, 1);
	check_worth();
	now_us += 100000000;
	check_guesses();
	check_room();
	check_steering();
	guard_release(&keys->reclaim);
	check_controls();
}

static struct {
	unsigned count;
	unsigned wrong;
	uint32_t next;
} seen;

static void note(const struct event *event, void *context)
{
	(void)context;
	seen.count++;
	if (event->peer != seen.next++ || event->length != event->peer % 700)
		seen.wrong++;
	for (uint32_t i = 0; i < event->length; i++)
		if (event->bytes[i] != (uint8_t)event->peer)
			seen.wrong++;
}

void test_events(void)
{
	static struct events events;
	uint8_t bytes[700];
	uint32_t pushed = 0;
	bool was_full = false;
	CHECK_EQUAL(events_init(&events, 1), 0);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 300 + 97 * round; i++) {
			const struct event header = { .kind = EVENT_DATAGRAM, .peer = pushed };
			memset(bytes, (uint8_t)pushed, sizeof(bytes));
			if (!events_push(&events, 0, &header, bytes, pushed % 700)) {
				was_full = true;
				break;
			}
			pushed++;
		}
		events_drain(&events, note, NULL);
	}
	CHECK(was_full);
	CHECK_EQUAL(seen.count, pushed);
	CHECK_EQUAL(seen.wrong, 0);
}
