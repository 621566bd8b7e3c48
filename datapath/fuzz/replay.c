/*
 * Runs the files of a corpus through a target, without a fuzzer: what once was found stays fixed.
 *
 * All files are run in one child; only when that dies is each run in a child of its own, to name
 * the one that kills it. The child ends by exit, so that the leak check of the sanitizer sees it.
 * The last line is `N passed, M failed`.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

#define FILES_MAX 10000

static char *paths[FILES_MAX];
static int paths_used;

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_folder(const char *folder)
{
	DIR *directory = opendir(folder);
	EXPECT(directory != NULL);
	const struct dirent *entry;
	while ((entry = readdir(directory)) != NULL) {
		size_t size = strlen(folder) + strlen(entry->d_name) + 2;
		if (entry->d_name[0] == '.')
			continue;
		EXPECT(paths_used < FILES_MAX);
		paths[paths_used] = malloc(size);
		EXPECT(paths[paths_used] != NULL);
		snprintf(paths[paths_used++], size, "%s/%s", folder, entry->d_name);
	}
	closedir(directory);
}

static void run(const char *path)
{
	FILE *file = fopen(path, "rb");
	EXPECT(file != NULL && fseek(file, 0, SEEK_END) == 0);
	long length = ftell(file);
	EXPECT(length >= 0 && fseek(file, 0, SEEK_SET) == 0);
	/* Exactly as long as the input: a look behind its end is seen. */
	uint8_t *bytes = malloc((size_t)length + (length == 0));
	EXPECT(bytes != NULL && fread(bytes, 1, (size_t)length, file) == (size_t)length);
	fclose(file);
	(void)LLVMFuzzerTestOneInput(bytes, (size_t)length);
	free(bytes);
}

static bool survives(int from, int to)
{
	int status = 0;
	fflush(NULL);
	pid_t child = fork();
	EXPECT(child >= 0);
	if (child == 0) {
		for (int i = from; i < to; i++)
			run(paths[i]);
		exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++)
		add_folder(argv[i]);
	qsort(paths, (size_t)paths_used, sizeof(paths[0]), compare);
	/* An empty corpus proves nothing. */
	if (paths_used == 0 || !survives(0, paths_used)) {
		for (int i = 0; i < paths_used; i++) {
			if (survives(i, i + 1))
				continue;
			printf("FAILED: %s\n", paths[i]);
			failed++;
		}
		failed += failed == 0; /* only together, or nothing to run */
	}
	printf("%d passed, %d failed\n", paths_used - failed < 0 ? 0 : paths_used - failed, failed);
	for (int i = 0; i < paths_used; i++)
		free(paths[i]);
	return failed == 0 ? 0 : 1;
}
