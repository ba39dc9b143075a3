/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Strings of Go as pointer and length: structs with pointers of Go in them may
 * not be passed by value. */
#ifndef NETVERDICT_GO_SHIM_H
#define NETVERDICT_GO_SHIM_H

#include <netverdict.h>

static inline netverdict_str go_str(const char *data, size_t len)
{
    netverdict_str str;
    str.data = data;
    str.len = len;
    return str;
}

static inline netverdict_status go_engine_new(const char *json, size_t json_len, const uint8_t *ids,
                                              size_t ids_len, netverdict_engine **engine,
                                              netverdict_error **error)
{
    netverdict_engine_options options;
    options.struct_size = sizeof options;
    options.json = go_str(json, json_len);
    options.identities.data = ids;
    options.identities.len = ids_len;
    return netverdict_engine_new(&options, engine, error);
}

static inline netverdict_status go_engine_apply(netverdict_engine *engine, const char *name, size_t name_len,
                                                const char *text, size_t len, netverdict_diagnostics **found,
                                                netverdict_error **error)
{
    return netverdict_engine_apply(engine, go_str(name, name_len), go_str(text, len), found, error);
}

static inline netverdict_status go_engine_check(const netverdict_engine *engine, const char *name,
                                                size_t name_len, const char *text, size_t len,
                                                netverdict_diagnostics **found, netverdict_error **error)
{
    return netverdict_engine_check(engine, go_str(name, name_len), go_str(text, len), found, error);
}

static inline netverdict_status go_engine_remove(netverdict_engine *engine, const char *name, size_t len,
                                                 netverdict_error **error)
{
    return netverdict_engine_remove(engine, go_str(name, len), error);
}

static inline netverdict_status go_engine_set_namespace(netverdict_engine *engine, const char *name, size_t len,
                                                        const netverdict_label *labels, size_t count,
                                                        netverdict_error **error)
{
    return netverdict_engine_set_namespace(engine, go_str(name, len), labels, count, error);
}

static inline netverdict_status go_engine_remove_namespace(netverdict_engine *engine, const char *name,
                                                           size_t len, netverdict_error **error)
{
    return netverdict_engine_remove_namespace(engine, go_str(name, len), error);
}

static inline netverdict_status go_engine_remove_endpoint(netverdict_engine *engine, const char *ns,
                                                          size_t ns_len, const char *name, size_t len,
                                                          netverdict_error **error)
{
    return netverdict_engine_remove_endpoint(engine, go_str(ns, ns_len), go_str(name, len), error);
}

static inline netverdict_status go_engine_remove_service(netverdict_engine *engine, const char *ns,
                                                         size_t ns_len, const char *name, size_t len,
                                                         netverdict_error **error)
{
    return netverdict_engine_remove_service(engine, go_str(ns, ns_len), go_str(name, len), error);
}

static inline netverdict_status go_engine_set_name(netverdict_engine *engine, const char *name, size_t len,
                                                   const netverdict_str *addresses, size_t count,
                                                   netverdict_error **error)
{
    return netverdict_engine_set_name(engine, go_str(name, len), addresses, count, error);
}

static inline netverdict_status go_engine_explain(const netverdict_engine *engine, const char *question,
                                                  size_t len, netverdict_buffer **buffer,
                                                  netverdict_error **error)
{
    return netverdict_engine_explain(engine, go_str(question, len), buffer, error);
}

static inline netverdict_status go_engine_verdict(const netverdict_engine *engine, const char *question,
                                                  size_t len, netverdict_buffer **buffer,
                                                  netverdict_error **error)
{
    return netverdict_engine_verdict(engine, go_str(question, len), buffer, error);
}

static inline netverdict_status go_engine_proxy_policy(const netverdict_engine *engine, const char *endpoint,
                                                       size_t len, netverdict_buffer **buffer,
                                                       netverdict_error **error)
{
    return netverdict_engine_proxy_policy(engine, go_str(endpoint, len), buffer, error);
}

static inline netverdict_status go_engine_keep_alive(netverdict_engine *engine, uint64_t endpoint,
                                                     const char *address, size_t len, uint64_t at,
                                                     netverdict_error **error)
{
    return netverdict_engine_keep_alive(engine, endpoint, go_str(address, len), at, error);
}

static inline netverdict_status go_engine_identity(const netverdict_engine *engine, const char *of, size_t len,
                                                   uint32_t *identity, netverdict_error **error)
{
    return netverdict_engine_identity(engine, go_str(of, len), identity, error);
}

static inline netverdict_status go_engine_subject(const netverdict_engine *engine, const char *endpoint,
                                                  size_t len, uint32_t *numbers, netverdict_error **error)
{
    netverdict_subject subject;
    netverdict_status status;
    subject.struct_size = sizeof subject;
    status = netverdict_engine_subject(engine, go_str(endpoint, len), &subject, error);
    if (status == NETVERDICT_OK) {
        numbers[0] = subject.subject;
        numbers[1] = subject.endpoint;
        numbers[2] = subject.identity;
    }
    return status;
}

static inline netverdict_status go_engine_policy(const netverdict_engine *engine, const char *endpoint,
                                                 size_t len, netverdict_policy **policy,
                                                 netverdict_error **error)
{
    return netverdict_engine_policy(engine, go_str(endpoint, len), policy, error);
}

static inline netverdict_status go_scenario_answer(const char *scenario, size_t len, netverdict_buffer **buffer,
                                                   netverdict_error **error)
{
    return netverdict_scenario_answer(go_str(scenario, len), buffer, error);
}

static inline netverdict_status go_scenario_layer7(const char *kind, size_t kind_len, const char *question,
                                                   size_t len, netverdict_buffer **buffer,
                                                   netverdict_error **error)
{
    return netverdict_scenario_layer7(go_str(kind, kind_len), go_str(question, len), buffer, error);
}

static inline netverdict_status go_scenario_compile(const char *scenario, size_t len,
                                                    netverdict_buffer **buffer, netverdict_error **error)
{
    return netverdict_scenario_compile(go_str(scenario, len), buffer, error);
}

#endif
