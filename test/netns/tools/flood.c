/*
 * Floods one UDP port with datagrams of one kind, at full rate or a given one.
 *
 *   flood KIND ADDRESS PORT SECONDS RATE KEY|FILE|- [spoof]
 *
 *   KIND  random      random bytes of random lengths
 *         data        headers of data datagrams in order, random session ids, counters and bodies
 *         replay      the lines (hex) of FILE, over and over
 *         initiation  handshake initiations whose mac1 is right, all else random
 *         part        first parts of handshake initiations likewise, the others of which never come
 *         guess       the same with a random mac2, which takes more hashes to refuse
 *         response    handshake responses likewise
 *         cookie      cookie replies of random content
 *         handshake   initiations and responses in turn
 *   RATE  datagrams a second; 0: as fast as it goes
 *   KEY   static public key of the receiver, 64 hex digits: mac1 needs nothing secret
 *   spoof each datagram from another address of 198.18.0.0/15 (RFC 2544); needs CAP_NET_ADMIN
 *
 * Prints "ready", and at the end or on SIGTERM {"sent":N,"seconds":S}. Datagrams are made before
 * the first is sent, so that full rate is the rate of sending. IPv4 only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	POOL = 8192,
	BATCH = 64,
	DATAGRAM_BYTES_MAX = 1472,
	KEY_BYTES = 32,
	MAC_BYTES = 16,
	INITIATION_BYTES = 176,
	PART_BYTES = 700,
	RESPONSE_BYTES = 132,
	COOKIE_BYTES = 52,
	CONTROL_BYTES = CMSG_SPACE(sizeof(struct in_pktinfo)),
	SPOOFED = 0xc6120000, /* 198.18.0.0 */
};

struct datagram {
	uint16_t length;
	uint8_t bytes[DATAGRAM_BYTES_MAX];
};

static struct datagram pool[POOL];
static unsigned pool_size;
static volatile sig_atomic_t is_stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	is_stopped = 1;
}

static uint32_t random32(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool parse_hex(const char *text, uint8_t *out, size_t most, size_t *length)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	if (digits % 2 != 0 || digits / 2 > most)
		return false;
	for (size_t i = 0; i < digits / 2; i++) {
		const char pair[3] = { text[2 * i], text[2 * i + 1], 0 };
		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*length = digits / 2;
	return true;
}

/* protocol.md 2.3: mac1 is keyed by what everybody who knows the receiver's public key can compute.
 */
static void put_mac1(struct datagram *datagram, const uint8_t key[KEY_BYTES])
{
	static const char label[] = "etherloom mac1";
	uint8_t labelled[sizeof(label) - 1 + KEY_BYTES];
	uint8_t mac_key[32];
	uint8_t mac[32];
	unsigned size = 0;
	size_t end = datagram->length - 2u * MAC_BYTES;
	memcpy(labelled, label, sizeof(label) - 1);
	memcpy(labelled + sizeof(label) - 1, key, KEY_BYTES);
	EVP_Digest(labelled, sizeof(labelled), mac_key, &size, EVP_sha256(), NULL);
	HMAC(EVP_sha256(), mac_key, sizeof(mac_key), datagram->bytes, end, mac, &size);
	memcpy(datagram->bytes + end, mac, MAC_BYTES);
	memset(datagram->bytes + end + MAC_BYTES, 0, MAC_BYTES);
}

static void make_handshake(struct datagram *datagram, uint8_t type, uint16_t length,
			   const uint8_t key[KEY_BYTES])
{
	bool is_part = length == PART_BYTES;
	datagram->length = length;
	datagram->bytes[0] = type;
	datagram->bytes[1] = 2; /* version */
	datagram->bytes[2] = 0;
	datagram->bytes[3] = is_part ? 2 : 0;
	if (type != 0xe3)
		put_mac1(datagram, key);
}

static bool make(struct datagram *datagram, const char *kind, const uint8_t key[KEY_BYTES])
{
	if (strcmp(kind, "handshake") == 0)
		return make(datagram, random32() % 2 == 0 ? "initiation" : "response", key);
	RAND_bytes(datagram->bytes, sizeof(datagram->bytes));
	if (strcmp(kind, "random") == 0) {
		datagram->length = (uint16_t)(1 + random32() % (DATAGRAM_BYTES_MAX - 1));
	} else if (strcmp(kind, "data") == 0) {
		datagram->length = (uint16_t)(64 + random32() % (DATAGRAM_BYTES_MAX - 64));
		memcpy(datagram->bytes, "\xe0\0\0\0", 4);
		memset(datagram->bytes + 8, 0,
		       5); /* a lane and a counter that a session could have */
	} else if (strcmp(kind, "initiation") == 0) {
		make_handshake(datagram, 0xe1, INITIATION_BYTES, key);
	} else if (strcmp(kind, "part") == 0) {
		make_handshake(datagram, 0xe1, PART_BYTES, key);
	} else if (strcmp(kind, "guess") == 0) {
		make_handshake(datagram, 0xe1, INITIATION_BYTES, key);
		RAND_bytes(datagram->bytes + INITIATION_BYTES - MAC_BYTES, MAC_BYTES);
	} else if (strcmp(kind, "response") == 0) {
		make_handshake(datagram, 0xe2, RESPONSE_BYTES, key);
	} else if (strcmp(kind, "cookie") == 0) {
		make_handshake(datagram, 0xe3, COOKIE_BYTES, key);
	} else {
		return false;
	}
	return true;
}

static bool read_pool(const char *path)
{
	static char line[2 * DATAGRAM_BYTES_MAX + 2];
	FILE *file = fopen(path, "r");
	while (file != NULL && pool_size < POOL && fgets(line, sizeof(line), file) != NULL) {
		size_t length = 0;
		if (!parse_hex(line, pool[pool_size].bytes, DATAGRAM_BYTES_MAX, &length))
			break;
		pool[pool_size].length = (uint16_t)length;
		pool_size += length > 0;
	}
	if (file != NULL)
		fclose(file);
	return pool_size > 0;
}

static bool fill_pool(const char *kind, const char *given)
{
	uint8_t key[KEY_BYTES] = { 0 };
	size_t length = 0;
	if (strcmp(kind, "replay") == 0)
		return read_pool(given);
	if (strcmp(given, "-") != 0 &&
	    (!parse_hex(given, key, KEY_BYTES, &length) || length != KEY_BYTES))
		return false;
	for (pool_size = 0; pool_size < POOL; pool_size++)
		if (!make(&pool[pool_size], kind, key))
			return false;
	return true;
}

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL_BYTES];
};

static void put_source(struct msghdr *message, uint8_t *control)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(SPOOFED | (random32() & 0x1ffff)) };
	message->msg_control = control;
	message->msg_controllen = CONTROL_BYTES;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	header->cmsg_level = IPPROTO_IP;
	header->cmsg_type = IP_PKTINFO;
	header->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(header), &info, sizeof(info));
}

static int send_batch(int descriptor, struct batch *batch, struct sockaddr_in *to, unsigned count,
		      bool spoofs)
{
	static unsigned next;
	for (unsigned i = 0; i < count; i++) {
		struct datagram *datagram = &pool[next++ % pool_size];
		struct msghdr *message = &batch->messages[i].msg_hdr;
		batch->pieces[i] =
			(struct iovec){ .iov_base = datagram->bytes, .iov_len = datagram->length };
		*message = (struct msghdr){ .msg_name = to,
					    .msg_namelen = sizeof(*to),
					    .msg_iov = &batch->pieces[i],
					    .msg_iovlen = 1 };
		if (spoofs)
			put_source(message, batch->control[i]);
	}
	return sendmmsg(descriptor, batch->messages, count, 0);
}

static int flood(struct sockaddr_in *to, double seconds, double rate, bool spoofs)
{
	static struct batch batch;
	int one = 1;
	uint64_t sent = 0;
	int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
	if (descriptor < 0 || (spoofs && setsockopt(descriptor, IPPROTO_IP, IP_TRANSPARENT, &one,
						    sizeof(one)) != 0)) {
		perror("flood: socket");
		return 1;
	}
	double began = now();
	double passed = 0;
	while (!is_stopped && passed < seconds) {
		double due = rate <= 0 ? BATCH : passed * rate - (double)sent;
		if (due < 1) {
			poll(NULL, 0, 1);
		} else {
			int count = send_batch(descriptor, &batch, to,
					       due < BATCH ? (unsigned)due : BATCH, spoofs);
			if (count < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
				perror("flood: send");
				return 1;
			}
			sent += count > 0 ? (uint64_t)count : 0;
		}
		passed = now() - began;
	}
	printf("{\"sent\":%llu,\"seconds\":%.3f}\n", (unsigned long long)sent, passed);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 7 || argc > 8) {
		fputs("usage: flood KIND ADDRESS PORT SECONDS RATE KEY|FILE|- [spoof]\n", stderr);
		return 2;
	}
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10)) };
	if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1 || !fill_pool(argv[1], argv[6])) {
		fputs("flood: no such kind, no IPv4 address, or no datagrams\n", stderr);
		return 2;
	}
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	puts("ready");
	fflush(stdout);
	return flood(&to, strtod(argv[4], NULL), strtod(argv[5], NULL),
		     argc > 7 && strcmp(argv[7], "spoof") == 0);
}
