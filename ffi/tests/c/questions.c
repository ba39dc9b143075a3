/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Questions, policies and scenarios: what each function is for, and what it says
 * to NULL, to sizes that cannot be, and to handles that are gone. C99, and C++17.
 */
#include "check.h"

static void questions(void)
{
    netverdict_engine *engine = shop();
    netverdict_buffer *json = NULL;
    netverdict_buffer *none = NULL;
    netverdict_policy *policy = NULL;
    netverdict_policy_info info;
    netverdict_entries entries;
    netverdict_subject subject;
    uint32_t identity = 0, prefix_bits;

    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"icmp\":\"3/4\"}"), &json, error));
    CHECK(has(&json, "\"icmpCode\":4"));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"world\",\"to\":\"shop/db\",\"port\":\"5432/TCP\",\"fragment\":true}"), &json, error));
    CHECK(has(&json, "\"code\":-157"));
    FAILS(NETVERDICT_JSON, netverdict_engine_explain(engine, text("{"), &json, error));
    FAILS(NETVERDICT_JSON, netverdict_engine_explain(engine, text("{\"form\":\"a\"}"), &json, error));
    FAILS(NETVERDICT_JSON, netverdict_engine_explain(engine,
          text("{\"from\":\"shop/web\",\"to\":\"shop/db\"}"), &json, error));
    FAILS(NETVERDICT_JSON, netverdict_engine_explain(engine,
          text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"70000/TCP\"}"), &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_explain(engine, text("{}"), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_explain(NULL, text("{}"), &json, error));

    FAILS(NETVERDICT_PEER, netverdict_engine_identity(engine, text("shop/nobody"), &identity, error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_identity(engine, text("fqdn:a.example"), &identity, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_identity(engine, text("world"), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_identity(NULL, text("world"), &identity, error));
    DONE(netverdict_engine_identity(engine, text("host"), &identity, error));
    CHECK(identity == 1);
    DONE(netverdict_engine_identity(engine, text("192.0.2.0/24"), &identity, error));
    CHECK(identity == 9);

    /* A policy outlives its engine. */
    DONE(netverdict_engine_identity(engine, text("shop/web"), &identity, error));
    DONE(netverdict_engine_policy(engine, text("shop/db"), &policy, error));
    FAILS(NETVERDICT_PEER, netverdict_engine_policy(engine, text("world"), &policy, error));
    FAILS(NETVERDICT_PEER, netverdict_engine_policy(engine, text("shop/nobody"), &policy, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_policy(engine, text("shop/db"), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_policy(NULL, text("shop/db"), &policy, error));
    memset(&subject, 0, sizeof subject);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_subject(engine, text("shop/db"), &subject, error));
    subject.struct_size = sizeof subject;
    DONE(netverdict_engine_subject(engine, text("shop/db"), &subject, error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_subject(engine, text("host"), &subject, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_subject(engine, text("shop/db"), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_subject(NULL, text("shop/db"), &subject, error));
    DONE(netverdict_engine_subject_map(engine, subject.subject, &json, error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_subject_map(engine, 1000, &none, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_subject_map(engine, 0, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_subject_map(NULL, 0, &json, error));
    netverdict_engine_free(&engine);

    memset(&info, 0, sizeof info);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_policy_read_info(policy, &info, error));
    info.struct_size = sizeof info;
    DONE(netverdict_policy_read_info(policy, &info, error));
    CHECK(info.ingress_enforced && !info.egress_enforced && info.identity == subject.identity);
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_policy_read_info(NULL, &info, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_policy_read_info(policy, NULL, error));
    memset(&entries, 0, sizeof entries);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_policy_entries(policy, &entries, error));
    entries.struct_size = sizeof entries;
    DONE(netverdict_policy_entries(policy, &entries, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_policy_entries(NULL, &entries, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_policy_entries(policy, NULL, error));
    /* From the host, from web on TCP 5432, and egress to anybody and each aggregate. */
    CHECK(entries.count == 7);
    {
        size_t i;
        int found = 0;
        for (i = 0; i < entries.count; i++) {
            const uint8_t *key = entries.keys + i * 12;
            const uint8_t *value = entries.values + i * 12;
            uint32_t id = key[4] | (uint32_t)key[5] << 8 | (uint32_t)key[6] << 16 | (uint32_t)key[7] << 24;
            if (id != identity)
                continue;
            found++;
            prefix_bits = key[0];
            CHECK(prefix_bits == 64 && key[8] == 0 && key[9] == 6);
            CHECK(key[10] == 5432 >> 8 && key[11] == (5432 & 255));
            CHECK((value[2] & 1) == 0 && value[2] >> 3 == 24);
        }
        CHECK(found == 1);
    }
    {
        /* The table's map is the same. */
        netverdict_bytes map = netverdict_buffer_bytes(json);
        CHECK(map.len == entries.count * 24);
        CHECK(memcmp(map.data, entries.keys, entries.count * 12) == 0);
        CHECK(memcmp(map.data + entries.count * 12, entries.values, entries.count * 12) == 0);
        netverdict_buffer_free(&json);
    }
    DONE(netverdict_policy_json(policy, &json, error));
    CHECK(has(&json, "\"ingressEnforced\":true,\"egressEnforced\":false"));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_policy_json(NULL, &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_policy_json(policy, NULL, error));
    netverdict_policy_free(&policy);
    netverdict_policy_free(&policy);
    netverdict_policy_free(NULL);
    netverdict_buffer_free(&json);
    netverdict_buffer_free(NULL);
    CHECK(netverdict_buffer_bytes(NULL).len == 0 && netverdict_buffer_bytes(NULL).data != NULL);
}

static void scenarios(void)
{
    netverdict_buffer *buffer = NULL;
    netverdict_view *view = NULL;
    netverdict_bytes bytes;
    const char *scenario = "{\"identities\":[{\"id\":5000,\"labels\":{\"k8s:app\":\"web\"}}],"
                           "\"endpoints\":[{\"id\":5000}],"
                           "\"queries\":[{\"direction\":\"ingress\",\"endpoint\":5000,\"peer\":2,\"port\":80}]}";

    DONE(netverdict_scenario_answer(text(scenario), &buffer, error));
    CHECK(has(&buffer, "\"verdict\":\"allowed\""));
    DONE(netverdict_scenario_compile(text(scenario), &buffer, error));
    bytes = netverdict_buffer_bytes(buffer);
    DONE(netverdict_view_load(bytes.data, bytes.len, &view, error));
    netverdict_view_free(&view);
    netverdict_buffer_free(&buffer);
    FAILS(NETVERDICT_JSON, netverdict_scenario_answer(text("{\"polices\":[]}"), &buffer, error));
    FAILS(NETVERDICT_JSON, netverdict_scenario_compile(text(""), &buffer, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_scenario_answer(text(scenario), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_scenario_compile(text(scenario), NULL, error));
}

static void connectivity(void)
{
    netverdict_engine *before = shop(), *after = shop();
    netverdict_buffer *json = NULL;

    DONE(netverdict_engine_apply(after, text("open.yaml"), text(
        "apiVersion: networking.k8s.io/v1\n"
        "kind: NetworkPolicy\n"
        "metadata: {name: open, namespace: shop}\n"
        "spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 81}]}]}\n"),
        NULL, error));
    DONE(netverdict_engine_commit(after, NULL, error));
    DONE(netverdict_engine_reach(before, 0, &json, error));
    CHECK(has(&json, "{\"from\":\"shop/web[Pod]\",\"to\":\"shop/db[Pod]\",\"allowed\":[{\"protocol\":\"TCP\",\"ports\":[[5432,5432]]"));
    DONE(netverdict_engine_reach(before, NETVERDICT_BY_POD | NETVERDICT_WITH_DENIED, &json, error));
    CHECK(has(&json, "\"allowed\":[],"));
    DONE(netverdict_engine_diff(after, before, 0, &json, error));
    CHECK(has(&json, "{\"kind\":\"opened\",\"from\":\"shop/web[Pod]\",\"to\":\"shop/db[Pod]\","
                     "\"ports\":[{\"protocol\":\"TCP\",\"ports\":[[81,81]]}]"));
    DONE(netverdict_engine_diff(after, before, NETVERDICT_BY_POD, &json, error));
    CHECK(has(&json, "open.yaml:"));
    DONE(netverdict_engine_diff(after, after, 0, &json, error));
    CHECK(has(&json, "\"changes\":[]"));
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_reach(before, 4, &json, error));
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_diff(after, before, NETVERDICT_WITH_DENIED, &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_reach(NULL, 0, &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_reach(before, 0, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_diff(after, NULL, 0, &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_diff(NULL, before, 0, &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_diff(after, before, 0, NULL, error));
    netverdict_engine_free(&before);
    netverdict_engine_free(&after);
}

int main(void)
{
    questions();
    connectivity();
    scenarios();
    printf("%lu checks\n", check_count);
    return 0;
}
