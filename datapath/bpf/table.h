/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The verdict table in a map: one value of netverdict_table_mask + 1 + 64 bytes.
 * The loader sets both, the mask to a power of two less one.
 */
#ifndef NETVERDICT_BPF_TABLE_H
#define NETVERDICT_BPF_TABLE_H

#include "kernel.h"

struct {
    NUMBER(type, MAP_ARRAY);
    NUMBER(max_entries, 1);
    NUMBER(map_flags, F_MMAPABLE);
    NUMBER(key_size, 4);
    NUMBER(value_size, 4160);
} netverdict_table SECTION(".maps");

const volatile u64 netverdict_table_mask = 4095;

#endif
