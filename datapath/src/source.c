#include "source.h"

#include "neighbour.h"

struct sender {
	const struct tables *tables;
	uint32_t vni;
	const struct peer *peer;
};

static bool owns_mac(const struct sender *sender, const uint8_t mac[MAC_BYTES])
{
	const struct binding *entry = tables_find_fdb(sender->tables, sender->vni, load_be48(mac));
	return entry != NULL && entry->peer == sender->peer;
}

static bool owns_ip(const struct sender *sender, const uint8_t ip[16])
{
	const struct binding *entry = tables_find_neighbour(sender->tables, sender->vni, ip);
	if (entry != NULL)
		return entry->peer == sender->peer;
	uint8_t mac[MAC_BYTES];
	return neighbour_eui64_mac(ip, mac) && owns_mac(sender, mac);
}

static bool owns_ipv4(const struct sender *sender, const uint8_t ipv4[4])
{
	uint8_t ip[16];
	neighbour_map_ipv4(ip, ipv4);
	return load_be32(ipv4) == 0 || owns_ip(sender, ip);
}

static bool check_arp(const struct sender *sender, const uint8_t *arp, size_t length)
{
	return length >= ARP_BYTES && load_be16(arp) == 1 && load_be16(arp + 2) == ETHERTYPE_IPV4 &&
	       arp[4] == MAC_BYTES && arp[5] == 4 && owns_mac(sender, arp + 8) &&
	       owns_ipv4(sender, arp + 14);
}

/* Bytes of the fixed part, behind which the options lie; 0: no neighbour discovery. */
static size_t nd_fixed_bytes(uint8_t type)
{
	switch (type) {
	case ND_ROUTER_SOLICITATION:
		return 8;
	case ND_ROUTER_ADVERTISEMENT:
		return 16;
	case ND_SOLICITATION:
	case ND_ADVERTISEMENT:
		return 24;
	case ND_REDIRECT:
		return 40;
	default:
		return 0;
	}
}

static bool check_nd(const struct sender *sender, const uint8_t *icmp, size_t length)
{
	size_t at = length == 0 ? 0 : nd_fixed_bytes(icmp[0]);
	if (at == 0)
		return true;
	if (length < at || (icmp[0] == ND_ADVERTISEMENT && !owns_ip(sender, icmp + 8)))
		return false;
	while (at + 8 <= length) {
		size_t size = (size_t)icmp[at + 1] * 8;
		bool is_own = icmp[at] == ND_SOURCE_LINK ||
			      (icmp[at] == ND_TARGET_LINK && icmp[0] == ND_ADVERTISEMENT);
		if (size == 0 || at + size > length || (is_own && !owns_mac(sender, icmp + at + 2)))
			return false;
		at += size;
	}
	return at == length;
}

static bool check_ipv6(const struct sender *sender, const uint8_t *frame, size_t length,
		       const struct frame_layout *layout)
{
	const uint8_t *source = frame + layout->network + 8;
	if (layout->ip_version != 6 || (!bytes_are_zero(source, 16) && !owns_ip(sender, source)))
		return false;
	/* Receivers ignore fragmented neighbour discovery (RFC 6980). */
	if (layout->fragmented || (layout->transport != 0 && layout->protocol != PROTOCOL_ICMPV6))
		return true;
	size_t end = layout->ip_end < length ? layout->ip_end : length;
	return layout->transport != 0 && layout->transport <= end &&
	       check_nd(sender, frame + layout->transport, end - layout->transport);
}

int source_check(const struct tables *tables, uint32_t vni, const struct peer *peer,
		 const uint8_t *frame, size_t length)
{
	const struct sender sender = { .tables = tables, .vni = vni, .peer = peer };
	if (!owns_mac(&sender, frame + MAC_BYTES))
		return DROP_SOURCE_MAC_DENIED;
	struct frame_layout layout;
	frame_parse(frame, length, &layout);
	if (layout.vlan_id != 0)
		return -1;
	bool allowed = true;
	if (layout.tags_exceeded)
		allowed = false; /* the kernel skips any number of priority tags */
	else if (layout.ethertype == ETHERTYPE_ARP)
		allowed = check_arp(&sender, frame + layout.network, length - layout.network);
	else if (layout.ethertype == ETHERTYPE_IPV4)
		allowed = layout.ip_version == 4 && owns_ipv4(&sender, frame + layout.network + 12);
	else if (layout.ethertype == ETHERTYPE_IPV6)
		allowed = check_ipv6(&sender, frame, length, &layout);
	return allowed ? -1 : DROP_SOURCE_IP_DENIED;
}
