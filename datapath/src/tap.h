/*
 * Attaching to a TAP device that the agent has made persistent (multi_queue, vnet_hdr, owned by
 * this process's uid).
 *
 * As the owner this process needs no capability to attach. Each worker gets a queue. Offloads are
 * probed downwards: what the kernel refuses is left out. Control thread only.
 */
#pragma once

#include "tables.h"

#define TAP_DEVICE_PATH "/dev/net/tun"

/* The one path that the sandbox lets be opened; passed by this address (sandbox.c).
 */
extern const char tap_device_path[];

/* Opens `port->queues` queues of the device `port->name`. Returns 0 or negative errno, and then
 * nothing is open. */
int tap_attach(struct port *port);

/* Closes the queues. */
void tap_detach(struct port *port);
