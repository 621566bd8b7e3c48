#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tap.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter knows x86-64 and aarch64"
#endif

#define CAPABILITY_MAX 63 /* prctl refuses those above the kernel's last one */

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];
	memset(none, 0, sizeof(none));
	/* Without CAP_SETPCAP the bounding set stays; with no_new_privs it gives nothing. */
	for (unsigned long i = 0; i <= CAPABILITY_MAX; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

/* All rights on files of Landlock's first version: what is not granted below is refused. */
#define LANDLOCK_ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int grant(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access,
						   .parent_fd = open(path, O_PATH | O_CLOEXEC) };
	if (rule.parent_fd < 0)
		return -errno;
	long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	int error = errno;
	close(rule.parent_fd);
	return result == 0 ? 0 : -error;
}

static int grant_directory_of(int ruleset, const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);
	if (length >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, path, length);
	directory[length] = 0;
	const char *root = slash == NULL ? "." : "/";
	return grant(ruleset, length == 0 ? root : directory, LANDLOCK_ACCESS_FS_REMOVE_FILE);
}

static int restrict_files(const char *socket_path)
{
	const struct landlock_ruleset_attr attributes = { .handled_access_fs = LANDLOCK_ALL };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (ruleset < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP
			       ? 0
			       : -errno; /* a second layer, not the only one */
	int result = grant(ruleset, tap_device_path,
			   LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
	if (result == 0)
		result = grant_directory_of(ruleset, socket_path);
	if (result == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		result = -errno;
	close(ruleset);
	return result;
}

int sandbox_drop_privileges(const char *socket_path)
{
	const struct rlimit no_core = { 0, 0 };
	/* One arena grown by brk and mmap: no thread needs mprotect for its heap. */
	(void)mallopt(M_ARENA_MAX, 1);
	if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	int result = restrict_files(socket_path);
	if (result == 0)
		result = drop_capabilities();
	/* Last, since a change of credentials resets it. */
	if (result == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		result = -errno;
	return result;
}

/* The filter. Its instructions are appended by these helpers; the accumulator holds the call number
 * between rules. */

#define INSTRUCTIONS_MAX 256

struct filter {
	unsigned used;
	struct sock_filter code[INSTRUCTIONS_MAX];
};

static void emit(struct filter *filter, struct sock_filter instruction)
{
	if (filter->used < INSTRUCTIONS_MAX)
		filter->code[filter->used] = instruction;
	filter->used++;
}

static void load_number(struct filter *filter)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr)));
}

static void load_argument(struct filter *filter, unsigned argument, unsigned half)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	half = 1 - half;
#endif
	uint32_t offset = (uint32_t)(offsetof(struct seccomp_data, args) + argument * 8 + half * 4);
	emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void finish(struct filter *filter, uint32_t action)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Kills unless the accumulator equals `value`. */
static void require(struct filter *filter, uint32_t value)
{
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
	finish(filter, SECCOMP_RET_KILL_PROCESS);
}

static void allow(struct filter *filter, long number)
{
	emit(filter,
	     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1));
	finish(filter, SECCOMP_RET_ALLOW);
}

/* Starts a rule with conditions; end_rule closes it. Returns what end_rule takes. */
static unsigned begin_rule(struct filter *filter, long number)
{
	emit(filter,
	     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0));
	return filter->used - 1;
}

static void end_rule(struct filter *filter, unsigned begun)
{
	finish(filter, SECCOMP_RET_ALLOW);
	if (begun < INSTRUCTIONS_MAX)
		filter->code[begun].jf = (uint8_t)(filter->used - begun - 1);
}

static void require_argument(struct filter *filter, unsigned argument, uint64_t value)
{
	load_argument(filter, argument, 0);
	require(filter, (uint32_t)value);
	load_argument(filter, argument, 1);
	require(filter, (uint32_t)(value >> 32));
}

static void require_bits_clear(struct filter *filter, unsigned argument, uint32_t bits)
{
	load_argument(filter, argument, 0);
	emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits));
	require(filter, 0);
}

static void allow_plain(struct filter *filter)
{
	static const long numbers[] = {
		/* Forwarding, most frequent first. */
		SYS_read,
		SYS_writev,
		SYS_sendmmsg,
		SYS_recvmmsg,
		SYS_epoll_pwait,
		SYS_write,
		SYS_sendmsg,
#ifdef SYS_epoll_wait
		SYS_epoll_wait,
#endif
		SYS_clock_gettime,
		SYS_futex,
		/* The agent. */
		SYS_accept4,
		SYS_getsockopt,
		SYS_sendto,
		SYS_epoll_ctl,
		SYS_close,
		/* getpid is in helloReply; the rest is what libc does on its own. */
		SYS_getpid,
		SYS_geteuid,
		SYS_brk,
		SYS_munmap,
		SYS_madvise,
		SYS_rt_sigreturn,
		SYS_rt_sigprocmask,
		SYS_restart_syscall,
		SYS_sched_yield,
		SYS_exit,
		SYS_exit_group,
		SYS_set_robust_list,
#ifdef SYS_rseq
		SYS_rseq,
#endif
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		allow(filter, numbers[i]);
}

static void allow_memory(struct filter *filter)
{
	unsigned rule = begin_rule(filter, SYS_mmap);
	require_bits_clear(filter, 2, (uint32_t) ~(PROT_READ | PROT_WRITE));
	require_bits_clear(filter, 3, (uint32_t) ~(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
	end_rule(filter, rule);
	load_number(filter);
	rule = begin_rule(filter, SYS_mremap);
	require_argument(filter, 3, MREMAP_MAYMOVE);
	end_rule(filter, rule);
	load_number(filter);
}

static void allow_ports(struct filter *filter)
{
	static const uint32_t requests[] = { TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD };
	unsigned rule = begin_rule(filter, SYS_openat);
	require_argument(filter, 1, (uint64_t)(uintptr_t)tap_device_path);
	end_rule(filter, rule);
	load_number(filter);
	rule = begin_rule(filter, SYS_ioctl);
	load_argument(filter, 1, 0);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		allow(filter, (long)requests[i]);
	finish(filter, SECCOMP_RET_KILL_PROCESS);
	end_rule(filter, rule);
}

static void build(struct filter *filter, const char *socket_path)
{
	filter->used = 0;
	emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, arch)));
	require(filter, NATIVE_ARCH);
	load_number(filter);
	allow_plain(filter);
	allow_memory(filter);
	unsigned rule = begin_rule(filter, SYS_unlinkat);
	require_argument(filter, 1, (uint64_t)(uintptr_t)socket_path);
	end_rule(filter, rule);
	load_number(filter);
	allow_ports(filter);
	finish(filter, SECCOMP_RET_KILL_PROCESS);
}

int sandbox_filter(const char *socket_path)
{
	struct filter filter;
	build(&filter, socket_path);
	if (filter.used > INSTRUCTIONS_MAX)
		return -E2BIG;
	struct sock_fprog program = { .len = (unsigned short)filter.used, .filter = filter.code };
	long result =
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (result > 0)
		return -EBUSY; /* the id of a thread that could not take the filter */
	return result == 0 ? 0 : -errno;
}
