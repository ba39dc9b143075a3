/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The gate: two programs at the host's side of an endpoint's interface.
 *
 * to_endpoint (tcx egress) sees what goes to the endpoint and asks its ingress
 * policy, from_endpoint (tcx ingress) sees what comes from it and asks its
 * egress policy. In: packets, the verdict table, the map of addresses, who is
 * behind which interface. Out: packets that pass or do not, a count per verdict
 * entry, and an event for each connection that is new or refused.
 *
 * As in Cilium's datapath, policy is asked about every packet but replies: those
 * of connections that it let pass, and ICMP errors about them. A redirect passes
 * with the mark that Cilium's proxy rules look for.
 */
#include "table.h"

#define ETH_HEADER 14
#define ETH_IPV4 0x0800
#define ETH_IPV6 0x86dd
#define ETH_ARP 0x0806

#define ICMP 1
#define TCP 6
#define UDP 17
#define ROUTING 43
#define FRAGMENT 44
#define AUTHENTICATION 51
#define ICMPV6 58
#define DESTINATION_OPTIONS 60
#define SCTP 132


/* cilium_ipcache_v2: bits before the address, and families. */
#define IPCACHE_STATIC 32
#define FAMILY_IPV4 1
#define FAMILY_IPV6 2
/* Identities where no prefix covers an address: set by the loader. */
const volatile u32 world_ipv4 = 2;
const volatile u32 world_ipv6 = 2;
/* 1: an event for each connection that is allowed, too. */
const volatile u32 report_allowed = 1;

struct address {
    u32 words[4];
};

struct ipcache_key {
    u32 prefix_len;
    u16 cluster_id;
    u8 pad;
    u8 family;
    struct address address;
};
struct ipcache_value {
    u32 identity;
    u32 tunnel[4];
    u16 pad;
    u8 key;
    u8 flags;
};
struct {
    NUMBER(type, MAP_LPM_TRIE);
    NUMBER(max_entries, 512000);
    NUMBER(map_flags, F_NO_PREALLOC | F_RDONLY_PROG);
    TYPE(key, struct ipcache_key);
    TYPE(value, struct ipcache_value);
} cilium_ipcache_v2 SECTION(".maps");

/* Who is behind an interface. */
struct endpoint {
    u32 number; /* in the table's index of endpoints */
    u32 identity;
};
struct {
    NUMBER(type, MAP_HASH);
    NUMBER(max_entries, 65536);
    NUMBER(map_flags, F_RDONLY_PROG);
    TYPE(key, u32);
    TYPE(value, struct endpoint);
} nv_endpoints SECTION(".maps");

/* A connection as the packet that began it goes, and at whose gate. */
struct tuple {
    struct address source;
    struct address destination;
    u16 source_port; /* as on the wire; ICMP: the identifier of an echo */
    u16 destination_port;
    u8 protocol;
    u8 direction; /* 0 to the endpoint, 1 from it */
    u16 family;
    u32 ifindex;
};
struct connection {
    u64 until; /* nanoseconds since boot */
    u32 packets;
    u32 closing;
};
struct {
    NUMBER(type, MAP_LRU_HASH);
    NUMBER(max_entries, 131072);
    TYPE(key, struct tuple);
    TYPE(value, struct connection);
} nv_connections SECTION(".maps");

/* Packets and bytes by verdict entry, direction and endpoint. */
struct counter_key {
    u32 endpoint;
    u32 cookie;
    u16 proxy_port_be;
    s16 code;
    u8 match_type;
    u8 auth_type;
    u8 direction;
    u8 deny;
};
struct counter {
    u64 packets;
    u64 bytes;
};
struct {
    NUMBER(type, MAP_LRU_PERCPU_HASH);
    NUMBER(max_entries, 16384);
    TYPE(key, struct counter_key);
    TYPE(value, struct counter);
} nv_counters SECTION(".maps");

/* By number: 0 replies, 1 events that had no room, 2 other packets that pass
 * (ARP, neighbour discovery), 3 malformed ones. */
struct {
    NUMBER(type, MAP_PERCPU_ARRAY);
    NUMBER(max_entries, 4);
    TYPE(key, u32);
    TYPE(value, u64);
} nv_totals SECTION(".maps");
enum { REPLIES, EVENTS_LOST, OTHERS, MALFORMED };

/* What user space hears about a packet: 72 bytes. */
struct event {
    u64 time; /* nanoseconds since boot */
    u32 ifindex;
    u32 endpoint;
    u32 own_identity;
    u32 peer_identity;
    struct address source;
    struct address destination;
    u16 source_port_be;
    u16 destination_port_be; /* ICMP: type in the high byte, code in the low */
    u8 protocol;
    u8 direction;
    u8 family;
    u8 tcp_flags;
    s16 code;
    u8 match_type;
    u8 auth_type;
    u16 proxy_port_be;
    u16 length;
};
struct {
    NUMBER(type, MAP_RINGBUF);
    NUMBER(max_entries, 1 << 20);
} nv_events SECTION(".maps");

/* A packet taken apart. */
struct parsed {
    struct tuple tuple; /* of the connection it may begin */
    u32 l4;             /* offset of the header behind the IP headers */
    u8 tcp_flags;
    u8 icmp_type;
    u8 icmp_code;
    u8 fragment; /* not the first: ports are not known */
    u8 error;    /* an ICMP error */
    u8 neighbour; /* neighbour discovery of the link itself */
};

INLINE void count(u32 which)
{
    u64 *total = map_lookup_elem(&nv_totals, &which);
    if (total)
        *total += 1;
}

/* Ports, type and code, flags: what follows the IP headers. 0 when it is there. */
INLINE int parse_l4(struct packet *packet, struct parsed *p)
{
    u8 b[8];
    if (p->fragment)
        return 0;
    switch (p->tuple.protocol) {
    case TCP:
        if (skb_load_bytes(packet, p->l4 + 13, b, 1))
            return -1;
        p->tcp_flags = b[0];
        /* fall through */
    case UDP:
    case SCTP:
        return skb_load_bytes(packet, p->l4, &p->tuple.source_port, 4) ? -1 : 0;
    case ICMP:
        if (skb_load_bytes(packet, p->l4, b, 8))
            return -1;
        p->icmp_type = b[0];
        p->icmp_code = b[1];
        if (b[0] == 8 || b[0] == 0)
            __builtin_memcpy(&p->tuple.source_port, b + 4, 2);
        p->error = b[0] == 3 || b[0] == 11 || b[0] == 12;
        return 0;
    case ICMPV6:
        if (skb_load_bytes(packet, p->l4, b, 8))
            return -1;
        p->icmp_type = b[0];
        p->icmp_code = b[1];
        if (b[0] == 128 || b[0] == 129)
            __builtin_memcpy(&p->tuple.source_port, b + 4, 2);
        p->error = b[0] < 128;
        return 0;
    default:
        return 0;
    }
}

INLINE int parse_ipv4(struct packet *packet, u32 at, struct parsed *p)
{
    u8 b[20];
    u32 length;
    if (skb_load_bytes(packet, at, b, 20))
        return -1;
    length = (b[0] & 15) * 4u;
    if (b[0] >> 4 != 4 || length < 20)
        return -1;
    p->fragment = ((b[6] & 0x1f) | b[7]) != 0;
    p->tuple.protocol = b[9];
    p->tuple.family = FAMILY_IPV4;
    __builtin_memcpy(&p->tuple.source.words[0], b + 12, 4);
    __builtin_memcpy(&p->tuple.destination.words[0], b + 16, 4);
    p->l4 = at + length;
    return 0;
}

/* Extension headers that are looked behind. */
#define EXTENSIONS 6

INLINE int parse_ipv6(struct packet *packet, u32 at, struct parsed *p)
{
    u8 b[40], next;
    int i;
    if (skb_load_bytes(packet, at, b, 40) || b[0] >> 4 != 6)
        return -1;
    next = b[6];
    p->neighbour = b[7] == 255; /* nothing beyond the link can have that */
    p->tuple.family = FAMILY_IPV6;
    __builtin_memcpy(&p->tuple.source, b + 8, 16);
    __builtin_memcpy(&p->tuple.destination, b + 24, 16);
    p->l4 = at + 40;
#pragma unroll
    for (i = 0; i < EXTENSIONS; i++) {
        u8 e[4];
        if (next != 0 && next != ROUTING && next != FRAGMENT && next != AUTHENTICATION &&
            next != DESTINATION_OPTIONS)
            break;
        if (skb_load_bytes(packet, p->l4, e, 4))
            return -1;
        if (next == FRAGMENT) {
            if ((e[2] | (e[3] & 0xf8)) != 0)
                p->fragment = 1;
            p->l4 += 8;
        } else if (next == AUTHENTICATION) {
            p->l4 += (e[1] + 2) * 4u;
        } else {
            p->l4 += (e[1] + 1) * 8u;
        }
        next = e[0];
        /* What follows in a later fragment is no header. */
        if (p->fragment)
            break;
    }
    p->tuple.protocol = next;
    return 0;
}

INLINE void reverse(const struct tuple *of, struct tuple *to)
{
    to->source = of->destination;
    to->destination = of->source;
    to->source_port = of->destination_port;
    to->destination_port = of->source_port;
    to->protocol = of->protocol;
    to->family = of->family;
    to->ifindex = of->ifindex;
    to->direction = !of->direction;
    if (of->protocol == ICMP || of->protocol == ICMPV6) {
        /* An echo has its identifier in both. */
        to->source_port = of->source_port;
        to->destination_port = 0;
    }
}

/* The connection of a tuple that has not run out. */
INLINE struct connection *known(const struct tuple *tuple, u64 now)
{
    struct connection *connection = map_lookup_elem(&nv_connections, tuple);
    return connection && connection->until > now ? connection : (struct connection *)0;
}

/* How long a connection is kept without a packet. */
#define SECONDS 1000000000ull
INLINE u64 lifetime(const struct parsed *p, u32 closing)
{
    if (p->tuple.protocol != TCP)
        return 60 * SECONDS;
    if (closing)
        return 10 * SECONDS;
    return p->tcp_flags & 2 ? 60 * SECONDS : 8000 * SECONDS;
}

INLINE void seen(struct connection *connection, const struct parsed *p, u64 now)
{
    if (p->tuple.protocol == TCP && p->tcp_flags & 5)
        connection->closing = 1;
    connection->until = now + lifetime(p, connection->closing);
    connection->packets += 1;
}

/* True for a reply to a connection that was let pass the other way. */
INLINE int is_reply(struct packet *packet, const struct parsed *p, u64 now)
{
    struct tuple other = {};
    struct connection *connection;
    if (p->fragment)
        return 0;
    if (p->error) {
        /* What it is about: the packet that it quotes went the other way. */
        struct parsed inner = {};
        u32 at = p->l4 + 8;
        int bad = p->tuple.family == FAMILY_IPV4 ? parse_ipv4(packet, at, &inner)
                                                 : parse_ipv6(packet, at, &inner);
        u8 b[8];
        if (bad || inner.fragment || skb_load_bytes(packet, inner.l4, b, 8))
            return 0;
        if (inner.tuple.protocol == ICMP || inner.tuple.protocol == ICMPV6)
            __builtin_memcpy(&inner.tuple.source_port, b + 4, 2);
        else
            __builtin_memcpy(&inner.tuple.source_port, b, 4);
        inner.tuple.ifindex = p->tuple.ifindex;
        inner.tuple.direction = !p->tuple.direction;
        return known(&inner.tuple, now) != 0;
    }
    /* A request is no reply to a request. */
    if ((p->tuple.protocol == ICMP && p->icmp_type != 0) ||
        (p->tuple.protocol == ICMPV6 && p->icmp_type != 129))
        return 0;
    reverse(&p->tuple, &other);
    connection = known(&other, now);
    if (!connection)
        return 0;
    seen(connection, p, now);
    return 1;
}

/* Remembers a connection that may pass; 1 when it is new. */
INLINE int remember(const struct parsed *p, u64 now)
{
    struct connection *connection;
    struct connection fresh = {};
    if (p->fragment || p->error)
        return 1;
    connection = known(&p->tuple, now);
    /* A new connection over the ports of one that is closing. */
    if (connection && !(connection->closing && p->tcp_flags & 2)) {
        seen(connection, p, now);
        return 0;
    }
    fresh.until = now + lifetime(p, 0);
    fresh.packets = 1;
    map_update_elem(&nv_connections, &p->tuple, &fresh, 0);
    return 1;
}

INLINE u32 identity_of(const struct address *address, u16 family)
{
    struct ipcache_key key = {};
    struct ipcache_value *value;
    key.family = (u8)family;
    if (family == FAMILY_IPV4) {
        key.prefix_len = IPCACHE_STATIC + 32;
        key.address.words[0] = address->words[0];
    } else {
        key.prefix_len = IPCACHE_STATIC + 128;
        key.address = *address;
    }
    value = map_lookup_elem(&cilium_ipcache_v2, &key);
    if (value && value->identity)
        return value->identity;
    return family == FAMILY_IPV4 ? world_ipv4 : world_ipv6;
}

INLINE void report(struct packet *packet, const struct parsed *p, const struct endpoint *own,
                   u32 peer, const struct nv_answer *answer, u64 now)
{
    struct event *event = ringbuf_reserve(&nv_events, sizeof *event, 0);
    if (!event) {
        count(EVENTS_LOST);
        return;
    }
    event->time = now;
    event->ifindex = p->tuple.ifindex;
    event->endpoint = own->number;
    event->own_identity = own->identity;
    event->peer_identity = peer;
    event->source = p->tuple.source;
    event->destination = p->tuple.destination;
    event->source_port_be = p->tuple.source_port;
    event->destination_port_be = p->tuple.destination_port;
    if (p->tuple.protocol == ICMP || p->tuple.protocol == ICMPV6)
        event->destination_port_be = p->icmp_type | (u16)(p->icmp_code << 8);
    event->protocol = p->tuple.protocol;
    event->direction = p->tuple.direction;
    event->family = (u8)p->tuple.family;
    event->tcp_flags = p->tcp_flags;
    event->code = answer->code;
    event->match_type = answer->match_type;
    event->auth_type = answer->auth_type;
    event->proxy_port_be = answer->proxy_port_be;
    event->length = (u16)packet->len;
    ringbuf_submit(event, 0);
}

INLINE void account(const struct packet *packet, const struct endpoint *own, u8 direction,
                    const struct nv_answer *answer)
{
    struct counter_key key = {
        .endpoint = own->number,
        .cookie = answer->cookie,
        .proxy_port_be = answer->proxy_port_be,
        .code = answer->code,
        .match_type = answer->match_type,
        .auth_type = answer->auth_type,
        .direction = direction,
        .deny = answer->flags & 1,
    };
    struct counter *counter = map_lookup_elem(&nv_counters, &key);
    if (counter) {
        counter->packets += 1;
        counter->bytes += packet->len;
    } else {
        struct counter first = {.packets = 1, .bytes = packet->len};
        map_update_elem(&nv_counters, &key, &first, 0);
    }
}

INLINE int malformed(void)
{
    count(MALFORMED);
    return DROP;
}

INLINE int gate(struct packet *packet, u8 direction)
{
    u64 mask = netverdict_table_mask;
    struct parsed p = {};
    struct nv_question question = {};
    struct nv_answer answer = {};
    struct nv_table table;
    struct endpoint own;
    const struct endpoint *behind;
    void *memory;
    u32 zero = 0, ifindex = packet->ifindex;
    u32 peer, subject = 0;
    u64 now;

    switch (__builtin_bswap16((u16)packet->protocol)) {
    case ETH_ARP:
        count(OTHERS);
        return PASS;
    case ETH_IPV4:
        if (parse_ipv4(packet, ETH_HEADER, &p))
            return malformed();
        break;
    case ETH_IPV6:
        if (parse_ipv6(packet, ETH_HEADER, &p))
            return malformed();
        break;
    default:
        return malformed();
    }
    if (parse_l4(packet, &p))
        return malformed();
    p.tuple.direction = direction;
    p.tuple.ifindex = ifindex;
    /* Neighbours have to find each other before there is a flow. */
    if (p.tuple.protocol == ICMPV6 && p.neighbour && !p.fragment &&
        (p.icmp_type == 135 || p.icmp_type == 136)) {
        count(OTHERS);
        return PASS;
    }
    behind = map_lookup_elem(&nv_endpoints, &ifindex);
    memory = map_lookup_elem(&netverdict_table, &zero);
    if (!behind || !memory)
        return malformed();
    own = *behind;
    now = ktime_get_ns();
    if (is_reply(packet, &p, now)) {
        count(REPLIES);
        return PASS;
    }
    peer = identity_of(direction ? &p.tuple.destination : &p.tuple.source, p.tuple.family);

    /* The control line is read here, and once: one packet, one image. */
    netverdict_table_attach(&table, memory, mask);
    question.identity = peer;
    question.direction = direction;
    question.protocol = p.tuple.protocol;
    question.untracked_fragment = p.fragment;
    question.icmp_code = p.icmp_code;
    question.port = p.tuple.protocol == ICMP || p.tuple.protocol == ICMPV6
                        ? p.icmp_type
                        : __builtin_bswap16(p.tuple.destination_port);
    if (!netverdict_table_subject_of_endpoint(&table, own.number, &subject)) {
        /* Nobody's packets: dropped, and heard of. */
        question.subject = 0xffffffff;
    } else {
        question.subject = subject;
    }
    netverdict_table_verdict(&table, &question, &answer);
    account(packet, &own, direction, &answer);
    if (answer.code != 0) {
        report(packet, &p, &own, peer, &answer, now);
        return DROP;
    }
    if (remember(&p, now) && report_allowed)
        report(packet, &p, &own, peer, &answer, now);
    /* As Cilium marks packets for its proxy. */
    if (answer.proxy_port_be)
        packet->mark = 0x0200 | (u32)answer.proxy_port_be << 16;
    return PASS;
}

SECTION("classifier") int to_endpoint(struct packet *packet)
{
    return gate(packet, 0);
}

SECTION("classifier") int from_endpoint(struct packet *packet)
{
    return gate(packet, 1);
}

LICENSE;
