/* The command line of loom-datapath. */
#pragma once

#include "aead.h"
#include "loom_limits.h"

struct options {
	const char *control_path;
	const char *address; /* NULL: all */
	uint16_t port;
	unsigned workers;
	enum aead_library aead;
	bool has_sandbox;
};

/* Returns false after it has printed what is wrong and what would be right. */
bool options_parse(struct options *options, int argc, char **argv);
