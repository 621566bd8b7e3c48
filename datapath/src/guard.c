#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: see guard.h */
#include "guard.h"

#include <stdlib.h>

#include <openssl/crypto.h>

static void hmac_prepare(struct hmac_key *key, const uint8_t *bytes, size_t length)
{
	uint8_t block[SHA256_CBLOCK];
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = 0x36 ^ (i < length ? bytes[i] : 0);
	SHA256_Init(&key->inner);
	SHA256_Update(&key->inner, block, sizeof(block));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&key->outer);
	SHA256_Update(&key->outer, block, sizeof(block));
	OPENSSL_cleanse(block, sizeof(block));
}

static void hmac(const struct hmac_key *key, const void *bytes, size_t length,
		 uint8_t mac[SHA256_DIGEST_LENGTH])
{
	SHA256_CTX state = key->inner;
	SHA256_Update(&state, bytes, length);
	SHA256_Final(mac, &state);
	state = key->outer;
	SHA256_Update(&state, mac, SHA256_DIGEST_LENGTH);
	SHA256_Final(mac, &state);
}

struct guard_keys *guard_create(const struct control_guard_set *fields, unsigned workers)
{
	struct guard_keys *keys = calloc(1, sizeof(*keys));
	if (keys == NULL)
		return NULL;
	keys->reply = aead_key_create(fields->cookie_reply_key, AEAD_SEAL, workers);
	hmac_prepare(&keys->mac1, fields->mac1_key, KEY_BYTES);
	hmac_prepare(&keys->cookies[0], fields->cookie_secret, KEY_BYTES);
	hmac_prepare(&keys->cookies[1], fields->previous_secret, KEY_BYTES);
	if (keys->reply != NULL)
		return keys;
	guard_release(&keys->reclaim);
	return NULL;
}

void guard_release(struct reclaim_node *node)
{
	struct guard_keys *keys = (struct guard_keys *)(void *)node;
	aead_key_destroy(keys->reply);
	OPENSSL_cleanse(keys, sizeof(*keys));
	free(keys);
}
_Static_assert(offsetof(struct guard_keys, reclaim) == 0, "a node is its keys");

bool guard_has_mac1(const struct guard_keys *keys, const uint8_t *datagram, size_t length)
{
	uint8_t mac[SHA256_DIGEST_LENGTH];
	size_t end = length - MACS_BYTES;
	hmac(&keys->mac1, datagram, end, mac);
	return CRYPTO_memcmp(mac, datagram + end, MAC_BYTES_SENT) == 0;
}

bool guard_has_mac2(const struct guard_keys *keys, const uint8_t *datagram, size_t length,
		    const uint8_t endpoint[ENDPOINT_BYTES])
{
	size_t end = length - MAC_BYTES_SENT;
	bool is_valid = false;
	for (unsigned i = 0; i < 2 && !is_valid; i++) {
		uint8_t mac[SHA256_DIGEST_LENGTH];
		struct hmac_key cookie;
		hmac(&keys->cookies[i], endpoint, ENDPOINT_BYTES, mac);
		hmac_prepare(&cookie, mac, MAC_BYTES_SENT);
		hmac(&cookie, datagram, end, mac);
		is_valid = CRYPTO_memcmp(mac, datagram + end, MAC_BYTES_SENT) == 0;
	}
	return is_valid;
}

bool guard_write_cookie(const struct guard_keys *keys, unsigned worker, const uint64_t unique[2],
			const uint8_t *datagram, size_t length,
			const uint8_t endpoint[ENDPOINT_BYTES], uint8_t reply[COOKIE_BYTES])
{
	uint8_t mac[SHA256_DIGEST_LENGTH];
	uint8_t *nonce = reply + 8;
	uint8_t *cookie = nonce + NONCE_BYTES;
	store_be32(reply, (uint32_t)DATAGRAM_COOKIE << 24 | PROTOCOL_VERSION << 16);
	memcpy(reply + 4, datagram + 4, 4);
	/* No system call for randomness: what the secret makes of a number used once is as good. */
	const uint64_t once[3] = { worker, unique[0], unique[1] };
	hmac(&keys->cookies[0], once, sizeof(once), mac);
	memcpy(nonce, mac, NONCE_BYTES);
	hmac(&keys->cookies[0], endpoint, ENDPOINT_BYTES, mac);
	memcpy(cookie, mac, MAC_BYTES_SENT);
	return aead_seal(keys->reply, worker, nonce, datagram + length - MACS_BYTES, MAC_BYTES_SENT,
			 cookie, MAC_BYTES_SENT, cookie + MAC_BYTES_SENT);
}
