#include "checksum.h"
#include "entries.h"
#include "neighbour.h"
#include "source.h"
#include "test.h"

void test_neighbour(void);
void test_source(void);

#define VNI 5

static struct tables tables;
static const uint8_t own_mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t other_mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };

static void add_ip(const char *hex, const uint8_t *mac, uint32_t peer)
{
	uint8_t ip[16];
	test_hex(hex, ip, sizeof(ip));
	CHECK_EQUAL(entries_set_neighbour(&tables, 1, VNI, ip, mac, peer), 0);
}

/* Peer 1 has MAC ..01, 10.9.0.1 and fd09::1; peer 2 has MAC ..02, 10.9.0.2 and fd09::2. */
static void fill_tables(void)
{
	const uint8_t unknown[ENDPOINT_BYTES] = { 0 };
	CHECK_EQUAL(tables_init(&tables, 1, 2, AF_INET6, 3), 0);
	CHECK_EQUAL(entries_set_peer(&tables, 1, 1, unknown), 0);
	CHECK_EQUAL(entries_set_peer(&tables, 1, 2, unknown), 0);
	CHECK_EQUAL(entries_set_fdb(&tables, 1, VNI, own_mac, 1), 0);
	CHECK_EQUAL(entries_set_fdb(&tables, 1, VNI, other_mac, 2), 0);
	add_ip("00000000000000000000ffff0a090001", own_mac, 1);
	add_ip("00000000000000000000ffff0a090002", other_mac, 2);
	add_ip("fd090000000000000000000000000001", own_mac, 1);
	add_ip("fd090000000000000000000000000002", other_mac, 2);
}

static enum neighbour_verdict ask(const char *hex, uint8_t *answer, size_t *answer_length)
{
	uint8_t frame[256];
	struct frame_layout layout;
	size_t length = test_hex(hex, frame, sizeof(frame));
	frame_parse(frame, length, &layout);
	return neighbour_answer(&tables, VNI, frame, length, &layout, answer, answer_length);
}

#define ARP_REQUEST(sender, target) \
	"ffffffffffff"              \
	"020000000009"              \
	"0806"                      \
	"0001080006040001"          \
	"020000000009" sender "000000000000" target
#define NS(source, hops, target)                                        \
	"3333ff000001"                                                  \
	"020000000009"                                                  \
	"86dd"                                                          \
	"6000000000203a" hops source "ff0200000000000000000001ff000001" \
	"8700000000000000" target "0101020000000009"
#define FD09_1 "fd090000000000000000000000000001"
#define FD09_9 "fd090000000000000000000000000009"
#define UNSPECIFIED "00000000000000000000000000000000"

void test_neighbour(void)
{
	uint8_t answer[NEIGHBOUR_ANSWER_BYTES_MAX], expected[128];
	size_t length = 0;
	fill_tables();
	CHECK_EQUAL(ask(ARP_REQUEST("0a090009", "0a090001"), answer, &length), NEIGHBOUR_ANSWERED);
	CHECK_EQUAL(length, test_hex("020000000009"
				     "020000000001"
				     "0806"
				     "0001080006040002"
				     "020000000001"
				     "0a090001"
				     "020000000009"
				     "0a090009",
				     expected, sizeof(expected)));
	CHECK_BYTES(answer, expected, length);
	CHECK_EQUAL(ask(ARP_REQUEST("0a090009", "0a090063"), answer, &length), NEIGHBOUR_UNKNOWN);
	/* Who was asked for is named. */
	CHECK_EQUAL(length,
		    test_hex("00000000000000000000ffff0a090063", expected, sizeof(expected)));
	CHECK_BYTES(answer, expected, length);
	CHECK_EQUAL(ask(ARP_REQUEST("00000000", "0a090001"), answer, &length), NEIGHBOUR_ANSWERED);
	CHECK_EQUAL(ask(ARP_REQUEST("0a090009", "0a090009"), answer, &length),
		    NEIGHBOUR_NO_REQUEST);
	CHECK_EQUAL(ask("ffffffffffff0200000000090806000108000604", answer, &length),
		    NEIGHBOUR_NO_REQUEST);
	CHECK_EQUAL(ask("ffffffffffff02000000000981000007"
			"0806"
			"0001080006040001"
			"0200000000090a090009"
			"0000000000000a090001",
			answer, &length),
		    NEIGHBOUR_NO_REQUEST);

	CHECK_EQUAL(ask(NS(FD09_9, "ff", FD09_1), answer, &length), NEIGHBOUR_ANSWERED);
	CHECK_EQUAL(length, 14 + 40 + 32);
	CHECK_EQUAL(answer[54], 136);
	CHECK_EQUAL(answer[58], 0x60);
	CHECK_BYTES(answer + 54 + 26, own_mac, MAC_BYTES);
	uint64_t sum = checksum_add(PROTOCOL_ICMPV6 + 32, answer + 14 + 8, 32);
	CHECK_EQUAL(checksum_fold(checksum_add(sum, answer + 54, 32)), 0xffff);
	/* A probe is answered to all nodes, and not as solicited. */
	CHECK_EQUAL(ask(NS(UNSPECIFIED, "ff", FD09_1), answer, &length), NEIGHBOUR_ANSWERED);
	CHECK_EQUAL(answer[0], 0x33);
	CHECK_EQUAL(answer[58], 0x20);
	CHECK_EQUAL(ask(NS(UNSPECIFIED, "ff", FD09_9), answer, &length), NEIGHBOUR_UNKNOWN);
	CHECK_EQUAL(length, test_hex(FD09_9, expected, sizeof(expected)));
	CHECK_BYTES(answer, expected, length);
	/* What is no solicitation of a neighbour names nobody. */
	CHECK_EQUAL(ask(NS(FD09_9, "40", FD09_1), answer, &length), NEIGHBOUR_UNKNOWN);
	CHECK_EQUAL(length, 0);
	/* Link-local addresses follow from the FDB. */
	CHECK_EQUAL(ask(NS(FD09_9, "ff",
			   "fe8000000000000000000"
			   "0fffe000002"),
			answer, &length),
		    NEIGHBOUR_ANSWERED);
	CHECK_BYTES(answer + 6, other_mac, MAC_BYTES);
	CHECK_EQUAL(ask(NS(FD09_9, "ff", "fe80000000000000000000fffe000003"), answer, &length),
		    NEIGHBOUR_UNKNOWN);
}

/* The verdict on a frame from peer 1: -1 or a drop reason. */
static int judge(const char *hex)
{
	uint8_t frame[256];
	size_t length = test_hex(hex, frame, sizeof(frame));
	return source_check(&tables, VNI, tables_find_peer(&tables, 1), frame, length);
}

#define FROM_OWN       \
	"020000000002" \
	"020000000001"
#define FROM_OTHER     \
	"020000000001" \
	"020000000002"
#define IPV4(source)             \
	"4500001400004000401100" \
	"00" source "0a090002"
#define IPV6(source, next) \
	"60000000"         \
	"0020" next "ff" source "fd090000000000000000000000000002"
#define ARP(mac, ip)                             \
	"0001080006040002" mac ip "000000000000" \
	"0a090002"
#define NA(target, mac) "8800000000000000" target "0201" mac
#define NS_OPTION(mac) "8700000000000000" FD09_1 "0101" mac
#define FD09_2 "fd090000000000000000000000000002"
#define PASSES (-1)

void test_source(void)
{
	static const struct {
		const char *frame;
		int verdict;
	} cases[] = {
		{ FROM_OWN "88b5"
			   "aaaa",
		  PASSES },
		{ FROM_OTHER "88b5"
			     "aaaa",
		  DROP_SOURCE_MAC_DENIED },
		{ "020000000002"
		  "020000000077"
		  "88b5",
		  DROP_SOURCE_MAC_DENIED },
		{ FROM_OWN "0800" IPV4("0a090001"), PASSES },
		{ FROM_OWN "0800" IPV4("00000000"), PASSES },
		{ FROM_OWN "0800" IPV4("0a090002"), DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "0800" IPV4("0a090063"), DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "0800"
			   "45000014",
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "0800", DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "0806" ARP("020000000001", "0a090001"), PASSES },
		{ FROM_OWN "0806" ARP("020000000001", "00000000"), PASSES },
		{ FROM_OWN "0806" ARP("020000000002", "0a090001"), DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "0806" ARP("020000000001", "0a090002"), DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "0806"
			   "00010800",
		  DROP_SOURCE_IP_DENIED },
		/* Priority tags do not hide what is inside; a VLAN's own addresses are not bound.
		 */
		{ FROM_OWN "81000000"
			   "0800" IPV4("0a090002"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "81002000"
			   "0800" IPV4("0a090001"),
		  PASSES },
		{ FROM_OWN "88a80000"
			   "81000000"
			   "0800" IPV4("0a090002"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "81000000"
			   "81000000"
			   "81000000"
			   "0800" IPV4("0a090001"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "81000007"
			   "0800" IPV4("0a090002"),
		  PASSES },
		{ FROM_OWN "81000000"
			   "81000007"
			   "0800" IPV4("0a090002"),
		  PASSES },
		{ FROM_OTHER "81000007"
			     "0800" IPV4("0a090002"),
		  DROP_SOURCE_MAC_DENIED },
		/* IPv6 and neighbour discovery. */
		{ FROM_OWN "86dd" IPV6(FD09_1, "11") "aabb", PASSES },
		{ FROM_OWN "86dd" IPV6(UNSPECIFIED, "11") "aabb", PASSES },
		{ FROM_OWN "86dd" IPV6(FD09_2, "11") "aabb", DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6("fe80000000000000000000fffe000001", "11") "aabb", PASSES },
		{ FROM_OWN "86dd" IPV6("fe80000000000000000000fffe000002", "11") "aabb",
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") NA(FD09_1, "020000000001"), PASSES },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") NA(FD09_2, "020000000001"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") NA(FD09_1, "020000000002"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") NS_OPTION("020000000001"), PASSES },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") NS_OPTION("020000000002"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") "88000000", DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") "8800000000000000" FD09_1 "0200020000000001",
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "3a") "8000000000000000", PASSES },
		{ FROM_OWN "86dd" IPV6(FD09_1, "00") "3a00000000000000" NA(FD09_2, "020000000001"),
		  DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd" IPV6(FD09_1, "00") "3aff000000000000", DROP_SOURCE_IP_DENIED },
		{ FROM_OWN "86dd"
			   "6000",
		  DROP_SOURCE_IP_DENIED },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!CHECK_EQUAL(judge(cases[i].frame), cases[i].verdict))
			printf("    case %zu: %s\n", i, cases[i].frame);
}
