/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The table's lookup in the kernel, asked by BPF_PROG_TEST_RUN: up to BATCH
 * questions of a run, with the image that the control line names.
 */
#include "table.h"
#include "batch.h"

struct {
    NUMBER(type, MAP_ARRAY);
    NUMBER(max_entries, BATCH);
    NUMBER(map_flags, F_MMAPABLE);
    TYPE(key, u32);
    TYPE(value, struct nv_question);
} questions SECTION(".maps");

struct {
    NUMBER(type, MAP_ARRAY);
    NUMBER(max_entries, BATCH);
    NUMBER(map_flags, F_MMAPABLE);
    TYPE(key, u32);
    TYPE(value, struct nv_answer);
} answers SECTION(".maps");

/* Element 0: how many questions to answer. */
struct {
    NUMBER(type, MAP_ARRAY);
    NUMBER(max_entries, 1);
    NUMBER(map_flags, F_MMAPABLE);
    TYPE(key, u32);
    TYPE(value, u64);
} control SECTION(".maps");

/* What `watch` sees, as it sees it. */
struct watched {
    u64 asked; /* how often it has asked */
    u64 first; /* the code of the first answer */
    u64 stale; /* the clock before the last question with that answer, in nanoseconds */
    u64 seen;  /* the clock after the first answer with another; 0: none */
};
struct {
    NUMBER(type, MAP_ARRAY);
    NUMBER(max_entries, 1);
    NUMBER(map_flags, F_MMAPABLE);
    TYPE(key, u32);
    TYPE(value, struct watched);
} watched SECTION(".maps");

/* A bare hash map in the place of a policy map: what any design that hashes
 * the identity and the port has to pay. */
struct hash_key {
    u32 identity;
    u8 egress;
    u8 protocol;
    u16 port_be;
};
struct hash_value {
    u32 words[3];
};
struct {
    NUMBER(type, MAP_HASH);
    NUMBER(max_entries, 65536);
    TYPE(key, struct hash_key);
    TYPE(value, struct hash_value);
} hash SECTION(".maps");

NOINLINE long ask_table(u32 i, void *context)
{
    u32 zero = 0, at = i & (BATCH - 1);
    u64 mask = netverdict_table_mask;
    struct nv_question *question = map_lookup_elem(&questions, &at);
    struct nv_answer *answer = map_lookup_elem(&answers, &at);
    void *memory = map_lookup_elem(&netverdict_table, &zero);
    struct nv_table table;
    (void)context;
    if (!question || !answer || !memory)
        return 1;
    netverdict_table_attach(&table, memory, mask);
    netverdict_table_verdict(&table, question, answer);
    answer->reserved = 1;
    return 0;
}

/* Question 0 again and again, until the answer is another. */
NOINLINE long watch(u32 i, void *context)
{
    u32 zero = 0;
    u64 mask = netverdict_table_mask;
    struct nv_question *question = map_lookup_elem(&questions, &zero);
    struct watched *w = map_lookup_elem(&watched, &zero);
    void *memory = map_lookup_elem(&netverdict_table, &zero);
    struct nv_answer answer;
    struct nv_table table;
    u64 code, begun;
    (void)context;
    if (!question || !w || !memory)
        return 1;
    begun = ktime_get_ns();
    netverdict_table_attach(&table, memory, mask);
    netverdict_table_verdict(&table, question, &answer);
    code = (u64)(long)answer.code;
    if (i == 0)
        w->first = code;
    if (code != w->first) {
        w->seen = ktime_get_ns();
        return 1;
    }
    w->stale = begun;
    w->asked = i + 1;
    return 0;
}

NOINLINE long ask_hash(u32 i, void *context)
{
    u32 at = i & (BATCH - 1);
    struct nv_question *question = map_lookup_elem(&questions, &at);
    struct nv_answer *answer = map_lookup_elem(&answers, &at);
    struct hash_key key;
    struct hash_value *value;
    (void)context;
    if (!question || !answer)
        return 1;
    key.identity = question->identity;
    key.egress = question->direction;
    key.protocol = question->protocol;
    key.port_be = __builtin_bswap16(question->port);
    answer->proxy_port_be = 0;
    value = map_lookup_elem(&hash, &key);
    if (value) {
        answer->cookie = value->words[2];
        answer->code = 0;
        answer->match_type = 2;
    } else {
        key.identity = 11;
        value = map_lookup_elem(&hash, &key);
        answer->cookie = value ? value->words[2] : 0;
        answer->code = value ? 0 : NETVERDICT_TABLE_DROP_POLICY;
        answer->match_type = value ? 3 : 0;
    }
    answer->auth_type = 0;
    answer->reserved = 1;
    return 0;
}

/* All but the lookup: what the loop itself costs. */
NOINLINE long ask_nobody(u32 i, void *context)
{
    u32 at = i & (BATCH - 1);
    struct nv_question *question = map_lookup_elem(&questions, &at);
    struct nv_answer *answer = map_lookup_elem(&answers, &at);
    (void)context;
    if (!question || !answer)
        return 1;
    answer->cookie = question->identity + question->port + question->protocol;
    answer->code = question->direction;
    answer->proxy_port_be = 0;
    answer->match_type = 0;
    answer->auth_type = 0;
    answer->reserved = 1;
    return 0;
}

#define RUN(name, callback)                                  \
    SECTION("classifier") int name(struct packet *packet)    \
    {                                                        \
        u32 zero = 0;                                        \
        u64 *count = map_lookup_elem(&control, &zero);       \
        (void)packet;                                        \
        if (!count)                                          \
            return DROP;                                     \
        run_loop((u32)*count, callback, (void *)0, 0);       \
        return PASS;                                         \
    }

RUN(table_batch, ask_table)
RUN(hash_batch, ask_hash)
RUN(empty_batch, ask_nobody)
RUN(table_watch, watch)

/* One question, without loops and arrays: the packet is the question and
 * becomes the answer. */
SECTION("classifier") int table_one(struct packet *packet)
{
    u32 zero = 0;
    u64 mask = netverdict_table_mask;
    u8 *data = (u8 *)(unsigned long)packet->data;
    u8 *end = (u8 *)(unsigned long)packet->data_end;
    void *memory = map_lookup_elem(&netverdict_table, &zero);
    struct nv_question question;
    struct nv_answer answer;
    struct nv_table table;
    if (!memory || data + 16 > end)
        return DROP;
    __builtin_memcpy(&question, data, sizeof question);
    netverdict_table_attach(&table, memory, mask);
    netverdict_table_verdict(&table, &question, &answer);
    return answer.code == 0 ? PASS : DROP;
}

LICENSE;
