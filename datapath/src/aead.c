#include "aead.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#ifdef LOOM_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

struct aead_key {
	unsigned users;
#ifdef LOOM_IPSEC_MB
	struct gcm_key_data *prepared; /* 64-byte aligned; read by all users */
#endif
	EVP_CIPHER_CTX *contexts[];
};

static enum aead_library chosen = AEAD_OPENSSL;
static EVP_CIPHER *cipher;
#ifdef LOOM_IPSEC_MB
static IMB_MGR *manager;

static int init_ipsec_mb(void)
{
	if (manager != NULL)
		return 0;
	manager = alloc_mb_mgr(0);
	if (manager == NULL)
		return -EIO;
	init_mb_mgr_auto(manager, NULL);
	return imb_get_errno(manager) == 0 ? 0 : -EIO;
}
#else
static int init_ipsec_mb(void)
{
	return -ENOTSUP;
}
#endif

int aead_init(enum aead_library library)
{
	if (cipher == NULL)
		cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (cipher == NULL)
		return -EIO;
	chosen = AEAD_OPENSSL;
	if (library == AEAD_OPENSSL)
		return 0;
	int result = init_ipsec_mb();
	if (result == 0)
		chosen = AEAD_IPSEC_MB;
	return library == AEAD_BEST ? 0 : result;
}

enum aead_library aead_library_used(void)
{
	return chosen;
}

static EVP_CIPHER_CTX *openssl_context(const uint8_t *key, enum aead_direction direction)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	if (context == NULL)
		return NULL;
	if (EVP_CipherInit_ex2(context, cipher, key, NULL, direction == AEAD_SEAL, NULL) == 1)
		return context;
	EVP_CIPHER_CTX_free(context);
	return NULL;
}

struct aead_key *aead_key_create(const uint8_t key[KEY_BYTES], enum aead_direction direction,
				 unsigned users)
{
	struct aead_key *made = calloc(1, sizeof(*made) + users * sizeof(made->contexts[0]));
	if (made == NULL)
		return NULL;
#ifdef LOOM_IPSEC_MB
	if (chosen == AEAD_IPSEC_MB) {
		made->prepared = aligned_alloc(64, (sizeof(*made->prepared) + 63) / 64 * 64);
		if (made->prepared != NULL) {
			IMB_AES256_GCM_PRE(manager, key, made->prepared);
			return made;
		}
		free(made);
		return NULL;
	}
#endif
	for (; made->users < users; made->users++) {
		made->contexts[made->users] = openssl_context(key, direction);
		if (made->contexts[made->users] == NULL) {
			aead_key_destroy(made);
			return NULL;
		}
	}
	return made;
}

void aead_key_destroy(struct aead_key *key)
{
	if (key == NULL)
		return;
#ifdef LOOM_IPSEC_MB
	if (key->prepared != NULL)
		OPENSSL_cleanse(key->prepared, sizeof(*key->prepared));
	free(key->prepared);
#endif
	/* Freeing a context wipes its key schedule. */
	for (unsigned i = 0; i < key->users; i++)
		EVP_CIPHER_CTX_free(key->contexts[i]);
	free(key);
}

bool aead_seal(struct aead_key *key, unsigned user, const uint8_t nonce[NONCE_BYTES],
	       const uint8_t *aad, size_t aad_length, uint8_t *data, size_t length, uint8_t *tag)
{
#ifdef LOOM_IPSEC_MB
	if (key->prepared != NULL) {
		struct gcm_context_data state;
		IMB_AES256_GCM_ENC(manager, key->prepared, &state, data, data, length, nonce, aad,
				   aad_length, tag, TAG_BYTES);
		return true;
	}
#endif
	EVP_CIPHER_CTX *context = key->contexts[user];
	int done = 0;
	return EVP_EncryptInit_ex2(context, NULL, NULL, nonce, NULL) == 1 &&
	       EVP_EncryptUpdate(context, NULL, &done, aad, (int)aad_length) == 1 &&
	       EVP_EncryptUpdate(context, data, &done, data, (int)length) == 1 &&
	       EVP_EncryptFinal_ex(context, data + done, &done) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)TAG_BYTES, tag) == 1;
}

bool aead_open(struct aead_key *key, unsigned user, const uint8_t nonce[NONCE_BYTES],
	       const uint8_t *aad, size_t aad_length, uint8_t *data, size_t length,
	       const uint8_t *tag)
{
	uint8_t expected[TAG_BYTES];
#ifdef LOOM_IPSEC_MB
	if (key->prepared != NULL) {
		struct gcm_context_data state;
		IMB_AES256_GCM_DEC(manager, key->prepared, &state, data, data, length, nonce, aad,
				   aad_length, expected, TAG_BYTES);
		return CRYPTO_memcmp(expected, tag, TAG_BYTES) == 0;
	}
#endif
	EVP_CIPHER_CTX *context = key->contexts[user];
	int done = 0;
	memcpy(expected, tag, TAG_BYTES); /* the control call takes no const pointer */
	return EVP_DecryptInit_ex2(context, NULL, NULL, nonce, NULL) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &done, aad, (int)aad_length) == 1 &&
	       EVP_DecryptUpdate(context, data, &done, data, (int)length) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)TAG_BYTES, expected) == 1 &&
	       EVP_DecryptFinal_ex(context, data + done, &done) == 1;
}
