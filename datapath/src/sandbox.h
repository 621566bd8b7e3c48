/*
 * What this process gives up once it is set up: all capabilities, new privileges, core dumps,
 * tracing by others, the file system (Landlock, where the kernel has it) and every system call that
 * forwarding does not need (seccomp).
 *
 * Later needs decide the allow list: a TAP is attached at run time, which as the device's owner
 * takes an open of /dev/net/tun and three ioctls but no capability; agents come and go on the
 * listening socket; sessions allocate memory. Sockets are never made again, nothing is executed, no
 * memory becomes executable, and the only path that can be opened is the TAP device, by the address
 * of one constant string.
 *
 * Threads: sandbox_drop_privileges before threads are started, since capabilities and Landlock are
 * per thread; sandbox_filter after, for all threads at once.
 */
#pragma once

/* `socket_path` must stay where it is: it may be unlinked at the end. Returns 0 or negative errno.
 */
int sandbox_drop_privileges(const char *socket_path);

/* Returns 0 or negative errno. */
int sandbox_filter(const char *socket_path);
