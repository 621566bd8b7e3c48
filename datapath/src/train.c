#include "train.h"

#include "checksum.h"

static bool matches_kind(const struct frame_layout *layout, unsigned gso_type)
{
	switch (gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return layout->ip_version == 4 && layout->protocol == PROTOCOL_TCP;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return layout->ip_version == 6 && layout->protocol == PROTOCOL_TCP;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return layout->ip_version != 0 && layout->protocol == PROTOCOL_UDP;
	default:
		return false;
	}
}

/* Bytes of the transport header, or 0. */
static size_t transport_bytes(const uint8_t *frame, size_t length,
			      const struct frame_layout *layout)
{
	if (layout->protocol == PROTOCOL_UDP)
		return 8;
	if (length < layout->transport + 20u)
		return 0;
	size_t bytes = (size_t)(frame[layout->transport + 12] >> 4) * 4;
	return bytes < 20 ? 0 : bytes;
}

/*
 * The pseudo-header sum without the length. Behind a routing header the destination that counts is
 * the final one, which is not looked for: the kernel has put the sum for the whole into the frame.
 */
static uint64_t pseudo_sum(const struct train *train, size_t length)
{
	const struct frame_layout *layout = &train->layout;
	if (!layout->routed)
		return frame_pseudo_sum(train->frame, layout);
	size_t whole = length - layout->transport;
	return load_be16(train->frame + layout->transport + train->checksum_offset) +
	       (uint64_t)(uint16_t)~whole;
}

bool train_plan(struct train *train, const uint8_t *frame, size_t length,
		const struct virtio_net_hdr *hdr)
{
	unsigned gso_type = hdr->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
	frame_parse(frame, length, &train->layout);
	const struct frame_layout *layout = &train->layout;
	if (!matches_kind(layout, gso_type) || layout->transport == 0 || hdr->gso_size == 0)
		return false;
	if (layout->routed && ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 ||
			       hdr->csum_start != layout->transport))
		return false;
	size_t bytes = transport_bytes(frame, length, layout);
	size_t header = layout->transport + bytes;
	/* Padding behind the packet would become payload. */
	if (bytes == 0 || header >= length || header > HEADERS_BYTES_MAX ||
	    layout->ip_end != length)
		return false;
	train->frame = frame;
	train->header_bytes = header;
	train->payload_bytes = length - header;
	train->segment_bytes = hdr->gso_size;
	train->segments = (train->payload_bytes + hdr->gso_size - 1) / hdr->gso_size;
	train->checksum_offset = layout->protocol == PROTOCOL_TCP ? 16 : 6;
	train->completes_checksum = layout->transport > CHECKSUM_START_MAX;
	train->pseudo_sum = pseudo_sum(train, length);
	return true;
}

static void fix_network(const struct train *train, size_t segment, uint8_t *out, size_t frame_bytes)
{
	uint8_t *ip = out + train->layout.network;
	size_t ip_bytes = frame_bytes - train->layout.network;
	if (train->layout.ip_version == 6) {
		store_be16(ip + 4, (uint16_t)(ip_bytes - IPV6_BYTES));
		return;
	}
	store_be16(ip + 2, (uint16_t)ip_bytes);
	store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + segment));
	store_be16(ip + 10, 0);
	size_t header = (size_t)(ip[0] & 0x0f) * 4;
	store_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, header)));
}

void train_write(const struct train *train, size_t segment, uint8_t *out)
{
	size_t frame_bytes = train_frame_bytes(train, segment);
	size_t payload = frame_bytes - train->header_bytes;
	size_t done = segment * train->segment_bytes;
	bool last = segment + 1 == train->segments;
	uint8_t *transport = out + train->layout.transport;
	size_t transport_length = frame_bytes - train->layout.transport;

	memcpy(out, train->frame, train->header_bytes);
	memcpy(out + train->header_bytes, train->frame + train->header_bytes + done, payload);
	fix_network(train, segment, out, frame_bytes);
	if (train->layout.protocol == PROTOCOL_TCP) {
		store_be32(transport + 4, load_be32(transport + 4) + (uint32_t)done);
		if (segment != 0)
			transport[13] &= (uint8_t)~TCP_FLAG_CWR;
		if (!last)
			transport[13] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
	} else {
		store_be16(transport + 4, (uint16_t)transport_length);
	}
	store_be16(transport + train->checksum_offset,
		   checksum_fold(train->pseudo_sum + transport_length));
	if (train->completes_checksum)
		checksum_complete(out, frame_bytes, train->layout.transport,
				  train->checksum_offset);
}
