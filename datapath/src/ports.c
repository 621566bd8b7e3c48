#include "ports.h"

#include <errno.h>
#include <stdlib.h>

#include "tap.h"

static void release_port(struct reclaim_node *node)
{
	struct port *port = container_of(node, struct port, reclaim);
	tap_detach(port);
	free(port);
}

static struct port *port_of(const struct control *control, uint32_t vni)
{
	struct network *network = tables_find_network(&control->tables, vni);
	return network == NULL ? NULL : atomic_load(&network->port);
}

void ports_detach(struct control *control, uint32_t vni)
{
	struct port *port = port_of(control, vni);
	if (port == NULL)
		return;
	workers_unwatch_port(&control->workers, port);
	(void)tables_port_set(&control->tables, vni, NULL, release_port);
}

void ports_detach_lost(struct control *control, uint32_t vni)
{
	const struct port *port = port_of(control, vni);
	if (port != NULL && atomic_load(&port->lost))
		ports_detach(control, vni);
}

struct search {
	struct control *control;
	const struct control_port_set *fields;
	uint32_t generation;
	bool found;
};

static void match_name(struct table_entry *entry, void *context)
{
	struct search *search = context;
	const struct network *network = container_of(entry, struct network, entry);
	const struct port *port = atomic_load(&network->port);
	if (port != NULL && network->vni != be32_get(search->fields->vni) &&
	    memcmp(port->name, search->fields->name, IFNAMSIZ) == 0)
		search->found = true;
}

static void describe(struct port *port, const struct control_port_set *fields)
{
	port->generation = be32_get(fields->generation);
	atomic_store(&port->mac, load_be48(fields->mac));
	atomic_store(&port->mtu, be16_get(fields->mtu));
}

static int attach(struct control *control, const struct control_port_set *fields)
{
	uint32_t vni = be32_get(fields->vni);
	struct port *port = calloc(1, sizeof(*port));
	if (port == NULL)
		return -ENOMEM;
	port->vni = vni;
	port->queues = control->workers.count;
	memcpy(port->name, fields->name, IFNAMSIZ);
	describe(port, fields);
	int result = tap_attach(port);
	if (result != 0) {
		free(port);
		return result;
	}
	ports_detach(control, vni);
	result = tables_port_set(&control->tables, vni, port, release_port);
	if (result != 0) {
		release_port(&port->reclaim);
		return result;
	}
	control->takes_uso = port->takes_uso;
	/* Watched last: a worker looks the port up by its VNI when the first frame comes. */
	result = workers_watch_port(&control->workers, port);
	if (result != 0)
		ports_detach(control, vni);
	return result;
}

int ports_set(struct control *control, const struct control_port_set *fields)
{
	struct search search = { .fields = fields };
	struct port *port = port_of(control, be32_get(fields->vni));
	table_each(&control->tables.networks, match_name, &search);
	if (search.found)
		return -EEXIST;
	if (port == NULL && control->tables.ports >= PORTS_MAX)
		return -ENOSPC;
	if (port == NULL || atomic_load(&port->lost) ||
	    memcmp(port->name, fields->name, IFNAMSIZ) != 0)
		return attach(control, fields);
	describe(port, fields);
	tables_note_generation(&control->tables, port->generation);
	return 0;
}

static void sweep(struct table_entry *entry, void *context)
{
	const struct search *search = context;
	const struct network *network = container_of(entry, struct network, entry);
	const struct port *port = atomic_load(&network->port);
	if (port != NULL && port->generation != search->generation)
		ports_detach(search->control, network->vni);
}

void ports_sweep(struct control *control, uint32_t generation)
{
	struct search search = { .control = control, .generation = generation };
	table_each(&control->tables.networks, sweep, &search);
}
