#include "test.h"

#include <stdlib.h>

unsigned test_passed;
unsigned test_failed;

void test_aead(void);
void test_replay(void);
void test_session(void);
void test_lanes(void);
void test_table(void);
void test_tables(void);
void test_frame(void);
void test_train(void);
void test_shapes(void);
void test_neighbour(void);
void test_source(void);
void test_guard(void);
void test_punt(void);
void test_events(void);
void test_control(void);
void test_steering(void);
void test_path(void);
void test_sandbox(void);

bool test_check(bool condition, const char *file, int line, const char *text)
{
	if (condition) {
		test_passed++;
	} else {
		test_failed++;
		printf("%s:%d: FAILED: %s\n", file, line, text);
	}
	return condition;
}

bool test_check_equal(long long a, long long b, const char *file, int line, const char *text)
{
	if (!test_check(a == b, file, line, text))
		printf("    %lld and %lld\n", a, b);
	return a == b;
}

static unsigned digit_of(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit == 0 ? NULL : strchr(digits, digit);
	if (at == NULL) {
		fputs("bad hex\n", stderr);
		exit(2);
	}
	return (unsigned)(at - digits);
}

size_t test_hex(const char *text, uint8_t *out, size_t size)
{
	size_t length = 0;
	for (; *text != 0 && *text != '\n'; text += 2) {
		if (length == size) {
			fputs("the hex is too long\n", stderr);
			exit(2);
		}
		out[length++] = (uint8_t)(digit_of(text[0]) << 4 | digit_of(text[1]));
	}
	return length;
}

static FILE *open_vectors(const char *file)
{
	char path[256];
	const char *folder = getenv("LOOM_VECTORS");
	snprintf(path, sizeof(path), "%s/%s", folder == NULL ? "vectors" : folder, file);
	FILE *stream = fopen(path, "r");
	if (stream == NULL) {
		fprintf(stderr, "cannot open %s: run in datapath/, or set LOOM_VECTORS\n", path);
		exit(2);
	}
	return stream;
}

/* Splits "name hex\n". */
static char *cut_line(char *line)
{
	char *space = strchr(line, ' ');
	if (space == NULL) {
		fprintf(stderr, "a vector line has no space: %.40s\n", line);
		exit(2);
	}
	*space = 0;
	return space + 1;
}

static char line[1 << 18];

size_t test_vector(const char *file, const char *name, uint8_t *out, size_t size)
{
	FILE *stream = open_vectors(file);
	while (fgets(line, sizeof(line), stream) != NULL) {
		const char *hex = cut_line(line);
		if (strcmp(line, name) == 0) {
			fclose(stream);
			return test_hex(hex, out, size);
		}
	}
	fprintf(stderr, "no vector %s in %s\n", name, file);
	exit(2);
}

void test_each_vector(const char *file,
		      void (*visit)(const char *name, const uint8_t *bytes, size_t length))
{
	static uint8_t bytes[1 << 17];
	FILE *stream = open_vectors(file);
	while (fgets(line, sizeof(line), stream) != NULL) {
		const char *hex = cut_line(line);
		visit(line, bytes, test_hex(hex, bytes, sizeof(bytes)));
	}
	fclose(stream);
}

uint32_t test_random(void)
{
	static uint64_t state = 1;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 32);
}

int main(void)
{
	test_aead();
	test_replay();
	test_session();
	test_lanes();
	test_table();
	test_tables();
	test_frame();
	test_train();
	test_shapes();
	test_neighbour();
	test_source();
	test_guard();
	test_punt();
	test_events();
	test_control();
	test_steering();
	test_path();
	test_sandbox();
	printf("%u passed, %u failed\n", test_passed, test_failed);
	return test_failed == 0 ? 0 : 1;
}
