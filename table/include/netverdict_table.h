/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Verdict tables of netverdict, format 2, read in C99, C++11 and BPF.
 *
 * In: an image, as docs/table-format.md describes it, and questions. Out:
 * verdicts, the same as those of the crate netverdict-table, byte for byte.
 * Nothing is allocated and nothing but this file is needed. Hosts of either
 * byte order will do; a compiler that does not say which (__BYTE_ORDER__) is taken
 * to be for a little-endian one.
 *
 * There are two forms; a translation unit gets one of them.
 *
 * Trusted (as it is). The image was checked, by netverdict's `View::new` or by
 * who compiled it, and nobody writes to it. Its address need not be aligned.
 *
 *     struct nv_table table;
 *     struct nv_answer answer;
 *     if (netverdict_table_open(&table, bytes, length) != 0) ...
 *     if (!netverdict_table_verdict(&table, &question, &answer)) ... no such subject
 *     if (answer.code != 0) ... drop
 *
 * Masked (NETVERDICT_TABLE_MASKED defined; always in BPF). Another process may
 * write to the memory. The offset of every load is masked, so that no content
 * leads outside of the memory, which has mask + 1 + 64 bytes, mask + 1 being a
 * power of two. Its first 64 bytes are the control line, and the first word of
 * that is the offset of the image in force. What is answered from memory that
 * holds no image is meaningless, but an answer.
 *
 *     netverdict_table_attach(&table, memory, mask);   once per packet
 *     netverdict_table_verdict(&table, &question, &answer);
 *
 * In BPF the memory is the value of an array map that has one value; the mask
 * is a `const volatile` 64-bit global that the loader sets, read once per packet.
 */
#ifndef NETVERDICT_TABLE_H
#define NETVERDICT_TABLE_H

#if defined(__bpf__) && !defined(NETVERDICT_TABLE_MASKED)
#define NETVERDICT_TABLE_MASKED
#endif

/* In BPF there is no C library, and its headers need not be there. */
#ifdef __bpf__
typedef __UINT8_TYPE__ nv_u8;
typedef __UINT16_TYPE__ nv_u16;
typedef __INT16_TYPE__ nv_s16;
typedef __UINT32_TYPE__ nv_u32;
typedef __UINT64_TYPE__ nv_u64;
#define NV_OFFSET(type, field) __builtin_offsetof(type, field)
#else
#include <stddef.h>
#include <stdint.h>
typedef uint8_t nv_u8;
typedef uint16_t nv_u16;
typedef int16_t nv_s16;
typedef uint32_t nv_u32;
typedef uint64_t nv_u64;
#define NV_OFFSET(type, field) offsetof(type, field)
#endif

#if defined(__GNUC__)
#define NV_INLINE static inline __attribute__((always_inline))
#else
#define NV_INLINE static inline
#endif

#ifdef __cplusplus
#define NV_CAST(type, value) static_cast<type>(value)
#define NV_ASSERT(name, condition) static_assert(condition, #name)
#else
#define NV_CAST(type, value) ((type)(value))
#define NV_ASSERT(name, condition) typedef char nv_assert_##name[(condition) ? 1 : -1]
#endif

/* ---- What stands in an image ------------------------------------------ */

#define NETVERDICT_TABLE_VERSION 2u
/* The first format that is read here. */
#define NETVERDICT_TABLE_OLDEST_VERSION 2u
/* Flags of the header. */
#define NETVERDICT_TABLE_ICMP_TYPES 1u
#define NETVERDICT_TABLE_FRAGMENTATION_NEEDED 2u
#define NETVERDICT_TABLE_FROZEN 4u
/* Flags of a descriptor. */
#define NETVERDICT_TABLE_WIDE_PEERS 1u
#define NETVERDICT_TABLE_WIDE_PORTS 2u
#define NETVERDICT_TABLE_WIDE_CELLS 4u
#define NETVERDICT_TABLE_DEFAULT_DENY 8u
#define NETVERDICT_TABLE_EGRESS 16u
#define NETVERDICT_TABLE_ENFORCED 32u
/* The code of an answer: 0, or minus Cilium's drop reason. */
#define NETVERDICT_TABLE_PASS 0
#define NETVERDICT_TABLE_DROP_POLICY (-133)
#define NETVERDICT_TABLE_DROP_FRAGMENT (-157)
#define NETVERDICT_TABLE_DROP_DENY (-181)
#define NETVERDICT_TABLE_DROP_AUTH_REQUIRED (-189)
/* `auth_donor` of an answer that inherited no authentication. */
#define NETVERDICT_TABLE_NOT_INHERITED 255u

/* A part of an image: offset from its start, and how many elements. */
struct nv_section {
    nv_u32 at;
    nv_u32 count;
};

/* The header. */
struct nv_header {
    nv_u8 magic[8];
    nv_u16 version;
    nv_u16 oldest_reader;
    nv_u32 flags;
    nv_u32 length;
    nv_u32 semantics;
    nv_u32 cluster_id;
    nv_u32 cluster_bits;
    nv_u64 hash;
    nv_u64 revision;
    struct nv_section subjects;
    struct nv_section endpoints;
    struct nv_section identity_index;
    struct nv_section regions; /* the count is that of slots in every root */
    nv_u32 local_first;
    nv_u32 local_count;
    nv_u32 protocols;
    nv_u32 reserved_5c;
    struct nv_section identities;
    nv_u32 origins;
    nv_u32 reserved_6c;
    struct nv_section rules;
    struct nv_section texts;
};

/* One direction of a policy. */
struct nv_descriptor {
    nv_u32 directory;
    nv_u32 root;
    nv_u32 pages;
    nv_u32 blocks;
    nv_u32 ports;
    nv_u32 port_directories;
    nv_u32 port_pages;
    nv_u32 cells;
    nv_u32 entries;
    nv_u32 bitsets;
    nv_u32 stride;
    nv_u32 flags;
    nv_u32 peer_classes;
    nv_u32 port_classes;
    nv_u32 entry_count;
    nv_u16 port_end;
    nv_u16 last_port_word;
};

/* What becomes of a packet: a verdict entry with its numbers in host order. */
struct nv_answer {
    nv_u16 proxy_port_be; /* big-endian, as datapaths take it; 0 for none */
    nv_u8 flags;          /* bit 0: a rule denies */
    nv_u8 auth_type;      /* authentication type in effect; 0 for none */
    nv_s16 code;          /* 0 passes; else one of NETVERDICT_TABLE_DROP_* */
    nv_u8 match_type;     /* 0 none, 1 L3-Only, 2 L3-L4, 3 L4-Only, 4 all, 5 L3-Proto, 6 Proto-Only */
    nv_u8 auth_donor;     /* prefix length of the entry authentication is inherited from */
    nv_u32 cookie;
    nv_u32 reserved;
};

/* An entry of a policy map, among the origins of a class. */
struct nv_origin {
    nv_u8 protocol;
    nv_u8 prefix_len;
    nv_u16 port;
    nv_u16 proxy_port_be;
    nv_u8 value_flags;
    nv_u8 auth_type;
    nv_u32 precedence;
    nv_u32 cookie;
    nv_u32 rules;
};

/* A rule: where its texts stand within the section of texts. */
struct nv_rule {
    struct nv_section object;
    struct nv_section path;
    struct nv_section file;
    nv_u32 line;
    nv_u32 column;
};

#define NV_PLACE(type, field, at) NV_ASSERT(type##_##field, NV_OFFSET(struct nv_##type, field) == (at))
NV_ASSERT(header_size, sizeof(struct nv_header) == 128);
NV_PLACE(header, magic, 0x00);
NV_PLACE(header, version, 0x08);
NV_PLACE(header, oldest_reader, 0x0a);
NV_PLACE(header, flags, 0x0c);
NV_PLACE(header, length, 0x10);
NV_PLACE(header, semantics, 0x14);
NV_PLACE(header, cluster_id, 0x18);
NV_PLACE(header, cluster_bits, 0x1c);
NV_PLACE(header, hash, 0x20);
NV_PLACE(header, revision, 0x28);
NV_PLACE(header, subjects, 0x30);
NV_PLACE(header, endpoints, 0x38);
NV_PLACE(header, identity_index, 0x40);
NV_PLACE(header, regions, 0x48);
NV_PLACE(header, local_first, 0x50);
NV_PLACE(header, local_count, 0x54);
NV_PLACE(header, protocols, 0x58);
NV_PLACE(header, identities, 0x60);
NV_PLACE(header, origins, 0x68);
NV_PLACE(header, rules, 0x70);
NV_PLACE(header, texts, 0x78);
NV_ASSERT(section_size, sizeof(struct nv_section) == 8);
NV_PLACE(section, at, 0);
NV_PLACE(section, count, 4);
NV_ASSERT(descriptor_size, sizeof(struct nv_descriptor) == 64);
NV_PLACE(descriptor, directory, 0x00);
NV_PLACE(descriptor, root, 0x04);
NV_PLACE(descriptor, pages, 0x08);
NV_PLACE(descriptor, blocks, 0x0c);
NV_PLACE(descriptor, ports, 0x10);
NV_PLACE(descriptor, port_directories, 0x14);
NV_PLACE(descriptor, port_pages, 0x18);
NV_PLACE(descriptor, cells, 0x1c);
NV_PLACE(descriptor, entries, 0x20);
NV_PLACE(descriptor, bitsets, 0x24);
NV_PLACE(descriptor, stride, 0x28);
NV_PLACE(descriptor, flags, 0x2c);
NV_PLACE(descriptor, peer_classes, 0x30);
NV_PLACE(descriptor, port_classes, 0x34);
NV_PLACE(descriptor, entry_count, 0x38);
NV_PLACE(descriptor, port_end, 0x3c);
NV_PLACE(descriptor, last_port_word, 0x3e);
NV_ASSERT(answer_size, sizeof(struct nv_answer) == 16);
NV_PLACE(answer, proxy_port_be, 0);
NV_PLACE(answer, flags, 2);
NV_PLACE(answer, auth_type, 3);
NV_PLACE(answer, code, 4);
NV_PLACE(answer, match_type, 6);
NV_PLACE(answer, auth_donor, 7);
NV_PLACE(answer, cookie, 8);
NV_PLACE(answer, reserved, 12);
NV_ASSERT(origin_size, sizeof(struct nv_origin) == 20);
NV_PLACE(origin, protocol, 0);
NV_PLACE(origin, prefix_len, 1);
NV_PLACE(origin, port, 2);
NV_PLACE(origin, proxy_port_be, 4);
NV_PLACE(origin, value_flags, 6);
NV_PLACE(origin, auth_type, 7);
NV_PLACE(origin, precedence, 8);
NV_PLACE(origin, cookie, 12);
NV_PLACE(origin, rules, 16);
NV_ASSERT(rule_size, sizeof(struct nv_rule) == 32);
NV_PLACE(rule, object, 0);
NV_PLACE(rule, path, 8);
NV_PLACE(rule, file, 16);
NV_PLACE(rule, line, 24);
NV_PLACE(rule, column, 28);

/* ---- Questions --------------------------------------------------------- */

#define NETVERDICT_TABLE_TO_SUBJECT 0u   /* ingress */
#define NETVERDICT_TABLE_FROM_SUBJECT 1u /* egress */

/* A packet without a connection yet. */
struct nv_question {
    nv_u32 subject;  /* whose policy: an index of the image's subjects */
    nv_u32 identity; /* the other side's security identity */
    nv_u16 port;     /* destination port, host order; for ICMP and ICMPv6 the type */
    nv_u8 protocol;  /* IP protocol number */
    nv_u8 direction; /* NETVERDICT_TABLE_TO_SUBJECT or _FROM_SUBJECT */
    nv_u8 icmp_code; /* only "fragmentation needed" (3, 4) matters */
    nv_u8 untracked_fragment; /* its first part was not seen: no port is known */
};

/* A table in hand. Set by netverdict_table_open or netverdict_table_attach. */
struct nv_table {
    const nv_u8 *image; /* trusted: the image; masked: the memory it is in */
    nv_u64 mask;        /* masked: applied to every offset */
    nv_u32 base;        /* masked: offset of the image within the memory */
};

/*
 * An array of an image and an index into one. In memory that is not trusted an
 * array is an offset, and both wrap; else it is an address, found once.
 */
#ifdef NETVERDICT_TABLE_MASKED
typedef nv_u32 nv_array;
typedef nv_u32 nv_index;
#else
typedef const nv_u8 *nv_array;
typedef size_t nv_index;
#endif

/* One direction of a subject's policy in hand, for any number of lookups. */
struct nv_policy {
    nv_u32 at; /* offset of the descriptor */
#ifndef NETVERDICT_TABLE_MASKED
    /* What lookups read of the descriptor and of the header. Nobody writes to
     * the image, so once is enough. */
    nv_u32 flags;
    nv_u32 local_first, local_count;
    nv_u32 port_end;
    nv_index last_port_word;
    nv_index stride;
    nv_array directory, root, pages, blocks, ports, port_directories, port_pages, cells, entries;
    nv_array regions, protocols;
#endif
};

/* ---- Loads ------------------------------------------------------------- */

#ifdef NETVERDICT_TABLE_MASKED

#if !defined(__GNUC__)
#error "the masked form needs the builtins of GCC or clang"
#endif

/*
 * One load each, which is what writers count on. Offsets are added as 32-bit
 * numbers, which wrap, and masked as 64-bit ones: the BPF verifier follows
 * these. A load of up to 64 bytes may begin at the greatest offset, because the
 * memory goes on behind it. No image has an unaligned number; BPF machines may
 * load one, elsewhere the mask takes the low bits as well.
 */
#ifdef __bpf__
#define NV_ALIGNED(size) (~NV_CAST(nv_u64, 0))
#else
#define NV_ALIGNED(size) (~NV_CAST(nv_u64, (size) - 1))
#endif
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define NV_LITTLE(bits, value) __builtin_bswap##bits(value)
#else
#define NV_LITTLE(bits, value) (value)
#endif

NV_INLINE const volatile void *nv_place(const struct nv_table *table, nv_u32 at, nv_u64 aligned)
{
    nv_u64 offset = NV_CAST(nv_u32, table->base + at);
    return table->image + (offset & table->mask & aligned);
}

NV_INLINE nv_u8 nv_load8(const struct nv_table *table, nv_u32 at)
{
    return *NV_CAST(const volatile nv_u8 *, nv_place(table, at, NV_ALIGNED(1)));
}

NV_INLINE nv_u16 nv_load16(const struct nv_table *table, nv_u32 at)
{
    nv_u16 value = *NV_CAST(const volatile nv_u16 *, nv_place(table, at, NV_ALIGNED(2)));
    return NV_LITTLE(16, value);
}

NV_INLINE nv_u32 nv_load32(const struct nv_table *table, nv_u32 at)
{
    nv_u32 value = *NV_CAST(const volatile nv_u32 *, nv_place(table, at, NV_ALIGNED(4)));
    return NV_LITTLE(32, value);
}

NV_INLINE nv_u64 nv_load64(const struct nv_table *table, nv_u32 at)
{
    nv_u64 value = *NV_CAST(const volatile nv_u64 *, nv_place(table, at, NV_ALIGNED(8)));
    return NV_LITTLE(64, value);
}

#else

#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Entries stand in an image as answers stand in this host. */
#define NV_AS_IT_IS
#endif

/* Byte by byte: for every host and address. Compilers make one load of it. */
NV_INLINE nv_u16 nv_read16(const nv_u8 *from)
{
    return NV_CAST(nv_u16, from[0] | from[1] << 8);
}

NV_INLINE nv_u32 nv_read32(const nv_u8 *from)
{
    return NV_CAST(nv_u32, from[0]) | NV_CAST(nv_u32, from[1]) << 8 |
           NV_CAST(nv_u32, from[2]) << 16 | NV_CAST(nv_u32, from[3]) << 24;
}

NV_INLINE nv_u64 nv_read64(const nv_u8 *from)
{
    return NV_CAST(nv_u64, nv_read32(from)) | NV_CAST(nv_u64, nv_read32(from + 4)) << 32;
}

NV_INLINE nv_u8 nv_load8(const struct nv_table *table, nv_u32 at)
{
    return table->image[at];
}

NV_INLINE nv_u16 nv_load16(const struct nv_table *table, nv_u32 at)
{
    return nv_read16(table->image + at);
}

NV_INLINE nv_u32 nv_load32(const struct nv_table *table, nv_u32 at)
{
    return nv_read32(table->image + at);
}

NV_INLINE nv_u64 nv_load64(const struct nv_table *table, nv_u32 at)
{
    return nv_read64(table->image + at);
}

#endif

/* A word of the header, and of a descriptor. */
#define NV_HEADER32(table, field) \
    nv_load32(table, NV_CAST(nv_u32, NV_OFFSET(struct nv_header, field)))
#define NV_DESCRIPTOR32(table, policy, field) \
    nv_load32(table, (policy)->at + NV_CAST(nv_u32, NV_OFFSET(struct nv_descriptor, field)))
#define NV_DESCRIPTOR16(table, policy, field) \
    nv_load16(table, (policy)->at + NV_CAST(nv_u32, NV_OFFSET(struct nv_descriptor, field)))

/* The same for lookups. In memory that another process writes to they are read
 * again each time, which costs less than room for them on a stack of BPF. */
#ifdef NETVERDICT_TABLE_MASKED
#define NV_POLICY(table, policy, field) NV_DESCRIPTOR32(table, policy, field)
#define NV_POLICY16(table, policy, field) NV_DESCRIPTOR16(table, policy, field)
#define NV_COMMON(table, policy, name, field) NV_HEADER32(table, field)
#else
#define NV_POLICY(table, policy, field) ((policy)->field)
#define NV_POLICY16(table, policy, field) ((policy)->field)
#define NV_COMMON(table, policy, name, field) ((policy)->name)
#endif

/* Number `i` of an array of 8 bits. */
NV_INLINE nv_u32 nv_item8(const struct nv_table *table, nv_array array, nv_index i)
{
#ifdef NETVERDICT_TABLE_MASKED
    return nv_load8(table, array + i);
#else
    (void)table;
    return array[i];
#endif
}

/* Number `i` of an array of 16 bits. */
NV_INLINE nv_u32 nv_item16(const struct nv_table *table, nv_array array, nv_index i)
{
#ifdef NETVERDICT_TABLE_MASKED
    return nv_load16(table, array + i * 2);
#else
    (void)table;
    return nv_read16(array + i * 2);
#endif
}

/* Number `early + later` of an array of 8 or 16 bits. `later` is what is known
 * last: where it can, the processor adds it as it loads. */
NV_INLINE nv_u32 nv_either(const struct nv_table *table, nv_u32 wide, nv_array array,
                           nv_index early, nv_index later)
{
    if (wide)
        return nv_item16(table, array, early + later);
    return nv_item8(table, array + early, later);
}

/* ---- Tables ------------------------------------------------------------ */

/* True when there is an image that a reader of this format can read. */
NV_INLINE int netverdict_table_known(const struct nv_table *table)
{
    nv_u64 magic = nv_load64(table, 0);
    nv_u16 version = nv_load16(table, NV_CAST(nv_u32, NV_OFFSET(struct nv_header, version)));
    nv_u16 oldest = nv_load16(table, NV_CAST(nv_u32, NV_OFFSET(struct nv_header, oldest_reader)));
    /* "NVTABLE" */
    return magic == 0x00454c424154564eu && version >= NETVERDICT_TABLE_OLDEST_VERSION &&
           oldest <= NETVERDICT_TABLE_VERSION;
}

#ifdef NETVERDICT_TABLE_MASKED

/*
 * Takes memory of mask + 1 + 64 bytes, aligned to 8, in hand for one packet:
 * reads the control line, and with it which image is in force.
 */
NV_INLINE void netverdict_table_attach(struct nv_table *table, const void *memory, nv_u64 mask)
{
    table->image = NV_CAST(const nv_u8 *, memory);
    table->mask = mask;
    table->base = 0;
    table->base = nv_load32(table, 0);
}

#else

/*
 * Takes a checked image of `length` bytes; more may follow it. Returns 0, or -1
 * when the bytes are no image, one for other readers, or cut off. Everything
 * else is taken for granted: for bytes of unknown origin call netverdict's
 * checker first, or use the masked form.
 */
NV_INLINE int netverdict_table_open(struct nv_table *table, const void *image, size_t length)
{
    table->image = NV_CAST(const nv_u8 *, image);
    table->mask = ~NV_CAST(nv_u64, 0);
    table->base = 0;
    if (length < sizeof(struct nv_header) || !netverdict_table_known(table) ||
        NV_HEADER32(table, length) < sizeof(struct nv_header) ||
        NV_HEADER32(table, length) > length)
        return -1;
    return 0;
}

/*
 * The content hash of an image; the same as in the header of a frozen image,
 * unless it was damaged. It protects from nobody.
 */
NV_INLINE nv_u64 netverdict_table_hash(const struct nv_table *table)
{
    nv_u32 length = NV_HEADER32(table, length);
    nv_u64 hash = 0xcbf29ce484222325u;
    nv_u32 at;
    for (at = 0; at < length; at += 8) {
        nv_u64 word = 0;
        nv_u32 i;
        if (at != NV_OFFSET(struct nv_header, hash))
            for (i = 0; i < 8 && i < length - at; i++)
                word |= NV_CAST(nv_u64, nv_load8(table, at + i)) << (8 * i);
        hash = (hash ^ word) * 0x100000001b3u;
        hash = hash << 29 | hash >> 35;
    }
    return hash;
}

#endif

NV_INLINE struct nv_section nv_section_at(const struct nv_table *table, nv_u32 at)
{
    struct nv_section section;
    section.at = nv_load32(table, at);
    section.count = nv_load32(table, at + 4);
    return section;
}

/* Reads the header into numbers of the host. */
NV_INLINE void netverdict_table_header(const struct nv_table *table, struct nv_header *header)
{
    nv_u32 i;
    for (i = 0; i < 8; i++)
        header->magic[i] = nv_load8(table, i);
    header->version = nv_load16(table, 0x08);
    header->oldest_reader = nv_load16(table, 0x0a);
    header->flags = NV_HEADER32(table, flags);
    header->length = NV_HEADER32(table, length);
    header->semantics = NV_HEADER32(table, semantics);
    header->cluster_id = NV_HEADER32(table, cluster_id);
    header->cluster_bits = NV_HEADER32(table, cluster_bits);
    header->hash = nv_load64(table, 0x20);
    header->revision = nv_load64(table, 0x28);
    header->subjects = nv_section_at(table, 0x30);
    header->endpoints = nv_section_at(table, 0x38);
    header->identity_index = nv_section_at(table, 0x40);
    header->regions = nv_section_at(table, 0x48);
    header->local_first = NV_HEADER32(table, local_first);
    header->local_count = NV_HEADER32(table, local_count);
    header->protocols = NV_HEADER32(table, protocols);
    header->reserved_5c = NV_HEADER32(table, reserved_5c);
    header->identities = nv_section_at(table, 0x60);
    header->origins = NV_HEADER32(table, origins);
    header->reserved_6c = NV_HEADER32(table, reserved_6c);
    header->rules = nv_section_at(table, 0x70);
    header->texts = nv_section_at(table, 0x78);
}

/* ---- Subjects ---------------------------------------------------------- */

/*
 * How many words of an index are looked at in memory that is not trusted, where
 * the index may be full and as long as it says. A compiled index is half empty:
 * a search that comes to as many is as good as impossible.
 */
#ifndef NETVERDICT_TABLE_PROBES
#define NETVERDICT_TABLE_PROBES 128u
#endif

/* Searches an index; returns the subject + 1, or 0. */
NV_INLINE nv_u32 nv_search(const struct nv_table *table, nv_u32 section, nv_u32 key)
{
    nv_u32 at = nv_load32(table, section);
    nv_u32 slots = nv_load32(table, section + 4);
    /* The upper bits of the product: `slots` is a power of two. */
    nv_u32 hash = key * 0x9e3779b1u;
    nv_u32 slot = NV_CAST(nv_u32, NV_CAST(nv_u64, hash) * slots >> 32);
    nv_u32 i;
#ifdef NETVERDICT_TABLE_MASKED
    nv_u32 most = NETVERDICT_TABLE_PROBES;
#else
    nv_u32 most = slots;
#endif
    if (slots == 0)
        return 0;
    for (i = 0; i < most; i++) {
        nv_u64 word = nv_load64(table, at + slot * 8);
        if (word == 0)
            return 0;
        if (NV_CAST(nv_u32, word >> 32) == key) {
            nv_u32 found = NV_CAST(nv_u32, word);
            /* All ones: the key was removed. */
            return found == 0xffffffffu ? 0 : found;
        }
        slot = (slot + 1) & (slots - 1);
    }
    return 0;
}

/* The subject of an endpoint's number. Returns 1, or 0 when there is none. */
NV_INLINE int netverdict_table_subject_of_endpoint(const struct nv_table *table, nv_u32 endpoint,
                                                   nv_u32 *subject)
{
    nv_u32 found = nv_search(table, NV_CAST(nv_u32, NV_OFFSET(struct nv_header, endpoints)), endpoint);
    *subject = found - 1;
    return found != 0;
}

/* The subject of an identity. Returns 1, or 0 when there is none. */
NV_INLINE int netverdict_table_subject_of_identity(const struct nv_table *table, nv_u32 identity,
                                                   nv_u32 *subject)
{
    nv_u32 found =
        nv_search(table, NV_CAST(nv_u32, NV_OFFSET(struct nv_header, identity_index)), identity);
    *subject = found - 1;
    return found != 0;
}

/*
 * Takes one direction of a subject's policy in hand. Returns 1, or 0 when there
 * is no such subject, to whom and from whom nothing may pass.
 */
NV_INLINE int netverdict_table_policy(const struct nv_table *table, nv_u32 subject,
                                      nv_u32 direction, struct nv_policy *policy)
{
    nv_u32 at = NV_HEADER32(table, subjects.at);
    nv_u32 count = NV_HEADER32(table, subjects.count);
    policy->at = 0;
    if (subject >= count)
        return 0;
    policy->at = nv_load32(table, at + subject * 8 + (direction & 1) * 4);
    if (policy->at == 0)
        return 0;
#ifndef NETVERDICT_TABLE_MASKED
    policy->flags = NV_DESCRIPTOR32(table, policy, flags);
    policy->local_first = NV_HEADER32(table, local_first);
    policy->local_count = NV_HEADER32(table, local_count);
    policy->port_end = NV_DESCRIPTOR16(table, policy, port_end);
    policy->last_port_word = NV_DESCRIPTOR16(table, policy, last_port_word);
    policy->stride = NV_DESCRIPTOR32(table, policy, stride);
    policy->directory = table->image + NV_DESCRIPTOR32(table, policy, directory);
    policy->root = table->image + NV_DESCRIPTOR32(table, policy, root);
    policy->pages = table->image + NV_DESCRIPTOR32(table, policy, pages);
    policy->blocks = table->image + NV_DESCRIPTOR32(table, policy, blocks);
    policy->ports = table->image + NV_DESCRIPTOR32(table, policy, ports);
    policy->port_directories = table->image + NV_DESCRIPTOR32(table, policy, port_directories);
    policy->port_pages = table->image + NV_DESCRIPTOR32(table, policy, port_pages);
    policy->cells = table->image + NV_DESCRIPTOR32(table, policy, cells);
    policy->entries = table->image + NV_DESCRIPTOR32(table, policy, entries);
    policy->regions = table->image + NV_HEADER32(table, regions.at);
    policy->protocols = table->image + NV_HEADER32(table, protocols);
#endif
    return 1;
}

/* ---- Lookups ----------------------------------------------------------- */

/* The class of an identity. */
NV_INLINE nv_u32 nv_peer_class(const struct nv_table *table, const struct nv_policy *policy,
                               nv_u32 flags, nv_u32 identity)
{
    nv_u32 x = identity - NV_COMMON(table, policy, local_first, local_first);
    nv_index page;
    if (x < NV_COMMON(table, policy, local_count, local_count)) {
        page = nv_item16(table, NV_POLICY(table, policy, directory), x >> 6);
    } else {
        nv_u32 region = identity >> 15;
        nv_index slot, block;
        if (region >= 1536)
            region = 1536 + (region & 511);
        slot = nv_item16(table, NV_COMMON(table, policy, regions, regions.at), region);
        block = nv_item16(table, NV_POLICY(table, policy, root), slot * 8 + (identity >> 12 & 7));
        page = nv_item16(table, NV_POLICY(table, policy, blocks), block * 64 + (identity >> 6 & 63));
    }
    return nv_either(table, flags & NETVERDICT_TABLE_WIDE_PEERS,
                     NV_POLICY(table, policy, pages) + page * 64, identity & 63, 0);
}

/*
 * The class of a protocol and port. Directories have a word for every 512 ports
 * and end behind the ports that the policy tells apart: the last word is that of
 * all other ports. Where it begins is loaded instead of worked out of the word's
 * number, so that the comparison waits for nothing.
 */
NV_INLINE nv_u32 nv_port_class(const struct nv_table *table, const struct nv_policy *policy,
                               nv_u32 flags, nv_u8 protocol, nv_u16 port)
{
    nv_index slot = nv_item8(table, NV_COMMON(table, policy, protocols, protocols), protocol);
    nv_index word = nv_item16(table, NV_POLICY(table, policy, ports), slot);
    nv_index at = port; /* in the width of what it is added to */
    nv_index last = NV_POLICY16(table, policy, last_port_word);
    nv_index i, page;
    if (slot >= 5)
        return NV_CAST(nv_u32, word);
    i = at >> 9;
    if (port >= NV_POLICY16(table, policy, port_end))
        i = last;
    page = nv_item16(table, NV_POLICY(table, policy, port_directories), word * 4 + i);
    return nv_either(table, flags & NETVERDICT_TABLE_WIDE_PORTS, NV_POLICY(table, policy, port_pages),
                     at & 511, page * 8);
}

/* Reads entry `i` as an answer. */
NV_INLINE void nv_read_answer(const struct nv_table *table, nv_array entries, nv_index i,
                              struct nv_answer *answer)
{
#ifdef NV_AS_IT_IS
    (void)table;
    __builtin_memcpy(answer, entries + i * 16, sizeof *answer);
#else
#ifdef NETVERDICT_TABLE_MASKED
    nv_u64 low = nv_load64(table, entries + i * 16);
    nv_u64 high = nv_load64(table, entries + i * 16 + 8);
#else
    nv_u64 low = nv_read64(entries + i * 16);
    nv_u64 high = nv_read64(entries + i * 16 + 8);
#endif
    nv_u32 port_be = NV_CAST(nv_u32, low & 0xffff);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    port_be = (port_be & 0xff) << 8 | port_be >> 8;
#endif
    (void)table;
    answer->proxy_port_be = NV_CAST(nv_u16, port_be);
    answer->flags = NV_CAST(nv_u8, low >> 16 & 0xff);
    answer->auth_type = NV_CAST(nv_u8, low >> 24 & 0xff);
    answer->code = NV_CAST(nv_s16, NV_CAST(nv_u16, low >> 32 & 0xffff));
    answer->match_type = NV_CAST(nv_u8, low >> 48 & 0xff);
    answer->auth_donor = NV_CAST(nv_u8, low >> 56);
    answer->cookie = NV_CAST(nv_u32, high);
    answer->reserved = NV_CAST(nv_u32, high >> 32);
#endif
}

/*
 * What becomes of a packet from or to an identity. `port` is the destination
 * port, or the type of an ICMP message where types count, and 0 for fragments;
 * netverdict_table_verdict sees to these.
 */
NV_INLINE void netverdict_table_lookup(const struct nv_table *table,
                                       const struct nv_policy *policy, nv_u32 identity,
                                       nv_u8 protocol, nv_u16 port, struct nv_answer *answer)
{
    nv_u32 flags = NV_POLICY(table, policy, flags);
    nv_index peer = nv_peer_class(table, policy, flags, identity);
    nv_index row = nv_port_class(table, policy, flags, protocol, port);
    nv_index first = row * NV_POLICY(table, policy, stride);
    nv_index cell = nv_either(table, flags & NETVERDICT_TABLE_WIDE_CELLS,
                              NV_POLICY(table, policy, cells), peer, first);
    nv_read_answer(table, NV_POLICY(table, policy, entries), cell, answer);
}

/* An answer that comes from no entry. */
NV_INLINE void nv_without_entry(struct nv_answer *answer, nv_s16 code)
{
    answer->proxy_port_be = 0;
    answer->flags = 0;
    answer->auth_type = 0;
    answer->code = code;
    answer->match_type = 0;
    answer->auth_donor = NETVERDICT_TABLE_NOT_INHERITED;
    answer->cookie = 0;
    answer->reserved = 0;
}

/*
 * What becomes of a packet. Returns 1, or 0 when there is no such subject; the
 * answer is then that nothing may pass.
 */
NV_INLINE int netverdict_table_verdict(const struct nv_table *table,
                                       const struct nv_question *question,
                                       struct nv_answer *answer)
{
    nv_u32 flags = NV_HEADER32(table, flags);
    nv_u8 protocol = question->protocol;
    nv_u16 port = question->port;
    struct nv_policy policy;
    if (!netverdict_table_policy(table, question->subject, question->direction, &policy)) {
        nv_without_entry(answer, NETVERDICT_TABLE_DROP_POLICY);
        return 0;
    }
    /* Path MTU discovery works against every rule. */
    if (flags & NETVERDICT_TABLE_FRAGMENTATION_NEEDED && protocol == 1 && port == 3 &&
        question->icmp_code == 4) {
        nv_without_entry(answer, NETVERDICT_TABLE_PASS);
        return 1;
    }
    if (question->untracked_fragment ||
        ((protocol == 1 || protocol == 58) && !(flags & NETVERDICT_TABLE_ICMP_TYPES)))
        port = 0;
    netverdict_table_lookup(table, &policy, question->identity, protocol, port, answer);
    if (question->untracked_fragment && answer->match_type == 0)
        nv_without_entry(answer, NETVERDICT_TABLE_DROP_FRAGMENT);
    return 1;
}

/* The proxy's port in host order; 0 for none. */
NV_INLINE nv_u16 netverdict_table_proxy_port(const struct nv_answer *answer)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return answer->proxy_port_be;
#else
    return NV_CAST(nv_u16, answer->proxy_port_be << 8 | answer->proxy_port_be >> 8);
#endif
}

#endif
