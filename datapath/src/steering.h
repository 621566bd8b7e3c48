/*
 * The program with which the kernel chooses the socket of a datagram (udp.h), in classic BPF, which
 * needs no privilege.
 *
 * It looks at the kind, the length, whether there is a mac2, and the source address (IPv6: its
 * /64), which is hashed with a salt: a new salt deals the senders to other lobbies. While there is
 * a flood, addresses of peers, and of those from whom an answer is awaited, have lobbies of their
 * own for handshakes, and theirs alone is the way of data to the workers' sockets. They are kept in
 * a Bloom filter of one hash, so some strangers pass for peers, others at each salt. All this
 * proves nothing: whoever reads a socket judges each datagram, and takes from any socket what is
 * right.
 *
 * What is longer than DATAGRAM_BYTES_ALONE was joined from several by the kernel (UDP_GRO), so data
 * of the same flow may follow: it goes the way of data whatever it begins with.
 *
 * Threads: those who have the sockets, one at a time.
 */
#pragma once

#include "udp.h"
#include "wire.h"

struct steering {
	uint64_t salt;
	bool is_flooded;
	uint32_t known[STEERING_WORDS]; /* those addresses; made with the salt */
};

/* Adds the address of an endpoint. */
void steering_know(struct steering *steering, const uint8_t endpoint[ENDPOINT_BYTES]);

/* Gives the sockets a program in place of the one they have. False: the kernel takes none. */
bool steering_attach(const struct udp_sockets *sockets, const struct steering *steering);
