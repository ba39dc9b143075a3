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

    auto compiled = netverdict::compile_scenario("{\"identities\":[{\"id\":5000,\"labels\":{\"k8s:a\":\"b\"}}],"
                                                 "\"endpoints\":[{\"id\":5000}]}");
    CHECK(compiled.subject_of_identity(5000, number) && number == 0);
    std::cout << "ok\n";
    return 0;
}
