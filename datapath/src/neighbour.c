#include "neighbour.h"

#include "checksum.h"

#define ND_TARGET_BYTES 24u /* ICMPv6 header and target of NS and NA */
#define ND_FLAG_SOLICITED 0x40
#define ND_FLAG_OVERRIDE 0x20

bool neighbour_eui64_mac(const uint8_t ip[16], uint8_t mac[MAC_BYTES])
{
	if (load_be64(ip) != 0xfe80000000000000u || ip[11] != 0xff || ip[12] != 0xfe)
		return false;
	mac[0] = ip[8] ^ 0x02;
	mac[1] = ip[9];
	mac[2] = ip[10];
	memcpy(mac + 3, ip + 13, 3);
	return true;
}

/* Finds the MAC of an address that is bound to a peer. */
static bool resolve(const struct tables *tables, uint32_t vni, const uint8_t ip[16],
		    uint8_t mac[MAC_BYTES])
{
	const struct binding *neighbour = tables_find_neighbour(tables, vni, ip);
	if (neighbour != NULL) {
		memcpy(mac, neighbour->mac, MAC_BYTES);
		return true;
	}
	return neighbour_eui64_mac(ip, mac) && tables_find_fdb(tables, vni, load_be48(mac)) != NULL;
}

/* Names the address in place of an answer. */
static enum neighbour_verdict unknown(const uint8_t ip[16], uint8_t *answer, size_t *answer_length)
{
	memcpy(answer, ip, 16);
	*answer_length = 16;
	return NEIGHBOUR_UNKNOWN;
}

static enum neighbour_verdict answer_arp(const struct tables *tables, uint32_t vni,
					 const uint8_t *frame, size_t length,
					 const struct frame_layout *layout, uint8_t *answer,
					 size_t *answer_length)
{
	const uint8_t *arp = frame + layout->network;
	if (length < layout->network + ARP_BYTES || load_be16(arp) != 1 ||
	    load_be16(arp + 2) != ETHERTYPE_IPV4 || arp[4] != MAC_BYTES || arp[5] != 4 ||
	    load_be16(arp + 6) != 1)
		return NEIGHBOUR_NO_REQUEST;
	if (memcmp(arp + 14, arp + 24, 4) == 0)
		return NEIGHBOUR_NO_REQUEST; /* an announcement */
	uint8_t ip[16];
	uint8_t mac[MAC_BYTES];
	neighbour_map_ipv4(ip, arp + 24);
	if (!resolve(tables, vni, ip, mac))
		return unknown(ip, answer, answer_length);
	memcpy(answer, frame + MAC_BYTES, MAC_BYTES);
	memcpy(answer + 6, mac, MAC_BYTES);
	store_be16(answer + 12, ETHERTYPE_ARP);
	uint8_t *reply = answer + ETHERNET_BYTES;
	memcpy(reply, arp, 6);
	store_be16(reply + 6, 2);
	memcpy(reply + 8, mac, MAC_BYTES);
	memcpy(reply + 14, arp + 24, 4);
	memcpy(reply + 18, arp + 8, MAC_BYTES);
	memcpy(reply + 24, arp + 14, 4);
	*answer_length = ETHERNET_BYTES + ARP_BYTES;
	return NEIGHBOUR_ANSWERED;
}

/* Writes an advertisement of `target` at `mac`. A probe (source unspecified) is answered to all
 * nodes (RFC 4861 7.2.4). */
static size_t write_advertisement(uint8_t *answer, const uint8_t *frame, const uint8_t *ip,
				  const uint8_t *target, const uint8_t mac[MAC_BYTES])
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	static const uint8_t all_nodes_mac[MAC_BYTES] = { 0x33, 0x33, 0, 0, 0, 1 };
	bool is_probe = bytes_are_zero(ip + 8, 16);
	uint8_t *out = answer + ETHERNET_BYTES;
	uint8_t *icmp = out + IPV6_BYTES;
	size_t icmp_bytes = ND_TARGET_BYTES + 8;

	memset(answer, 0, NEIGHBOUR_ANSWER_BYTES_MAX);
	memcpy(answer, is_probe ? all_nodes_mac : frame + MAC_BYTES, MAC_BYTES);
	memcpy(answer + 6, mac, MAC_BYTES);
	store_be16(answer + 12, ETHERTYPE_IPV6);
	out[0] = 0x60;
	store_be16(out + 4, (uint16_t)icmp_bytes);
	out[6] = PROTOCOL_ICMPV6;
	out[7] = 255;
	memcpy(out + 8, target, 16);
	memcpy(out + 24, is_probe ? all_nodes : ip + 8, 16);
	icmp[0] = ND_ADVERTISEMENT;
	icmp[4] = is_probe ? ND_FLAG_OVERRIDE : ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE;
	memcpy(icmp + 8, target, 16);
	icmp[24] = ND_TARGET_LINK;
	icmp[25] = 1;
	memcpy(icmp + 26, mac, MAC_BYTES);
	uint64_t sum = checksum_add(PROTOCOL_ICMPV6 + icmp_bytes, out + 8, 32);
	store_be16(icmp + 2, (uint16_t)~checksum_fold(checksum_add(sum, icmp, icmp_bytes)));
	return ETHERNET_BYTES + IPV6_BYTES + icmp_bytes;
}

static enum neighbour_verdict answer_solicitation(const struct tables *tables, uint32_t vni,
						  const uint8_t *frame, size_t length,
						  const struct frame_layout *layout,
						  uint8_t *answer, size_t *answer_length)
{
	const uint8_t *ip = frame + layout->network;
	const uint8_t *icmp = frame + layout->transport;
	if (layout->protocol != PROTOCOL_ICMPV6 || layout->transport == 0 ||
	    length < layout->transport + 1u || icmp[0] != ND_SOLICITATION)
		return NEIGHBOUR_NO_REQUEST;
	uint8_t mac[MAC_BYTES];
	*answer_length = 0;
	if (length < layout->transport + ND_TARGET_BYTES || ip[7] != 255 || icmp[1] != 0 ||
	    icmp[8] == 0xff)
		return NEIGHBOUR_UNKNOWN;
	if (!resolve(tables, vni, icmp + 8, mac))
		return unknown(icmp + 8, answer, answer_length);
	*answer_length = write_advertisement(answer, frame, ip, icmp + 8, mac);
	return NEIGHBOUR_ANSWERED;
}

enum neighbour_verdict neighbour_answer(const struct tables *tables, uint32_t vni,
					const uint8_t *frame, size_t length,
					const struct frame_layout *layout, uint8_t *answer,
					size_t *answer_length)
{
	if (layout->vlan_id != 0)
		return NEIGHBOUR_NO_REQUEST;
	if (layout->ethertype == ETHERTYPE_ARP)
		return answer_arp(tables, vni, frame, length, layout, answer, answer_length);
	if (layout->ip_version == 6)
		return answer_solicitation(tables, vni, frame, length, layout, answer,
					   answer_length);
	return NEIGHBOUR_NO_REQUEST;
}
