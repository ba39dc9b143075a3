/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Questions by the thousand: arrays of questions and of answers that user space
 * maps into its memory, and programs that go through them in one run.
 *
 * One array holds questions for either side: a question of a table, or, for
 * Cilium's code, a packet's fields.
 */
#ifndef NETVERDICT_BATCH_H
#define NETVERDICT_BATCH_H

#define BATCH 16384 /* a power of two */

/* A question to Cilium's policy_can_access. */
struct nv_cilium_question {
    unsigned int remote;
    unsigned short dport;     /* big-endian */
    unsigned short ethertype; /* 0: the packet is not looked at */
    unsigned char protocol;
    unsigned char ingress;
    unsigned char untracked_fragment;
    unsigned char reserved;
    unsigned int l4_offset; /* of the header in the packet of the test run */
};

/* Its answer, laid out as struct nv_answer. */
struct nv_cilium_answer {
    unsigned short proxy_port_be;
    unsigned char reserved2;
    unsigned char auth_type;
    short code;
    unsigned char match_type;
    unsigned char reserved7;
    unsigned int cookie;
    unsigned int asked; /* 1: the program has been here */
};

#endif
