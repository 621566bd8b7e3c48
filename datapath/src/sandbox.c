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
#include <sys/socket.h>
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
	if (ruleset < 0) /* a second layer, not the only one */
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
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

/*
 * The filter: a list of rules, each a call and the value that one argument must have. A call may be
 * listed with several; the first that holds allows it, and what no rule allows kills the process.
 */

struct rule {
	long call;
	enum { ANY, EQUALS } condition;
	unsigned argument;
	uint64_t value;
};

#define RULE_INSTRUCTIONS 7u
#define RULES_MAX 64u

static uint32_t offset_of_argument(unsigned argument, bool is_high)
{
	bool is_second = is_high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
	return (uint32_t)(offsetof(struct seccomp_data, args) + argument * 8 + is_second * 4u);
}

/* Writes one rule as RULE_INSTRUCTIONS instructions; where it does not hold, it ends at the next.
 */
static void write_rule(struct sock_filter *out, const struct rule *rule)
{
	uint8_t skipped = rule->condition == ANY ? 4 : 0;
	const struct sock_filter code[RULE_INSTRUCTIONS] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, skipped, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(rule->argument, false)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->value, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(rule->argument, true)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(rule->value >> 32), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	memcpy(out, code, sizeof(code));
}

static int install(const struct rule *rules, size_t count)
{
	struct sock_filter code[4 + RULES_MAX * RULE_INSTRUCTIONS] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	size_t used = 3;
	for (size_t i = 0; i < count; i++, used += RULE_INSTRUCTIONS)
		write_rule(code + used, &rules[i]);
	code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog program = { .len = (unsigned short)used, .filter = code };
	long result =
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (result > 0)
		return -EBUSY; /* the id of a thread that could not take the filter */
	return result == 0 ? 0 : -errno;
}

#ifdef SYS_epoll_wait
#define EPOLL_WAIT_CALL SYS_epoll_wait
#else
#define EPOLL_WAIT_CALL SYS_epoll_pwait
#endif

/* Allowed with any arguments: forwarding, most frequent first; the agent and the ports; what libc
 * does for memory, and at the start and end of threads and of the process. */
static const long plain_calls[] = { SYS_read,
				    SYS_writev,
				    SYS_sendmmsg,
				    SYS_recvmmsg,
				    EPOLL_WAIT_CALL,
				    SYS_epoll_pwait2,
				    SYS_write,
				    SYS_sendmsg,
				    SYS_futex,
				    SYS_clock_gettime,
				    SYS_accept4,
				    SYS_getsockopt,
				    SYS_sendto,
				    SYS_epoll_ctl,
				    SYS_close,
				    SYS_getpid,
				    SYS_geteuid,
				    SYS_brk,
				    SYS_munmap,
				    SYS_madvise,
				    SYS_rt_sigreturn,
				    SYS_rt_sigprocmask,
				    SYS_restart_syscall,
				    SYS_sched_yield,
				    SYS_set_robust_list,
				    SYS_rseq,
				    SYS_exit,
				    SYS_exit_group };

#define PLAIN_CALLS (sizeof(plain_calls) / sizeof(plain_calls[0]))

int sandbox_filter(const char *socket_path)
{
	struct rule rules[RULES_MAX];
	const struct rule narrow[] = {
		{ SYS_openat, EQUALS, 1, (uintptr_t)tap_device_path },
		{ SYS_unlinkat, EQUALS, 1, (uintptr_t)socket_path },
		{ SYS_ioctl, EQUALS, 1, TUNSETIFF },
		{ SYS_ioctl, EQUALS, 1, TUNSETVNETHDRSZ },
		{ SYS_ioctl, EQUALS, 1, TUNSETOFFLOAD },
		{ SYS_setsockopt, EQUALS, 2, SO_ATTACH_REUSEPORT_CBPF },
		{ SYS_mmap, EQUALS, 2, PROT_READ | PROT_WRITE }, /* never executable */
		{ SYS_mremap, EQUALS, 3, MREMAP_MAYMOVE },
	};
	_Static_assert(PLAIN_CALLS + sizeof(narrow) / sizeof(narrow[0]) <= RULES_MAX, "rules");
	for (size_t i = 0; i < PLAIN_CALLS; i++)
		rules[i] = (struct rule){ .call = plain_calls[i], .condition = ANY };
	memcpy(rules + PLAIN_CALLS, narrow, sizeof(narrow));
	return install(rules, PLAIN_CALLS + sizeof(narrow) / sizeof(narrow[0]));
}
