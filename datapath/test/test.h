/*
 * A small test harness: a test is a function, CHECK counts, test_main.c lists them. Helpers for
 * frames and vectors.
 */
#ifndef LOOM_TEST_H
#define LOOM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern unsigned test_passed;
extern unsigned test_failed;

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(a, b) \
	test_check_equal((long long)(a), (long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_BYTES(a, b, length) \
	test_check(memcmp(a, b, length) == 0, __FILE__, __LINE__, #a " equals " #b)

bool test_check(bool condition, const char *file, int line, const char *text);
bool test_check_equal(long long a, long long b, const char *file, int line, const char *text);

/* Parses hex; returns the number of bytes. Ends the process when it is none. */
size_t test_hex(const char *text, uint8_t *out, size_t size);

/* Reads the vector `name` of datapath/vectors/FILE; ends the process when there is none. */
size_t test_vector(const char *file, const char *name, uint8_t *out, size_t size);

/* Calls `visit` for every line of a vector file. */
void test_each_vector(const char *file,
		      void (*visit)(const char *name, const uint8_t *bytes, size_t length));

/* A repeatable random number. */
uint32_t test_random(void);

#endif
