#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"
#include "tap.h"
#include "test.h"

void test_sandbox(void);

static char socket_path[PATH_MAX] = "/tmp/loom-datapath-test.sock";

static void do_nothing(void)
{
}

static void open_tap_device(void)
{
	int descriptor = (int)syscall(SYS_openat, AT_FDCWD, tap_device_path, O_RDWR | O_CLOEXEC, 0);
	if (descriptor < 0 && errno == EPERM)
		syscall(SYS_exit_group, 3);
}

static void open_other_file(void)
{
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void make_socket(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void execute(void)
{
	syscall(SYS_execve, "/bin/true", NULL, NULL);
}

static void map_executable(void)
{
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void map_memory(void)
{
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void make_executable(void)
{
	syscall(SYS_mprotect, socket_path, 4096, PROT_READ | PROT_EXEC);
}

static void ask_terminal(void)
{
	syscall(SYS_ioctl, 0, TCGETS, NULL);
}

static void steer(void)
{
	syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, NULL, 0);
}

static void filter_socket(void)
{
	syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0);
}

static void trace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void remove_other_file(void)
{
	syscall(SYS_unlinkat, AT_FDCWD, "/tmp/loom-datapath-test.other", 0);
}

static void remove_socket(void)
{
	syscall(SYS_unlinkat, AT_FDCWD, socket_path, 0);
}

/* Runs `act` in a sandboxed child. Returns its exit status, minus the signal that killed it, or 200
 * where the sandbox cannot be set up. */
static int run_in_sandbox(void (*act)(void))
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		if (sandbox_drop_privileges(socket_path) != 0 || sandbox_filter(socket_path) != 0)
			_exit(200);
		act();
		syscall(SYS_exit_group, 0);
	}
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void test_sandbox(void)
{
	if (run_in_sandbox(do_nothing) == 200) {
		puts("the sandbox cannot be set up here: it is not tested");
		return;
	}
	CHECK_EQUAL(run_in_sandbox(open_tap_device), 0);
	CHECK_EQUAL(run_in_sandbox(map_memory), 0);
	CHECK_EQUAL(run_in_sandbox(remove_socket), 0);
	CHECK_EQUAL(run_in_sandbox(steer), 0);
	CHECK_EQUAL(run_in_sandbox(filter_socket), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(open_other_file), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(make_socket), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(execute), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(map_executable), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(make_executable), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(ask_terminal), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(trace), -SIGSYS);
	CHECK_EQUAL(run_in_sandbox(remove_other_file), -SIGSYS);
}
