#include "frame.h"

#include "checksum.h"

enum ipv6_extension {
	EXTENSION_HOP_BY_HOP = 0,
	EXTENSION_ROUTING = 43,
	EXTENSION_FRAGMENT = 44,
	EXTENSION_AUTHENTICATION = 51,
	EXTENSION_DESTINATION = 60,
};

#define EXTENSIONS_MAX 8u

static bool is_tag(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ;
}

static void parse_tags(const uint8_t *frame, size_t length, struct frame_layout *layout)
{
	size_t at = 12;
	layout->ethertype = load_be16(frame + at);
	while (is_tag(layout->ethertype) && layout->tags < VLAN_TAGS_MAX &&
	       at + VLAN_TAG_BYTES + 2 <= length) {
		uint16_t id = load_be16(frame + at + 2) & 0x0fff;
		if (layout->vlan_id == 0)
			layout->vlan_id = id;
		layout->tags++;
		at += VLAN_TAG_BYTES;
		layout->ethertype = load_be16(frame + at);
	}
	layout->tags_exceeded = is_tag(layout->ethertype);
	layout->network = (uint16_t)(at + 2);
}

static void parse_ipv4(const uint8_t *frame, size_t length, struct frame_layout *layout)
{
	const uint8_t *ip = frame + layout->network;
	if (length < layout->network + 20u || ip[0] >> 4 != 4)
		return;
	size_t header = (size_t)(ip[0] & 0x0f) * 4;
	size_t total = load_be16(ip + 2);
	if (header < 20 || total < header || length < layout->network + header)
		return;
	layout->ip_version = 4;
	layout->protocol = ip[9];
	layout->ip_end = layout->network + total;
	layout->fragmented = (load_be16(ip + 6) & 0x3fff) != 0;
	if (!layout->fragmented)
		layout->transport = (uint16_t)(layout->network + header);
}

static bool is_extension(uint8_t protocol)
{
	return protocol == EXTENSION_HOP_BY_HOP || protocol == EXTENSION_ROUTING ||
	       protocol == EXTENSION_FRAGMENT || protocol == EXTENSION_AUTHENTICATION ||
	       protocol == EXTENSION_DESTINATION;
}

static void parse_ipv6(const uint8_t *frame, size_t length, struct frame_layout *layout)
{
	const uint8_t *ip = frame + layout->network;
	if (length < layout->network + IPV6_BYTES || ip[0] >> 4 != 6)
		return;
	size_t at = layout->network + IPV6_BYTES;
	layout->ip_version = 6;
	layout->protocol = ip[6];
	layout->ip_end = at + load_be16(ip + 4);
	for (unsigned i = 0; is_extension(layout->protocol); i++) {
		if (layout->protocol == EXTENSION_FRAGMENT)
			layout->fragmented = true;
		if (layout->protocol == EXTENSION_ROUTING)
			layout->routed = true;
		if (i == EXTENSIONS_MAX || layout->fragmented || at + 8 > length)
			return;
		size_t units = frame[at + 1];
		size_t size = layout->protocol == EXTENSION_AUTHENTICATION ? (units + 2) * 4
									   : (units + 1) * 8;
		layout->protocol = frame[at];
		at += size;
	}
	if (at <= length && at <= UINT16_MAX)
		layout->transport = (uint16_t)at;
}

void frame_parse(const uint8_t *frame, size_t length, struct frame_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	parse_tags(frame, length, layout);
	if (layout->ethertype == ETHERTYPE_IPV4)
		parse_ipv4(frame, length, layout);
	else if (layout->ethertype == ETHERTYPE_IPV6)
		parse_ipv6(frame, length, layout);
}

uint64_t frame_pseudo_sum(const uint8_t *frame, const struct frame_layout *layout)
{
	const uint8_t *ip = frame + layout->network;
	return layout->ip_version == 4 ? checksum_add(layout->protocol, ip + 12, 8)
				       : checksum_add(layout->protocol, ip + 8, 32);
}
