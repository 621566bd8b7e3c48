/*
 * Neighbour resolution at the port: ARP requests and IPv6 neighbour solicitations are answered from
 * the neighbour table.
 *
 * Networks are authoritative: what the table does not know, no member has, or the agent has to ask
 * for. So a request never leaves the host, and one for an unknown address is dropped. Announcements
 * (gratuitous ARP, unsolicited advertisements) are not requests and are replicated. A member's
 * link-local EUI-64 address is not in the table: it follows from its MAC, which is in the FDB.
 *
 * Threads: workers while online. Pure but for the lookups.
 */
#pragma once

#include "frame.h"
#include "tables.h"

#define NEIGHBOUR_ANSWER_BYTES_MAX 128u
#define ARP_BYTES 28u /* Ethernet and IPv4 */

enum nd_type {
	ND_ROUTER_SOLICITATION = 133,
	ND_ROUTER_ADVERTISEMENT = 134,
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_REDIRECT = 137,
};

enum nd_option {
	ND_SOURCE_LINK = 1,
	ND_TARGET_LINK = 2,
};

enum neighbour_verdict {
	NEIGHBOUR_NO_REQUEST, /* forward as any other frame */
	NEIGHBOUR_ANSWERED,   /* `answer` goes back to the port */
	NEIGHBOUR_UNKNOWN,    /* drop; `answer` is the 16 bytes of the address, or nothing */
};

/* Judges an untagged multicast frame from a port. Writes at most NEIGHBOUR_ANSWER_BYTES_MAX. */
enum neighbour_verdict neighbour_answer(const struct tables *tables, uint32_t vni,
					const uint8_t *frame, size_t length,
					const struct frame_layout *layout, uint8_t *answer,
					size_t *answer_length);

/* The MAC from which a link-local EUI-64 address is made (RFC 4291 appendix A). False for any other
 * address. */
bool neighbour_eui64_mac(const uint8_t ip[16], uint8_t mac[MAC_BYTES]);

/* An IPv4 address as the tables know it. */
static inline void neighbour_map_ipv4(uint8_t ip[16], const uint8_t ipv4[4])
{
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, ipv4, 4);
}
