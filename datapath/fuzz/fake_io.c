#include "fake_io.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "expect.h"
#include "tap.h"

struct fake_io fake_io;

const char tap_device_path[] = "/dev/null"; /* never opened */

ssize_t __real_read(int descriptor, void *buffer, size_t size);
ssize_t __real_write(int descriptor, const void *bytes, size_t length);
ssize_t __real_writev(int descriptor, const struct iovec *pieces, int count);
ssize_t __real_send(int descriptor, const void *bytes, size_t length, int flags);
ssize_t __real_sendto(int descriptor, const void *bytes, size_t length, int flags,
		      const struct sockaddr *address, socklen_t address_length);
ssize_t __real_sendmsg(int descriptor, const struct msghdr *message, int flags);
int __real_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags);
int __real_recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
		    struct timespec *timeout);
int __real_getsockopt(int descriptor, int level, int name, void *value, socklen_t *length);
int __real_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event);
int __real_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms);
int __real_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);
int __real_close(int descriptor);

ssize_t __wrap_read(int descriptor, void *buffer, size_t size);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t length);
ssize_t __wrap_writev(int descriptor, const struct iovec *pieces, int count);
ssize_t __wrap_send(int descriptor, const void *bytes, size_t length, int flags);
ssize_t __wrap_sendto(int descriptor, const void *bytes, size_t length, int flags,
		      const struct sockaddr *address, socklen_t address_length);
ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags);
int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
		    struct timespec *timeout);
int __wrap_getsockopt(int descriptor, int level, int name, void *value, socklen_t *length);
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms);
int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_close(int descriptor);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static ssize_t refuse(int error)
{
	errno = error;
	return -1;
}

static size_t bytes_of(const struct iovec *pieces, size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += pieces[i].iov_len;
	return bytes;
}

ssize_t __wrap_read(int descriptor, void *buffer, size_t size)
{
	if (descriptor < FAKE_FIRST)
		return __real_read(descriptor, buffer, size);
	if (descriptor == FAKE_WAKE)
		return sizeof(uint64_t);
	size_t got = descriptor == FAKE_CONNECTION ? fake_io.connection_read(buffer, size)
						   : fake_io.tap_read(buffer, size);
	EXPECT(got <= size);
	return got == 0 ? refuse(EAGAIN) : (ssize_t)got;
}

ssize_t __wrap_writev(int descriptor, const struct iovec *pieces, int count)
{
	if (descriptor < FAKE_FIRST)
		return __real_writev(descriptor, pieces, count);
	EXPECT(descriptor >= FAKE_TAP && count > 0 && count <= 1024);
	if (!fake_io.tap_write(pieces, count))
		return refuse(EAGAIN);
	return (ssize_t)bytes_of(pieces, (size_t)count);
}

ssize_t __wrap_write(int descriptor, const void *bytes, size_t length)
{
	if (descriptor < FAKE_FIRST)
		return __real_write(descriptor, bytes, length);
	if (descriptor == FAKE_WAKE)
		return sizeof(uint64_t);
	const struct iovec piece = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	return __wrap_writev(descriptor, &piece, 1);
}

ssize_t __wrap_send(int descriptor, const void *bytes, size_t length, int flags)
{
	if (descriptor < FAKE_FIRST)
		return __real_send(descriptor, bytes, length, flags);
	if (descriptor == FAKE_SECOND)
		return (ssize_t)length;
	EXPECT(descriptor == FAKE_CONNECTION);
	size_t sent = fake_io.connection_send(bytes, length);
	return sent == 0 ? refuse(EAGAIN) : (ssize_t)sent;
}

ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
	if (descriptor < FAKE_FIRST)
		return __real_sendmsg(descriptor, message, flags);
	EXPECT(descriptor == FAKE_SOCKET);
	int error = fake_io.message(message);
	return error != 0 ? refuse(error)
			  : (ssize_t)bytes_of(message->msg_iov, message->msg_iovlen);
}

ssize_t __wrap_sendto(int descriptor, const void *bytes, size_t length, int flags,
		      const struct sockaddr *address, socklen_t address_length)
{
	if (descriptor < FAKE_FIRST)
		return __real_sendto(descriptor, bytes, length, flags, address, address_length);
	struct iovec piece = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	const struct msghdr message = { .msg_name = (void *)(uintptr_t)address,
					.msg_namelen = address_length,
					.msg_iov = &piece,
					.msg_iovlen = 1 };
	return __wrap_sendmsg(descriptor, &message, flags);
}

int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
	if (descriptor < FAKE_FIRST)
		return __real_sendmmsg(descriptor, messages, count, flags);
	for (unsigned i = 0; i < count; i++) {
		ssize_t sent = __wrap_sendmsg(descriptor, &messages[i].msg_hdr, flags);
		if (sent < 0)
			return i == 0 ? -1 : (int)i;
		messages[i].msg_len = (unsigned)sent;
	}
	return (int)count;
}

int __wrap_recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
		    struct timespec *timeout)
{
	if (descriptor < FAKE_FIRST)
		return __real_recvmmsg(descriptor, messages, count, flags, timeout);
	unsigned got = fake_io.receive(messages, count);
	return got == 0 ? (int)refuse(EAGAIN) : (int)got;
}

int __wrap_getsockopt(int descriptor, int level, int name, void *value, socklen_t *length)
{
	if (descriptor < FAKE_FIRST)
		return __real_getsockopt(descriptor, level, name, value, length);
	if (level == SOL_SOCKET && name == SO_PEERCRED) {
		const struct ucred peer = { .uid = geteuid() };
		EXPECT(*length == sizeof(peer));
		memcpy(value, &peer, sizeof(peer));
		return 0;
	}
	return fake_io.has_segments ? 0 : (int)refuse(ENOPROTOOPT);
}

int __wrap_epoll_create1(int flags)
{
	(void)flags;
	return FAKE_EPOLL;
}

int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event)
{
	if (epoll < FAKE_FIRST)
		return __real_epoll_ctl(epoll, operation, descriptor, event);
	EXPECT(descriptor >= FAKE_FIRST);
	if (descriptor >= FAKE_TAP)
		return 0;
	fake_io.interests[descriptor - FAKE_FIRST] =
		operation == EPOLL_CTL_DEL
			? (struct fake_interest){ 0 }
			: (struct fake_interest){ event->events, event->data.u64 };
	return 0;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
	if (epoll < FAKE_FIRST)
		return __real_epoll_wait(epoll, events, count, timeout_ms);
	return fake_io.wait(events, count, timeout_ms);
}

int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags)
{
	if (listener < FAKE_FIRST)
		return __real_accept4(listener, address, length, flags);
	if (fake_io.agents_waiting == 0)
		return (int)refuse(EAGAIN);
	fake_io.agents_waiting--;
	return fake_io.agents_accepted++ == 0 ? FAKE_CONNECTION : FAKE_SECOND;
}

int __wrap_close(int descriptor)
{
	return descriptor < FAKE_FIRST ? __real_close(descriptor) : 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = (time_t)(fake_io.now_us / 1000000);
	now->tv_nsec = (long)(fake_io.now_us % 1000000) * 1000;
	return 0;
}

int tap_attach(struct port *port)
{
	if (fake_io.attach_result != 0)
		return fake_io.attach_result;
	for (unsigned i = 0; i < port->queues; i++)
		port->descriptors[i] = FAKE_TAP + (int)i;
	port->takes_uso = true;
	fake_io.attached_queues += port->queues;
	return 0;
}

void tap_detach(struct port *port)
{
	EXPECT(fake_io.attached_queues >= port->queues);
	fake_io.attached_queues -= port->queues;
	port->queues = 0;
}
