/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the C tests share: C99, and C++17. */
#ifndef NETVERDICT_CHECK_H
#define NETVERDICT_CHECK_H

#include <netverdict.h>
#include <netverdict.h> /* twice does no harm */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long check_count = 0;

#define CHECK(condition)                                                      \
    do {                                                                      \
        check_count++;                                                        \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

/* A call that succeeds; says why if it does not. */
#define DONE(call)                                                            \
    do {                                                                      \
        netverdict_error *done_error = NULL;                                  \
        netverdict_error **error = &done_error;                               \
        netverdict_status done_status = (call);                               \
        check_count++;                                                        \
        if (done_status != NETVERDICT_OK) {                                   \
            fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, \
                    netverdict_status_name(done_status),                      \
                    netverdict_error_message(done_error).data);               \
            exit(1);                                                          \
        }                                                                     \
        CHECK(done_error == NULL);                                            \
    } while (0)

/* A call that fails with a status; the error says so, too. */
#define FAILS(status, call)                                                   \
    do {                                                                      \
        netverdict_error *fails_error = NULL;                                 \
        netverdict_error **error = &fails_error;                              \
        netverdict_status fails_status = (call);                              \
        if (fails_status != (status))                                         \
            fprintf(stderr, "%s\n", netverdict_status_name(fails_status));    \
        CHECK(fails_status == (status));                                      \
        CHECK(netverdict_error_status(fails_error) == (status));              \
        CHECK(netverdict_error_message(fails_error).len != 0);                \
        netverdict_error_free(&fails_error);                                  \
        CHECK(fails_error == NULL);                                           \
        error = NULL;                                                         \
        CHECK((call) == (status));                                            \
        (void)error;                                                          \
    } while (0)

static inline netverdict_str text(const char *s)
{
    netverdict_str str;
    str.data = s;
    str.len = strlen(s);
    return str;
}

static inline int same(netverdict_str str, const char *s)
{
    return str.len == strlen(s) && memcmp(str.data, s, str.len) == 0 && str.data[str.len] == 0;
}

/* The JSON of a buffer contains a text; frees the buffer. */
static inline int has(netverdict_buffer **buffer, const char *part)
{
    netverdict_bytes bytes = netverdict_buffer_bytes(*buffer);
    int found = bytes.data[bytes.len] == 0 && strstr((const char *)bytes.data, part) != NULL;
    if (!found)
        fprintf(stderr, "%s\n", (const char *)bytes.data);
    netverdict_buffer_free(buffer);
    return found && *buffer == NULL;
}

static const char *const SHOP =
    "apiVersion: v1\n"
    "kind: Pod\n"
    "metadata: {name: web, namespace: shop, labels: {app: web}}\n"
    "spec: {containers: [{name: c}]}\n"
    "status: {podIPs: [{ip: 10.0.0.1}]}\n"
    "---\n"
    "apiVersion: v1\n"
    "kind: Pod\n"
    "metadata: {name: db, namespace: shop, labels: {app: db}}\n"
    "spec: {containers: [{name: c, ports: [{name: sql, containerPort: 5432}]}]}\n"
    "status: {podIPs: [{ip: 10.0.0.2}]}\n";

static const char *const POLICY =
    "apiVersion: networking.k8s.io/v1\n"
    "kind: NetworkPolicy\n"
    "metadata: {name: db, namespace: shop}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {app: db}}\n"
    "  ingress:\n"
    "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
    "    ports: [{port: sql}]\n";

/* The shop, committed. */
static inline netverdict_engine *shop(void)
{
    netverdict_engine *engine = NULL;
    DONE(netverdict_engine_new(NULL, &engine, error));
    DONE(netverdict_engine_apply(engine, text("shop.yaml"), text(SHOP), NULL, error));
    DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(POLICY), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    return engine;
}

static inline netverdict_label label(const char *key, const char *value)
{
    netverdict_label made;
    made.key = text(key);
    made.value = text(value);
    return made;
}

#endif
