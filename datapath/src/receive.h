/*
 * From the UDP socket to ports: opens datagrams, checks the replay window and the source binding,
 * joins what belongs together, writes to the TAP; hands handshakes and control bodies to the agent.
 *
 * What a stranger sends costs a session lookup and at most one authentication; nothing changes but
 * a drop counter.
 *
 * Ownership and threads: one worker owns a receive; it reads the tables while online. Frames stay
 * in the buffers until the batch ends, so that a super-frame is written from where its segments
 * were opened.
 */
#pragma once

#include "join.h"
#include "punt.h"
#include "tables.h"

#define RECEIVE_CONTROL_BYTES 64u

struct receive {
	const struct tables *tables;
	struct events *events;
	struct punts *punts;
	int socket;	 /* of data, and for all that is sent */
	unsigned worker; /* queue, user of opening keys, counter slot */
	uint64_t now_us;
	uint64_t now_ms;
	uint64_t cookies_sent;
	uint64_t refused;	       /* datagrams on the way of data that opened in no session */
	const struct sockaddr *source; /* of the datagram at hand */
	/* What the last datagram was found to belong to; valid while online, so receive_begin
	 * forgets it. */
	struct session *last_session;
	struct peer *member; /* is a member of last_network, which has last_port; NULL: nothing is
				known */
	struct network *last_network;
	struct port *last_port;
	/* The open super-frame and whose it is. */
	struct join join;
	struct network *join_network;
	struct port *join_port;
	struct peer *join_peer;
	_Alignas(64) uint8_t control[RECEIVE_MESSAGES][RECEIVE_CONTROL_BYTES];
	_Alignas(64) uint8_t buffers[RECEIVE_MESSAGES][RECEIVE_BUFFER_BYTES];
};

/* Called when the loop has come online, before all else. */
void receive_begin(struct receive *receive, uint64_t now_us);

/* Receives at most `most` messages, of RECEIVE_MESSAGES, from a socket. Returns their number. */
unsigned receive_batch(struct receive *receive, int socket, unsigned most);

/* Receives until the worker's socket is empty, or the turn is over: then false. */
bool receive_turn(struct receive *receive);

/* Handles one datagram; the seam at which tests and fuzzers enter. */
void receive_datagram(struct receive *receive, uint8_t *datagram, size_t length,
		      const struct sockaddr *source);

/* Writes an open super-frame out. */
void receive_flush(struct receive *receive);
