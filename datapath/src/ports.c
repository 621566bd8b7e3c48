/*
 * The ports of this host: attaching TAP devices and letting them go, by ports_kind (tables.h) of
 * the tables in a struct control. Control thread only.
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>

#include "tap.h"

static void release_port(struct reclaim_node *node)
{
	struct port *port = container_of(node, struct port, entry.reclaim);
	tap_detach(port);
	free(port);
}

static void detach(struct tables *tables, struct table_entry *entry)
{
	struct control *control = container_of(tables, struct control, tables);
	struct port *port = container_of(entry, struct port, entry);
	workers_unwatch_port(&control->workers, port);
	tables_port_remove(tables, port, release_port);
}

void ports_detach_lost(struct control *control, uint32_t vni)
{
	const struct network *network = tables_find_network(&control->tables, vni);
	struct port *port = network == NULL ? NULL : atomic_load(&network->port);
	if (port != NULL && atomic_load(&port->lost))
		detach(&control->tables, &port->entry);
}

static bool is_of_another(const struct tables *tables, const struct control_port_set *fields)
{
	const struct table_entry *entry;
	struct table_walk walk = { .table = &tables->of[TABLE_KIND_PORT] };
	while ((entry = table_next(&walk)) != NULL) {
		const struct port *port = container_of(entry, struct port, entry);
		if (port->vni != be32_get(fields->vni) &&
		    memcmp(port->name, fields->name, IFNAMSIZ) == 0)
			return true;
	}
	return false;
}

/* Opens the device, and makes it the port in the place of one that is there. */
static int attach(struct setting *setting, struct port *port)
{
	struct control *control = container_of(setting->tables, struct control, tables);
	port->queues = control->workers.count;
	int result = tap_attach(port);
	if (result != 0)
		free(port);
	if (result == -EPERM)
		return setting_refuse(setting, EPERM,
				      "no such TAP device, or it is another user's");
	if (result == -EINVAL)
		return setting_refuse(setting, EINVAL, "the device lacks multi_queue or vnet_hdr");
	if (result != 0)
		return result;
	if (setting->before != NULL)
		detach(setting->tables, setting->before);
	result = tables_port_add(setting->tables, port);
	if (result != 0) {
		release_port(&port->entry.reclaim);
		return result;
	}
	control->takes_uso = port->takes_uso;
	/* Watched last: a worker looks the port up by its VNI when the first frame comes. */
	result = workers_watch_port(&control->workers, port);
	if (result != 0)
		detach(setting->tables, &port->entry);
	return result;
}

static int set(struct setting *setting)
{
	const struct control_port_set *fields = (const void *)setting->fields;
	struct port *port = (struct port *)(void *)setting->before;
	uint32_t mtu = be16_get(fields->mtu);
	const char *name = (const char *)fields->name;
	size_t length = strnlen(name, IFNAMSIZ - 1);
	if (mtu < MTU_BYTES_MIN || mtu > MTU_BYTES_MAX)
		return setting_refuse(setting, EINVAL, "the MTU must be 68 to 65000");
	if (length == 0 || !bytes_are_zero(fields->name + length, IFNAMSIZ - length) ||
	    strpbrk(name, "/% ") != NULL)
		return setting_refuse(setting, EINVAL, "the name must have 1 to 15 characters");
	if (is_of_another(setting->tables, fields))
		return setting_refuse(setting, EEXIST,
				      "the interface is the port of another network");
	bool is_attached = port != NULL && !atomic_load(&port->lost) &&
			   memcmp(port->name, fields->name, IFNAMSIZ) == 0;
	if (!is_attached)
		port = calloc(1, sizeof(*port));
	if (port == NULL)
		return -ENOMEM;
	port->vni = be32_get(fields->vni);
	memcpy(port->name, fields->name, IFNAMSIZ);
	atomic_store(&port->mac, load_be48(fields->mac));
	atomic_store(&port->mtu, mtu);
	return is_attached ? 0 : attach(setting, port);
}

static bool describe(const struct table_entry *entry, uint8_t *message)
{
	struct control_port_set *fields = (void *)message;
	const struct port *port = container_of(entry, struct port, entry);
	fields->mtu = be16_of((uint16_t)atomic_load(&port->mtu));
	memcpy(fields->name, port->name, IFNAMSIZ);
	store_be48(fields->mac, atomic_load(&port->mac));
	return !atomic_load(&port->lost);
}

const struct kind ports_kind = { set, detach, describe };
