/*
 * The connection to the agent: a unix stream socket, one agent at a time, frames as in
 * control_messages.h.
 *
 * Only a process of the same user may connect (SO_PEERCRED); a second connection while one lives is
 * told EBUSY. Answers to requests are never dropped: while the output is over its bound, requests
 * are left unread, so an agent that does not read only stops itself. Events are dropped instead.
 * Input is wiped once handled, since it carries keys.
 *
 * Control thread only.
 */
#pragma once

#include "control_messages.h"
#include "loom_limits.h"

struct agent {
	int listener;
	int connection; /* -1: no agent */
	bool greeted;	/* hello was accepted */
	bool failed;	/* close when the output is sent */
	bool is_held;	/* input waits until there is room for its answers */
	uint8_t *output;
	size_t output_start;
	size_t output_end;
	size_t output_size;
	size_t input_used;
	uint8_t input[4 + CONTROL_FRAME_BYTES_MAX];
};

/* Handles one request. `length` is of the fields. */
typedef void agent_handler(void *context, uint16_t code, uint32_t request_id, const uint8_t *fields,
			   size_t length);

/* Listens at `path`, replacing a stale socket. Returns 0, -EADDRINUSE when a living process listens
 * there, or negative errno. */
int agent_listen(struct agent *agent, const char *path);

/* Accepts what waits at the listener. True when a new agent is attached. */
bool agent_accept(struct agent *agent);

/* Reads and handles requests. False when the agent is gone; then the caller closes. */
bool agent_read(struct agent *agent, agent_handler *handle, void *context);

/* Sends what is queued. False when the agent is gone. */
bool agent_write(struct agent *agent);

void agent_close(struct agent *agent);

/* Queues a message; the fields of a message without a tail are all in `fields`. */
void agent_send(struct agent *agent, uint16_t code, uint32_t request_id, const void *fields,
		size_t fields_bytes, const void *tail, size_t tail_bytes);

/* Queues an event. False when no agent is attached or it reads too slowly. */
bool agent_send_event(struct agent *agent, uint16_t code, const void *fields, size_t fields_bytes,
		      const void *tail, size_t tail_bytes);

void agent_send_error(struct agent *agent, uint32_t request_id, int error, const char *text);

static inline bool agent_has_output(const struct agent *agent)
{
	return agent->output_end > agent->output_start;
}

/* Whether requests may be read: the output is below its bound. */
static inline bool agent_has_room(const struct agent *agent)
{
	return agent->output_end - agent->output_start < AGENT_OUTPUT_BYTES_MAX;
}
