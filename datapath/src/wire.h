/*
 * The datagram between hosts, docs/protocol.md section 1. Pure layout; no state.
 */
#pragma once

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

#define PROTOCOL_VERSION 2
#define TAG_BYTES 16u
#define NONCE_BYTES 12u
#define KEY_BYTES 32u
#define ENDPOINT_BYTES 18u
#define MAC_BYTES 6u
#define ETHERNET_BYTES 14u
#define LANE_SHIFT 60

/* Sizes of handshake messages, docs/protocol.md section 2. */
#define INITIATION_BYTES_MIN 176u /* each part of one too */
#define RESPONSE_BYTES_MIN 132u
#define COOKIE_BYTES 52u

/* Kind, flags, train index (2), receiver session id (4), counter (8). */
#define DATA_HEADER_BYTES 16u
/* Kind, VNI (3). */
#define BODY_HEADER_BYTES 4u
/* Length (2), checksum start, checksum offset. */
#define ENTRY_HEADER_BYTES 4u

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
