/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Every function of netverdict.h: what it is for, and what it says to NULL,
 * to sizes that cannot be, and to handles that are gone. C99, and C++17.
 */
#include "check.h"

static netverdict_engine *shop(void)
{
    netverdict_engine *engine = NULL;
    DONE(netverdict_engine_new(NULL, &engine, error));
    DONE(netverdict_engine_apply(engine, text("shop.yaml"), text(SHOP), NULL, error));
    DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(POLICY), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    return engine;
}

static void versions(void)
{
    CHECK(netverdict_abi_version() == NETVERDICT_ABI_VERSION);
    CHECK(strlen(netverdict_version()) >= 5);
    CHECK(strcmp(netverdict_status_name(NETVERDICT_OK), "NETVERDICT_OK") == 0);
    CHECK(strcmp(netverdict_status_name(NETVERDICT_TABLE_DAMAGED), "NETVERDICT_TABLE_DAMAGED") == 0);
    CHECK(strcmp(netverdict_status_name(-1), "unknown") == 0);
    CHECK(NETVERDICT_OK == 0 && NETVERDICT_NULL_ARGUMENT == 1000 && NETVERDICT_NOT_UTF8 == 1100);
    CHECK(NETVERDICT_COMPILE == 1200 && NETVERDICT_TABLE_SHORT == 1300);
}

static void errors(void)
{
    netverdict_error *error = NULL;
    netverdict_buffer *json = NULL;
    netverdict_engine *engine = shop();

    /* Of nothing. */
    CHECK(netverdict_error_status(NULL) == NETVERDICT_OK);
    CHECK(netverdict_error_message(NULL).len == 0 && netverdict_error_message(NULL).data != NULL);
    CHECK(netverdict_error_code(NULL).len == 0);
    CHECK(netverdict_error_file(NULL).len == 0);
    CHECK(netverdict_error_line(NULL) == 0 && netverdict_error_column(NULL) == 0);
    netverdict_error_free(NULL);
    netverdict_error_free(&error);

    /* With a code; and what is not written on failure. */
    CHECK(netverdict_engine_explain(engine, text("{\"from\":\"shop/wep\",\"to\":\"shop/db\",\"port\":\"1/TCP\"}"),
                                    &json, &error) == NETVERDICT_PEER);
    CHECK(json == NULL);
    CHECK(same(netverdict_error_code(error), "NV0620"));
    CHECK(strstr(netverdict_error_message(error).data, "did you mean `shop/web`?") != NULL);
    CHECK(netverdict_error_file(error).len == 0 && netverdict_error_line(error) == 0);
    netverdict_error_free(&error);
    netverdict_error_free(&error);
    CHECK(error == NULL);
    netverdict_engine_free(&engine);
}

static void engines(void)
{
    netverdict_engine *engine = NULL;
    netverdict_engine *other = NULL;
    netverdict_engine_options options;
    netverdict_buffer *json = NULL;
    netverdict_buffer *state = NULL;
    uint32_t before = 0, after = 0;
    union {
        netverdict_engine_options known;
        unsigned char bytes[sizeof(netverdict_engine_options) + 16];
    } newer;

    memset(&options, 0, sizeof options);
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_new(NULL, NULL, error));
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_new(&options, &engine, error));
    options.struct_size = (size_t)-1;
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_new(&options, &engine, error));
    options.struct_size = sizeof options;
    options.json = text("{\"config\": {\"enforcment\": \"always\"}}");
    FAILS(NETVERDICT_JSON, netverdict_engine_new(&options, &engine, error));
    options.json = text("{\"config\": {\"disableIPv4\": true, \"disableIPv6\": true}}");
    FAILS(NETVERDICT_JSON, netverdict_engine_new(&options, &engine, error));
    options.json.data = "\xff";
    options.json.len = 1;
    FAILS(NETVERDICT_NOT_UTF8, netverdict_engine_new(&options, &engine, error));
    options.json.data = NULL;
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_new(&options, &engine, error));
    options.json.data = "x";
    options.json.len = (size_t)-1;
    FAILS(NETVERDICT_TOO_LARGE, netverdict_engine_new(&options, &engine, error));
    options.json = text("");
    options.identities.data = (const uint8_t *)"no state";
    options.identities.len = 8;
    FAILS(NETVERDICT_IDENTITY_STATE, netverdict_engine_new(&options, &engine, error));
    CHECK(engine == NULL);

    /* Fields that come later are taken when they are 0. */
    memset(&newer, 0, sizeof newer);
    newer.known.struct_size = sizeof newer;
    DONE(netverdict_engine_new(&newer.known, &engine, error));
    netverdict_engine_free(&engine);
    newer.bytes[sizeof newer.bytes - 1] = 1;
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_new(&newer.known, &engine, error));

    /* Options count. */
    options.identities.len = 0;
    options.json = text("{\"config\": {\"enforcement\": \"always\"}}");
    DONE(netverdict_engine_new(&options, &engine, error));
    DONE(netverdict_engine_apply(engine, text("shop.yaml"), text(SHOP), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine, text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"1/TCP\"}"),
                                   &json, error));
    CHECK(has(&json, "\"verdict\":\"default-deny\""));
    netverdict_engine_free(&engine);

    /* Identities keep their numbers from one engine to the next. */
    DONE(netverdict_engine_new(NULL, &engine, error));
    DONE(netverdict_engine_apply(engine, text("a"),
        text("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}}"), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_apply(engine, text("b"),
        text("{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b}}}"), NULL, error));
    DONE(netverdict_engine_remove(engine, text("a"), error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_identity(engine, text("x/b"), &before, error));
    DONE(netverdict_engine_save_identities(engine, &state, error));
    options.json = text("");
    options.identities = netverdict_buffer_bytes(state);
    DONE(netverdict_engine_new(&options, &other, error));
    netverdict_buffer_free(&state);
    DONE(netverdict_engine_apply(other, text("b"),
        text("{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b}}}"), NULL, error));
    DONE(netverdict_engine_commit(other, NULL, error));
    DONE(netverdict_engine_identity(other, text("x/b"), &after, error));
    CHECK(before == after && before != 0);
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_save_identities(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_save_identities(NULL, &state, error));
    netverdict_engine_free(&other);
    netverdict_engine_free(&engine);
    netverdict_engine_free(&engine);
    netverdict_engine_free(NULL);
    CHECK(netverdict_engine_revision(NULL) == 0);
}

static void documents(void)
{
    netverdict_engine *engine = NULL;
    netverdict_diagnostics *diagnostics = NULL;
    netverdict_buffer *json = NULL;
    netverdict_diagnostic one;
    netverdict_str huge;
    const char *bad = "apiVersion: networking.k8s.io/v1\n"
                      "kind: NetworkPolicy\n"
                      "metadata: {name: db, namespace: shop}\n"
                      "spec: {podSelector: {}, ingres: []}\n";

    DONE(netverdict_engine_new(NULL, &engine, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_apply(NULL, text("a"), text(SHOP), NULL, error));
    FAILS(NETVERDICT_NOT_UTF8, netverdict_engine_apply(engine, text("a"), text("\xc0\xaf"), NULL, error));
    huge.data = SHOP;
    huge.len = (size_t)-1;
    FAILS(NETVERDICT_TOO_LARGE, netverdict_engine_apply(engine, text("a"), huge, NULL, error));
    huge.data = NULL;
    huge.len = 1;
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_apply(engine, huge, text(SHOP), NULL, error));
    huge.data = "a\0b";
    huge.len = 3;
    FAILS(NETVERDICT_NOT_UTF8, netverdict_engine_apply(engine, huge, text(SHOP), NULL, error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_remove(engine, text("a"), error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remove(NULL, text("a"), error));

    /* Diagnostics. */
    DONE(netverdict_engine_apply(engine, text("bad.yaml"), text(bad), &diagnostics, error));
    CHECK(netverdict_diagnostics_count(diagnostics) >= 1);
    memset(&one, 0, sizeof one);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_diagnostics_get(diagnostics, 0, &one, error));
    one.struct_size = sizeof one;
    DONE(netverdict_diagnostics_get(diagnostics, 0, &one, error));
    CHECK(one.struct_size == sizeof one);
    CHECK(same(one.file, "bad.yaml") && one.line == 4 && one.column > 1 && one.end_line == 4);
    CHECK(one.code.len == 6 && memcmp(one.code.data, "NV", 2) == 0);
    CHECK(strstr(one.message.data, "ingres") != NULL);
    CHECK(same(one.object, "NetworkPolicy/shop/db"));
    CHECK(one.severity <= NETVERDICT_ERROR);
    CHECK(one.path.data != NULL && one.help.data != NULL);
    FAILS(NETVERDICT_NOT_FOUND,
          netverdict_diagnostics_get(diagnostics, netverdict_diagnostics_count(diagnostics), &one, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_diagnostics_get(NULL, 0, &one, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_diagnostics_get(diagnostics, 0, NULL, error));
    DONE(netverdict_diagnostics_json(diagnostics, &json, error));
    CHECK(has(&json, "\"file\":\"bad.yaml\",\"line\":4"));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_diagnostics_json(NULL, &json, error));
    netverdict_diagnostics_free(&diagnostics);
    netverdict_diagnostics_free(&diagnostics);
    netverdict_diagnostics_free(NULL);
    CHECK(netverdict_diagnostics_count(NULL) == 0 && netverdict_diagnostics_errors(NULL) == 0);
    DONE(netverdict_engine_check(engine, text("bad.yaml"), text("a: [\n"), &diagnostics, error));
    CHECK(netverdict_diagnostics_errors(diagnostics) == 1);
    netverdict_diagnostics_free(&diagnostics);
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_check(engine, text("a"), text(bad), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_check(NULL, text("a"), text(bad), &diagnostics, error));

    /* What is staged counts from the commit on. */
    CHECK(netverdict_engine_revision(engine) == 0);
    DONE(netverdict_engine_remove(engine, text("bad.yaml"), error));
    DONE(netverdict_engine_apply(engine, text("shop.yaml"), text(SHOP), NULL, error));
    FAILS(NETVERDICT_PEER, netverdict_engine_explain(engine,
          text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"5432/TCP\"}"), &json, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    CHECK(netverdict_engine_revision(engine) == 1);
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"80/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"allow\""));

    /* Two documents define one object: the last one counts, then the other. */
    DONE(netverdict_engine_apply(engine, text("one"), text(POLICY), NULL, error));
    DONE(netverdict_engine_apply(engine, text("two"),
         text("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop},\n"
              " spec: {podSelector: {matchLabels: {app: db}}}}"), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"5432/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"default-deny\""));
    DONE(netverdict_engine_remove(engine, text("two"), error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_remove(engine, text("two"), error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"5432/TCP\"}"), &json, error));
    CHECK(has(&json, "{\"rule\":\"NetworkPolicy/shop/db\",\"path\":\"spec.ingress[0].from[0]\",\"at\":\"one:7:"));

    /* A policy that is refused for a variable nobody filled in leaves open what it might change. */
    DONE(netverdict_engine_apply(engine, text("open"), text(
         "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: open, namespace: shop},\n"
         " spec: {endpointSelector: {matchLabels: {app: db}}, ingress: [\n"
         "  {fromEndpoints: [{matchLabels: {app: '${CLIENT}'}}]}]}}"), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"9/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"unknown\",\"why\":"));
    DONE(netverdict_engine_remove(engine, text("open"), error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"9/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"default-deny\""));
    DONE(netverdict_engine_remarks(engine, &diagnostics, error));
    netverdict_diagnostics_free(&diagnostics);
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remarks(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remarks(NULL, &diagnostics, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_commit(NULL, NULL, error));
    DONE(netverdict_engine_end_grace_period(engine, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_end_grace_period(NULL, error));
    netverdict_engine_free(&engine);
}

static netverdict_label label(const char *key, const char *value)
{
    netverdict_label made;
    made.key = text(key);
    made.value = text(value);
    return made;
}

/* The same world as documents(), without a line of YAML but the policies. */
static void objects(void)
{
    netverdict_engine *engine = NULL;
    netverdict_buffer *json = NULL;
    netverdict_endpoint endpoint;
    netverdict_service service;
    netverdict_named_port port;
    netverdict_label labels[2];
    netverdict_str address = text("10.0.0.2");
    netverdict_str wrong = text("10.0.0.256");
    uint32_t identity = 0;

    DONE(netverdict_engine_new(NULL, &engine, error));
    memset(&endpoint, 0, sizeof endpoint);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_set_endpoint(engine, &endpoint, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_endpoint(engine, NULL, error));
    endpoint.struct_size = sizeof endpoint;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_endpoint(engine, &endpoint, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_endpoint(NULL, &endpoint, error));

    labels[0] = label("team", "shop");
    DONE(netverdict_engine_set_namespace(engine, text("shop"), labels, 1, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_namespace(engine, text("shop"), NULL, 1, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_namespace(NULL, text("shop"), labels, 1, error));
    FAILS(NETVERDICT_TOO_LARGE, netverdict_engine_set_namespace(engine, text("shop"), labels, (size_t)-1 / 2, error));
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_namespace(engine, text(""), labels, 1, error));

    /* A pod whose identity is allocated. */
    memset(&port, 0, sizeof port);
    port.name = text("sql");
    port.port = 5432;
    port.protocol = 6;
    labels[0] = label("app", "db");
    endpoint.namespace_name = text("shop");
    endpoint.name = text("db");
    endpoint.labels = labels;
    endpoint.label_count = 1;
    endpoint.addresses = &wrong;
    endpoint.address_count = 1;
    endpoint.ports = &port;
    endpoint.port_count = 1;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_endpoint(engine, &endpoint, error));
    endpoint.addresses = &address;
    port.protocol = 1;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_endpoint(engine, &endpoint, error));
    port.protocol = 6;
    DONE(netverdict_engine_set_endpoint(engine, &endpoint, error));

    /* A pod whose identity is given. */
    labels[0] = label("k8s:app", "web");
    labels[1] = label("k8s:io.kubernetes.pod.namespace", "shop");
    DONE(netverdict_engine_set_identity(engine, 70000, labels, 2, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_identity(NULL, 70000, labels, 2, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_identity(engine, 70000, NULL, 2, error));
    endpoint.name = text("web");
    endpoint.label_count = 2;
    endpoint.identity = 70000;
    address = text("10.0.0.1");
    endpoint.port_count = 0;
    DONE(netverdict_engine_set_endpoint(engine, &endpoint, error));

    DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(POLICY), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_identity(engine, text("10.0.0.1"), &identity, error));
    CHECK(identity == 70000);
    DONE(netverdict_engine_identity_labels(engine, 70000, &json, error));
    CHECK(has(&json, "[\"k8s:app=web\",\"k8s:io.kubernetes.pod.namespace=shop\"]"));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_identity_labels(engine, 12345, &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_identity_labels(engine, 70000, NULL, error));
    DONE(netverdict_engine_identity(engine, text("shop/db"), &identity, error));
    DONE(netverdict_engine_identity_labels(engine, identity, &json, error));
    CHECK(has(&json, "\"k8s:io.cilium.k8s.namespace.labels.team=shop\""));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"5432/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"allow\""));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"5433/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"default-deny\""));

    /* A service, and a name. */
    memset(&service, 0, sizeof service);
    service.struct_size = sizeof service;
    service.namespace_name = text("out");
    service.name = text("api");
    address = text("203.0.113.7");
    service.addresses = &address;
    service.address_count = 1;
    DONE(netverdict_engine_set_service(engine, &service, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_service(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_service(NULL, &service, error));
    service.struct_size = 8;
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_set_service(engine, &service, error));
    address = text("203.0.113.8");
    DONE(netverdict_engine_set_name(engine, text("api.example.com"), &address, 1, error));
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_name(engine, text("api.example.com"), &wrong, 1, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_name(NULL, text("api.example.com"), &address, 1, error));
    DONE(netverdict_engine_apply(engine, text("egress.yaml"), text(
         "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: out, namespace: shop},\n"
         " spec: {endpointSelector: {matchLabels: {app: web}}, egress: [\n"
         "  {toServices: [{k8sService: {serviceName: api, namespace: out}}]},\n"
         "  {toFQDNs: [{matchName: api.example.com}]}]}}"), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"203.0.113.7\",\"port\":\"443/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"allow\""));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"api.example.com\",\"port\":\"443/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"allow\""));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"203.0.113.9\",\"port\":\"443/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"default-deny\""));

    /* And all of it goes. */
    DONE(netverdict_engine_set_name(engine, text("api.example.com"), NULL, 0, error));
    DONE(netverdict_engine_remove_service(engine, text("out"), text("api"), error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_remove_service(engine, text("out"), text("api"), error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_explain(engine,
         text("{\"from\":\"shop/web\",\"to\":\"203.0.113.7\",\"port\":\"443/TCP\"}"), &json, error));
    CHECK(has(&json, "\"verdict\":\"default-deny\""));
    DONE(netverdict_engine_remove_endpoint(engine, text("shop"), text("web"), error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_remove_endpoint(engine, text("shop"), text("web"), error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remove_endpoint(NULL, text("shop"), text("web"), error));
    DONE(netverdict_engine_remove_identity(engine, 70000, error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_remove_identity(engine, 70000, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remove_identity(NULL, 70000, error));
    DONE(netverdict_engine_remove_namespace(engine, text("shop"), error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_remove_namespace(engine, text("shop"), error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remove_namespace(NULL, text("shop"), error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_remove_service(NULL, text("a"), text("b"), error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    FAILS(NETVERDICT_NOT_FOUND, netverdict_engine_identity_labels(engine, 70000, &json, error));
    netverdict_engine_free(&engine);
}

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

/* Does to a copy what an update says. */
static void follow(const netverdict_update *update, uint8_t **image, size_t *length)
{
    size_t i;
    for (i = 0; i < netverdict_update_write_count(update); i++) {
        netverdict_write step;
        memset(&step, 0, sizeof step);
        step.struct_size = sizeof step;
        DONE(netverdict_update_write(update, i, &step, error));
        if (step.kind == NETVERDICT_WRITE_REPLACE) {
            *image = (uint8_t *)realloc(*image, step.len);
            CHECK(*image != NULL);
            *length = step.len;
        }
        CHECK(step.at + step.len <= *length);
        CHECK(step.kind != NETVERDICT_WRITE_WORD16 || step.len == 2);
        CHECK(step.kind != NETVERDICT_WRITE_WORD64 || step.len == 8);
        memcpy(*image + step.at, step.data, step.len);
    }
}

static void updates(void)
{
    netverdict_engine *engine = NULL;
    netverdict_update *update = NULL;
    netverdict_map_update map;
    netverdict_write step;
    netverdict_bytes image;
    uint8_t *copy = NULL;
    size_t length = 0, put = 0, deleted = 0, i;

    DONE(netverdict_engine_new(NULL, &engine, error));
    image = netverdict_engine_image(engine);
    copy = (uint8_t *)malloc(image.len);
    CHECK(copy != NULL);
    memcpy(copy, image.data, image.len);
    length = image.len;
    DONE(netverdict_engine_apply(engine, text("shop.yaml"), text(SHOP), NULL, error));
    DONE(netverdict_engine_commit(engine, &update, error));
    CHECK(netverdict_update_revision(update) == 1);
    CHECK(netverdict_update_readers_follow(update) == 1);
    CHECK(netverdict_update_map_count(update) == 2);
    follow(update, &copy, &length);
    netverdict_update_free(&update);

    DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(POLICY), NULL, error));
    DONE(netverdict_engine_commit(engine, &update, error));
    CHECK(netverdict_update_is_whole(update) == 0);
    CHECK(netverdict_update_map_count(update) == 1);
    memset(&map, 0, sizeof map);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_update_map(update, 0, &map, error));
    map.struct_size = sizeof map;
    FAILS(NETVERDICT_NOT_FOUND, netverdict_update_map(update, 1, &map, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_update_map(NULL, 0, &map, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_update_map(update, 0, NULL, error));
    DONE(netverdict_update_map(update, 0, &map, error));
    CHECK(map.subject_count == 1);
    put = map.put_count;
    deleted = map.delete_count;
    CHECK(put >= 1 && deleted >= 1);
    memset(&step, 0, sizeof step);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_update_write(update, 0, &step, error));
    step.struct_size = sizeof step;
    FAILS(NETVERDICT_NOT_FOUND,
          netverdict_update_write(update, netverdict_update_write_count(update), &step, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_update_write(NULL, 0, &step, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_update_write(update, 0, NULL, error));
    follow(update, &copy, &length);
    /* An update outlives its engine; so does what it points to. */
    image = netverdict_engine_image(engine);
    CHECK(image.len == length && memcmp(image.data, copy, length) == 0);
    netverdict_engine_free(&engine);
    for (i = 0; i < map.put_count * 12; i++)
        put += map.put_keys[i] + map.put_values[i];
    CHECK(put > 0);
    netverdict_update_free(&update);
    netverdict_update_free(&update);
    netverdict_update_free(NULL);
    CHECK(netverdict_update_revision(NULL) == 0 && netverdict_update_is_whole(NULL) == 0);
    CHECK(netverdict_update_map_count(NULL) == 0 && netverdict_update_write_count(NULL) == 0);
    CHECK(netverdict_update_readers_follow(NULL) == 0);
    CHECK(netverdict_engine_image(NULL).len == 0);
    free(copy);
}

static void tables(void)
{
    netverdict_engine *engine = shop();
    netverdict_view *view = NULL;
    netverdict_view *other = NULL;
    netverdict_reader *reader = NULL;
    netverdict_image_info info;
    netverdict_subject subject;
    netverdict_question question, questions[3];
    netverdict_verdict verdict, verdicts[3];
    netverdict_bytes image;
    uint32_t web = 0, identities[2], found = 0;
    uint8_t protocols[2] = {6, 17};
    uint16_t ports[2] = {5432, 5432};
    uint8_t *bytes = NULL;
    size_t length;

    DONE(netverdict_engine_identity(engine, text("shop/web"), &web, error));
    memset(&subject, 0, sizeof subject);
    subject.struct_size = sizeof subject;
    DONE(netverdict_engine_subject(engine, text("shop/db"), &subject, error));
    DONE(netverdict_engine_view(engine, &view, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_view(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_view(NULL, &other, error));
    image = netverdict_engine_image(engine);
    CHECK(netverdict_view_image(view).len == image.len);
    CHECK(netverdict_view_image(NULL).len == 0);
    length = image.len;
    bytes = (uint8_t *)malloc(length + 1);
    CHECK(bytes != NULL);
    memcpy(bytes, image.data, length);

    memset(&info, 0, sizeof info);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_image_read_info(bytes, length, &info, error));
    info.struct_size = sizeof info;
    DONE(netverdict_image_read_info(bytes, length, &info, error));
    CHECK(info.length == length && info.format >= 1 && info.subjects >= 2 && info.frozen == 0);
    FAILS(NETVERDICT_TABLE_SHORT, netverdict_image_read_info(bytes, 100, &info, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_image_read_info(bytes, length, NULL, error));

    /* Bytes that are no table. */
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_view_load(NULL, length, &other, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_view_load(bytes, length, NULL, error));
    FAILS(NETVERDICT_TOO_LARGE, netverdict_view_load(bytes, (size_t)-1, &other, error));
    FAILS(NETVERDICT_TABLE_SHORT, netverdict_view_load(NULL, 0, &other, error));
    FAILS(NETVERDICT_TABLE_SHORT, netverdict_view_load(bytes, length - 8, &other, error));
    FAILS(NETVERDICT_TABLE_SHORT, netverdict_view_borrow(bytes, length - 8, &other, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_view_borrow(bytes, length, NULL, error));
    bytes[0] ^= 1;
    FAILS(NETVERDICT_TABLE_MAGIC, netverdict_view_load(bytes, length, &other, error));
    bytes[0] ^= 1;
    bytes[10] = 9;
    FAILS(NETVERDICT_TABLE_FORMAT, netverdict_view_load(bytes, length, &other, error));
    bytes[10] = 1;
    bytes[0x33] = 0x7f;
    FAILS(NETVERDICT_TABLE_DAMAGED, netverdict_view_load(bytes, length, &other, error));
    bytes[0x33] = 0;
    CHECK(other == NULL);

    /* At any address; and borrowed. */
    memmove(bytes + 1, bytes, length);
    DONE(netverdict_view_borrow(bytes + 1, length, &other, error));

    memset(&question, 0, sizeof question);
    question.subject = subject.subject;
    question.identity = web;
    question.port = 5432;
    question.protocol = 6;
    CHECK(netverdict_view_verdict(view, &question, &verdict) == NETVERDICT_OK);
    CHECK(verdict.code == NETVERDICT_CODE_PASS && verdict.match_type == 2 && verdict.flags == 0);
    CHECK(strcmp(netverdict_verdict_word(&verdict), "allow") == 0);
    CHECK(netverdict_view_verdict(other, &question, &verdict) == NETVERDICT_OK && verdict.code == 0);
    questions[0] = question;
    questions[1] = question;
    questions[1].port = 1;
    questions[2] = question;
    questions[2].subject = 1000;
    memset(verdicts, 0xee, sizeof verdicts);
    CHECK(netverdict_view_verdict_batch(view, questions, 3, verdicts) == NETVERDICT_OK);
    CHECK(verdicts[0].code == 0);
    CHECK(verdicts[1].code == NETVERDICT_CODE_POLICY && verdicts[1].flags == 0);
    CHECK(strcmp(netverdict_verdict_word(&verdicts[1]), "default-deny") == 0);
    CHECK(verdicts[2].code == NETVERDICT_CODE_POLICY && verdicts[2].flags == NETVERDICT_VERDICT_NO_SUBJECT);
    identities[0] = identities[1] = web;
    CHECK(netverdict_view_verdict_columns(view, subject.subject, NETVERDICT_INGRESS, identities, protocols, ports,
                                          2, verdicts) == NETVERDICT_OK);
    CHECK(verdicts[0].code == 0 && verdicts[1].code == NETVERDICT_CODE_POLICY);
    CHECK(netverdict_view_verdict_columns(view, 1000, NETVERDICT_EGRESS, identities, protocols, ports, 2,
                                          verdicts) == NETVERDICT_OK);
    CHECK(verdicts[0].flags == NETVERDICT_VERDICT_NO_SUBJECT);
    CHECK(netverdict_view_subject_of_endpoint(view, subject.endpoint, &found) == NETVERDICT_OK);
    CHECK(found == subject.subject);
    CHECK(netverdict_view_subject_of_identity(view, subject.identity, &found) == NETVERDICT_OK);
    CHECK(found == subject.subject);
    CHECK(netverdict_view_subject_of_endpoint(view, 1000, &found) == NETVERDICT_NOT_FOUND);
    CHECK(netverdict_view_subject_of_identity(view, 4000000, &found) == NETVERDICT_NOT_FOUND);

    /* Arguments that are wrong. */
    CHECK(netverdict_view_verdict(NULL, &question, &verdict) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict(view, NULL, &verdict) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict(view, &question, NULL) == NETVERDICT_NULL_ARGUMENT);
    question.direction = 2;
    CHECK(netverdict_view_verdict(view, &question, &verdict) == NETVERDICT_BAD_ARGUMENT);
    CHECK(netverdict_view_verdict_batch(view, &question, 1, &verdict) == NETVERDICT_BAD_ARGUMENT);
    question.direction = NETVERDICT_EGRESS;
    CHECK(netverdict_view_verdict_batch(NULL, questions, 3, verdicts) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_batch(view, NULL, 3, verdicts) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_batch(view, questions, 3, NULL) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_batch(view, NULL, 0, NULL) == NETVERDICT_OK);
    CHECK(netverdict_view_verdict_batch(view, questions, (size_t)-1, verdicts) == NETVERDICT_TOO_LARGE);
    CHECK(netverdict_view_verdict_batch(view, (const netverdict_question *)(const void *)(bytes + 1), 1, verdicts) ==
              NETVERDICT_BAD_ARGUMENT ||
          ((size_t)(bytes + 1) & 3) == 0);
    CHECK(netverdict_view_verdict_columns(view, 0, 2, identities, protocols, ports, 2, verdicts) ==
          NETVERDICT_BAD_ARGUMENT);
    CHECK(netverdict_view_verdict_columns(NULL, 0, 0, identities, protocols, ports, 2, verdicts) ==
          NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_columns(view, 0, 0, NULL, protocols, ports, 2, verdicts) ==
          NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_columns(view, 0, 0, identities, NULL, ports, 2, verdicts) ==
          NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_columns(view, 0, 0, identities, protocols, NULL, 2, verdicts) ==
          NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_columns(view, 0, 0, identities, protocols, ports, 2, NULL) ==
          NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_verdict_columns(view, 0, 0, identities, protocols, ports, (size_t)-1, verdicts) ==
          NETVERDICT_TOO_LARGE);
    CHECK(netverdict_view_subject_of_endpoint(NULL, 1, &found) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_subject_of_endpoint(view, 1, NULL) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_subject_of_identity(NULL, 1, &found) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_view_subject_of_identity(view, 1, NULL) == NETVERDICT_NULL_ARGUMENT);
    CHECK(strcmp(netverdict_verdict_word(NULL), "default-deny") == 0);
    memset(&verdict, 0, sizeof verdict);
    verdict.proxy_port = 10001;
    CHECK(strcmp(netverdict_verdict_word(&verdict), "redirect") == 0);
    verdict.code = NETVERDICT_CODE_DENY;
    CHECK(strcmp(netverdict_verdict_word(&verdict), "deny") == 0);
    verdict.code = NETVERDICT_CODE_AUTH_REQUIRED;
    CHECK(strcmp(netverdict_verdict_word(&verdict), "auth-required") == 0);

    /* A reader sees the next commit; a view does not. */
    DONE(netverdict_engine_reader(engine, &reader, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_reader(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_reader(NULL, &reader, error));
    question.direction = NETVERDICT_INGRESS;
    CHECK(netverdict_reader_verdict(reader, &question, &verdict) == NETVERDICT_OK && verdict.code == 0);
    CHECK(netverdict_reader_subject_of_endpoint(reader, subject.endpoint, &found) == NETVERDICT_OK);
    CHECK(found == subject.subject);
    CHECK(netverdict_reader_subject_of_endpoint(reader, 1000, &found) == NETVERDICT_NOT_FOUND);
    CHECK(netverdict_reader_subject_of_endpoint(NULL, 1000, &found) == NETVERDICT_NULL_ARGUMENT);
    DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(
         "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop},\n"
         " spec: {podSelector: {}}}"), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    CHECK(netverdict_reader_renew(reader) == NETVERDICT_OK);
    CHECK(netverdict_reader_renew(NULL) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_reader_verdict(reader, &question, &verdict) == NETVERDICT_OK);
    CHECK(verdict.code == NETVERDICT_CODE_POLICY);
    CHECK(netverdict_reader_verdict_batch(reader, &question, 1, &verdict) == NETVERDICT_OK);
    CHECK(verdict.code == NETVERDICT_CODE_POLICY);
    CHECK(netverdict_view_verdict(view, &question, &verdict) == NETVERDICT_OK && verdict.code == 0);
    CHECK(netverdict_reader_verdict(NULL, &question, &verdict) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_reader_verdict(reader, NULL, &verdict) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_reader_verdict(reader, &question, NULL) == NETVERDICT_NULL_ARGUMENT);
    CHECK(netverdict_reader_verdict_batch(NULL, &question, 1, &verdict) == NETVERDICT_NULL_ARGUMENT);
    question.direction = 7;
    CHECK(netverdict_reader_verdict(reader, &question, &verdict) == NETVERDICT_BAD_ARGUMENT);

    /* The engine goes first. */
    netverdict_engine_free(&engine);
    question.direction = NETVERDICT_INGRESS;
    CHECK(netverdict_reader_verdict(reader, &question, &verdict) == NETVERDICT_OK);
    CHECK(verdict.code == NETVERDICT_CODE_POLICY);
    netverdict_reader_free(&reader);
    netverdict_reader_free(&reader);
    netverdict_reader_free(NULL);
    netverdict_view_free(&other);
    netverdict_view_free(&view);
    netverdict_view_free(&view);
    netverdict_view_free(NULL);
    free(bytes);
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

int main(void)
{
    versions();
    errors();
    engines();
    documents();
    objects();
    questions();
    updates();
    tables();
    scenarios();
    printf("%lu checks\n", check_count);
    return 0;
}
