#include "steering.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include "lanes.h"

#define INSTRUCTIONS_MAX (128u + 3u * STEERING_WORDS)
#define IP_HEADER ((uint32_t)SKF_NET_OFF)
#define MAC2_BYTES 16u
#define IPV4_SOURCE 12u
#define IPV6_SOURCE 8u
/* Of the hash for peers: its upper bits name a word, the next five a bit. */
#define KNOWN_FACTOR 0x9e3779b1u
#define KNOWN_WORD_SHIFT (32u - (uint32_t)__builtin_ctz(STEERING_WORDS))
#define KNOWN_BIT_SHIFT (KNOWN_WORD_SHIFT - 5u)

enum memory {
	MEMORY_KIND,
	MEMORY_LOBBY, /* the first of the class */
	MEMORY_HASH,  /* of the source */
	MEMORY_KNOWN, /* of the source: 1 where it is that of a peer */
};

struct program {
	unsigned used;
	struct sock_filter code[INSTRUCTIONS_MAX];
};

static uint32_t lobby_of(const struct udp_sockets *sockets, enum lobby_class class)
{
	return sockets->count + class * LOBBY_SOURCES;
}

static uint32_t waste_of(const struct udp_sockets *sockets, enum waste waste)
{
	return sockets->count + LOBBIES + waste;
}

static uint32_t factor_of(uint64_t salt)
{
	return (uint32_t)(salt >> 32) | 1;
}

static void put(struct program *program, uint16_t code, uint32_t value)
{
	program->code[program->used++] = (struct sock_filter)BPF_STMT(code, value);
}

/* What follows, up to `end`, is done where the accumulator stands the test or, of `unless`, where
 * it does not. The leap over it is one of its own, since a condition leaps 255 at most. */
static unsigned branch(struct program *program, uint16_t test, uint32_t value, bool is_unless)
{
	program->code[program->used++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | test | BPF_K, value, !is_unless, is_unless);
	put(program, BPF_JMP | BPF_JA, 0);
	return program->used - 1;
}

static unsigned when(struct program *program, uint16_t test, uint32_t value)
{
	return branch(program, test, value, false);
}

static unsigned unless(struct program *program, uint16_t test, uint32_t value)
{
	return branch(program, test, value, true);
}

static void end(struct program *program, unsigned at)
{
	program->code[at].k = program->used - at - 1;
}

static void put_length_check(struct program *program, uint32_t minimum, uint32_t too_short)
{
	put(program, BPF_LD | BPF_W | BPF_LEN, 0);
	unsigned at = unless(program, BPF_JGE, minimum);
	put(program, BPF_RET | BPF_K, too_short);
	end(program, at);
}

static void put_class(struct program *program, uint32_t lobby)
{
	put(program, BPF_LD | BPF_IMM, lobby);
	put(program, BPF_ST, MEMORY_LOBBY);
}

static void put_kind(struct program *program, uint8_t kind, uint32_t minimum, uint32_t too_short,
		     uint32_t lobby)
{
	put(program, BPF_LD | BPF_MEM, MEMORY_KIND);
	unsigned at = when(program, BPF_JEQ, kind);
	put_length_check(program, minimum, too_short);
	put_class(program, lobby);
	end(program, at);
}

/* Whether mac2 begins with zeros tells enough. Of a cookie reply it is the tag. */
static void put_proved(struct program *program, uint32_t lobby)
{
	put(program, BPF_LD | BPF_W | BPF_LEN, 0);
	put(program, BPF_ALU | BPF_SUB | BPF_K, MAC2_BYTES);
	put(program, BPF_MISC | BPF_TAX, 0);
	put(program, BPF_LD | BPF_W | BPF_IND, 0);
	unsigned at = unless(program, BPF_JEQ, 0);
	put_class(program, lobby);
	end(program, at);
}

/* The source address in a word (IPv6: its /64), hashed; steering_know does the same. */
static void put_hash(struct program *program, uint64_t salt)
{
	put(program, BPF_LD | BPF_W | BPF_ABS, IP_HEADER + IPV4_SOURCE);
	put(program, BPF_ST, MEMORY_HASH);
	put(program, BPF_LD | BPF_B | BPF_ABS, IP_HEADER);
	put(program, BPF_ALU | BPF_RSH | BPF_K, 4);
	unsigned at = when(program, BPF_JEQ, 6);
	put(program, BPF_LD | BPF_W | BPF_ABS, IP_HEADER + IPV6_SOURCE);
	put(program, BPF_ALU | BPF_MUL | BPF_K, factor_of(salt));
	put(program, BPF_MISC | BPF_TAX, 0);
	put(program, BPF_LD | BPF_W | BPF_ABS, IP_HEADER + IPV6_SOURCE + 4);
	put(program, BPF_ALU | BPF_XOR | BPF_X, 0);
	put(program, BPF_ST, MEMORY_HASH);
	end(program, at);
	put(program, BPF_LD | BPF_MEM, MEMORY_HASH);
	put(program, BPF_ALU | BPF_XOR | BPF_K, (uint32_t)salt);
	put(program, BPF_ALU | BPF_MUL | BPF_K, factor_of(salt));
	put(program, BPF_ST, MEMORY_HASH);
}

void steering_know(struct steering *steering, const uint8_t endpoint[ENDPOINT_BYTES])
{
	bool is_v4 = load_be64(endpoint) == 0 && load_be32(endpoint + 8) == 0xffff;
	uint32_t factor = factor_of(steering->salt);
	uint32_t source = is_v4 ? load_be32(endpoint + 12)
				: (load_be32(endpoint) * factor) ^ load_be32(endpoint + 4);
	uint32_t hash = (source ^ (uint32_t)steering->salt) * factor * KNOWN_FACTOR;
	steering->known[hash >> KNOWN_WORD_SHIFT] |= 1u << ((hash >> KNOWN_BIT_SHIFT) & 31);
}

/* Looks the source up among those of peers: finds the word of its bit by comparing. */
static void put_known(struct program *program, const struct steering *steering)
{
	unsigned found[STEERING_WORDS], count = 0;
	put(program, BPF_LD | BPF_MEM, MEMORY_HASH);
	put(program, BPF_ALU | BPF_MUL | BPF_K, KNOWN_FACTOR);
	put(program, BPF_ST, MEMORY_KNOWN);
	put(program, BPF_ALU | BPF_RSH | BPF_K, KNOWN_BIT_SHIFT);
	put(program, BPF_ALU | BPF_AND | BPF_K, 31);
	put(program, BPF_MISC | BPF_TAX, 0);
	put(program, BPF_LD | BPF_MEM, MEMORY_KNOWN);
	put(program, BPF_ALU | BPF_RSH | BPF_K, KNOWN_WORD_SHIFT);
	for (uint32_t word = 0; word < STEERING_WORDS; word++) {
		if (steering->known[word] == 0)
			continue;
		program->code[program->used++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, 0, 2);
		put(program, BPF_LD | BPF_IMM, steering->known[word]);
		found[count++] = program->used;
		put(program, BPF_JMP | BPF_JA, 0);
	}
	put(program, BPF_LD | BPF_IMM, 0);
	for (unsigned i = 0; i < count; i++)
		end(program, found[i]);
	put(program, BPF_ALU | BPF_RSH | BPF_X, 0);
	put(program, BPF_ALU | BPF_AND | BPF_K, 1);
	put(program, BPF_ST, MEMORY_KNOWN);
}

/* One lobby of the class, by the source. */
static void put_lobby(struct program *program)
{
	put(program, BPF_LD | BPF_MEM, MEMORY_HASH);
	put(program, BPF_ALU | BPF_RSH | BPF_K, 32 - (uint32_t)__builtin_ctz(LOBBY_SOURCES));
	put(program, BPF_MISC | BPF_TAX, 0);
	put(program, BPF_LD | BPF_MEM, MEMORY_LOBBY);
	put(program, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(program, BPF_RET | BPF_A, 0);
}

/* By lane and session (lanes.h). */
static void put_worker(struct program *program, const struct udp_sockets *sockets)
{
	put(program, BPF_LD | BPF_W | BPF_ABS, 4); /* the session */
	put(program, BPF_ALU | BPF_AND | BPF_K, lanes_mask(sockets->count));
	put(program, BPF_MISC | BPF_TAX, 0);
	put(program, BPF_LD | BPF_B | BPF_ABS, 8); /* the counter */
	put(program, BPF_ALU | BPF_RSH | BPF_K, LANE_SHIFT - 56);
	put(program, BPF_ALU | BPF_XOR | BPF_X, 0);
	put(program, BPF_ALU | BPF_MOD | BPF_K, sockets->count);
	put(program, BPF_RET | BPF_A, 0);
}

static void put_data(struct program *program, const struct udp_sockets *sockets,
		     const struct steering *steering)
{
	put_length_check(program, DATA_HEADER_BYTES + TAG_BYTES, waste_of(sockets, WASTE_SHORT));
	if (steering->is_flooded) {
		put(program, BPF_LD | BPF_MEM, MEMORY_KNOWN);
		unsigned at = when(program, BPF_JEQ, 0);
		put_class(program, lobby_of(sockets, LOBBY_DATA));
		put_lobby(program);
		end(program, at);
	}
	put_worker(program, sockets);
}

static void put_handshake(struct program *program, const struct udp_sockets *sockets,
			  const struct steering *steering)
{
	const uint32_t too_short = waste_of(sockets, WASTE_SHORT);
	put(program, BPF_LD | BPF_MEM, MEMORY_KIND);
	put(program, BPF_ALU | BPF_SUB | BPF_K, DATAGRAM_INITIATION);
	unsigned at = when(program, BPF_JGT, DATAGRAM_COOKIE - DATAGRAM_INITIATION);
	put(program, BPF_RET | BPF_K, waste_of(sockets, WASTE_INVALID));
	end(program, at);
	put_length_check(program, COOKIE_BYTES, too_short);
	put_kind(program, DATAGRAM_INITIATION, INITIATION_BYTES_MIN, too_short,
		 lobby_of(sockets, LOBBY_PLAIN));
	put_kind(program, DATAGRAM_RESPONSE, RESPONSE_BYTES_MIN, too_short,
		 lobby_of(sockets, LOBBY_ANSWER));
	put_proved(program, lobby_of(sockets, LOBBY_PROVED));
	put_kind(program, DATAGRAM_COOKIE, COOKIE_BYTES, too_short,
		 lobby_of(sockets, LOBBY_ANSWER));
	if (steering->is_flooded) {
		put(program, BPF_LD | BPF_MEM, MEMORY_KNOWN);
		at = when(program, BPF_JEQ, 1);
		put_class(program, lobby_of(sockets, LOBBY_KNOWN));
		end(program, at);
	} else {
		put_hash(program, steering->salt);
	}
	put_lobby(program);
}

bool steering_attach(const struct udp_sockets *sockets, const struct steering *steering)
{
	struct program program = { 0 };
	put_length_check(&program, 1, waste_of(sockets, WASTE_SHORT));
	put(&program, BPF_LD | BPF_B | BPF_ABS, 0);
	put(&program, BPF_ST, MEMORY_KIND);
	put(&program, BPF_ST, MEMORY_LOBBY); /* the kernel wants it on every way */
	if (steering->is_flooded) {
		put_hash(&program, steering->salt);
		put_known(&program, steering);
	}
	put(&program, BPF_LD | BPF_MEM, MEMORY_KIND);
	unsigned of_data = unless(&program, BPF_JEQ, DATAGRAM_DATA);
	put(&program, BPF_LD | BPF_W | BPF_LEN, 0);
	unsigned of_joined = unless(&program, BPF_JGT, DATAGRAM_BYTES_ALONE);
	put_handshake(&program, sockets, steering);
	end(&program, of_data);
	end(&program, of_joined);
	put_data(&program, sockets, steering);
	const struct sock_fprog code = { .len = (unsigned short)program.used,
					 .filter = program.code };
	return setsockopt(sockets->descriptors[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &code,
			  sizeof(code)) == 0;
}
