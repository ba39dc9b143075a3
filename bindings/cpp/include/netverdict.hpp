// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// netverdict for C++17: classes over netverdict.h, header-only.
//
// Handles are move-only and free themselves. A call that fails throws
// netverdict::Error with the status, the message, and where there is one the
// diagnostic's code and place. What may be asked from several threads at once is
// a const member function.
//
//     netverdict::Engine engine;
//     for (const auto &d : engine.apply("shop.yaml", yaml))
//         std::cerr << d.file << ':' << d.line << ": " << d.message << '\n';
//     netverdict::Update update = engine.commit();
//     std::cout << engine.explain(R"({"from": "shop/web", "to": "shop/db", "port": "5432/TCP"})");
#ifndef NETVERDICT_HPP
#define NETVERDICT_HPP

#include <netverdict.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace netverdict {

// Why a call failed.
class Error : public std::runtime_error {
public:
    // Copies what the error says; it may be NULL.
    Error(netverdict_status failed, const netverdict_error *error)
        : std::runtime_error(error ? netverdict_error_message(error).data : netverdict_status_name(failed)),
          status(failed), code(netverdict_error_code(error).data), file(netverdict_error_file(error).data),
          line(netverdict_error_line(error)), column(netverdict_error_column(error))
    {
    }

    netverdict_status status; // one of NETVERDICT_*
    std::string code;         // "NV0620", or empty
    std::string file;         // the document, or empty
    std::uint32_t line;       // from 1; 0 for none
    std::uint32_t column;
};

namespace detail {

inline netverdict_str in(std::string_view text)
{
    return netverdict_str{text.data(), text.size()};
}

inline std::string out(netverdict_str text)
{
    return std::string(text.data, text.len);
}

// Throws when a status is none of success; takes the error. By reference: the
// call beside it sets it, and arguments are evaluated in any order.
inline void check(netverdict_status status, netverdict_error *&error)
{
    if (status == NETVERDICT_OK)
        return;
    Error thrown(status, error);
    netverdict_error_free(&error);
    throw thrown;
}

// For functions without an error parameter.
inline void check(netverdict_status status)
{
    netverdict_error *none = nullptr;
    check(status, none);
}

template <typename T, void (*Free)(T **)> struct Freer {
    void operator()(T *handle) const noexcept
    {
        Free(&handle);
    }
};

template <typename T, void (*Free)(T **)> using Handle = std::unique_ptr<T, Freer<T, Free>>;

using Buffer = Handle<netverdict_buffer, netverdict_buffer_free>;

// Calls a function that makes a handle.
template <typename H, typename F> H made(F call)
{
    typename H::pointer handle = nullptr;
    netverdict_error *error = nullptr;
    check(call(&handle, &error), error);
    return H(handle);
}

inline std::string text(const Buffer &buffer)
{
    netverdict_bytes bytes = netverdict_buffer_bytes(buffer.get());
    return std::string(reinterpret_cast<const char *>(bytes.data), bytes.len);
}

// A struct that begins with its size.
template <typename T> T sized()
{
    T made;
    std::memset(&made, 0, sizeof made);
    made.struct_size = sizeof made;
    return made;
}

} // namespace detail

using Question = netverdict_question;
using Verdict = netverdict_verdict;

// "allow", "redirect", "auth-required", "deny" or "default-deny".
inline std::string_view word(const Verdict &verdict)
{
    return netverdict_verdict_word(&verdict);
}

// True when the packet passes, be it by way of a proxy.
inline bool allowed(const Verdict &verdict)
{
    return verdict.code == NETVERDICT_CODE_PASS;
}

// A problem of a document.
struct Diagnostic {
    std::uint32_t severity; // NETVERDICT_INFO, NETVERDICT_WARNING, NETVERDICT_ERROR
    std::uint32_t line, column, end_line, end_column;
    std::string code, message, file, path, object, help;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

struct NamedPort {
    std::string name;
    std::uint8_t protocol; // 6 TCP, 17 UDP, 132 SCTP
    std::uint16_t port;
};

struct Endpoint {
    std::string namespace_name, name, node;
    std::uint32_t identity = 0; // 0: one is allocated
    Labels labels;              // of the pod, or of the identity ("k8s:app") when it is given
    std::vector<std::string> addresses;
    std::vector<NamedPort> ports;
};

// An answer of DNS as it passed.
struct DnsAnswer {
    std::string name; // that was asked for
    std::vector<std::string> addresses;
    std::uint32_t ttl = 0;      // the shortest of all records, in seconds
    std::uint64_t at = 0;       // milliseconds since any moment
    std::uint64_t endpoint = 0; // who asked: any number
};

// Where a redirect leads.
struct ProxyPort {
    std::uint32_t identity = 0; // of the subject; 0: of every one without a port of its own
    std::uint8_t direction;     // NETVERDICT_INGRESS, NETVERDICT_EGRESS
    std::uint8_t protocol;      // 6 TCP, 17 UDP, 132 SCTP
    std::uint16_t port;         // that redirects
    std::uint16_t proxy_port;
    std::string listener; // a custom one's qualified name
};

// A rule behind a verdict.
struct Rule {
    std::string rule, path, file;
    std::uint32_t line, column;
    bool authentication; // nothing but the authentication comes from it
};

struct Service {
    std::string namespace_name, name;
    Labels labels, selector;
    std::vector<std::string> addresses;
};

// A verdict table that does not change.
class View {
public:
    // Checks an image and copies it.
    static View load(const void *bytes, std::size_t length)
    {
        return View(detail::made<Handle>([&](auto view, auto error) {
            return netverdict_view_load(static_cast<const std::uint8_t *>(bytes), length, view, error);
        }));
    }

    // As load without the copy: the bytes stay as they are while the view lives.
    static View borrow(const void *bytes, std::size_t length)
    {
        return View(detail::made<Handle>([&](auto view, auto error) {
            return netverdict_view_borrow(static_cast<const std::uint8_t *>(bytes), length, view, error);
        }));
    }

    // What becomes of a packet. Neither allocates nor locks; throws for a
    // direction that is none.
    Verdict verdict(const Question &question) const
    {
        Verdict verdict;
        detail::check(netverdict_view_verdict(handle.get(), &question, &verdict));
        return verdict;
    }

    // Answers `count` questions.
    void verdicts(const Question *questions, std::size_t count, Verdict *verdicts) const
    {
        detail::check(netverdict_view_verdict_batch(handle.get(), questions, count, verdicts));
    }

    std::vector<Verdict> verdicts(const std::vector<Question> &questions) const
    {
        std::vector<Verdict> answers(questions.size());
        verdicts(questions.data(), questions.size(), answers.data());
        return answers;
    }

    // The bytes of the image, while the view lives.
    std::string_view image() const noexcept
    {
        netverdict_bytes bytes = netverdict_view_image(handle.get());
        return std::string_view(reinterpret_cast<const char *>(bytes.data), bytes.len);
    }

    // False when the identity has no subject.
    bool subject_of_identity(std::uint32_t identity, std::uint32_t &subject) const noexcept
    {
        return netverdict_view_subject_of_identity(handle.get(), identity, &subject) == NETVERDICT_OK;
    }

    // False when the endpoint's number has no subject.
    bool subject_of_endpoint(std::uint32_t endpoint, std::uint32_t &subject) const noexcept
    {
        return netverdict_view_subject_of_endpoint(handle.get(), endpoint, &subject) == NETVERDICT_OK;
    }

    // The rules behind a verdict; throws with NETVERDICT_NOT_FOUND when the table
    // was made without them. Engine::compile makes one that has them.
    std::vector<Rule> origin(const Question &question) const
    {
        auto origin = detail::made<Origin>(
            [&](auto made, auto error) { return netverdict_view_origin(handle.get(), &question, made, error); });
        std::vector<Rule> list;
        for (std::size_t i = 0; i < netverdict_origin_count(origin.get()); i++) {
            auto one = detail::sized<netverdict_rule>();
            netverdict_error *error = nullptr;
            detail::check(netverdict_origin_get(origin.get(), i, &one, &error), error);
            list.push_back(Rule{detail::out(one.rule), detail::out(one.path), detail::out(one.file), one.line,
                                one.column, one.authentication != 0});
        }
        return list;
    }

private:
    friend class Engine;
    using Origin = detail::Handle<netverdict_origin, netverdict_origin_free>;
    using Handle = detail::Handle<netverdict_view, netverdict_view_free>;
    explicit View(Handle made) : handle(std::move(made)) {}
    Handle handle;
};

// Follows an engine's table while another thread commits. One thread uses it.
class Reader {
public:
    Verdict verdict(const Question &question)
    {
        Verdict verdict;
        detail::check(netverdict_reader_verdict(handle.get(), &question, &verdict));
        return verdict;
    }

    void verdicts(const Question *questions, std::size_t count, Verdict *verdicts)
    {
        detail::check(netverdict_reader_verdict_batch(handle.get(), questions, count, verdicts));
    }

    // Says that nothing is held of the table: call it between batches.
    void renew() noexcept
    {
        netverdict_reader_renew(handle.get());
    }

private:
    friend class Engine;
    using Handle = detail::Handle<netverdict_reader, netverdict_reader_free>;
    explicit Reader(Handle made) : handle(std::move(made)) {}
    Handle handle;
};

// The policy of an endpoint as of a commit.
class Policy {
public:
    // Packed keys and values, 12 bytes each; they live as long as the policy.
    netverdict_entries entries() const
    {
        auto entries = detail::sized<netverdict_entries>();
        netverdict_error *error = nullptr;
        detail::check(netverdict_policy_entries(handle.get(), &entries, &error), error);
        return entries;
    }

    netverdict_policy_info info() const
    {
        auto info = detail::sized<netverdict_policy_info>();
        netverdict_error *error = nullptr;
        detail::check(netverdict_policy_read_info(handle.get(), &info, &error), error);
        return info;
    }

    std::string json() const
    {
        return detail::text(detail::made<detail::Buffer>(
            [&](auto buffer, auto error) { return netverdict_policy_json(handle.get(), buffer, error); }));
    }

private:
    friend class Engine;
    using Handle = detail::Handle<netverdict_policy, netverdict_policy_free>;
    explicit Policy(Handle made) : handle(std::move(made)) {}
    Handle handle;
};

// What a commit changes. What it points to lives as long as it does.
class Update {
public:
    std::uint64_t revision() const noexcept
    {
        return netverdict_update_revision(handle.get());
    }

    // Policy maps are to be emptied first.
    bool is_whole() const noexcept
    {
        return netverdict_update_is_whole(handle.get()) != 0;
    }

    std::vector<netverdict_map_update> maps() const
    {
        std::vector<netverdict_map_update> all(netverdict_update_map_count(handle.get()),
                                               detail::sized<netverdict_map_update>());
        for (std::size_t i = 0; i < all.size(); i++) {
            netverdict_error *error = nullptr;
            detail::check(netverdict_update_map(handle.get(), i, &all[i], &error), error);
        }
        return all;
    }

    std::vector<netverdict_write> writes() const
    {
        std::vector<netverdict_write> all(netverdict_update_write_count(handle.get()),
                                          detail::sized<netverdict_write>());
        for (std::size_t i = 0; i < all.size(); i++) {
            netverdict_error *error = nullptr;
            detail::check(netverdict_update_write(handle.get(), i, &all[i], &error), error);
        }
        return all;
    }

private:
    friend class Engine;
    using Handle = detail::Handle<netverdict_update, netverdict_update_free>;
    explicit Update(Handle made) : handle(std::move(made)) {}
    Handle handle;
};

// The engine. Member functions that are not const stage changes, and commit
// applies them.
class Engine {
public:
    // `options` is JSON (see netverdict_engine_options); `identities` is what
    // save_identities gave, or empty.
    explicit Engine(std::string_view options = {}, std::string_view identities = {})
    {
        auto given = detail::sized<netverdict_engine_options>();
        given.json = detail::in(options);
        given.identities.data = reinterpret_cast<const std::uint8_t *>(identities.data());
        given.identities.len = identities.size();
        handle = detail::made<Handle>(
            [&](auto engine, auto error) { return netverdict_engine_new(&given, engine, error); });
    }

    std::vector<Diagnostic> apply(std::string_view name, std::string_view text)
    {
        return all(detail::made<Diagnostics>([&](auto found, auto error) {
            return netverdict_engine_apply(handle.get(), detail::in(name), detail::in(text), found, error);
        }));
    }

    // Throws with NETVERDICT_NOT_FOUND when there is no such document.
    void remove(std::string_view name)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_remove(handle.get(), detail::in(name), &error), error);
    }

    std::vector<Diagnostic> check(std::string_view name, std::string_view text) const
    {
        return all(detail::made<Diagnostics>([&](auto found, auto error) {
            return netverdict_engine_check(handle.get(), detail::in(name), detail::in(text), found, error);
        }));
    }

    void set_identity(std::uint32_t identity, const Labels &labels)
    {
        auto list = in(labels);
        netverdict_error *error = nullptr;
        detail::check(
            netverdict_engine_set_identity(handle.get(), identity, list.data(), list.size(), &error), error);
    }

    void remove_identity(std::uint32_t identity)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_remove_identity(handle.get(), identity, &error), error);
    }

    void set_namespace(std::string_view name, const Labels &labels)
    {
        auto list = in(labels);
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_set_namespace(handle.get(), detail::in(name), list.data(),
                                                      list.size(), &error),
                      error);
    }

    void remove_namespace(std::string_view name)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_remove_namespace(handle.get(), detail::in(name), &error), error);
    }

    void set_endpoint(const Endpoint &endpoint)
    {
        auto labels = in(endpoint.labels);
        auto addresses = in(endpoint.addresses);
        std::vector<netverdict_named_port> ports;
        for (const NamedPort &port : endpoint.ports)
            ports.push_back(netverdict_named_port{detail::in(port.name), port.port, port.protocol, {}});
        auto given = detail::sized<netverdict_endpoint>();
        given.namespace_name = detail::in(endpoint.namespace_name);
        given.name = detail::in(endpoint.name);
        given.node = detail::in(endpoint.node);
        given.labels = labels.data();
        given.label_count = labels.size();
        given.addresses = addresses.data();
        given.address_count = addresses.size();
        given.ports = ports.data();
        given.port_count = ports.size();
        given.identity = endpoint.identity;
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_set_endpoint(handle.get(), &given, &error), error);
    }

    void remove_endpoint(std::string_view namespace_name, std::string_view name)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_remove_endpoint(handle.get(), detail::in(namespace_name),
                                                        detail::in(name), &error),
                      error);
    }

    void set_service(const Service &service)
    {
        auto labels = in(service.labels);
        auto selector = in(service.selector);
        auto addresses = in(service.addresses);
        auto given = detail::sized<netverdict_service>();
        given.namespace_name = detail::in(service.namespace_name);
        given.name = detail::in(service.name);
        given.labels = labels.data();
        given.label_count = labels.size();
        given.selector = selector.data();
        given.selector_count = selector.size();
        given.addresses = addresses.data();
        given.address_count = addresses.size();
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_set_service(handle.get(), &given, &error), error);
    }

    void remove_service(std::string_view namespace_name, std::string_view name)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_remove_service(handle.get(), detail::in(namespace_name),
                                                       detail::in(name), &error),
                      error);
    }

    // What DNS says of a name; no addresses forget it.
    void set_name(std::string_view name, const std::vector<std::string> &addresses)
    {
        auto list = in(addresses);
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_set_name(handle.get(), detail::in(name), list.data(), list.size(),
                                                 &error),
                      error);
    }

    // Stages what an answer of DNS says. Throws with NETVERDICT_FULL when too much
    // is held already.
    void learn(const DnsAnswer &answer)
    {
        auto list = in(answer.addresses);
        auto given = detail::sized<netverdict_dns_answer>();
        given.name = detail::in(answer.name);
        given.addresses = list.data();
        given.address_count = list.size();
        given.endpoint = answer.endpoint;
        given.at = answer.at;
        given.ttl = answer.ttl;
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_learn(handle.get(), &given, &error), error);
    }

    // A connection of the endpoint to the address was seen alive.
    void keep_alive(std::uint64_t endpoint, std::string_view address, std::uint64_t at)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_keep_alive(handle.get(), endpoint, detail::in(address), at, &error), error);
    }

    // All connections of the endpoint were looked through, beginning at `at`.
    void end_keep_alive(std::uint64_t endpoint, std::uint64_t at)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_end_keep_alive(handle.get(), endpoint, at, &error), error);
    }

    // The endpoint is gone, and with it what it asked for.
    void forget_names(std::uint64_t endpoint)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_forget_names(handle.get(), endpoint, &error), error);
    }

    // Names lose the addresses that expired.
    void expire_names(std::uint64_t at)
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_expire_names(handle.get(), at, &error), error);
    }

    // Where redirects lead; one that is not among them is not realised yet.
    void set_proxy_ports(const std::vector<ProxyPort> &ports)
    {
        std::vector<netverdict_proxy_port> list;
        for (const ProxyPort &port : ports)
            list.push_back(netverdict_proxy_port{detail::in(port.listener), port.identity, port.port,
                                                 port.proxy_port, port.protocol, port.direction, {}});
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_set_proxy_ports(handle.get(), list.data(), list.size(), &error), error);
    }

    // Redirects lead to stand-ins again.
    void use_stand_in_ports()
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_use_stand_in_ports(handle.get(), &error), error);
    }

    Update commit()
    {
        return Update(detail::made<Update::Handle>(
            [&](auto update, auto error) { return netverdict_engine_commit(handle.get(), update, error); }));
    }

    // Numbers of subjects that are gone may be used again.
    void end_grace_period()
    {
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_end_grace_period(handle.get(), &error), error);
    }

    // A reader for one thread.
    Reader reader()
    {
        return Reader(detail::made<Reader::Handle>(
            [&](auto reader, auto error) { return netverdict_engine_reader(handle.get(), reader, error); }));
    }

    std::uint64_t revision() const noexcept
    {
        return netverdict_engine_revision(handle.get());
    }

    std::vector<Diagnostic> remarks() const
    {
        return all(detail::made<Diagnostics>(
            [&](auto found, auto error) { return netverdict_engine_remarks(handle.get(), found, error); }));
    }

    // What happens to a flow, and to what is sent on it: JSON in, JSON out.
    std::string verdict(std::string_view question) const
    {
        return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
            return netverdict_engine_verdict(handle.get(), detail::in(question), buffer, error);
        }));
    }

    // Who may talk to whom, as JSON; flags: NETVERDICT_BY_POD, NETVERDICT_WITH_DENIED.
    std::string reach(std::uint32_t flags = 0) const
    {
        return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
            return netverdict_engine_reach(handle.get(), flags, buffer, error);
        }));
    }

    // What is open here and not in another engine, or the other way round, as JSON;
    // flags: NETVERDICT_BY_POD.
    std::string diff(const Engine &old, std::uint32_t flags = 0) const
    {
        return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
            return netverdict_engine_diff(handle.get(), old.handle.get(), flags, buffer, error);
        }));
    }

    // The policy of an endpoint as Cilium sends it to Envoy, as JSON.
    std::string proxy_policy(std::string_view endpoint) const
    {
        return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
            return netverdict_engine_proxy_policy(handle.get(), detail::in(endpoint), buffer, error);
        }));
    }

    // A table that stays as it is, with the rules behind its verdicts.
    View compile() const
    {
        auto image = detail::made<detail::Buffer>(
            [&](auto buffer, auto error) { return netverdict_engine_compile(handle.get(), buffer, error); });
        netverdict_bytes bytes = netverdict_buffer_bytes(image.get());
        return View::load(bytes.data, bytes.len);
    }

    // As verdict, with every candidate.
    std::string explain(std::string_view question) const
    {
        return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
            return netverdict_engine_explain(handle.get(), detail::in(question), buffer, error);
        }));
    }

    std::uint32_t identity(std::string_view of) const
    {
        std::uint32_t identity = 0;
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_identity(handle.get(), detail::in(of), &identity, &error), error);
        return identity;
    }

    // Where an endpoint stands in the table.
    netverdict_subject subject(std::string_view endpoint) const
    {
        auto subject = detail::sized<netverdict_subject>();
        netverdict_error *error = nullptr;
        detail::check(netverdict_engine_subject(handle.get(), detail::in(endpoint), &subject, &error), error);
        return subject;
    }

    Policy policy(std::string_view endpoint) const
    {
        return Policy(detail::made<Policy::Handle>([&](auto policy, auto error) {
            return netverdict_engine_policy(handle.get(), detail::in(endpoint), policy, error);
        }));
    }

    // A view of the table as of the last commit.
    View view() const
    {
        return View(detail::made<View::Handle>(
            [&](auto view, auto error) { return netverdict_engine_view(handle.get(), view, error); }));
    }

    // The image, until the next member function that is not const.
    std::string_view image() const noexcept
    {
        netverdict_bytes bytes = netverdict_engine_image(handle.get());
        return std::string_view(reinterpret_cast<const char *>(bytes.data), bytes.len);
    }

    std::string save_identities() const
    {
        return detail::text(detail::made<detail::Buffer>([&](auto state, auto error) {
            return netverdict_engine_save_identities(handle.get(), state, error);
        }));
    }

private:
    using Handle = detail::Handle<netverdict_engine, netverdict_engine_free>;
    using Diagnostics = detail::Handle<netverdict_diagnostics, netverdict_diagnostics_free>;

    static std::vector<netverdict_label> in(const Labels &labels)
    {
        std::vector<netverdict_label> list;
        for (const auto &label : labels)
            list.push_back(netverdict_label{detail::in(label.first), detail::in(label.second)});
        return list;
    }

    static std::vector<netverdict_str> in(const std::vector<std::string> &texts)
    {
        std::vector<netverdict_str> list;
        for (const std::string &text : texts)
            list.push_back(detail::in(text));
        return list;
    }

    static std::vector<Diagnostic> all(const Diagnostics &found)
    {
        std::vector<Diagnostic> list;
        for (std::size_t i = 0; i < netverdict_diagnostics_count(found.get()); i++) {
            auto one = detail::sized<netverdict_diagnostic>();
            netverdict_error *error = nullptr;
            detail::check(netverdict_diagnostics_get(found.get(), i, &one, &error), error);
            list.push_back(Diagnostic{one.severity, one.line, one.column, one.end_line, one.end_column,
                                      detail::out(one.code), detail::out(one.message), detail::out(one.file),
                                      detail::out(one.path), detail::out(one.object), detail::out(one.help)});
        }
        return list;
    }

    Handle handle;
};

// Answers a scenario: JSON in, JSON out.
inline std::string answer_scenario(std::string_view scenario)
{
    return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
        return netverdict_scenario_answer(detail::in(scenario), buffer, error);
    }));
}

// Answers a question about layer 7: `kind` is dns, http, sni, fqdn or proxy.
inline std::string answer_layer7(std::string_view kind, std::string_view question)
{
    return detail::text(detail::made<detail::Buffer>([&](auto buffer, auto error) {
        return netverdict_scenario_layer7(detail::in(kind), detail::in(question), buffer, error);
    }));
}

// The table of a scenario's endpoints.
inline View compile_scenario(std::string_view scenario)
{
    auto image = detail::made<detail::Buffer>([&](auto buffer, auto error) {
        return netverdict_scenario_compile(detail::in(scenario), buffer, error);
    });
    netverdict_bytes bytes = netverdict_buffer_bytes(image.get());
    return View::load(bytes.data, bytes.len);
}

} // namespace netverdict

#endif
