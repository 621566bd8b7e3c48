/* The ports of this host: attaching TAP devices and letting them go. Control thread only. */
#pragma once

#include "control.h"

/*
 * Attaches the device, or changes MAC and MTU of the port that has it. Fields are checked. Returns
 * 0, -EEXIST when the device is the port of another network, or what the kernel says of the device.
 */
int ports_set(struct control *control, const struct control_port_set *fields);

/* Detaches the port of a network, if there is one. */
void ports_detach(struct control *control, uint32_t vni);

/* The same, if its device is gone; the agent may have attached another since that was noticed. */
void ports_detach_lost(struct control *control, uint32_t vni);

/* Detaches the ports of other generations. */
void ports_sweep(struct control *control, uint32_t generation);
