/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What the programs here need of the kernel's interface, so that clang alone
 * builds them: types, helpers by their numbers, map definitions, headers of
 * packets. Numbers and layouts are those of uapi/linux/bpf.h.
 */
#ifndef NETVERDICT_KERNEL_H
#define NETVERDICT_KERNEL_H

#include "netverdict_table.h"

typedef nv_u8 u8;
typedef nv_u16 u16;
typedef nv_s16 s16;
typedef nv_u32 u32;
typedef nv_u64 u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
/* A function of its own: what bpf_loop calls. */
#define NOINLINE static __attribute__((noinline))

/* Definitions of maps: a pointer to an array carries a number in its length. */
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, type) typeof(type) *name

#define MAP_HASH 1
#define MAP_ARRAY 2
#define MAP_PERCPU_ARRAY 6
#define MAP_LRU_HASH 9
#define MAP_LRU_PERCPU_HASH 10
#define MAP_LPM_TRIE 11
#define MAP_RINGBUF 27
#define F_NO_PREALLOC 1
#define F_RDONLY_PROG 128
#define F_MMAPABLE 1024

static void *(*const map_lookup_elem)(void *map, const void *key) = (void *(*)(void *, const void *))1;
static long (*const map_update_elem)(void *map, const void *key, const void *value, u64 flags) =
    (long (*)(void *, const void *, const void *, u64))2;
static long (*const map_delete_elem)(void *map, const void *key) = (long (*)(void *, const void *))3;
static u64 (*const ktime_get_ns)(void) = (u64 (*)(void))5;
static long (*const skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) =
    (long (*)(const void *, u32, void *, u32))26;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) =
    (void *(*)(void *, u64, u64))131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void (*)(void *, u64))132;
static long (*const run_loop)(u32 times, void *callback, void *context, u64 flags) =
    (long (*)(u32, void *, void *, u64))181;

/* The beginning of the kernel's struct __sk_buff. */
struct packet {
    u32 len;
    u32 pkt_type;
    u32 mark;
    u32 queue_mapping;
    u32 protocol; /* ethertype, as on the wire */
    u32 vlan_present;
    u32 vlan_tci;
    u32 vlan_proto;
    u32 priority;
    u32 ingress_ifindex;
    u32 ifindex;
    u32 tc_index;
    u32 cb[5];
    u32 hash;
    u32 tc_classid;
    u32 data;
    u32 data_end;
};

#define PASS 0
#define DROP 2

#define LICENSE char netverdict_license[] SECTION("license") = "Dual BSD/GPL"

#endif
