#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PORT_DEFAULT 8002

static const char usage[] = "usage: loom-datapath --control PATH [--port 1..65535] [--workers "
			    "1..16] [--address ADDRESS]\n"
			    "                     [--aead openssl|ipsec-mb] [--no-sandbox]\n";

/* Returns 0 when the text is no number of 1 to `most`. */
static unsigned parse_number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	return value > most || (value != 0 && *end != 0) ? 0 : (unsigned)value;
}

/* One a processor: a flow uses one of them, so further ones cost nothing until there are further
 * flows (docs/performance.md). */
static unsigned default_workers(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (processors < 1)
		return 1;
	return processors < (long)WORKERS_DEFAULT_MAX ? (unsigned)processors : WORKERS_DEFAULT_MAX;
}

static bool parse_option(struct options *options, int option)
{
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
		options->port = (uint16_t)parse_number(optarg, UINT16_MAX);
		return options->port != 0;
	case 'w':
		options->workers = parse_number(optarg, WORKERS_MAX);
		return options->workers != 0;
	case 'e':
		options->aead = strcmp(optarg, "ipsec-mb") == 0 ? AEAD_IPSEC_MB : AEAD_OPENSSL;
		return options->aead == AEAD_IPSEC_MB || strcmp(optarg, "openssl") == 0;
	default:
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
	bool is_good = true;
	int option;
	while (is_good && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
		is_good = parse_option(options, option);
	if (is_good && optind == argc && options->control_path != NULL)
		return true;
	fputs(usage, stderr);
	return false;
}
