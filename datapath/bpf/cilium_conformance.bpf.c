/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Cilium's own lookup, asked by BPF_PROG_TEST_RUN. What it includes is found at
 * build time in Cilium's sources; tests alone use the object.
 */
#define ENABLE_IPV4
#define ENABLE_IPV6
#include <bpf/ctx/skb.h>
#include <bpf/loader.h>
/* Tests keep the maps to themselves. */
#undef LIBBPF_PIN_BY_NAME
#define LIBBPF_PIN_BY_NAME 0
#include <bpf/config/node.h>
#include <lib/policy.h>
#include "batch.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct nv_cilium_question);
	__uint(max_entries, BATCH);
	__uint(map_flags, BPF_F_MMAPABLE);
} questions __section_maps_btf;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct nv_cilium_answer);
	__uint(max_entries, BATCH);
	__uint(map_flags, BPF_F_MMAPABLE);
} answers __section_maps_btf;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} control __section_maps_btf;

static long ask_cilium(__u32 i, struct __ctx_buff **ctx)
{
	__u32 at = i & (BATCH - 1);
	struct nv_cilium_question *q = map_lookup_elem(&questions, &at);
	struct nv_cilium_answer *a = map_lookup_elem(&answers, &at);
	__u8 match_type = 0;
	__s8 ext_err = 0;
	__u16 proxy_port = 0;
	__u32 cookie = 0;

	if (!q || !a)
		return 1;
	a->code = (short)policy_can_access(*ctx, 1, q->remote, q->ethertype, q->dport,
					   q->protocol, (int)(q->l4_offset & 0xffff), q->ingress & 1,
					   q->untracked_fragment & 1, &match_type, &ext_err,
					   &proxy_port, &cookie);
	a->proxy_port_be = proxy_port;
	a->match_type = match_type;
	a->auth_type = (__u8)ext_err;
	a->cookie = cookie;
	a->asked = 1;
	return 0;
}

__section("classifier") int cilium_batch(struct __ctx_buff *ctx)
{
	__u32 zero = 0;
	__u64 *count = map_lookup_elem(&control, &zero);

	if (!count)
		return -1;
	loop((__u32)*count, ask_cilium, &ctx, 0);
	return 0;
}

BPF_LICENSE("Dual BSD/GPL");
