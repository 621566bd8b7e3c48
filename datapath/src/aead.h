/*
 * AES-256-GCM behind one seam, so that packet code does not know which library computes it.
 *
 * Two implementations: OpenSSL 3 (everywhere) and libipsec-mb (x86-64, where it was present at
 * build; faster). One is chosen for the process at start by aead_init.
 *
 * A key is prepared once and then used by a fixed number of users, each a thread with its own
 * index: OpenSSL contexts are not shared between threads. Ownership: aead_key_create gives,
 * aead_key_destroy wipes and frees.
 */
#pragma once

#include <stdbool.h>

#include "wire.h"

enum aead_library {
	AEAD_BEST,
	AEAD_OPENSSL,
	AEAD_IPSEC_MB,
};

enum aead_direction {
	AEAD_SEAL,
	AEAD_OPEN,
};

struct aead_key;

/* Returns 0, -ENOTSUP when the library was not built in, or -EIO when it cannot be used. */
int aead_init(enum aead_library library);

/* The library in use. */
enum aead_library aead_library_used(void);

/* NULL when memory is short. */
struct aead_key *aead_key_create(const uint8_t key[KEY_BYTES], enum aead_direction direction,
				 unsigned users);

/* NULL is allowed. */
void aead_key_destroy(struct aead_key *key);

/* Seals data in place and writes TAG_BYTES to tag. False only when the library fails; then data
 * must not be sent. */
bool aead_seal(struct aead_key *key, unsigned user, const uint8_t nonce[NONCE_BYTES],
	       const uint8_t *aad, size_t aad_length, uint8_t *data, size_t length, uint8_t *tag);

/* Opens data in place. False when the tag is wrong; then data is undefined. */
bool aead_open(struct aead_key *key, unsigned user, const uint8_t nonce[NONCE_BYTES],
	       const uint8_t *aad, size_t aad_length, uint8_t *data, size_t length,
	       const uint8_t *tag);
