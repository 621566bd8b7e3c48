/*
 * The control thread: the one writer of the tables. It answers the agent's requests, passes the
 * workers' events on, and keeps time for what must happen without an agent (expiry of sessions,
 * deferred freeing).
 *
 * Requests are in requests.c, the loop in control.c.
 */
#pragma once

#include "agent.h"
#include "steering.h"
#include "worker.h"

#define INSTANCE_BYTES 16u

struct control {
	struct agent agent;
	struct tables tables;
	struct events events;
	struct punts punts;
	struct workers workers;
	struct udp_sockets sockets;
	unsigned slot; /* of its counters */
	int epoll;
	int signals;	/* signalfd of SIGTERM and SIGINT */
	bool takes_uso; /* as the last attached port was found */
	uint8_t instance[INSTANCE_BYTES];
	uint64_t next_activity_ms;
	struct steering steering; /* as last attached; zero: as udp_open did it */
};

/* Opens what the loop waits with; before the sandbox. Returns 0 or negative errno. */
int control_init(struct control *control);

/* Serves until a signal. */
void control_run(struct control *control);

/* Adds what the kernel has dropped to the counters. */
void control_count_drops(struct control *control);

/* Handles one request; an agent_handler whose context is the control. */
void requests_handle(void *context, uint16_t code, uint32_t request_id, const uint8_t *fields,
		     size_t length);

/* Detaches a port whose device is gone; the agent may have attached another since that was noticed
 * (ports.c). */
void ports_detach_lost(struct control *control, uint32_t vni);
