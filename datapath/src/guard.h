/*
 * What a handshake datagram proves by itself (docs/protocol.md 2.3): mac1, that its sender knows
 * whom it speaks to; mac2, that it receives what is sent to its source; and the cookie reply, which
 * gives a sender what mac2 takes. Parts of a message are judged like whole ones: of a datagram only
 * the kind, the sender's session id and the last 32 bytes are looked at.
 *
 * SHA-256 is called below HMAC, since that takes a key's two blocks once, keeps its state on the
 * stack and allocates nothing.
 *
 * Ownership: made and retired by the control thread; workers read it while online (reclaim.h).
 */
#pragma once

#include <openssl/sha.h>

#include "aead.h"
#include "control_messages.h"
#include "reclaim.h"

#define MAC_BYTES_SENT 16u /* of the 32 that HMAC gives */
#define MACS_BYTES 32u	   /* mac1 and mac2, at the end of a datagram */

struct hmac_key {
	SHA256_CTX inner;
	SHA256_CTX outer;
};

struct guard_keys {
	struct reclaim_node reclaim;
	struct hmac_key mac1;
	struct hmac_key cookies[2]; /* of the secret in use and the one before */
	struct aead_key *reply;	    /* users: each worker */
};

/* NULL when memory is short. */
struct guard_keys *guard_create(const struct control_guard_set *fields, unsigned workers);

/* Wipes the keys and frees. */
void guard_release(struct reclaim_node *node);

/* Of a datagram of MACS_BYTES at least. */
bool guard_has_mac1(const struct guard_keys *keys, const uint8_t *datagram, size_t length);
bool guard_has_mac2(const struct guard_keys *keys, const uint8_t *datagram, size_t length,
		    const uint8_t endpoint[ENDPOINT_BYTES]);

/* Writes the reply to a datagram from `endpoint`. No two calls have the same `worker` and `unique`.
 */
bool guard_write_cookie(const struct guard_keys *keys, unsigned worker, const uint64_t unique[2],
			const uint8_t *datagram, size_t length,
			const uint8_t endpoint[ENDPOINT_BYTES], uint8_t reply[COOKIE_BYTES]);
