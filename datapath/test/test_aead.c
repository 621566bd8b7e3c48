#include "aead.h"
#include "test.h"

void test_aead(void);

/* AES-256-GCM test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", as
 * NIST took them over. */
static const struct {
	const char *key, *nonce, *aad, *plain, *sealed, *tag;
} cases[] = {
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "", "00000000000000000000000000000000",
	  "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
	  "b094dac5d93471bdec1a502270e3cc6c" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void check_published(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t key[32], nonce[12], aad[64], data[128], sealed[128], tag[16], made[16];
		test_hex(cases[i].key, key, sizeof(key));
		test_hex(cases[i].nonce, nonce, sizeof(nonce));
		size_t aad_length = test_hex(cases[i].aad, aad, sizeof(aad));
		size_t length = test_hex(cases[i].plain, data, sizeof(data));
		test_hex(cases[i].sealed, sealed, sizeof(sealed));
		test_hex(cases[i].tag, tag, sizeof(tag));
		struct aead_key *sealing = aead_key_create(key, AEAD_SEAL, 1);
		struct aead_key *opening = aead_key_create(key, AEAD_OPEN, 1);
		CHECK(aead_seal(sealing, 0, nonce, aad, aad_length, data, length, made));
		CHECK_BYTES(data, sealed, length);
		CHECK_BYTES(made, tag, 16);
		CHECK(aead_open(opening, 0, nonce, aad, aad_length, data, length, tag));
		memcpy(data, sealed, length);
		tag[15] ^= 1;
		CHECK(!aead_open(opening, 0, nonce, aad, aad_length, data, length, tag));
		aead_key_destroy(sealing);
		aead_key_destroy(opening);
	}
}

/* What one library seals, the other must seal alike and open. */
static void check_agreement(void)
{
	static uint8_t first[2048 + 16], second[2048 + 16];
	uint8_t key[32] = { 1, 2, 3 };
	for (size_t length = 0; length <= 2048; length += 1 + length / 7) {
		uint8_t nonce[12] = { [4] = (uint8_t)length, [5] = (uint8_t)(length >> 8) };
		for (size_t i = 0; i < length; i++)
			first[i] = second[i] = (uint8_t)test_random();
		aead_init(AEAD_OPENSSL);
		struct aead_key *openssl = aead_key_create(key, AEAD_SEAL, 2);
		struct aead_key *openssl_open = aead_key_create(key, AEAD_OPEN, 1);
		CHECK(aead_init(AEAD_IPSEC_MB) == 0);
		struct aead_key *ipsec_mb = aead_key_create(key, AEAD_SEAL, 2);
		CHECK(aead_seal(openssl, 1, nonce, key, 16, first, length, first + length));
		CHECK(aead_seal(ipsec_mb, 1, nonce, key, 16, second, length, second + length));
		CHECK_BYTES(first, second, length + 16);
		CHECK(aead_open(ipsec_mb, 0, nonce, key, 16, first, length, first + length));
		CHECK(aead_open(openssl_open, 0, nonce, key, 16, second, length, second + length));
		CHECK_BYTES(first, second, length);
		aead_key_destroy(openssl);
		aead_key_destroy(openssl_open);
		aead_key_destroy(ipsec_mb);
	}
}

void test_aead(void)
{
	CHECK_EQUAL(aead_init(AEAD_OPENSSL), 0);
	check_published();
	if (aead_init(AEAD_IPSEC_MB) == 0) {
		check_published();
		check_agreement();
	} else {
		puts("libipsec-mb was not built in: OpenSSL alone is tested");
	}
	aead_init(AEAD_BEST);
}
