/*
 * Every bound of the data path, with its reason. A request that would exceed one is refused with
 * ENOSPC or EINVAL.
 */
#pragma once

#define WORKERS_MAX 16u		     /* lanes are 4 bits of the counter */
#define WORKERS_DEFAULT_MAX 4u	     /* a host has other work; more by --workers */
#define SLOTS_MAX (WORKERS_MAX + 1u) /* one counter slot a worker, one for the control thread */

#define PORTS_MAX 256u	   /* networks of one host */
#define NETWORKS_MAX 1024u /* networks known by port or flood entry */
#define PEERS_MAX 8192u
#define SESSIONS_MAX 32768u /* four a peer: current, previous, two in flight */
#define FDB_MAX 262144u
#define NEIGHBOURS_MAX 262144u
#define MEMBERS_MAX 262144u

#define MTU_BYTES_MIN 68u	  /* RFC 791: every IPv4 module must take 68 octets */
#define MTU_BYTES_MAX 65000u	  /* a frame and what surrounds it fit one UDP datagram */
#define FRAME_BYTES_MAX 65550u	  /* 65,535 of layer 3 and an Ethernet header */
#define HEADERS_BYTES_MAX 512u	  /* headers of a super-frame, copied into each segment */
#define CHECKSUM_START_MAX 255u	  /* one byte in an entry */
#define SEND_SEGMENTS_MAX 64u	  /* UDP_MAX_SEGMENTS of kernels before 6.10 */
#define SEND_RUN_BYTES_MAX 65000u /* below 65,507, the longest UDP payload over IPv4 */
#define SEND_RUNS_MAX 64u	  /* messages of one sendmmsg */
#define SEND_ARENA_BYTES (256u * 1024u)
#define SEND_FLUSH_BYTES 60000u /* one super-frame: the receiver works while we seal the next */
#define SEND_TIMEOUT_MS 20	/* a socket that takes nothing for so long loses datagrams */
#define RECEIVE_MESSAGES 8u	/* messages of one recvmmsg */
#define RECEIVE_BUFFER_BYTES 65536u
#define JOIN_SEGMENTS_MAX 128u	/* iovec entries of one super-frame */
#define JOIN_BYTES_MAX 65535u	/* protocol.md 1.3 */
#define TAP_FRAMES_PER_TURN 16u /* frames read from one queue before others have their turn */
#define UDP_BATCHES_PER_TURN 4u
#define LOBBY_SOURCES 8u /* sockets of a class: a sender fills one of them */
#define LOBBIES (5u * LOBBY_SOURCES)
#define STEERING_WORDS 128u /* 4,096 bits: with 1,000 peers one stranger in five passes for one */
#define LOBBY_PER_MS 4u	    /* messages of a lobby that are looked at: 32,000 a second of a class */
#define LOBBY_BURST 256u    /* all peers of a host that was away, at once */
#define LOBBY_PAUSE_MS 2u   /* between two looks when there are more */
#define LOBBY_QUIET 2u	    /* fewer at one look end it */
#define LOBBY_BUFFER_BYTES 65536
#define DATAGRAM_BYTES_ALONE \
	1472u			/* of Ethernet and IPv4; what is longer was joined from several */
#define PACE_INTERVAL_MS 4u	/* between two looks at how many datagrams were refused */
#define PACE_REFUSED_PER_MS 10u /* a flood, or a peer that does not know of a restart */
#define PACE_PAUSE_US 100u	/* between two looks into the socket then */
#define SOCKET_BUFFER_BYTES (8 * 1024 * 1024)
#define REPLAY_WINDOW 8192u /* protocol.md 1.1 */
#define SESSION_REKEY_DATAGRAMS (1ull << 32)
#define SESSION_DATAGRAMS_MAX ((1ull << 32) + (1ull << 28))
#define SESSION_LIFETIME_MS_MAX 3600000u /* six times protocol.md's: room for tests */
#define SESSION_GRACE_MS 10000u /* counted as expired for so long, then the keys are wiped */

#define HANDSHAKE_BYTES_MAX 1232u /* protocol.md 2.6: what is longer comes in parts */
#define EVENT_RING_BYTES (256u * 1024u)
/* Punts: how many a second, and how many at once. */
#define PUNT_OF_SOURCE \
	((struct punt_rate){ 200, 100 }) /* of a source's hash: one sender cannot use up all */
#define PUNT_OF_ANYONE                                                                          \
	((struct punt_rate){ 800, 2000 }) /* of a kind: twice what the agent looks at without a \
					     cookie, in two parts */
#define PUNT_REPLIES \
	((struct punt_rate){ 5000, 500 }) /* cookie replies: a twentieth of a core at most */
#define PUNT_GUESSES ((struct punt_rate){ 5000, 1000 }) /* wrong mac2: 2 us each */
#define PUNT_OF_PROVED       \
	((struct punt_rate){ \
		80, 80 }) /* of a source's hash: twice what the agent allows, in two parts */
#define PUNT_OF_KNOWN                                                                            \
	((struct punt_rate){ 40, 40 }) /* of an endpoint: a handshake, its retries and crossings \
					*/
#define PUNT_OF_WORTHY \
	((struct punt_rate){ 4000, 2000 }) /* of all that are proved, and of all that are known */
#define PUNT_OF_PEER         \
	((struct punt_rate){ \
		200, 100 }) /* control bodies: a ping, a pong and a keepalive, many times */
#define PUNT_OF_CONTROLS ((struct punt_rate){ 5000, 2000 })
#define PUNT_SOURCES 1024u
#define PUNT_KNOWN_SETS 2048u /* with their ways, as many as peers */
#define PUNT_KNOWN_WAYS 4u
#define PUNT_AWAITED_MS 10000u		      /* an answer to what was sent, with its retries */
#define AGENT_OUTPUT_BYTES_MAX (128u * 1024u) /* punts beyond it are dropped; requests wait */
#define ACTIVITY_INTERVAL_MS 250u
#define SESSION_NEEDED_INTERVAL_MS 1000u
#define MISS_INTERVAL_MS 900u /* below the second after which a kernel asks again */
#define MISSES_TOLD_MAX 32u   /* of a worker in a second: a burst of first packets */
#define RECLAIM_INTERVAL_MS 5u

_Static_assert(SEND_FLUSH_BYTES + SEND_RUN_BYTES_MAX + RECEIVE_BUFFER_BYTES < SEND_ARENA_BYTES,
	       "arena");
