#include "control_messages.h"
#include "punt.h"
#include "test.h"

void test_punt(void);
void test_events(void);

static int shape(uint8_t kind, uint8_t version, uint8_t reserved, size_t length)
{
	uint8_t datagram[4096] = { kind, version, reserved };
	return punt_check_shape(datagram, length);
}

static unsigned allowed(struct punts *punts, uint8_t kind, uint8_t host, uint64_t now_us,
			unsigned attempts)
{
	const uint8_t endpoint[ENDPOINT_BYTES] = { [10] = 0xff, [11] = 0xff, 10,   0,
						   0,		host,	     0x1f, 0x42 };
	unsigned count = 0;
	for (unsigned i = 0; i < attempts; i++)
		count += punt_allows_handshake(punts, kind, endpoint, now_us);
	return count;
}

void test_punt(void)
{
	static struct punts punts;
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 1, 0, INITIATION_BYTES_MIN), -1);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 1, 0, INITIATION_BYTES_MIN - 1),
		    DROP_DATAGRAM_TOO_SHORT);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 2, 0, 200), DROP_HEADER_INVALID);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 1, 1, 200), DROP_HEADER_INVALID);
	CHECK_EQUAL(shape(DATAGRAM_INITIATION, 1, 0, HANDSHAKE_BYTES_MAX + 1), DROP_HEADER_INVALID);
	CHECK_EQUAL(shape(DATAGRAM_RESPONSE, 1, 0, RESPONSE_BYTES_MIN), -1);
	CHECK_EQUAL(shape(DATAGRAM_COOKIE, 1, 0, COOKIE_BYTES), -1);
	CHECK_EQUAL(shape(DATAGRAM_COOKIE, 1, 0, COOKIE_BYTES + 1), DROP_HEADER_INVALID);

	uint64_t now_us = 1000000000;
	CHECK_EQUAL(allowed(&punts, DATAGRAM_INITIATION, 1, now_us, 1000), PUNT_SOURCE_BURST);
	CHECK_EQUAL(allowed(&punts, DATAGRAM_INITIATION, 1, now_us, 10), 0);
	CHECK_EQUAL(allowed(&punts, DATAGRAM_INITIATION, 2, now_us, 1), 1);
	CHECK_EQUAL(allowed(&punts, DATAGRAM_INITIATION, 1, now_us + 1000000, 1000),
		    PUNT_SOURCE_BURST);
	/* Many senders share the rate of the kind; another kind has its own. */
	now_us += 100000000;
	unsigned total = 0;
	for (unsigned host = 0; host < 200; host++)
		total += allowed(&punts, DATAGRAM_INITIATION, (uint8_t)host, now_us,
				 PUNT_SOURCE_BURST);
	CHECK_EQUAL(total, PUNT_INITIATIONS_BURST);
	total = 0;
	for (unsigned host = 210; host < 250; host++) /* some share a bucket with a sender above */
		total += allowed(&punts, DATAGRAM_RESPONSE, (uint8_t)host, now_us, 1);
	CHECK(total > 20);
	total = 0;
	/* A peer has its own rate for control bodies, and all peers share one. */
	for (unsigned i = 0; i < 10000; i++)
		total += punt_allows_control(&punts, 1, now_us);
	CHECK_EQUAL(total, PUNT_PEER_BURST);
	CHECK(punt_allows_control(&punts, 2, now_us));
	for (unsigned i = 0; i < 10000; i++)
		total += punt_allows_control(&punts, 3 + i % 500, now_us);
	CHECK_EQUAL(total, PUNT_CONTROLS_BURST - 1);
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
