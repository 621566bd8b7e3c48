#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LENGTH_BYTES 4u
#define HEADER_BYTES sizeof(struct control_header)

static bool somebody_listens(const struct sockaddr_un *address)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return true;
	bool refused = connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
		       (errno == ECONNREFUSED || errno == ENOENT);
	close(probe);
	return !refused;
}

static bool is_other_file(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode);
}

int agent_listen(struct agent *agent, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	agent->connection = -1;
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	if (is_other_file(path))
		return -ENOTSOCK;
	if (somebody_listens(&address))
		return -EADDRINUSE;
	(void)unlink(path);
	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (agent->listener < 0)
		return -errno;
	/* The mode is set by the mask, so that there is no moment at which others could connect. */
	mode_t mask = umask(0177);
	int bound = bind(agent->listener, (struct sockaddr *)&address, sizeof(address));
	int error = errno;
	umask(mask);
	if (bound != 0)
		return -error;
	return listen(agent->listener, 8) == 0 ? 0 : -errno;
}

static bool is_same_user(int connection)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.uid == geteuid();
}

static void refuse(int connection, int error, const char *text)
{
	uint8_t frame[128];
	size_t text_bytes = strlen(text);
	size_t bytes = HEADER_BYTES + sizeof(struct control_error) + text_bytes;
	struct control_header header = { .length = be32_of((uint32_t)(bytes - LENGTH_BYTES)),
					 .code = be16_of(CONTROL_ERROR) };
	memcpy(frame, &header, HEADER_BYTES);
	store_be32(frame + HEADER_BYTES, (uint32_t)error);
	memcpy(frame + bytes - text_bytes, text, text_bytes);
	(void)send(connection, frame, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(connection);
}

bool agent_accept(struct agent *agent)
{
	bool attached = false;
	for (;;) {
		int connection = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (connection < 0)
			return attached;
		if (!is_same_user(connection)) {
			refuse(connection, EPERM,
			       "the agent must run as the user of the data path");
		} else if (agent->connection >= 0) {
			refuse(connection, EBUSY, "another agent is attached");
		} else {
			agent->connection = connection;
			agent->greeted = false;
			agent->failed = false;
			attached = true;
		}
	}
}

void agent_close(struct agent *agent)
{
	close(agent->connection);
	agent->connection = -1;
	explicit_bzero(agent->input, agent->input_used);
	agent->input_used = 0;
	free(agent->output);
	agent->output = NULL;
	agent->output_start = agent->output_end = agent->output_size = 0;
}

/* Handles the whole frames in the input. False when the stream cannot be followed. */
static bool handle_input(struct agent *agent, agent_handler *handle, void *context)
{
	size_t at = 0;
	bool sane = true;
	while (agent->input_used - at >= LENGTH_BYTES && agent_has_room(agent) && !agent->failed) {
		const uint8_t *frame = agent->input + at;
		size_t length = load_be32(frame);
		if (length < HEADER_BYTES - LENGTH_BYTES || length > CONTROL_FRAME_BYTES_MAX) {
			sane = false;
			break;
		}
		if (agent->input_used - at < LENGTH_BYTES + length)
			break;
		handle(context, load_be16(frame + 4), load_be32(frame + 8), frame + HEADER_BYTES,
		       LENGTH_BYTES + length - HEADER_BYTES);
		at += LENGTH_BYTES + length;
	}
	size_t left = agent->input_used - at;
	memmove(agent->input, agent->input + at, left);
	explicit_bzero(agent->input + left, at);
	agent->input_used = left;
	return sane;
}

bool agent_read(struct agent *agent, agent_handler *handle, void *context)
{
	for (;;) {
		if (!handle_input(agent, handle, context)) {
			agent_send_error(agent, 0, EBADMSG, "the frame length is impossible");
			agent->failed = true;
		}
		agent->is_held = !agent_has_room(agent);
		if (agent->is_held || agent->failed)
			return true;
		ssize_t got = read(agent->connection, agent->input + agent->input_used,
				   sizeof(agent->input) - agent->input_used);
		if (got == 0)
			return false;
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		agent->input_used += (size_t)got;
	}
}

bool agent_write(struct agent *agent)
{
	while (agent_has_output(agent)) {
		ssize_t sent = send(agent->connection, agent->output + agent->output_start,
				    agent->output_end - agent->output_start, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		agent->output_start += (size_t)sent;
	}
	/* A large dump is over: its memory is not kept. */
	if (agent->output_size > AGENT_OUTPUT_BYTES_MAX) {
		free(agent->output);
		agent->output = NULL;
		agent->output_size = 0;
	}
	agent->output_start = agent->output_end = 0;
	return !agent->failed;
}

static bool reserve(struct agent *agent, size_t bytes)
{
	if (agent->output_end + bytes <= agent->output_size)
		return true;
	size_t used = agent->output_end - agent->output_start;
	if (used != 0)
		memmove(agent->output, agent->output + agent->output_start, used);
	agent->output_start = 0;
	agent->output_end = used;
	size_t size = agent->output_size == 0 ? 65536 : agent->output_size;
	while (size < used + bytes)
		size *= 2;
	uint8_t *output = realloc(agent->output, size);
	if (output == NULL)
		return false;
	agent->output = output;
	agent->output_size = size;
	return true;
}

void agent_send(struct agent *agent, uint16_t code, uint32_t request_id, const void *fields,
		size_t fields_bytes, const void *tail, size_t tail_bytes)
{
	size_t bytes = HEADER_BYTES + fields_bytes + tail_bytes;
	if (agent->connection < 0 || agent->failed)
		return;
	if (!reserve(agent, bytes)) {
		/* An answer that is lost would make all later ones a lie. */
		agent->failed = true;
		return;
	}
	uint8_t *out = agent->output + agent->output_end;
	struct control_header header = { .length = be32_of((uint32_t)(bytes - LENGTH_BYTES)),
					 .code = be16_of(code),
					 .request_id = be32_of(request_id) };
	memcpy(out, &header, HEADER_BYTES);
	if (fields_bytes != 0)
		memcpy(out + HEADER_BYTES, fields, fields_bytes);
	if (tail_bytes != 0)
		memcpy(out + HEADER_BYTES + fields_bytes, tail, tail_bytes);
	agent->output_end += bytes;
}

bool agent_send_event(struct agent *agent, uint16_t code, const void *fields, size_t fields_bytes,
		      const void *tail, size_t tail_bytes)
{
	if (agent->connection < 0 || !agent->greeted || !agent_has_room(agent))
		return false;
	agent_send(agent, code, 0, fields, fields_bytes, tail, tail_bytes);
	return true;
}

void agent_send_error(struct agent *agent, uint32_t request_id, int error, const char *text)
{
	const struct control_error fields = { .error_number = be32_of((uint32_t)error) };
	agent_send(agent, CONTROL_ERROR, request_id, &fields, sizeof(fields), text, strlen(text));
}
