/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * An agent in C: reads policies and workloads, compiles them, publishes the
 * policy map of each subject into the kernel through libbpf, and prints who may
 * talk to whom.
 *
 *     cc agent.c $(pkg-config --cflags --libs netverdict libbpf) -o agent
 *     ./agent *.yaml -- shop/web shop/db 5432
 *
 * Without the right to create BPF maps it says so and goes on. Exit status: 0,
 * 1 when something failed, 2 when the last map is not what the policy says, 3
 * when there was no map to publish into.
 */
#define _POSIX_C_SOURCE 200809L
#include <bpf/bpf.h>
#include <errno.h>
#include <netverdict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SUBJECTS = 1024, MAP_ENTRIES = 16384 };

static netverdict_str text(const char *s)
{
    netverdict_str str;
    str.data = s;
    str.len = strlen(s);
    return str;
}

/* Says what failed, frees the error, and returns 1. */
static int failed(const char *what, netverdict_error **error)
{
    fprintf(stderr, "%s: %s\n", what, netverdict_error_message(*error).data);
    netverdict_error_free(error);
    return 1;
}

/* Reads a file whole, or returns NULL. */
static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    long size;
    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0 &&
        (bytes = (char *)malloc((size_t)size + 1)) != NULL)
        *length = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    return bytes;
}

/* Takes a document and tells its problems. */
static int apply(netverdict_engine *engine, const char *path)
{
    netverdict_diagnostics *found = NULL;
    netverdict_error *error = NULL;
    netverdict_str document;
    size_t i;
    char *bytes = read_file(path, &document.len);
    if (!bytes) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    document.data = bytes;
    if (netverdict_engine_apply(engine, text(path), document, &found, &error) != NETVERDICT_OK) {
        free(bytes);
        return failed(path, &error);
    }
    free(bytes);
    for (i = 0; i < netverdict_diagnostics_count(found); i++) {
        netverdict_diagnostic d;
        d.struct_size = sizeof d;
        if (netverdict_diagnostics_get(found, i, &d, NULL) == NETVERDICT_OK)
            fprintf(stderr, "%s:%u:%u: %s: %s\n", d.file.data, d.line, d.column, d.code.data, d.message.data);
    }
    netverdict_diagnostics_free(&found);
    return 0;
}

/* A map like Cilium's policy map: keys are matched by their longest prefix. */
static int create_map(void)
{
    struct bpf_map_create_opts options;
    memset(&options, 0, sizeof options);
    options.sz = sizeof options;
    options.map_flags = BPF_F_NO_PREALLOC;
    return bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "netverdict", 12, 12, MAP_ENTRIES, &options);
}

/* Does to the maps what an update says. */
static int publish(const netverdict_update *update, int *maps)
{
    size_t i, j;
    for (i = 0; i < netverdict_update_map_count(update); i++) {
        netverdict_map_update map;
        netverdict_error *error = NULL;
        map.struct_size = sizeof map;
        if (netverdict_update_map(update, i, &map, &error) != NETVERDICT_OK)
            return failed("update", &error);
        for (j = 0; j < map.subject_count; j++) {
            uint32_t subject = map.subjects[j];
            __u32 put = (__u32)map.put_count, gone = (__u32)map.delete_count;
            if (subject >= MOST_SUBJECTS)
                return 1;
            if (maps[subject] < 0)
                maps[subject] = create_map();
            if (maps[subject] < 0) {
                fprintf(stderr, "skipped: no BPF map can be created: %s\n", strerror(errno));
                return 3;
            }
            if ((put && bpf_map_update_batch(maps[subject], map.put_keys, map.put_values, &put, NULL)) ||
                (gone && bpf_map_delete_batch(maps[subject], map.delete_keys, &gone, NULL))) {
                fprintf(stderr, "subject %u: %s\n", (unsigned)subject, strerror(errno));
                return 1;
            }
        }
    }
    return 0;
}

/* Compares a map in the kernel with the policy of an endpoint. */
static int compare(const netverdict_engine *engine, const char *endpoint, int map)
{
    netverdict_policy *policy = NULL;
    netverdict_entries entries;
    unsigned char key[12], value[12];
    size_t i, found = 0;
    int more;
    if (netverdict_engine_policy(engine, text(endpoint), &policy, NULL) != NETVERDICT_OK)
        return 1;
    entries.struct_size = sizeof entries;
    if (netverdict_policy_entries(policy, &entries, NULL) != NETVERDICT_OK) {
        netverdict_policy_free(&policy);
        return 1;
    }
    for (more = bpf_map_get_next_key(map, NULL, key); more == 0; more = bpf_map_get_next_key(map, key, key))
        found++;
    for (i = 0; i < entries.count; i++) {
        memcpy(key, entries.keys + i * 12, 12);
        if (bpf_map_lookup_elem(map, key, value) || memcmp(value, entries.values + i * 12, 12) != 0) {
            fprintf(stderr, "%s: entry %lu is another in the kernel\n", endpoint, (unsigned long)i);
            netverdict_policy_free(&policy);
            return 2;
        }
    }
    printf("%s: %lu entries in the kernel, %lu of the policy\n", endpoint, (unsigned long)found,
           (unsigned long)entries.count);
    i = found == entries.count ? 0 : 2;
    netverdict_policy_free(&policy);
    return (int)i;
}

int main(int argc, char **argv)
{
    netverdict_engine *engine = NULL;
    netverdict_update *update = NULL;
    netverdict_view *view = NULL;
    netverdict_error *error = NULL;
    netverdict_subject subject;
    netverdict_question question;
    netverdict_verdict verdict;
    const char *from, *to;
    int maps[MOST_SUBJECTS];
    int i, status;

    for (i = 0; i < MOST_SUBJECTS; i++)
        maps[i] = -1;
    if (netverdict_engine_new(NULL, &engine, &error) != NETVERDICT_OK)
        return failed("netverdict", &error);
    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (apply(engine, argv[i])) {
            netverdict_engine_free(&engine);
            return 1;
        }
    if (argc - i != 4) {
        fprintf(stderr, "usage: agent FILE... -- FROM TO TCP-PORT\n");
        netverdict_engine_free(&engine);
        return 1;
    }
    from = argv[i + 1];
    to = argv[i + 2];
    memset(&question, 0, sizeof question);
    question.protocol = 6;
    question.port = (uint16_t)atoi(argv[i + 3]);
    if (netverdict_engine_commit(engine, &update, &error) != NETVERDICT_OK) {
        netverdict_engine_free(&engine);
        return failed("commit", &error);
    }
    status = publish(update, maps);
    netverdict_update_free(&update);

    subject.struct_size = sizeof subject;
    if (netverdict_engine_view(engine, &view, &error) != NETVERDICT_OK ||
        netverdict_engine_identity(engine, text(from), &question.identity, &error) != NETVERDICT_OK ||
        netverdict_engine_subject(engine, text(to), &subject, &error) != NETVERDICT_OK) {
        netverdict_view_free(&view);
        netverdict_engine_free(&engine);
        return failed(to, &error);
    }
    question.subject = subject.subject;
    question.direction = NETVERDICT_INGRESS;
    if (netverdict_view_verdict(view, &question, &verdict) == NETVERDICT_OK)
        printf("%s -> %s %u/TCP: %s, by ingress of %s\n", from, to, question.port,
               netverdict_verdict_word(&verdict), to);
    if (status == 0)
        status = compare(engine, to, maps[subject.subject]);
    netverdict_view_free(&view);
    netverdict_engine_free(&engine);
    return status;
}
