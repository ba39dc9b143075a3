/*
 * A verdict table in BPF: a classifier whose packet is a question of 16 bytes,
 * which it overwrites with the answer. Returns 0, or 2 where the packet is too
 * short or there is no such subject.
 *
 * The loader sets the size of the map's value to netverdict_table_mask + 65 and
 * the mask to a power of two less one.
 */
#include "netverdict_table.h"

#define SECTION(name) __attribute__((section(name), used))

/* What bpftool and libbpf read of a map in section .maps: pointers to arrays
 * whose lengths are the numbers. The value's type is left open, for the loader
 * to choose its size. */
#define MAP_NUMBER(name, value) int(*name)[value]

struct {
    MAP_NUMBER(type, 2); /* array */
    MAP_NUMBER(max_entries, 1);
    MAP_NUMBER(key_size, 4);
    MAP_NUMBER(value_size, 4160);
} netverdict_table SECTION(".maps");

const volatile nv_u64 netverdict_table_mask = 4095;

/* The beginning of the kernel's struct __sk_buff. */
struct packet {
    nv_u32 before_data[19];
    nv_u32 data;
    nv_u32 data_end;
};

static void *(*const map_lookup_elem)(void *map, const void *key) = (void *(*)(void *, const void *))1;

SECTION("tc")
int netverdict_table_ask(struct packet *packet)
{
    unsigned char *data = (unsigned char *)(unsigned long)packet->data;
    unsigned char *end = (unsigned char *)(unsigned long)packet->data_end;
    nv_u64 mask = netverdict_table_mask;
    struct nv_question question;
    struct nv_answer answer;
    struct nv_table table;
    nv_u32 zero = 0;
    void *memory = map_lookup_elem(&netverdict_table, &zero);
    int found;
    if (!memory || data + 16 > end)
        return 2;
    __builtin_memcpy(&question, data, sizeof question);
    netverdict_table_attach(&table, memory, mask);
    found = netverdict_table_verdict(&table, &question, &answer);
    __builtin_memcpy(data, &answer, sizeof answer);
    return found ? 0 : 2;
}

/* The same for an endpoint's number in the place of the subject. */
SECTION("tc")
int netverdict_table_ask_endpoint(struct packet *packet)
{
    unsigned char *data = (unsigned char *)(unsigned long)packet->data;
    unsigned char *end = (unsigned char *)(unsigned long)packet->data_end;
    nv_u64 mask = netverdict_table_mask;
    struct nv_question question;
    struct nv_answer answer;
    struct nv_table table;
    nv_u32 zero = 0;
    void *memory = map_lookup_elem(&netverdict_table, &zero);
    int found;
    if (!memory || data + 16 > end)
        return 2;
    __builtin_memcpy(&question, data, sizeof question);
    netverdict_table_attach(&table, memory, mask);
    if (!netverdict_table_subject_of_endpoint(&table, question.subject, &question.subject))
        return 2;
    found = netverdict_table_verdict(&table, &question, &answer);
    __builtin_memcpy(data, &answer, sizeof answer);
    return found ? 0 : 2;
}

char netverdict_license[] SECTION("license") = "Dual BSD/GPL";
