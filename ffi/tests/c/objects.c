/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Objects without YAML: what each function is for, and what it says
 * to NULL, to sizes that cannot be, and to handles that are gone. C99, and C++17.
 */
#include "check.h"

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
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_identity_labels(NULL, 70000, &json, error));
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

int main(void)
{
    objects();
    printf("%lu checks\n", check_count);
    return 0;
}
