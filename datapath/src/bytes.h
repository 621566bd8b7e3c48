/*
 * Big-endian integers and byte accessors.
 *
 * Wire structs are built from be16_t, be32_t and be64_t: byte arrays, so that they have no
 * alignment and cannot be used as a number by mistake. The load_ and store_ functions read and
 * write fields at any address of a buffer. Pure functions.
 */
#ifndef LOOM_BYTES_H
#define LOOM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	uint8_t bytes[2];
} be16_t;

typedef struct {
	uint8_t bytes[4];
} be32_t;

typedef struct {
	uint8_t bytes[8];
} be64_t;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_SWAP16(v) __builtin_bswap16(v)
#define BYTES_SWAP32(v) __builtin_bswap32(v)
#define BYTES_SWAP64(v) __builtin_bswap64(v)
#else
#define BYTES_SWAP16(v) (v)
#define BYTES_SWAP32(v) (v)
#define BYTES_SWAP64(v) (v)
#endif

static inline uint16_t load_be16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return BYTES_SWAP16(value);
}

static inline uint32_t load_be32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return BYTES_SWAP32(value);
}

static inline uint64_t load_be64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return BYTES_SWAP64(value);
}

static inline uint32_t load_be24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

/* A MAC address as a number. */
static inline uint64_t load_be48(const uint8_t *at)
{
	return (uint64_t)load_be16(at) << 32 | load_be32(at + 2);
}

static inline void store_be16(uint8_t *at, uint16_t value)
{
	value = BYTES_SWAP16(value);
	memcpy(at, &value, sizeof(value));
}

static inline void store_be32(uint8_t *at, uint32_t value)
{
	value = BYTES_SWAP32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void store_be64(uint8_t *at, uint64_t value)
{
	value = BYTES_SWAP64(value);
	memcpy(at, &value, sizeof(value));
}

static inline void store_be24(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 16);
	store_be16(at + 1, (uint16_t)value);
}

static inline void store_be48(uint8_t *at, uint64_t value)
{
	store_be16(at, (uint16_t)(value >> 32));
	store_be32(at + 2, (uint32_t)value);
}

static inline uint16_t be16_get(be16_t field)
{
	return load_be16(field.bytes);
}
static inline uint32_t be32_get(be32_t field)
{
	return load_be32(field.bytes);
}
static inline uint64_t be64_get(be64_t field)
{
	return load_be64(field.bytes);
}

static inline be16_t be16_of(uint16_t value)
{
	be16_t field;
	store_be16(field.bytes, value);
	return field;
}

static inline be32_t be32_of(uint32_t value)
{
	be32_t field;
	store_be32(field.bytes, value);
	return field;
}

static inline be64_t be64_of(uint64_t value)
{
	be64_t field;
	store_be64(field.bytes, value);
	return field;
}

static inline bool bytes_are_zero(const uint8_t *at, size_t length)
{
	uint8_t any = 0;
	for (size_t i = 0; i < length; i++)
		any |= at[i];
	return any == 0;
}

#endif
