// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// The C++ classes: what they do and what they throw. With the argument --lines
// it answers scenarios instead, one a line, for cargo xtask testdata --engine.
#include <netverdict.hpp>

#include <cstdlib>
#include <iostream>
#include <thread>

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            std::cerr << __FILE__ << ':' << __LINE__ << ": " << #condition << '\n'; \
            std::exit(1);                                                         \
        }                                                                         \
    } while (0)

template <typename F> netverdict_status thrown(F call)
{
    try {
        call();
    } catch (const netverdict::Error &error) {
        CHECK(!std::string(error.what()).empty());
        return error.status;
    }
    return NETVERDICT_OK;
}

static int lines()
{
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);)
        std::cout << netverdict::answer_scenario(line) << '\n';
    return 0;
}

// Requests, names that are learned, proxies, and the rules behind a verdict.
static void layer7()
{
    netverdict::Engine engine;
    engine.apply("world.yaml", R"(
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}]
    toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET, path: /docs}]}}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: names, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress: [{toEndpoints: [{matchLabels: {app: db}}]}, {toFQDNs: [{matchName: api.example.com}]}]
)");
    engine.commit();
    auto says = [&](const char *question, const char *part) {
        return engine.verdict(question).find(part) != std::string::npos;
    };
    CHECK(says(R"({"from": "shop/web", "to": "shop/db", "port": "80/TCP", "http": {"method": "GET", "path": "/docs"}})",
               "\"outcome\":\"forwarded\""));
    CHECK(says(R"({"from": "shop/web", "to": "shop/db", "port": "80/TCP", "http": {"method": "GET", "path": "/"}})",
               "\"outcome\":\"403\""));
    const char *outside = R"({"from": "shop/web", "to": "192.0.2.7", "port": "443/TCP"})";
    CHECK(says(outside, "\"verdict\":\"default-deny\""));
    engine.learn({"api.example.com", {"192.0.2.7"}, 30, 1000, 7});
    engine.commit();
    CHECK(says(outside, "\"verdict\":\"allow\""));
    engine.keep_alive(7, "192.0.2.7", 40000);
    engine.end_keep_alive(7, 40000);
    engine.forget_names(7);
    engine.expire_names(100000);
    engine.expire_names(200000);
    engine.commit();
    CHECK(says(outside, "\"verdict\":\"default-deny\""));
    CHECK(engine.reach().find("\"from\":\"shop/web[Pod]\",\"to\":\"shop/db[Pod]\"") != std::string::npos);
    CHECK(engine.diff(engine).find("\"changes\":[]") != std::string::npos);
    CHECK(netverdict::Engine().diff(engine).find("\"disappeared\":[\"shop/db[Pod]\"") != std::string::npos);
    CHECK(engine.proxy_policy("shop/db").find("\"port\":80") != std::string::npos);

    netverdict::Question question{};
    question.subject = engine.subject("shop/db").subject;
    question.identity = engine.identity("shop/web");
    question.protocol = 6;
    question.port = 80;
    engine.set_proxy_ports({{0, NETVERDICT_INGRESS, 6, 80, 15000, ""}});
    engine.commit();
    CHECK(engine.view().verdict(question).proxy_port == 15000);
    engine.use_stand_in_ports();
    engine.commit();
    CHECK(engine.view().verdict(question).proxy_port == 10001);
    CHECK(thrown([&] { engine.view().origin(question); }) == NETVERDICT_NOT_FOUND);
    netverdict::View compiled = engine.compile();
    CHECK(compiled.subject_of_identity(engine.identity("shop/db"), question.subject));
    auto rules = compiled.origin(question);
    CHECK(rules.size() == 1 && rules[0].rule == "CiliumNetworkPolicy/shop/api" && rules[0].line == 12);
    CHECK(netverdict::answer_layer7("dns", R"({"rules": [], "q": []})").size() > 2);
}

int main(int argc, char **argv)
{
    if (argc == 2 && std::string(argv[1]) == "--lines")
        return lines();

    netverdict::Engine engine;
    CHECK(thrown([] { netverdict::Engine bad("{\"nothing\": 1}"); }) == NETVERDICT_JSON);
    netverdict::Endpoint web, db;
    web.namespace_name = db.namespace_name = "shop";
    web.name = "web";
    web.labels = {{"app", "web"}};
    db.name = "db";
    db.labels = {{"app", "db"}};
    db.ports = {{"sql", 6, 5432}};
    engine.set_namespace("shop", {{"team", "shop"}});
    engine.set_endpoint(web);
    engine.set_endpoint(db);
    auto found = engine.apply("policy.yaml", "apiVersion: networking.k8s.io/v1\n"
                                             "kind: NetworkPolicy\n"
                                             "metadata: {name: db, namespace: shop}\n"
                                             "spec: {podSelector: {matchLabels: {app: db}},\n"
                                             "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}],\n"
                                             "    ports: [{port: sql}]}]}\n");
    CHECK(found.empty());
    CHECK(engine.check("bad.yaml", "a: [").at(0).severity == NETVERDICT_ERROR);
    netverdict::Update update = engine.commit();
    CHECK(update.revision() == 1 && engine.revision() == 1);
    CHECK(!update.maps().empty() && !update.writes().empty());

    auto subject = engine.subject("shop/db");
    netverdict::Question question{};
    question.subject = subject.subject;
    question.identity = engine.identity("shop/web");
    question.protocol = 6;
    question.port = 5432;
    netverdict::View view = engine.view();
    CHECK(netverdict::allowed(view.verdict(question)));
    question.port = 1;
    CHECK(netverdict::word(view.verdict(question)) == "default-deny");
    CHECK(view.verdicts({question, question}).size() == 2);
    question.direction = 9;
    CHECK(thrown([&] { view.verdict(question); }) == NETVERDICT_BAD_ARGUMENT);
    question.direction = 0;
    std::uint32_t number = 0;
    CHECK(view.subject_of_identity(subject.identity, number) && number == subject.subject);
    CHECK(view.subject_of_endpoint(subject.endpoint, number) && number == subject.subject);
    CHECK(!view.subject_of_endpoint(999, number));
    CHECK(view.image() == engine.image());
    CHECK(thrown([&] { netverdict::View::load("x", 1); }) == NETVERDICT_TABLE_SHORT);
    std::string copy(view.image());
    CHECK(netverdict::View::borrow(copy.data(), copy.size()).verdict(question).code == NETVERDICT_CODE_POLICY);

    CHECK(engine.policy("shop/db").entries().count == 7);
    CHECK(engine.policy("shop/db").info().ingress_enforced);
    CHECK(engine.policy("shop/db").json().find("NetworkPolicy/shop/db") != std::string::npos);
    try {
        engine.explain(R"({"from": "shop/wep", "to": "shop/db", "port": "1/TCP"})");
        CHECK(false);
    } catch (const netverdict::Error &error) {
        CHECK(error.status == NETVERDICT_PEER && error.code == "NV0620");
    }
    CHECK(engine.explain(R"({"from": "shop/web", "to": "shop/db", "port": "5432/TCP"})").find("\"allow\"") !=
          std::string::npos);
    CHECK(engine.remarks().size() < 10);

    // A reader in a thread of its own sees the commit.
    netverdict::Reader reader = engine.reader();
    engine.remove("policy.yaml");
    CHECK(thrown([&] { engine.remove("policy.yaml"); }) == NETVERDICT_NOT_FOUND);
    engine.commit();
    bool passes = false;
    std::thread([&] {
        reader.renew();
        passes = netverdict::allowed(reader.verdict(question));
    }).join();
    CHECK(passes);
    CHECK(!netverdict::allowed(view.verdict(question)));

    // Everything goes again; numbers are kept from one engine to the next.
    engine.set_service({"out", "api", {}, {}, {"203.0.113.7"}});
    engine.set_name("api.example.com", {"203.0.113.8"});
    engine.set_identity(70000, {{"k8s:app", "x"}});
    engine.commit();
    std::string saved = engine.save_identities();
    CHECK(!saved.empty());
    netverdict::Engine next("", saved);
    engine.remove_identity(70000);
    engine.remove_service("out", "api");
    engine.set_name("api.example.com", {});
    engine.remove_endpoint("shop", "web");
    engine.remove_namespace("shop");
    engine.commit();
    engine.end_grace_period();
    netverdict::Engine moved = std::move(engine);
    CHECK(moved.revision() == 4);

    layer7();
    auto compiled = netverdict::compile_scenario("{\"identities\":[{\"id\":5000,\"labels\":{\"k8s:a\":\"b\"}}],"
                                                 "\"endpoints\":[{\"id\":5000}]}");
    CHECK(compiled.subject_of_identity(5000, number) && number == 0);
    std::cout << "ok\n";
    return 0;
}
