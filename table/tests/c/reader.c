/*
 * Answers questions about an image from standard input, for a comparison with
 * the Rust reader. All numbers are little-endian.
 *
 * In: u32 length of the image, the image, u32 count, and that many questions of
 * 16 bytes: kind (0 verdict, 1 subject of endpoint, 2 subject of identity, 3
 * policy in hand), direction, protocol, icmp_code, fragment, padding, u16 port,
 * u32 subject (or key), u32 identity. Several such groups may follow each other.
 *
 * Out, for each group: the header as its 128 bytes, the content hash, and per
 * question 20 bytes: 1 or 0, padding, u32 proxy port and authentication and so on
 * as the 16 bytes of an entry, or the subject in the first four of these.
 */
#include "netverdict_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(nv_u8 *to, nv_u64 value, int bytes)
{
    int i;
    for (i = 0; i < bytes; i++)
        to[i] = NV_CAST(nv_u8, value >> (8 * i) & 0xff);
}

static nv_u32 get(const nv_u8 *from, int bytes)
{
    nv_u32 value = 0;
    int i;
    for (i = 0; i < bytes; i++)
        value |= NV_CAST(nv_u32, from[i]) << (8 * i);
    return value;
}

static void must_read(void *to, size_t bytes)
{
    if (fread(to, 1, bytes, stdin) != bytes) {
        fputs("the input is cut off\n", stderr);
        exit(3);
    }
}

static void must_write(const void *from, size_t bytes)
{
    if (fwrite(from, 1, bytes, stdout) != bytes) {
        fputs("cannot write\n", stderr);
        exit(3);
    }
}

static void put_header(nv_u8 *to, const struct nv_header *header)
{
    memcpy(to, header->magic, 8);
    put(to + 0x08, header->version, 2);
    put(to + 0x0a, header->oldest_reader, 2);
    put(to + 0x0c, header->flags, 4);
    put(to + 0x10, header->length, 4);
    put(to + 0x14, header->semantics, 4);
    put(to + 0x18, header->cluster_id, 4);
    put(to + 0x1c, header->cluster_bits, 4);
    put(to + 0x20, header->hash, 8);
    put(to + 0x28, header->revision, 8);
    put(to + 0x30, header->subjects.at, 4);
    put(to + 0x34, header->subjects.count, 4);
    put(to + 0x38, header->endpoints.at, 4);
    put(to + 0x3c, header->endpoints.count, 4);
    put(to + 0x40, header->identity_index.at, 4);
    put(to + 0x44, header->identity_index.count, 4);
    put(to + 0x48, header->regions.at, 4);
    put(to + 0x4c, header->regions.count, 4);
    put(to + 0x50, header->local_first, 4);
    put(to + 0x54, header->local_count, 4);
    put(to + 0x58, header->protocols, 4);
    put(to + 0x5c, header->reserved_5c, 4);
    put(to + 0x60, header->identities.at, 4);
    put(to + 0x64, header->identities.count, 4);
    put(to + 0x68, header->origins, 4);
    put(to + 0x6c, header->reserved_6c, 4);
    put(to + 0x70, header->rules.at, 4);
    put(to + 0x74, header->rules.count, 4);
    put(to + 0x78, header->texts.at, 4);
    put(to + 0x7c, header->texts.count, 4);
}

static void put_answer(nv_u8 *to, const struct nv_answer *answer)
{
    nv_u16 port = netverdict_table_proxy_port(answer);
    memcpy(to, &answer->proxy_port_be, 2);
    if (to[0] != port >> 8 || to[1] != (port & 0xff)) {
        fputs("the proxy port is not big-endian\n", stderr);
        exit(4);
    }
    to[2] = answer->flags;
    to[3] = answer->auth_type;
    put(to + 4, NV_CAST(nv_u16, answer->code), 2);
    to[6] = answer->match_type;
    to[7] = answer->auth_donor;
    put(to + 8, answer->cookie, 4);
    put(to + 12, answer->reserved, 4);
}

static void ask(const struct nv_table *table, const nv_u8 *from, nv_u8 *to)
{
    struct nv_question question;
    struct nv_answer answer;
    struct nv_policy policy;
    nv_u32 subject = 0;
    memset(to, 0, 20);
    question.direction = from[1];
    question.protocol = from[2];
    question.icmp_code = from[3];
    question.untracked_fragment = from[4];
    question.port = NV_CAST(nv_u16, get(from + 6, 2));
    question.subject = get(from + 8, 4);
    question.identity = get(from + 12, 4);
    switch (from[0]) {
    case 0:
        to[0] = NV_CAST(nv_u8, netverdict_table_verdict(table, &question, &answer));
        put_answer(to + 4, &answer);
        break;
    case 1:
        if (netverdict_table_subject_of_endpoint(table, question.subject, &subject)) {
            to[0] = 1;
            put(to + 4, subject, 4);
        }
        break;
    case 2:
        if (netverdict_table_subject_of_identity(table, question.subject, &subject)) {
            to[0] = 1;
            put(to + 4, subject, 4);
        }
        break;
    default:
        if (netverdict_table_policy(table, question.subject, question.direction, &policy)) {
            netverdict_table_lookup(table, &policy, question.identity, question.protocol,
                                    question.port, &answer);
            to[0] = 1;
            put_answer(to + 4, &answer);
        }
    }
}

/*
 * The memory is as long as it may be and not a byte longer, for a sanitizer to
 * see every load beyond it.
 */
static nv_u8 *memory_for(struct nv_table *table, nv_u32 length)
{
#ifdef NETVERDICT_TABLE_MASKED
    /* The image does not begin where the memory does. */
    const nv_u32 base = 192;
    nv_u64 mask = 4095;
    nv_u8 *memory;
    while (mask + 1 < NV_CAST(nv_u64, base) + length)
        mask = mask * 2 + 1;
    memory = NV_CAST(nv_u8 *, calloc(1, NV_CAST(size_t, mask) + 1 + 64));
    if (memory == NULL)
        exit(3);
    put(memory, base, 4);
    must_read(memory + base, length);
    netverdict_table_attach(table, memory, mask);
#else
    nv_u8 *memory = NV_CAST(nv_u8 *, malloc(length));
    if (memory == NULL)
        exit(3);
    must_read(memory, length);
    if (netverdict_table_open(table, memory, length) != 0) {
        fputs("no image\n", stderr);
        exit(4);
    }
    if (netverdict_table_open(table, memory, length - 1) == 0) {
        fputs("an image that is cut off was taken\n", stderr);
        exit(4);
    }
#endif
    return memory;
}

int main(void)
{
    nv_u8 word[4];
    while (fread(word, 1, 4, stdin) == 4) {
        nv_u32 length = get(word, 4);
        nv_u32 count, i;
        nv_u8 bytes[136];
        nv_u64 hash = 0;
        struct nv_header header;
        struct nv_table table;
        nv_u8 *memory = memory_for(&table, length);
        must_read(word, 4);
        count = get(word, 4);
        netverdict_table_header(&table, &header);
        put_header(bytes, &header);
#ifdef NETVERDICT_TABLE_MASKED
        if (netverdict_table_known(&table))
            hash = header.hash;
#else
        hash = netverdict_table_hash(&table);
#endif
        put(bytes + 128, hash, 8);
        must_write(bytes, sizeof bytes);
        for (i = 0; i < count; i++) {
            nv_u8 question[16];
            nv_u8 answer[20];
            must_read(question, sizeof question);
            ask(&table, question, answer);
            must_write(answer, sizeof answer);
        }
        free(memory);
    }
    return 0;
}
