/*
 * EXPECT: what must hold whatever the input is. A violation prints the condition and aborts,
 * which the fuzzer takes for a crash and keeps the input of.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition) ((condition) ? (void)0 : expect_failed(#condition, __FILE__, __LINE__))

static inline void expect_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* Every target defines it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
