#include "join.h"

#include "checksum.h"

static bool is_tcp(const struct join *join)
{
	return join->layout.protocol == PROTOCOL_TCP;
}

void join_single(struct virtio_net_hdr_mrg_rxbuf *vnet, const struct received_frame *frame)
{
	memset(vnet, 0, sizeof(*vnet));
	vnet->num_buffers = 1;
	if (frame->checksum_start == 0 && frame->checksum_offset == 0)
		return;
	vnet->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->hdr.csum_start = frame->checksum_start;
	vnet->hdr.csum_offset = frame->checksum_offset;
}

/* Bytes of all headers, or 0 when the frame is none that can be joined. */
static size_t joinable_header_bytes(const struct received_frame *frame,
				    const struct frame_layout *layout, bool takes_uso)
{
	if (layout->ip_version == 0 || layout->transport == 0 || layout->routed ||
	    layout->ip_end != frame->length || frame->checksum_start != layout->transport)
		return 0;
	const uint8_t *transport = frame->bytes + layout->transport;
	size_t room = frame->length - layout->transport;
	size_t header = 0;
	if (layout->protocol == PROTOCOL_TCP && room > 20 && frame->checksum_offset == 16) {
		/* Only plain data may be joined: no SYN, RST or URG. */
		header = (transport[13] & 0x26) == 0 ? (size_t)(transport[12] >> 4) * 4 : 0;
		if (header < 20)
			return 0;
	} else if (takes_uso && layout->protocol == PROTOCOL_UDP && room > 8 &&
		   frame->checksum_offset == 6) {
		header = load_be16(transport + 4) == room ? 8 : 0;
	}
	return header == 0 || header >= room ? 0 : layout->transport + header;
}

bool join_start(struct join *join, const struct received_frame *frame, bool takes_uso)
{
	if (frame->is_last || (frame->checksum_start == 0 && frame->checksum_offset == 0))
		return false;
	frame_parse(frame->bytes, frame->length, &join->layout);
	join->header_bytes = joinable_header_bytes(frame, &join->layout, takes_uso);
	if (join->header_bytes == 0)
		return false;
	const uint8_t *transport = frame->bytes + join->layout.transport;
	if (is_tcp(join) && (transport[13] & (TCP_FLAG_FIN | TCP_FLAG_PSH)) != 0)
		return false;
	join->first = *frame;
	join->segment_bytes = frame->length - join->header_bytes;
	join->bytes = frame->length;
	join->segments = 1;
	join->closed = false;
	join->index = frame->index;
	join->counter = frame->counter;
	join->tcp_next = load_be32(transport + 4) + (uint32_t)join->segment_bytes;
	join->ipv4_id = load_be16(frame->bytes + join->layout.network + 4);
	join->pieces[1] = (struct iovec){ .iov_base = frame->bytes, .iov_len = frame->length };
	return true;
}

static bool continues_sequence(const struct join *join, const struct received_frame *frame)
{
	if (join->first.is_train != frame->is_train || join->first.session != frame->session)
		return false;
	return !frame->is_train ||
	       (frame->counter == join->counter + 1 && frame->index == (uint16_t)(join->index + 1));
}

static bool same_network_header(const struct join *join, const uint8_t *a, const uint8_t *b,
				size_t ip_bytes, bool is_train)
{
	if (join->layout.ip_version == 6)
		return memcmp(a, b, 4) == 0 && load_be16(b + 4) == ip_bytes - IPV6_BYTES &&
		       memcmp(a + 6, b + 6, join->layout.transport - join->layout.network - 6u) ==
			       0;
	/* A packet that must not be fragmented may repeat its identification (RFC 6864); a train
	 * counts it up. */
	uint16_t id = load_be16(b + 4);
	bool id_follows = id == (uint16_t)(join->ipv4_id + 1) ||
			  (!is_train && (b[6] & 0x40) != 0 && id == join->ipv4_id);
	return memcmp(a, b, 2) == 0 && load_be16(b + 2) == ip_bytes && id_follows &&
	       memcmp(a + 6, b + 6, 4) == 0 &&
	       memcmp(a + 12, b + 12, join->layout.transport - join->layout.network - 12u) == 0;
}

static bool same_tcp_header(const struct join *join, const uint8_t *a, const uint8_t *b,
			    size_t header)
{
	uint8_t may_end = TCP_FLAG_FIN | TCP_FLAG_PSH;
	return memcmp(a, b, 4) == 0 && load_be32(b + 4) == join->tcp_next &&
	       memcmp(a + 8, b + 8, 5) == 0 &&
	       (b[13] & ~(unsigned)may_end) == (a[13] & ~(unsigned)TCP_FLAG_CWR) &&
	       memcmp(a + 14, b + 14, 2) == 0 && memcmp(a + 18, b + 18, header - 18) == 0;
}

static bool same_headers(const struct join *join, const struct received_frame *frame)
{
	const uint8_t *a = join->first.bytes;
	const uint8_t *b = frame->bytes;
	size_t network = join->layout.network;
	size_t transport = join->layout.transport;
	if (memcmp(a, b, network) != 0 ||
	    !same_network_header(join, a + network, b + network, frame->length - network,
				 frame->is_train))
		return false;
	if (is_tcp(join))
		return same_tcp_header(join, a + transport, b + transport,
				       join->header_bytes - transport);
	return memcmp(a + transport, b + transport, 4) == 0 &&
	       load_be16(b + transport + 4) == frame->length - transport;
}

bool join_append(struct join *join, const struct received_frame *frame)
{
	if (join->closed || frame->length <= join->header_bytes ||
	    join->segments == JOIN_SEGMENTS_MAX ||
	    frame->checksum_start != join->first.checksum_start ||
	    frame->checksum_offset != join->first.checksum_offset)
		return false;
	size_t payload = frame->length - join->header_bytes;
	if (payload > join->segment_bytes || join->bytes + payload > JOIN_BYTES_MAX ||
	    !continues_sequence(join, frame) || !same_headers(join, frame))
		return false;
	uint8_t ends = 0;
	if (is_tcp(join)) {
		ends = frame->bytes[join->layout.transport + 13] & (TCP_FLAG_FIN | TCP_FLAG_PSH);
		join->first.bytes[join->layout.transport + 13] |= ends;
	}
	join->segments++;
	join->pieces[join->segments] =
		(struct iovec){ .iov_base = frame->bytes + join->header_bytes, .iov_len = payload };
	join->bytes += payload;
	join->index = frame->index;
	join->counter = frame->counter;
	join->tcp_next += (uint32_t)payload;
	join->ipv4_id = load_be16(frame->bytes + join->layout.network + 4);
	join->closed = payload < join->segment_bytes || ends != 0 || frame->is_last;
	return true;
}

static void finish_headers(struct join *join)
{
	uint8_t *ip = join->first.bytes + join->layout.network;
	uint8_t *transport = join->first.bytes + join->layout.transport;
	size_t transport_length = join->bytes - join->layout.transport;
	uint64_t pseudo_sum = frame_pseudo_sum(join->first.bytes, &join->layout) + transport_length;
	if (join->layout.ip_version == 6) {
		store_be16(ip + 4, (uint16_t)(join->bytes - join->layout.network - IPV6_BYTES));
	} else {
		store_be16(ip + 2, (uint16_t)(join->bytes - join->layout.network));
		store_be16(ip + 10, 0);
		store_be16(ip + 10, (uint16_t)~checksum_fold(
					    checksum_add(0, ip, (size_t)(ip[0] & 0x0f) * 4)));
	}
	if (!is_tcp(join))
		store_be16(transport + 4, (uint16_t)transport_length);
	store_be16(transport + join->first.checksum_offset, checksum_fold(pseudo_sum));
}

static uint8_t gso_type(const struct join *join)
{
	if (!is_tcp(join))
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	uint8_t type =
		join->layout.ip_version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	bool has_cwr = (join->first.bytes[join->layout.transport + 13] & TCP_FLAG_CWR) != 0;
	return has_cwr ? (uint8_t)(type | VIRTIO_NET_HDR_GSO_ECN) : type;
}

size_t join_finish(struct join *join)
{
	size_t pieces = 1 + join->segments;
	join_single(&join->vnet, &join->first);
	if (join->segments > 1) {
		finish_headers(join);
		join->vnet.hdr.gso_type = gso_type(join);
		join->vnet.hdr.gso_size = (uint16_t)join->segment_bytes;
		join->vnet.hdr.hdr_len = (uint16_t)join->header_bytes;
	}
	join->pieces[0] = (struct iovec){ .iov_base = &join->vnet, .iov_len = sizeof(join->vnet) };
	join->segment_bytes = 0;
	return pieces;
}
