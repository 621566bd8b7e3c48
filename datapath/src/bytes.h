/*
 * Big-endian integers and byte accessors.
 *
 * Wire structs are built from be16_t, be32_t and be64_t: byte arrays, so that they have no
 * alignment and cannot be used as a number by mistake; be16_get and be16_of convert. load_be16 and
 * store_be16 read and write at any address of a buffer. Likewise for 32 and 64 bits. Pure
 * functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_BIG_ENDIAN(bits, value) __builtin_bswap##bits(value)
#else
#define BYTES_BIG_ENDIAN(bits, value) (value)
#endif

#define BYTES_DEFINE(bits)                                                   \
	typedef struct {                                                     \
		uint8_t bytes[(bits) / 8];                                   \
	} be##bits##_t;                                                      \
	static inline uint##bits##_t load_be##bits(const uint8_t *at)        \
	{                                                                    \
		uint##bits##_t value;                                        \
		memcpy(&value, at, sizeof(value));                           \
		return BYTES_BIG_ENDIAN(bits, value);                        \
	}                                                                    \
	static inline void store_be##bits(uint8_t *at, uint##bits##_t value) \
	{                                                                    \
		value = BYTES_BIG_ENDIAN(bits, value);                       \
		memcpy(at, &value, sizeof(value));                           \
	}                                                                    \
	static inline uint##bits##_t be##bits##_get(be##bits##_t field)      \
	{                                                                    \
		return load_be##bits(field.bytes);                           \
	}                                                                    \
	static inline be##bits##_t be##bits##_of(uint##bits##_t value)       \
	{                                                                    \
		be##bits##_t field;                                          \
		store_be##bits(field.bytes, value);                          \
		return field;                                                \
	}

BYTES_DEFINE(16)
BYTES_DEFINE(32)
BYTES_DEFINE(64)

/* A VNI. */
static inline uint32_t load_be24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | load_be16(at + 1);
}

static inline void store_be24(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 16);
	store_be16(at + 1, (uint16_t)value);
}

/* A MAC address as a number. */
static inline uint64_t load_be48(const uint8_t *at)
{
	return (uint64_t)load_be16(at) << 32 | load_be32(at + 2);
}

static inline void store_be48(uint8_t *at, uint64_t value)
{
	store_be16(at, (uint16_t)(value >> 32));
	store_be32(at + 2, (uint32_t)value);
}

static inline bool bytes_are_zero(const uint8_t *at, size_t length)
{
	uint8_t any = 0;
	for (size_t i = 0; i < length; i++)
		any |= at[i];
	return any == 0;
}
