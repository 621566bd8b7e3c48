/*
 * Takes the fuzzer's bytes apart. Behind the end everything is zero, so that every input has a
 * meaning.
 *
 * A *blob* is given bytes followed by a pattern up to a total length, so that a super-frame of 64
 * KB costs an input of 100 bytes.
 */
#pragma once

#include "bytes.h"

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t input_u8(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static inline uint16_t input_u16(struct input *input)
{
	unsigned high = input_u8(input);
	return (uint16_t)(high << 8 | input_u8(input));
}

/*
 * Varies by position in two periods, so that a misplaced byte shows. Made once: it is most of the
 * bytes.
 */
static inline const uint8_t *input_pattern(void)
{
	static uint8_t pattern[1 << 16];
	if (pattern[1] == 0)
		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
	return pattern;
}

/*
 * Reads u16 given, u16 total, the given bytes; writes the blob. Returns its length, at most
 * `size`.
 */
static inline size_t input_blob(struct input *input, uint8_t *out, size_t size)
{
	size_t given = input_u16(input);
	size_t total = input_u16(input);
	if (given > input->left)
		given = input->left;
	if (given > size)
		given = size;
	if (total < given)
		total = given;
	if (total > size)
		total = size;
	if (given != 0)
		memcpy(out, input->at, given);
	input->at += given;
	input->left -= given;
	if (total > given)
		memcpy(out + given, input_pattern() + given, total - given);
	return total;
}
