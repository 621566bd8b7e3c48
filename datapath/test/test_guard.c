#include "events.h"
#include "guard.h"
#include "test.h"

void test_guard(void);

static uint8_t endpoint[ENDPOINT_BYTES];
static uint8_t bytes[2048];

static size_t read_vector(const char *name)
{
	return test_vector("guard.hex", name, bytes, sizeof(bytes));
}

/* Whether mac1 and mac2 of a vector are right. */
static unsigned macs_of(const struct guard_keys *keys, const char *name)
{
	size_t length = read_vector(name);
	return (unsigned)guard_has_mac1(keys, bytes, length) |
	       (unsigned)guard_has_mac2(keys, bytes, length, endpoint) << 1;
}

/* A change of any byte is seen by mac1, mac2 or both; mac2 also covers mac1. */
static void check_changes(const struct guard_keys *keys)
{
	size_t length = read_vector("initiation.cookie");
	for (size_t i = 0; i < length; i++) {
		bytes[i] ^= 1;
		CHECK_EQUAL(guard_has_mac1(keys, bytes, length), i >= length - 16);
		CHECK(!guard_has_mac2(keys, bytes, length, endpoint));
		bytes[i] ^= 1;
	}
	CHECK(guard_has_mac2(keys, bytes, length, endpoint));
	endpoint[ENDPOINT_BYTES - 1] ^= 1; /* another port */
	CHECK(!guard_has_mac2(keys, bytes, length, endpoint));
	endpoint[ENDPOINT_BYTES - 1] ^= 1;
}

static void check_reply(const struct guard_keys *keys, const uint8_t reply_key[KEY_BYTES])
{
	uint8_t reply[COOKIE_BYTES], other[COOKIE_BYTES], cookie[16];
	const uint64_t unique[2] = { 1000, 1 }, later[2] = { 1000, 2 };
	struct aead_key *opening = aead_key_create(reply_key, AEAD_OPEN, 1);
	CHECK_EQUAL(test_vector("guard.hex", "cookie", cookie, sizeof(cookie)), sizeof(cookie));
	size_t length = read_vector("part");
	CHECK(guard_write_cookie(keys, 1, unique, bytes, length, endpoint, reply));
	CHECK(guard_write_cookie(keys, 1, later, bytes, length, endpoint, other));
	CHECK(memcmp(reply + 8, other + 8, NONCE_BYTES) != 0);
	CHECK_EQUAL(load_be32(reply), 0xe3020000);
	CHECK_EQUAL(load_be32(reply + 4), 0x0a0b0c0d);
	CHECK(aead_open(opening, 0, reply + 8, bytes + length - MACS_BYTES, 16, reply + 20, 16,
			reply + 36));
	CHECK_BYTES(reply + 20, cookie, sizeof(cookie));
	aead_key_destroy(opening);
}

void test_guard(void)
{
	struct control_guard_set fields;
	CHECK_EQUAL(test_vector("guard.hex", "mac1Key", fields.mac1_key, KEY_BYTES), KEY_BYTES);
	(void)test_vector("guard.hex", "cookieReplyKey", fields.cookie_reply_key, KEY_BYTES);
	(void)test_vector("guard.hex", "cookieSecret", fields.cookie_secret, KEY_BYTES);
	(void)test_vector("guard.hex", "previousSecret", fields.previous_secret, KEY_BYTES);
	CHECK_EQUAL(test_vector("guard.hex", "source", endpoint, sizeof(endpoint)), ENDPOINT_BYTES);
	struct guard_keys *keys = guard_create(&fields, 2);
	CHECK_EQUAL(macs_of(keys, "initiation"), 1);
	CHECK_EQUAL(macs_of(keys, "part"), 1);
	CHECK_EQUAL(macs_of(keys, "initiation.cookie"), 3);
	CHECK_EQUAL(macs_of(keys, "initiation.previous"), 3);
	CHECK_EQUAL(macs_of(keys, "part.cookie"), 3);
	check_changes(keys);
	check_reply(keys, fields.cookie_reply_key);
	guard_release(&keys->reclaim);
}
