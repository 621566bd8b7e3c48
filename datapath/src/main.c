/*
 * loom-datapath: forwards Ethernet frames between TAP devices and peers, as the tables say that the
 * agent sets.
 *
 * main opens what needs privileges, gives the privileges up, starts the workers and becomes the
 * control thread. It outlives its agent: whoever attaches next finds the tables as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"
#include "options.h"
#include "sandbox.h"
#include "tap.h"

/* Static, since it is too large for a stack and lives as long as the process. */
static struct control control;

/* Where the sandbox expects the path that may be unlinked. */
static char control_path[PATH_MAX];

/* `error` is 0 or a negative errno that says more. */
static int fail(const char *what, int error, const char *remedy)
{
	fprintf(stderr, "loom-datapath: %s%s%s; %s.\n", what, error == 0 ? "" : ": ",
		error == 0 ? "" : strerror(-error), remedy);
	return EXIT_FAILURE;
}

static int check_tap_device(void)
{
	int descriptor = open(tap_device_path, O_RDWR | O_CLOEXEC);
	if (descriptor >= 0) {
		close(descriptor);
		return EXIT_SUCCESS;
	}
	return fail(errno == ENOENT ? "/dev/net/tun is missing" : "/dev/net/tun cannot be opened",
		    -errno,
		    "load it with \"modprobe tun\", pass it into the container, or run as root");
}

static int open_sockets(const struct options *options)
{
	int result = udp_open(&control.sockets, options->workers, options->address, options->port);
	char what[128];
	snprintf(what, sizeof(what), "UDP port %u cannot be opened", options->port);
	const char *remedy = "check the network configuration of this host";
	if (result == -EADDRINUSE)
		remedy = "end the other program, or choose another with --port";
	else if (result == -EINVAL || result == -EADDRNOTAVAIL)
		remedy = "--address takes an IPv4 or IPv6 address of this host";
	else if (result == -EACCES)
		remedy = "ports below 1024 need root";
	if (result != 0)
		return fail(what, result, remedy);
	outbox_probe(control.sockets.descriptors[0]);
	return EXIT_SUCCESS;
}

static int open_control(const struct options *options)
{
	size_t length = strlen(options->control_path);
	if (length >= sizeof(control_path))
		return fail("--control is too long", 0, "give a shorter path");
	memcpy(control_path, options->control_path, length + 1);
	int result = agent_listen(&control.agent, control_path);
	if (result == -EADDRINUSE)
		return fail("another data path listens at --control", 0,
			    "end it, or give another path");
	if (result == -ENOTSOCK)
		return fail("--control names a file that is no socket", 0, "give another path");
	if (result == -ENAMETOOLONG)
		return fail("--control is too long", 0,
			    "a socket's path has at most 107 characters");
	if (result != 0)
		return fail("cannot listen at --control", result,
			    "its directory must exist and be writable");
	return EXIT_SUCCESS;
}

static int init_state(const struct options *options)
{
	uint64_t seed;
	control.slot = options->workers;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
	    getrandom(&control.punts.seed, sizeof(control.punts.seed), 0) !=
		    sizeof(control.punts.seed) ||
	    getrandom(control.instance, INSTANCE_BYTES, 0) != INSTANCE_BYTES)
		return -EIO;
	int result = aead_init(options->aead);
	if (result == 0)
		result = tables_init(&control.tables, options->workers, options->workers + 1,
				     control.sockets.family, seed);
	if (result == 0)
		result = events_init(&control.events, options->workers);
	if (result == 0)
		result = workers_init(&control.workers, options->workers, &control.tables,
				      &control.events, &control.punts, &control.sockets);
	return result;
}

/* Threads inherit the mask, so signals reach only the control thread's signalfd. */
static int take_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	control.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return control.signals < 0 ? -errno : 0;
}

static int serve(const struct options *options)
{
	static const char ready[] = "ready\n";
	int result = control_init(&control);
	if (result != 0)
		return fail("the control loop cannot be set up", result,
			    "check the limits of this user");
	if (options->has_sandbox)
		result = sandbox_drop_privileges(control_path);
	if (result != 0)
		return fail("privileges cannot be dropped", result,
			    "a kernel of 5.13 or later is needed");
	result = workers_start(&control.workers);
	if (result != 0)
		return fail("threads cannot be started", result, "check the limits of this user");
	if (options->has_sandbox)
		result = sandbox_filter(control_path);
	if (result != 0)
		return fail("the system call filter cannot be set", result,
			    "a kernel with seccomp is needed");
	/* Whoever started this may be gone already. */
	(void)!write(STDOUT_FILENO, ready, sizeof(ready) - 1);
	control_run(&control);
	workers_stop(&control.workers);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options;
	if (!options_parse(&options, argc, argv))
		return 2;
	if (!options.has_sandbox)
		fputs("loom-datapath: WARNING: running without its sandbox\n", stderr);
	int result = take_signals();
	if (result != 0)
		return fail("signals cannot be taken", result, "check the limits of this user");
	if (check_tap_device() != EXIT_SUCCESS || open_sockets(&options) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	result = init_state(&options);
	if (result == -ENOTSUP)
		return fail("--aead ipsec-mb was not built in", 0,
			    "install libipsec-mb-dev and build again, or leave it out");
	if (result != 0)
		return fail("set-up failed", result, "more memory may be needed");
	if (open_control(&options) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	int status = serve(&options);
	(void)unlinkat(AT_FDCWD, control_path, 0);
	return status;
}
