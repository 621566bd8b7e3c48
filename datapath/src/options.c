#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PORT_DEFAULT 8002

static const char usage[] =
	"usage: loom-datapath --control PATH [--port 8002] [--workers N] [--address ADDRESS]\n"
	"                     [--aead openssl|ipsec-mb] [--no-sandbox]\n";

static bool parse_number(const char *option, const char *text, unsigned long least,
			 unsigned long most, unsigned long *value)
{
	char *end;
	errno = 0;
	*value = strtoul(text, &end, 10);
	if (errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && *value >= least &&
	    *value <= most)
		return true;
	fprintf(stderr, "loom-datapath: --%s takes %lu to %lu, given \"%s\"\n", option, least, most,
		text);
	return false;
}

/* Parses one of two words. */
static bool parse_word(const char *option, const char *text, const char *first, const char *second,
		       bool *is_second)
{
	*is_second = strcmp(text, second) == 0;
	if (*is_second || strcmp(text, first) == 0)
		return true;
	fprintf(stderr, "loom-datapath: --%s takes %s or %s, given \"%s\"\n", option, first, second,
		text);
	return false;
}

/* Half of the processors: the programs whose traffic this is need the others (docs/performance.md).
 */
static unsigned default_workers(void)
{
	long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;
	if (half < 1)
		return 1;
	return half < (long)WORKERS_DEFAULT_MAX ? (unsigned)half : WORKERS_DEFAULT_MAX;
}

static bool parse_option(struct options *options, int option)
{
	unsigned long number = 0;
	bool is_second = false;
	switch (option) {
	case 'c':
		options->control_path = optarg;
		return true;
	case 'a':
		options->address = optarg;
		return true;
	case 'S':
		options->has_sandbox = false;
		return true;
	case 'p':
		if (!parse_number("port", optarg, 1, UINT16_MAX, &number))
			return false;
		options->port = (uint16_t)number;
		return true;
	case 'w':
		if (!parse_number("workers", optarg, 1, WORKERS_MAX, &number))
			return false;
		options->workers = (unsigned)number;
		return true;
	case 'e':
		if (!parse_word("aead", optarg, "openssl", "ipsec-mb", &is_second))
			return false;
		options->aead = is_second ? AEAD_IPSEC_MB : AEAD_OPENSSL;
		return true;
	default:
		fputs(usage, stderr);
		return false;
	}
}

bool options_parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{ "control", required_argument, NULL, 'c' },
		{ "port", required_argument, NULL, 'p' },
		{ "workers", required_argument, NULL, 'w' },
		{ "address", required_argument, NULL, 'a' },
		{ "aead", required_argument, NULL, 'e' },
		{ "no-sandbox", no_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	*options = (struct options){ .port = PORT_DEFAULT,
				     .workers = default_workers(),
				     .aead = AEAD_BEST,
				     .has_sandbox = true };
	for (;;) {
		int option = getopt_long(argc, argv, "", names, NULL);
		if (option == -1)
			break;
		if (!parse_option(options, option))
			return false;
	}
	if (optind == argc && options->control_path != NULL)
		return true;
	fputs(usage, stderr);
	return false;
}
