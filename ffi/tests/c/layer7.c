/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Layer 7: requests, queries and server names, names that are learned, proxies,
 * and the rules behind verdicts of a table. C99, and C++17.
 */
#include "check.h"

static const char *const RULES =
    "apiVersion: cilium.io/v2\n"
    "kind: CiliumNetworkPolicy\n"
    "metadata: {name: api, namespace: shop}\n"
    "spec:\n"
    "  endpointSelector: {matchLabels: {app: db}}\n"
    "  ingress:\n"
    "  - fromEndpoints: [{matchLabels: {app: web}}]\n"
    "    toPorts:\n"
    "    - ports: [{port: \"80\", protocol: TCP}]\n"
    "      rules:\n"
    "        http:\n"
    "        - {method: GET, path: /docs}\n"
    "        - {method: PUT, path: /docs, headerMatches: [{name: X-Token, secret: {namespace: ns, name: key}}]}\n"
    "---\n"
    "apiVersion: cilium.io/v2\n"
    "kind: CiliumNetworkPolicy\n"
    "metadata: {name: names, namespace: shop}\n"
    "spec:\n"
    "  endpointSelector: {matchLabels: {app: web}}\n"
    "  egress:\n"
    "  - toEndpoints: [{matchLabels: {app: db}}]\n"
    "  - toCIDR: [192.0.2.53/32]\n"
    "    toPorts:\n"
    "    - ports: [{port: \"53\", protocol: UDP}]\n"
    "      rules: {dns: [{matchPattern: \"*.example.com\"}]}\n"
    "  - toFQDNs: [{matchPattern: \"*.example.com\"}]\n"
    "  - toCIDR: [192.0.2.99/32]\n"
    "    toPorts: [{ports: [{port: \"443\", protocol: TCP}], serverNames: [api.example.com]}]\n";

static netverdict_engine *rules(void)
{
    netverdict_engine *engine = shop();
    DONE(netverdict_engine_remove(engine, text("policy.yaml"), error));
    DONE(netverdict_engine_apply(engine, text("rules.yaml"), text(RULES), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    return engine;
}

/* What is sent on a flow, and what is to become of it. */
static void asked(const netverdict_engine *engine, const char *question, const char *outcome)
{
    netverdict_buffer *json = NULL;
    DONE(netverdict_engine_verdict(engine, text(question), &json, error));
    CHECK(has(&json, outcome));
    DONE(netverdict_engine_explain(engine, text(question), &json, error));
    CHECK(has(&json, outcome));
}

#define HTTP(rest) \
    "{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"80/TCP\",\"http\":" rest "}"

static void requests(void)
{
    netverdict_engine *engine = rules();
    netverdict_buffer *json = NULL;

    asked(engine, HTTP("{\"method\":\"GET\",\"path\":\"/docs\",\"host\":\"db\"}"),
          "\"layer7\":{\"sent\":\"GET /docs\",\"outcome\":\"forwarded\"");
    asked(engine, HTTP("{\"method\":\"GET\",\"path\":\"/admin\"}"), "\"outcome\":\"403\"");
    /* A rule waits for its secret. */
    asked(engine, HTTP("{\"method\":\"PUT\",\"path\":\"/docs\",\"headers\":[[\"X-Token\",\"s\"]]}"),
          "\"outcome\":\"403\"");
    asked(engine, HTTP("{\"method\":\"PUT\",\"path\":\"/docs\",\"headers\":[[\"X-Token\",\"s\"]]},"
                       "\"secrets\":{\"ns/key/value\":\"s\"}"),
          "\"outcome\":\"forwarded\"");
    /* What is told of the rules that were tried. */
    asked(engine, HTTP("{\"method\":\"GET\",\"path\":\"/admin\"}"), "\"miss\":");
    asked(engine, HTTP("{\"method\":\"GET\",\"path\":\"/admin\"}"), "\"redirect\":{\"parser\":\"http\"");
    asked(engine, "{\"from\":\"shop/db\",\"to\":\"shop/web\",\"port\":\"80/TCP\","
                  "\"http\":{\"method\":\"GET\",\"path\":\"/\"}}",
          "\"outcome\":\"not-inspected\"");
    asked(engine, "{\"from\":\"shop/web\",\"to\":\"192.0.2.53\",\"port\":\"53/UDP\",\"dns\":\"api.example.com\"}",
          "\"outcome\":\"forwarded\"");
    asked(engine, "{\"from\":\"shop/web\",\"to\":\"192.0.2.53\",\"port\":\"53/UDP\",\"dns\":\"example.org\"}",
          "\"outcome\":\"refused\"");
    asked(engine, "{\"from\":\"shop/web\",\"to\":\"192.0.2.99\",\"port\":\"443/TCP\",\"sni\":\"api.example.com\"}",
          "\"outcome\":\"forwarded\"");
    asked(engine, "{\"from\":\"shop/web\",\"to\":\"192.0.2.99\",\"port\":\"443/TCP\",\"sni\":\"www.example.com\"}",
          "\"outcome\":\"dropped\"");
    asked(engine, "{\"from\":\"shop/web\",\"to\":\"192.0.2.98\",\"port\":\"443/TCP\",\"sni\":\"api.example.com\"}",
          "\"outcome\":null");

    FAILS(NETVERDICT_JSON, netverdict_engine_verdict(engine, text(HTTP("{\"method\":\"GET\"}")), &json, error));
    FAILS(NETVERDICT_JSON,
          netverdict_engine_verdict(engine, text(HTTP("{\"method\":\"GET\",\"path\":\"docs\"}")), &json, error));
    FAILS(NETVERDICT_JSON,
          netverdict_engine_verdict(
              engine, text(HTTP("{\"method\":\"GET\",\"path\":\"/\"},\"secrets\":{\"a/b\":\"c\"}")), &json, error));
    FAILS(NETVERDICT_JSON,
          netverdict_engine_verdict(
              engine, text(HTTP("{\"method\":\"GET\",\"path\":\"/\"},\"dns\":\"a.example\"")), &json, error));
    FAILS(NETVERDICT_JSON, netverdict_engine_verdict(engine, text("{\"form\":\"a\"}"), &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_verdict(engine, text("{}"), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_verdict(NULL, text("{}"), &json, error));
    netverdict_engine_free(&engine);
}

static netverdict_dns_answer answer(const char *name, const netverdict_str *addresses, size_t count, uint64_t at)
{
    netverdict_dns_answer made;
    memset(&made, 0, sizeof made);
    made.struct_size = sizeof made;
    made.name = text(name);
    made.addresses = addresses;
    made.address_count = count;
    made.endpoint = 7;
    made.at = at;
    made.ttl = 30;
    return made;
}

static void names(void)
{
    netverdict_engine *engine = rules();
    netverdict_engine *small = NULL;
    netverdict_engine_options options;
    netverdict_update *update = NULL;
    netverdict_str addresses[2];
    netverdict_dns_answer given;
    const char *flow = "{\"from\":\"shop/web\",\"to\":\"192.0.2.7\",\"port\":\"443/TCP\"}";

    addresses[0] = text("192.0.2.7");
    addresses[1] = text("2001:db8::7");
    asked(engine, flow, "\"verdict\":\"default-deny\"");
    given = answer("api.example.com", addresses, 2, 10000);
    DONE(netverdict_engine_learn(engine, &given, error));
    asked(engine, flow, "\"verdict\":\"default-deny\"");
    DONE(netverdict_engine_commit(engine, &update, error));
    /* Nothing begins anew for a name: the table is written to. */
    CHECK(netverdict_update_is_whole(update) == 0 && netverdict_update_write_count(update) != 0);
    netverdict_update_free(&update);
    asked(engine, flow, "\"verdict\":\"allow\"");
    asked(engine, "{\"from\":\"shop/web\",\"to\":\"api.example.com\",\"port\":\"443/TCP\"}", "\"verdict\":\"allow\"");

    /* It expired, but a connection may be there. */
    DONE(netverdict_engine_expire_names(engine, 60000, error));
    DONE(netverdict_engine_keep_alive(engine, 7, text("192.0.2.7"), 70000, error));
    DONE(netverdict_engine_end_keep_alive(engine, 7, 70000, error));
    DONE(netverdict_engine_expire_names(engine, 120000, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    asked(engine, flow, "\"verdict\":\"allow\"");
    DONE(netverdict_engine_end_keep_alive(engine, 7, 130000, error));
    DONE(netverdict_engine_end_keep_alive(engine, 7, 150000, error));
    DONE(netverdict_engine_expire_names(engine, 180000, error));
    DONE(netverdict_engine_end_keep_alive(engine, 7, 190000, error));
    DONE(netverdict_engine_expire_names(engine, 360000, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    asked(engine, flow, "\"verdict\":\"default-deny\"");

    /* Who asked is gone. */
    given = answer("API.Example.com.", addresses, 1, 400000);
    DONE(netverdict_engine_learn(engine, &given, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    asked(engine, flow, "\"verdict\":\"allow\"");
    DONE(netverdict_engine_forget_names(engine, 7, error));
    DONE(netverdict_engine_expire_names(engine, 500000, error));
    DONE(netverdict_engine_expire_names(engine, 600000, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    asked(engine, flow, "\"verdict\":\"default-deny\"");

    /* Answers that came before the policy count when it comes. */
    DONE(netverdict_engine_remove(engine, text("rules.yaml"), error));
    given = answer("www.example.com", addresses, 1, 700000);
    DONE(netverdict_engine_learn(engine, &given, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_apply(engine, text("rules.yaml"), text(RULES), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    asked(engine, flow, "\"verdict\":\"allow\"");

    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_learn(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_learn(NULL, &given, error));
    addresses[0] = text("192.0.2.300");
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_learn(engine, &given, error));
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_keep_alive(engine, 7, addresses[0], 0, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_keep_alive(NULL, 7, text("192.0.2.7"), 0, error));
    given.struct_size--;
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_engine_learn(engine, &given, error));
    given.struct_size++;
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_end_keep_alive(NULL, 7, 0, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_forget_names(NULL, 7, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_expire_names(NULL, 0, error));
    netverdict_engine_free(&engine);

    /* No more than the caller allows. */
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.json = text("{\"learning\":{\"minTtl\":60,\"maxHeld\":4}}");
    DONE(netverdict_engine_new(&options, &small, error));
    addresses[0] = text("192.0.2.1");
    given = answer("a.example.com", addresses, 1, 0);
    DONE(netverdict_engine_learn(small, &given, error));
    given.name = text("b.example.com");
    FAILS(NETVERDICT_FULL, netverdict_engine_learn(small, &given, error));
    netverdict_engine_free(&small);
}

/* The port that the entries of a subject's map lead to; 0 when it has no redirect. */
static unsigned proxy_port(const netverdict_engine *engine, const char *endpoint, uint32_t peer, uint16_t port)
{
    netverdict_view *view = NULL;
    netverdict_subject subject;
    netverdict_question question;
    netverdict_verdict verdict;
    memset(&subject, 0, sizeof subject);
    memset(&question, 0, sizeof question);
    subject.struct_size = sizeof subject;
    DONE(netverdict_engine_subject(engine, text(endpoint), &subject, error));
    DONE(netverdict_engine_view(engine, &view, error));
    question.subject = subject.subject;
    question.identity = peer;
    question.protocol = 6;
    question.port = port;
    CHECK(netverdict_view_verdict(view, &question, &verdict) == NETVERDICT_OK);
    netverdict_view_free(&view);
    return verdict.code == NETVERDICT_CODE_PASS ? verdict.proxy_port : 1;
}

static void proxies(void)
{
    netverdict_engine *engine = rules();
    netverdict_buffer *json = NULL;
    netverdict_proxy_port ports[2];
    uint32_t web = 0, db = 0;

    DONE(netverdict_engine_proxy_policy(engine, text("shop/db"), &json, error));
    CHECK(has(&json, "{\"port\":80,\"rules\":[{\"httpRules\":"));
    FAILS(NETVERDICT_PEER, netverdict_engine_proxy_policy(engine, text("shop/nobody"), &json, error));
    FAILS(NETVERDICT_PEER, netverdict_engine_proxy_policy(engine, text("192.0.2.1"), &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_proxy_policy(engine, text("shop/db"), NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_proxy_policy(NULL, text("shop/db"), &json, error));

    DONE(netverdict_engine_identity(engine, text("shop/web"), &web, error));
    DONE(netverdict_engine_identity(engine, text("shop/db"), &db, error));
    CHECK(proxy_port(engine, "shop/db", web, 80) == 10001);
    memset(ports, 0, sizeof ports);
    ports[0].port = 80;
    ports[0].protocol = 6;
    ports[0].direction = NETVERDICT_INGRESS;
    ports[0].proxy_port = 15000;
    ports[1] = ports[0];
    ports[1].identity = db;
    ports[1].proxy_port = 15001;
    DONE(netverdict_engine_set_proxy_ports(engine, ports, 1, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    CHECK(proxy_port(engine, "shop/db", web, 80) == 15000);
    DONE(netverdict_engine_set_proxy_ports(engine, ports, 2, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    CHECK(proxy_port(engine, "shop/db", web, 80) == 15001);
    /* A redirect that is not realised has no entries: nothing passes. */
    DONE(netverdict_engine_set_proxy_ports(engine, NULL, 0, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    CHECK(proxy_port(engine, "shop/db", web, 80) == 1);
    DONE(netverdict_engine_use_stand_in_ports(engine, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    CHECK(proxy_port(engine, "shop/db", web, 80) == 10001);

    ports[0].direction = 2;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_proxy_ports(engine, ports, 1, error));
    ports[0].direction = NETVERDICT_INGRESS;
    ports[0].proxy_port = 0;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_proxy_ports(engine, ports, 1, error));
    ports[0].proxy_port = 1;
    ports[0].reserved[5] = 1;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_engine_set_proxy_ports(engine, ports, 1, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_set_proxy_ports(engine, NULL, 1, error));
    FAILS(NETVERDICT_TOO_LARGE, netverdict_engine_set_proxy_ports(engine, ports, (size_t)-1, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_use_stand_in_ports(NULL, error));
    netverdict_engine_free(&engine);
}

static void origins(void)
{
    netverdict_engine *engine = shop();
    netverdict_buffer *image = NULL;
    netverdict_view *view = NULL;
    netverdict_origin *origin = NULL;
    netverdict_question question;
    netverdict_rule rule;
    netverdict_bytes bytes;
    uint32_t db = 0;

    memset(&question, 0, sizeof question);
    DONE(netverdict_engine_compile(engine, &image, error));
    bytes = netverdict_buffer_bytes(image);
    DONE(netverdict_view_load(bytes.data, bytes.len, &view, error));
    netverdict_buffer_free(&image);
    DONE(netverdict_engine_identity(engine, text("shop/db"), &db, error));
    DONE(netverdict_engine_identity(engine, text("shop/web"), &question.identity, error));
    CHECK(netverdict_view_subject_of_identity(view, db, &question.subject) == NETVERDICT_OK);
    question.protocol = 6;
    question.port = 5432;
    DONE(netverdict_view_origin(view, &question, &origin, error));
    CHECK(netverdict_origin_count(origin) == 1);
    memset(&rule, 0, sizeof rule);
    FAILS(NETVERDICT_STRUCT_SIZE, netverdict_origin_get(origin, 0, &rule, error));
    rule.struct_size = sizeof rule;
    DONE(netverdict_origin_get(origin, 0, &rule, error));
    CHECK(same(rule.rule, "NetworkPolicy/shop/db") && same(rule.file, "policy.yaml"));
    CHECK(rule.line == 7 && rule.column != 0 && rule.authentication == 0 && rule.path.len != 0);
    FAILS(NETVERDICT_NOT_FOUND, netverdict_origin_get(origin, 1, &rule, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_origin_get(NULL, 0, &rule, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_origin_get(origin, 0, NULL, error));
    netverdict_origin_free(&origin);
    netverdict_origin_free(&origin);
    netverdict_origin_free(NULL);
    CHECK(netverdict_origin_count(NULL) == 0);
    /* Nothing allows it. */
    question.port = 5433;
    DONE(netverdict_view_origin(view, &question, &origin, error));
    CHECK(netverdict_origin_count(origin) == 0);
    netverdict_origin_free(&origin);
    question.subject = 99;
    FAILS(NETVERDICT_NOT_FOUND, netverdict_view_origin(view, &question, &origin, error));
    question.direction = 2;
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_view_origin(view, &question, &origin, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_view_origin(NULL, &question, &origin, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_view_origin(view, NULL, &origin, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_view_origin(view, &question, NULL, error));
    netverdict_view_free(&view);
    /* The table of an engine has none. */
    DONE(netverdict_engine_view(engine, &view, error));
    question.direction = 0;
    question.subject = 0;
    FAILS(NETVERDICT_NOT_FOUND, netverdict_view_origin(view, &question, &origin, error));
    netverdict_view_free(&view);
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_compile(engine, NULL, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_engine_compile(NULL, &image, error));
    netverdict_engine_free(&engine);
}

static void exchange(void)
{
    netverdict_buffer *json = NULL;
    const char *question = "{\"rules\":[{\"method\":\"GET\",\"path\":\"/docs\"}],"
                           "\"q\":[{\"method\":\"GET\",\"host\":\"\",\"path\":\"/docs\"}]}";
    DONE(netverdict_scenario_layer7(text("http"), text(question), &json, error));
    CHECK(has(&json, "\"allowed\":true"));
    FAILS(NETVERDICT_BAD_ARGUMENT, netverdict_scenario_layer7(text("ftp"), text(question), &json, error));
    FAILS(NETVERDICT_JSON, netverdict_scenario_layer7(text("dns"), text("{"), &json, error));
    FAILS(NETVERDICT_NULL_ARGUMENT, netverdict_scenario_layer7(text("http"), text(question), NULL, error));
}

int main(void)
{
    requests();
    names();
    proxies();
    origins();
    exchange();
    printf("%lu checks\n", check_count);
    return 0;
}
