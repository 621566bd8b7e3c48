#include "slow_offload.h"

#include <string.h>

static unsigned word(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put_word(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint16_t slow_sum(uint32_t start, const uint8_t *bytes, size_t length)
{
	uint32_t sum = start;
	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Walks the headers behind a fixed IPv6 header to the transport header; 0 when there is none. */
static size_t walk_ipv6(const uint8_t *frame, size_t length, struct slow_headers *headers,
			uint8_t *protocol)
{
	size_t at = headers->network + 40;
	*protocol = frame[headers->network + 6];
	for (int i = 0; i <= 8; i++) {
		bool is_authentication = *protocol == 51;
		if (*protocol != 0 && *protocol != 43 && *protocol != 60 && !is_authentication)
			return at;
		headers->is_routed |= *protocol == 43;
		if (at + 8 > length)
			return 0;
		*protocol = frame[at];
		at += is_authentication ? ((size_t)frame[at + 1] + 2) * 4
					: ((size_t)frame[at + 1] + 1) * 8;
	}
	return 0;
}

static size_t find_transport(const uint8_t *frame, size_t length, struct slow_headers *headers,
			     uint8_t *protocol)
{
	const uint8_t *ip = frame + headers->network;
	if (headers->is_ipv6) {
		if (length < headers->network + 40 || ip[0] >> 4 != 6 ||
		    headers->network + 40 + word(ip + 4) != length)
			return 0;
		return walk_ipv6(frame, length, headers, protocol);
	}
	if (length < headers->network + 20 || ip[0] >> 4 != 4 || (ip[0] & 15) < 5 ||
	    headers->network + word(ip + 2) != length || (word(ip + 6) & 0x3fff) != 0)
		return 0;
	*protocol = ip[9];
	return headers->network + (size_t)(ip[0] & 15) * 4;
}

bool slow_read(const uint8_t *frame, size_t length, struct slow_headers *headers)
{
	size_t at = 12;
	uint8_t protocol = 0;
	memset(headers, 0, sizeof(*headers));
	for (int tags = 0; tags < 2 && at + 6 <= length; tags++)
		if (word(frame + at) == 0x8100 || word(frame + at) == 0x88a8)
			at += 4;
	if (at + 2 > length || (word(frame + at) != 0x0800 && word(frame + at) != 0x86dd))
		return false;
	headers->is_ipv6 = word(frame + at) == 0x86dd;
	headers->network = at + 2;
	headers->transport = find_transport(frame, length, headers, &protocol);
	if (headers->transport == 0 || (protocol != 6 && protocol != 17))
		return false;
	headers->is_tcp = protocol == 6;
	headers->is_complete = headers->transport > 255;
	headers->checksum_offset = headers->is_tcp ? 16 : 6;
	if (length < headers->transport + (headers->is_tcp ? 20u : 8u))
		return false;
	size_t bytes = headers->is_tcp ? (size_t)(frame[headers->transport + 12] >> 4) * 4 : 8;
	headers->payload = headers->transport + bytes;
	return (!headers->is_tcp || bytes >= 20) && headers->payload <= length;
}

void slow_fix(uint8_t *frame, size_t length, const struct slow_headers *headers)
{
	uint8_t *ip = frame + headers->network;
	uint8_t *transport = frame + headers->transport;
	size_t transport_bytes = length - headers->transport;
	const uint8_t *addresses = headers->is_ipv6 ? ip + 8 : ip + 12;
	if (headers->is_ipv6) {
		put_word(ip + 4, length - headers->network - 40);
	} else {
		put_word(ip + 2, length - headers->network);
		put_word(ip + 10, 0);
		put_word(ip + 10, (uint16_t)~slow_sum(0, ip, (size_t)(ip[0] & 15) * 4));
	}
	if (!headers->is_tcp)
		put_word(transport + 4, transport_bytes);
	put_word(transport + headers->checksum_offset,
		 slow_sum((uint32_t)transport_bytes + (headers->is_tcp ? 6 : 17), addresses,
			  headers->is_ipv6 ? 32 : 8));
}

size_t slow_segment(const uint8_t *whole, size_t length, const struct slow_headers *headers,
		    size_t segment_bytes, size_t index, uint8_t *out)
{
	size_t from = headers->payload + index * segment_bytes;
	if (from >= length)
		return 0;
	size_t to = from + segment_bytes < length ? from + segment_bytes : length;
	size_t bytes = headers->payload + to - from;
	memcpy(out, whole, headers->payload);
	memcpy(out + headers->payload, whole + from, to - from);
	uint8_t *transport = out + headers->transport;
	if (!headers->is_ipv6)
		put_word(out + headers->network + 4, word(out + headers->network + 4) + index);
	if (headers->is_tcp) {
		uint32_t sequence = (uint32_t)word(transport + 4) << 16 | word(transport + 6);
		sequence += (uint32_t)(from - headers->payload);
		put_word(transport + 4, sequence >> 16);
		put_word(transport + 6, sequence & 0xffff);
		if (index != 0)
			transport[13] &= 0x7f; /* CWR only in the first */
		if (to != length)
			transport[13] &= 0xf6; /* FIN and PSH only in the last */
	}
	slow_fix(out, bytes, headers);
	uint8_t *checksum = transport + headers->checksum_offset;
	if (headers->is_routed) {
		/* The sum of the whole, less its length, plus this one's. */
		const uint8_t *of_whole = whole + headers->transport + headers->checksum_offset;
		put_word(checksum, slow_sum(word(of_whole) + 0xffff -
						    (uint32_t)(length - headers->transport) +
						    (uint32_t)(bytes - headers->transport),
					    NULL, 0));
	}
	if (headers->is_complete) {
		uint16_t sum = (uint16_t)~slow_sum(0, transport, bytes - headers->transport);
		put_word(checksum, sum == 0 ? 0xffff : sum);
	}
	return bytes;
}
