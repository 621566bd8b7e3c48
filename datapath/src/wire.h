/*
 * The datagram between hosts, docs/protocol.md section 1, as packed structs. Pure layout; no state.
 */
#ifndef LOOM_WIRE_H
#define LOOM_WIRE_H

#include "bytes.h"

enum datagram_kind {
	DATAGRAM_DATA = 0xE0,
	DATAGRAM_INITIATION = 0xE1,
	DATAGRAM_RESPONSE = 0xE2,
	DATAGRAM_COOKIE = 0xE3,
};

enum data_flag {
	DATA_FLAG_TRAIN = 0x01,
	DATA_FLAG_LAST = 0x02,
};

enum body_kind {
	BODY_CONTROL = 0,
	BODY_FRAMES = 1,
};

#define PROTOCOL_VERSION 1
#define TAG_BYTES 16u
#define NONCE_BYTES 12u
#define KEY_BYTES 32u
#define ENDPOINT_BYTES 18u
#define MAC_BYTES 6u
#define ETHERNET_BYTES 14u
#define LANE_SHIFT 60

/* Sizes of handshake messages, docs/protocol.md section 2. */
#define INITIATION_BYTES_MIN 168u
#define RESPONSE_BYTES_MIN 124u
#define COOKIE_BYTES 52u

struct data_header {
	uint8_t kind;
	uint8_t flags;
	be16_t index;
	be32_t receiver;
	be64_t counter;
} __attribute__((packed));
_Static_assert(sizeof(struct data_header) == 16, "data_header");

struct body_header {
	uint8_t kind;
	uint8_t vni[3];
} __attribute__((packed));
_Static_assert(sizeof(struct body_header) == 4, "body_header");

struct entry_header {
	be16_t length;
	uint8_t checksum_start;
	uint8_t checksum_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct entry_header) == 4, "entry_header");

#define DATA_HEADER_BYTES sizeof(struct data_header)
#define BODY_HEADER_BYTES sizeof(struct body_header)
#define ENTRY_HEADER_BYTES sizeof(struct entry_header)

/* Four zero bytes and the counter. */
static inline void wire_nonce(uint8_t nonce[NONCE_BYTES], uint64_t counter)
{
	memset(nonce, 0, 4);
	store_be64(nonce + 4, counter);
}

static inline void wire_data_header(uint8_t *at, uint8_t flags, uint16_t index, uint32_t receiver,
				    uint64_t counter)
{
	at[0] = DATAGRAM_DATA;
	at[1] = flags;
	store_be16(at + 2, index);
	store_be32(at + 4, receiver);
	store_be64(at + 8, counter);
}

static inline void wire_body_header(uint8_t *at, uint8_t kind, uint32_t vni)
{
	at[0] = kind;
	store_be24(at + 1, vni);
}

static inline void wire_entry_header(uint8_t *at, size_t length, uint8_t start, uint8_t offset)
{
	store_be16(at, (uint16_t)length);
	at[2] = start;
	at[3] = offset;
}

#endif
