/*
 * Where the headers of an Ethernet frame lie.
 *
 * frame_parse looks at what the data path must know: VLAN tags, EtherType, the network header and,
 * behind IPv6 extension headers too, the transport header. It trusts no length. Pure functions;
 * offsets are from the start of the frame.
 */
#pragma once

#include "wire.h"

enum ethertype {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_QINQ = 0x88a8,
};

enum ip_protocol {
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMPV6 = 58,
};

#define VLAN_TAG_BYTES 4u
#define VLAN_TAGS_MAX 2u
#define IPV6_BYTES 40u

struct frame_layout {
	uint16_t network;   /* offset of the layer-3 header, behind the tags */
	uint16_t ethertype; /* behind the tags */
	uint16_t vlan_id;   /* first tag that is not zero; 0: untagged or priority-tagged */
	uint8_t tags;
	bool tags_exceeded; /* more tags than are looked at */
	uint8_t ip_version; /* 4 or 6 when the IP header is whole, else 0 */
	uint8_t protocol;   /* of the transport header */
	uint16_t transport; /* offset; 0: fragment, cut short, or not to be parsed */
	bool routed;	    /* an IPv6 routing header: the destination is not the final one */
	bool fragmented;
	size_t ip_end; /* end of the IP packet by its own length field */
};

/* `length` is at least ETHERNET_BYTES. */
void frame_parse(const uint8_t *frame, size_t length, struct frame_layout *layout);

/* Sum of the pseudo-header without the length: addresses and protocol. For an IP frame without a
 * routing header. */
uint64_t frame_pseudo_sum(const uint8_t *frame, const struct frame_layout *layout);

static inline bool frame_is_multicast(const uint8_t *frame)
{
	return (frame[0] & 1) != 0;
}

/* The layer-2 bytes that are not counted in an MTU: header and tags. */
static inline size_t frame_link_bytes(const struct frame_layout *layout)
{
	return ETHERNET_BYTES + layout->tags * VLAN_TAG_BYTES;
}
