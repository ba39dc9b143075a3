/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * netverdict: network policies and workloads in, policy-map entries and verdicts
 * out, with the reason. For libnetverdict.
 *
 * Written by `cargo xtask header` from ffi/src; docs/c-abi.md has the rules.
 */

#ifndef NETVERDICT_H
#define NETVERDICT_H

#include <stddef.h>
#include <stdint.h>
#include "netverdict_view.h"

/**
 * Every pod by itself, instead of pods of one owner that no policy tells
 * apart together.
 */
#define NETVERDICT_BY_POD 1

/**
 * Also pairs between which nothing is open.
 */
#define NETVERDICT_WITH_DENIED 2

/**
 * Severity: worth knowing; nothing is wrong.
 */
#define NETVERDICT_INFO 0

/**
 * Severity: accepted, but probably not what the author meant.
 */
#define NETVERDICT_WARNING 1

/**
 * Severity: refused, or unreadable.
 */
#define NETVERDICT_ERROR 2

/**
 * Kind of a write: bytes that nothing leads to yet; any way of copying will do.
 */
#define NETVERDICT_WRITE_BYTES 0

/**
 * Kind of a write: two bytes, as one aligned store after all writes before.
 */
#define NETVERDICT_WRITE_WORD16 1

/**
 * Kind of a write: eight bytes, as one aligned store after all writes before.
 */
#define NETVERDICT_WRITE_WORD64 2

/**
 * Kind of a write: a whole image takes the place of the present one.
 */
#define NETVERDICT_WRITE_REPLACE 3

/**
 * Problems, in the order written.
 */
typedef struct netverdict_diagnostics netverdict_diagnostics;

/**
 * The engine: the objects of a cluster, and what follows from them.
 */
typedef struct netverdict_engine netverdict_engine;

/**
 * The policy of an endpoint as of a commit.
 */
typedef struct netverdict_policy netverdict_policy;

/**
 * Follows an engine's table. One thread uses it; other threads have their
 * own.
 */
typedef struct netverdict_reader netverdict_reader;

/**
 * What a commit changes.
 */
typedef struct netverdict_update netverdict_update;

/**
 * What an engine is made with.
 */
typedef struct netverdict_engine_options {
  /**
   * sizeof(netverdict_engine_options), set by the caller.
   */
  size_t struct_size;
  /**
   * A JSON object, or empty for Cilium's defaults. Fields, each of which may
   * be left out: `config` (agent options as in a scenario:
   * `{"enforcement": "always"}`), `disableICMPFragNeeded`,
   * `disableClusterNetworkPolicy`, `wellKnownIdentities`, `fixedIdentities`
   * (number to name), `identityLabels` (which labels make identities),
   * `localNode` (the node whose agent this is), `names` (DNS names and their
   * addresses), `defaultNamespace`, `strictness` (whose refusals count:
   * `agent`, `crds` or `apiserver`), `learning` (how names are learned:
   * `minTtl` in seconds, `maxAddressesPerName`, `maxZombies`, `idleGrace` in
   * milliseconds, `maxHeld`).
   */
  netverdict_str json;
  /**
   * Identities as netverdict_engine_save_identities gave them, so that they
   * keep their numbers; or empty.
   */
  netverdict_bytes identities;
} netverdict_engine_options;

/**
 * One problem. The texts live as long as the diagnostics.
 */
typedef struct netverdict_diagnostic {
  /**
   * sizeof(netverdict_diagnostic), set by the caller.
   */
  size_t struct_size;
  /**
   * NETVERDICT_INFO, NETVERDICT_WARNING or NETVERDICT_ERROR.
   */
  uint32_t severity;
  /**
   * First line, from 1; 0 for a problem without a place.
   */
  uint32_t line;
  /**
   * First column, in characters from 1.
   */
  uint32_t column;
  /**
   * Last line.
   */
  uint32_t end_line;
  /**
   * One past the last column.
   */
  uint32_t end_column;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Stable code, like "NV0432" (docs/diagnostics.md).
   */
  netverdict_str code;
  /**
   * What is wrong.
   */
  netverdict_str message;
  /**
   * Name of the document.
   */
  netverdict_str file;
  /**
   * Field path within the object, like "spec.ingress"; may be empty.
   */
  netverdict_str path;
  /**
   * "Kind/namespace/name"; may be empty.
   */
  netverdict_str object;
  /**
   * What to do instead; may be empty.
   */
  netverdict_str help;
} netverdict_diagnostic;

/**
 * An answer of DNS as it passed.
 */
typedef struct netverdict_dns_answer {
  /**
   * sizeof(netverdict_dns_answer), set by the caller.
   */
  size_t struct_size;
  /**
   * The name that was asked for, whatever names the records have.
   */
  netverdict_str name;
  /**
   * The addresses of all records, as text.
   */
  const netverdict_str *addresses;
  /**
   * How many addresses.
   */
  size_t address_count;
  /**
   * Who asked: any number that the caller knows the endpoint by.
   */
  uint64_t endpoint;
  /**
   * When, in milliseconds since any moment the caller likes.
   */
  uint64_t at;
  /**
   * The shortest time to live of all records, in seconds.
   */
  uint32_t ttl;
  /**
   * 0.
   */
  uint32_t reserved;
} netverdict_dns_answer;

/**
 * A label.
 */
typedef struct netverdict_label {
  /**
   * Its key; for identities with the source before it: "k8s:app".
   */
  netverdict_str key;
  /**
   * Its value; may be empty.
   */
  netverdict_str value;
} netverdict_label;

/**
 * A port with a name.
 */
typedef struct netverdict_named_port {
  /**
   * Its name, as policies call it.
   */
  netverdict_str name;
  /**
   * Its number, host byte order.
   */
  uint16_t port;
  /**
   * IP protocol number: 6 TCP, 17 UDP, 132 SCTP.
   */
  uint8_t protocol;
  /**
   * 0.
   */
  uint8_t reserved[5];
} netverdict_named_port;

/**
 * A pod.
 */
typedef struct netverdict_endpoint {
  /**
   * sizeof(netverdict_endpoint), set by the caller.
   */
  size_t struct_size;
  /**
   * Its namespace.
   */
  netverdict_str namespace_name;
  /**
   * Its name.
   */
  netverdict_str name;
  /**
   * Its node; may be empty.
   */
  netverdict_str node;
  /**
   * Its labels: those of the pod ("app") when `identity` is 0, those of the
   * identity ("k8s:app") otherwise.
   */
  const struct netverdict_label *labels;
  /**
   * How many labels.
   */
  size_t label_count;
  /**
   * Its addresses, as text.
   */
  const netverdict_str *addresses;
  /**
   * How many addresses.
   */
  size_t address_count;
  /**
   * Its named ports.
   */
  const struct netverdict_named_port *ports;
  /**
   * How many named ports.
   */
  size_t port_count;
  /**
   * Its security identity, or 0 to have one allocated for its labels.
   */
  uint32_t identity;
  /**
   * 0.
   */
  uint32_t reserved;
} netverdict_endpoint;

/**
 * A service that policies may name.
 */
typedef struct netverdict_service {
  /**
   * sizeof(netverdict_service), set by the caller.
   */
  size_t struct_size;
  /**
   * Its namespace.
   */
  netverdict_str namespace_name;
  /**
   * Its name.
   */
  netverdict_str name;
  /**
   * Its own labels.
   */
  const struct netverdict_label *labels;
  /**
   * How many.
   */
  size_t label_count;
  /**
   * The labels of the pods behind it.
   */
  const struct netverdict_label *selector;
  /**
   * How many; 0 when the backends are given by `addresses` alone.
   */
  size_t selector_count;
  /**
   * The addresses behind it, as text.
   */
  const netverdict_str *addresses;
  /**
   * How many.
   */
  size_t address_count;
} netverdict_service;

/**
 * What a policy is, beside its entries.
 */
typedef struct netverdict_policy_info {
  /**
   * sizeof(netverdict_policy_info), set by the caller.
   */
  size_t struct_size;
  /**
   * The subject's security identity.
   */
  uint32_t identity;
  /**
   * Not 0 when ingress is denied unless a rule allows it.
   */
  uint32_t ingress_enforced;
  /**
   * Not 0 when egress is denied unless a rule allows it.
   */
  uint32_t egress_enforced;
  /**
   * 0.
   */
  uint32_t reserved;
} netverdict_policy_info;

/**
 * A policy map: packed arrays, 12 bytes an element, in the layout of Cilium's
 * `struct policy_key` and `struct policy_entry`. They live as long as the
 * policy they are of.
 */
typedef struct netverdict_entries {
  /**
   * sizeof(netverdict_entries), set by the caller.
   */
  size_t struct_size;
  /**
   * The keys.
   */
  const uint8_t *keys;
  /**
   * Their values.
   */
  const uint8_t *values;
  /**
   * How many.
   */
  size_t count;
} netverdict_entries;

/**
 * Where a redirect leads. Which redirects there are, `redirect` of an
 * explanation tells.
 */
typedef struct netverdict_proxy_port {
  /**
   * Qualified name of a custom listener; empty for the proxies of Cilium's
   * own.
   */
  netverdict_str listener;
  /**
   * Identity of the subject; 0 for every one that has no port of its own.
   */
  uint32_t identity;
  /**
   * The port that redirects, or the first of a range; host byte order.
   */
  uint16_t port;
  /**
   * The port that the proxy listens on; host byte order, not 0.
   */
  uint16_t proxy_port;
  /**
   * IP protocol number: 6 TCP, 17 UDP, 132 SCTP.
   */
  uint8_t protocol;
  /**
   * NETVERDICT_INGRESS or NETVERDICT_EGRESS.
   */
  uint8_t direction;
  /**
   * 0.
   */
  uint8_t reserved[6];
} netverdict_proxy_port;

/**
 * Where an endpoint stands in the table.
 */
typedef struct netverdict_subject {
  /**
   * sizeof(netverdict_subject), set by the caller.
   */
  size_t struct_size;
  /**
   * The subject, for questions to the table. Endpoints of one identity with
   * the same named ports share one.
   */
  uint32_t subject;
  /**
   * The endpoint's own number, which the table's index knows.
   */
  uint32_t endpoint;
  /**
   * Its security identity.
   */
  uint32_t identity;
  /**
   * 0.
   */
  uint32_t reserved;
} netverdict_subject;

/**
 * What is to be done to the policy map of each of some subjects: first put
 * `put_count` keys with their values, then delete `delete_count` keys. The
 * arrays are packed, 12 bytes an element, in the layout of Cilium's
 * `struct policy_key` and `struct policy_entry`, and live as long as the
 * update.
 */
typedef struct netverdict_map_update {
  /**
   * sizeof(netverdict_map_update), set by the caller.
   */
  size_t struct_size;
  /**
   * The subjects, as the table numbers them.
   */
  const uint32_t *subjects;
  /**
   * How many subjects.
   */
  size_t subject_count;
  /**
   * Keys to put.
   */
  const uint8_t *put_keys;
  /**
   * Their values.
   */
  const uint8_t *put_values;
  /**
   * How many.
   */
  size_t put_count;
  /**
   * Keys to delete.
   */
  const uint8_t *delete_keys;
  /**
   * How many.
   */
  size_t delete_count;
} netverdict_map_update;

/**
 * One step of bringing a copy of the image up to date.
 */
typedef struct netverdict_write {
  /**
   * sizeof(netverdict_write), set by the caller.
   */
  size_t struct_size;
  /**
   * NETVERDICT_WRITE_*.
   */
  uint32_t kind;
  /**
   * Offset from the start of the image.
   */
  uint32_t at;
  /**
   * What to write there, in the bytes of the image. Lives as long as the
   * update.
   */
  const uint8_t *data;
  /**
   * How many bytes.
   */
  size_t len;
} netverdict_write;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes an engine without objects. `options` may be NULL for the defaults.
 */
netverdict_status netverdict_engine_new(const struct netverdict_engine_options *options,
                                        struct netverdict_engine **engine,
                                        netverdict_error **error);

/**
 * Frees an engine and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake. Policies, updates, views and readers made with it stay.
 */
void netverdict_engine_free(struct netverdict_engine **engine);

/**
 * How many commits there were; 0 for NULL.
 */
uint64_t netverdict_engine_revision(const struct netverdict_engine *engine);

/**
 * The numbers of identities, to be handed to the next engine in its options.
 */
netverdict_status netverdict_engine_save_identities(const struct netverdict_engine *engine,
                                                    netverdict_buffer **state,
                                                    netverdict_error **error);

/**
 * Stages a document: YAML or JSON with any number of Kubernetes objects. What
 * a document of that name held is replaced. Objects that a cluster would refuse
 * are left out, and diagnostics say why. `diagnostics` may be NULL.
 */
netverdict_status netverdict_engine_apply(struct netverdict_engine *engine,
                                          netverdict_str name,
                                          netverdict_str text,
                                          struct netverdict_diagnostics **diagnostics,
                                          netverdict_error **error);

/**
 * Stages that a document goes, with all its objects. NETVERDICT_NOT_FOUND when
 * there is none of that name.
 */
netverdict_status netverdict_engine_remove(struct netverdict_engine *engine,
                                           netverdict_str name,
                                           netverdict_error **error);

/**
 * Says what there is to say about a document, without taking it.
 */
netverdict_status netverdict_engine_check(const struct netverdict_engine *engine,
                                          netverdict_str name,
                                          netverdict_str text,
                                          struct netverdict_diagnostics **diagnostics,
                                          netverdict_error **error);

/**
 * Applies all that is staged, and brings the table and its readers up to date.
 * `update`, which may be NULL, gets what is to be done to policy maps and
 * copies of the image. NETVERDICT_COMPILE: the changes are taken, and questions
 * are answered by them, but a policy does not fit into a table.
 */
netverdict_status netverdict_engine_commit(struct netverdict_engine *engine,
                                           struct netverdict_update **update,
                                           netverdict_error **error);

/**
 * What there is to say about how the committed objects fit together; none of
 * it refuses anything.
 */
netverdict_status netverdict_engine_remarks(const struct netverdict_engine *engine,
                                            struct netverdict_diagnostics **diagnostics,
                                            netverdict_error **error);

/**
 * Numbers of subjects that are gone may be given to others from now on: nobody
 * uses an image or a policy map any more that is older than the last commit.
 * Without this call numbers are never used again.
 */
netverdict_status netverdict_engine_end_grace_period(struct netverdict_engine *engine,
                                                     netverdict_error **error);

/**
 * Who may talk to whom in the whole cluster as of the last commit, with ports,
 * proxies and authentication, egress and ingress taken together: what `netverdict
 * reach -o json` prints. `flags`: NETVERDICT_BY_POD, NETVERDICT_WITH_DENIED.
 * Takes as long as building the cluster anew, and more.
 */
netverdict_status netverdict_engine_reach(const struct netverdict_engine *engine,
                                          uint32_t flags,
                                          netverdict_buffer **buffer,
                                          netverdict_error **error);

/**
 * Which connections are open in `engine` and not in `old`, or the other way
 * round, or on other terms, with the rules that decide before and now: what
 * `netverdict diff -o json` prints, but for policies without effect. `flags`:
 * NETVERDICT_BY_POD.
 */
netverdict_status netverdict_engine_diff(const struct netverdict_engine *engine,
                                         const struct netverdict_engine *old,
                                         uint32_t flags,
                                         netverdict_buffer **buffer,
                                         netverdict_error **error);

/**
 * How many there are; 0 for NULL.
 */
size_t netverdict_diagnostics_count(const struct netverdict_diagnostics *diagnostics);

/**
 * How many are errors; 0 for NULL.
 */
size_t netverdict_diagnostics_errors(const struct netverdict_diagnostics *diagnostics);

/**
 * One of them, counted from 0; `diagnostic` has its struct_size set.
 */
netverdict_status netverdict_diagnostics_get(const struct netverdict_diagnostics *diagnostics,
                                             size_t index,
                                             struct netverdict_diagnostic *diagnostic,
                                             netverdict_error **error);

/**
 * All of them as a JSON array, as `netverdict check -o json` prints them.
 */
netverdict_status netverdict_diagnostics_json(const struct netverdict_diagnostics *diagnostics,
                                              netverdict_buffer **buffer,
                                              netverdict_error **error);

/**
 * Frees diagnostics and sets the pointer to NULL. NULL, or a pointer to NULL,
 * is no mistake.
 */
void netverdict_diagnostics_free(struct netverdict_diagnostics **diagnostics);

/**
 * Stages what an answer of DNS says: from the next commit on its addresses are
 * those of the name, until they expire. Apart from what
 * netverdict_engine_set_name says. NETVERDICT_FULL: too much is held, nothing
 * was learned, and the addresses are not allowed.
 */
netverdict_status netverdict_engine_learn(struct netverdict_engine *engine,
                                          const struct netverdict_dns_answer *answer,
                                          netverdict_error **error);

/**
 * Says that a connection of the endpoint to an address was seen alive: the
 * address stays allowed though it expired.
 */
netverdict_status netverdict_engine_keep_alive(struct netverdict_engine *engine,
                                               uint64_t endpoint,
                                               netverdict_str address,
                                               uint64_t at,
                                               netverdict_error **error);

/**
 * Says that all connections of the endpoint were looked through, beginning at
 * `at`: those alive were named by netverdict_engine_keep_alive. An address that
 * expired goes with the second call after that which does not find it alive.
 */
netverdict_status netverdict_engine_end_keep_alive(struct netverdict_engine *engine,
                                                   uint64_t endpoint,
                                                   uint64_t at,
                                                   netverdict_error **error);

/**
 * Says that the endpoint is gone. What it asked for counts until names are
 * expired next.
 */
netverdict_status netverdict_engine_forget_names(struct netverdict_engine *engine,
                                                 uint64_t endpoint,
                                                 netverdict_error **error);

/**
 * Stages that names lose the addresses that expired before `at`. Cilium does
 * this once a minute.
 */
netverdict_status netverdict_engine_expire_names(struct netverdict_engine *engine,
                                                 uint64_t at,
                                                 netverdict_error **error);

/**
 * Stages an identity: a number with its labels, "k8s:app" to "web". What the
 * number meant before is replaced.
 */
netverdict_status netverdict_engine_set_identity(struct netverdict_engine *engine,
                                                 uint32_t identity,
                                                 const struct netverdict_label *labels,
                                                 size_t label_count,
                                                 netverdict_error **error);

/**
 * Stages that an identity goes. NETVERDICT_NOT_FOUND when it was not set.
 */
netverdict_status netverdict_engine_remove_identity(struct netverdict_engine *engine,
                                                    uint32_t identity,
                                                    netverdict_error **error);

/**
 * Stages a namespace with its labels.
 */
netverdict_status netverdict_engine_set_namespace(struct netverdict_engine *engine,
                                                  netverdict_str name,
                                                  const struct netverdict_label *labels,
                                                  size_t label_count,
                                                  netverdict_error **error);

/**
 * Stages that a namespace goes. NETVERDICT_NOT_FOUND when it was not set.
 */
netverdict_status netverdict_engine_remove_namespace(struct netverdict_engine *engine,
                                                     netverdict_str name,
                                                     netverdict_error **error);

/**
 * Stages a pod with its labels, addresses and named ports, in place of what
 * was set for its name before.
 */
netverdict_status netverdict_engine_set_endpoint(struct netverdict_engine *engine,
                                                 const struct netverdict_endpoint *endpoint,
                                                 netverdict_error **error);

/**
 * Stages that a pod goes. NETVERDICT_NOT_FOUND when it was not set.
 */
netverdict_status netverdict_engine_remove_endpoint(struct netverdict_engine *engine,
                                                    netverdict_str namespace_name,
                                                    netverdict_str name,
                                                    netverdict_error **error);

/**
 * Stages a service with its labels, selector and backends.
 */
netverdict_status netverdict_engine_set_service(struct netverdict_engine *engine,
                                                const struct netverdict_service *service,
                                                netverdict_error **error);

/**
 * Stages that a service goes. NETVERDICT_NOT_FOUND when it was not set.
 */
netverdict_status netverdict_engine_remove_service(struct netverdict_engine *engine,
                                                   netverdict_str namespace_name,
                                                   netverdict_str name,
                                                   netverdict_error **error);

/**
 * Stages what DNS says of a name: its addresses, in place of those before.
 * None forgets the name.
 */
netverdict_status netverdict_engine_set_name(struct netverdict_engine *engine,
                                             netverdict_str name,
                                             const netverdict_str *addresses,
                                             size_t address_count,
                                             netverdict_error **error);

/**
 * The policy of an endpoint, named like one end of a flow ("shop/web"), or of
 * the host ("host"). Redirects lead to stand-in ports. NETVERDICT_NO_POLICY when
 * rules contradict each other.
 */
netverdict_status netverdict_engine_policy(const struct netverdict_engine *engine,
                                           netverdict_str endpoint,
                                           struct netverdict_policy **policy,
                                           netverdict_error **error);

/**
 * Whose policy it is, and what is enforced; `info` has its struct_size set.
 */
netverdict_status netverdict_policy_read_info(const struct netverdict_policy *policy,
                                              struct netverdict_policy_info *info,
                                              netverdict_error **error);

/**
 * The policy map, without what pass rules leave behind and no lookup sees;
 * `entries` has its struct_size set.
 */
netverdict_status netverdict_policy_entries(const struct netverdict_policy *policy,
                                            struct netverdict_entries *entries,
                                            netverdict_error **error);

/**
 * The policy as JSON: every entry with its fields in words and the rules
 * behind it.
 */
netverdict_status netverdict_policy_json(const struct netverdict_policy *policy,
                                         netverdict_buffer **buffer,
                                         netverdict_error **error);

/**
 * Frees a policy and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake.
 */
void netverdict_policy_free(struct netverdict_policy **policy);

/**
 * The policy map of a subject of the table, as one buffer: all keys, 12 bytes
 * each, then as many values. For somebody who did not follow the updates from
 * the first. NETVERDICT_NOT_FOUND when there is no such subject.
 */
netverdict_status netverdict_engine_subject_map(const struct netverdict_engine *engine,
                                                uint32_t subject,
                                                netverdict_buffer **buffer,
                                                netverdict_error **error);

/**
 * Stages where redirects lead, in place of what was said before. A redirect
 * that is not among `ports` is not realised yet: policy maps do not have its
 * entries, as with Cilium, and nothing is allowed by them. Before the first
 * call, all redirects lead to stand-ins from port 10001 on, and in
 * explanations and netverdict_policy they always do.
 */
netverdict_status netverdict_engine_set_proxy_ports(struct netverdict_engine *engine,
                                                    const struct netverdict_proxy_port *ports,
                                                    size_t port_count,
                                                    netverdict_error **error);

/**
 * Stages that redirects lead to stand-ins again.
 */
netverdict_status netverdict_engine_use_stand_in_ports(struct netverdict_engine *engine,
                                                       netverdict_error **error);

/**
 * The policy of an endpoint ("shop/web") as Cilium sends it to Envoy: the
 * message cilium.NetworkPolicy as JSON, as `netverdict proxy` prints it. Secrets
 * are named and not read. NETVERDICT_NO_POLICY when rules contradict each other.
 */
netverdict_status netverdict_engine_proxy_policy(const struct netverdict_engine *engine,
                                                 netverdict_str endpoint,
                                                 netverdict_buffer **buffer,
                                                 netverdict_error **error);

/**
 * What happens to a flow, as JSON. The question is JSON: `from` and `to`
 * ("shop/web", an address, a prefix, an entity, a DNS name), and one of `port`
 * ("443/TCP", "GRE"), `icmp` and `icmpv6` (a type, or "type/code"); `fragment`:
 * true for a fragment whose port is unknown. The answer has `verdict` ("allow",
 * "deny", "default-deny", "redirect", "auth-required", "unknown"), and of each
 * side with a policy, `egress` of the sender and `ingress` of the receiver, what
 * its policy says, by which rules (`rule`, its `path` and `at`,
 * "file:line:column"), and where a `redirect` leads. It is what `netverdict
 * verdict -o json` prints.
 *
 * With what is sent on the flow the question has `http` (`method`, `path`
 * with its query, and where there are such, `host` and `headers`, a list of
 * pairs) or `dns` (the name asked for), and `sni` (the server name of a TLS
 * handshake); `secrets` has the values that header matches name, by
 * "namespace/name/item". The answer then has `layer7`: its `outcome` is
 * "forwarded", "not-inspected" (no proxy looks at it), "403", "refused" (as the
 * DNS proxy answers), "dropped", "unknown", or null when the flow itself does not
 * pass, and either side has the rules it `tried`.
 */
netverdict_status netverdict_engine_verdict(const struct netverdict_engine *engine,
                                            netverdict_str question,
                                            netverdict_buffer **buffer,
                                            netverdict_error **error);

/**
 * What happens to a flow, and why: as netverdict_engine_verdict, with an
 * `explanation` of each side: every rule that was a candidate, why it lost or
 * won, and the smallest change that turns the verdict round.
 */
netverdict_status netverdict_engine_explain(const struct netverdict_engine *engine,
                                            netverdict_str question,
                                            netverdict_buffer **buffer,
                                            netverdict_error **error);

/**
 * The security identity of an endpoint, address, prefix or entity. A prefix
 * that no policy names has that of the longest one around it.
 */
netverdict_status netverdict_engine_identity(const struct netverdict_engine *engine,
                                             netverdict_str of,
                                             uint32_t *identity,
                                             netverdict_error **error);

/**
 * The labels of an identity, as a JSON array of "source:key=value".
 * NETVERDICT_NOT_FOUND when it is not in force.
 */
netverdict_status netverdict_engine_identity_labels(const struct netverdict_engine *engine,
                                                    uint32_t identity,
                                                    netverdict_buffer **buffer,
                                                    netverdict_error **error);

/**
 * Finds the subject of an endpoint ("shop/web"), or of "host" where the host
 * firewall is on. NETVERDICT_NOT_FOUND when it has none: to it and from it nothing
 * may pass. `subject` has its struct_size set.
 */
netverdict_status netverdict_engine_subject(const struct netverdict_engine *engine,
                                            netverdict_str endpoint,
                                            struct netverdict_subject *subject,
                                            netverdict_error **error);

/**
 * The image as of the last commit, until the next call that may change the
 * engine. Empty for NULL.
 */
netverdict_bytes netverdict_engine_image(const struct netverdict_engine *engine);

/**
 * A view of the table as of the last commit. It does not change with the
 * engine, and stays when the engine goes.
 */
netverdict_status netverdict_engine_view(const struct netverdict_engine *engine,
                                         netverdict_view **view,
                                         netverdict_error **error);

/**
 * Compiles all endpoints' policies into a table of its own that stays as it is,
 * with the rules behind its verdicts: netverdict_view_origin tells them. Its
 * subjects have numbers of their own; netverdict_view_subject_of_identity finds
 * them. Redirects lead to stand-ins.
 */
netverdict_status netverdict_engine_compile(const struct netverdict_engine *engine,
                                            netverdict_buffer **image,
                                            netverdict_error **error);

/**
 * A reader that follows the table through commits. Make one for each thread;
 * it may be used while other threads use the engine.
 */
netverdict_status netverdict_engine_reader(struct netverdict_engine *engine,
                                           struct netverdict_reader **reader,
                                           netverdict_error **error);

/**
 * Says that nothing is held of the table any more. Call it between batches:
 * until then the reader may go on with a table that another one has taken the
 * place of, and that one cannot be freed. A load and a store.
 */
netverdict_status netverdict_reader_renew(struct netverdict_reader *reader);

/**
 * The subject of an endpoint's number; NETVERDICT_NOT_FOUND when it has none.
 */
netverdict_status netverdict_reader_subject_of_endpoint(struct netverdict_reader *reader,
                                                        uint32_t endpoint,
                                                        uint32_t *subject);

/**
 * As netverdict_view_verdict, of the table as it is now: that before or after
 * a commit, never a mixture. Neither allocates nor locks nor waits.
 */
netverdict_status netverdict_reader_verdict(struct netverdict_reader *reader,
                                            const netverdict_question *question,
                                            netverdict_verdict *verdict);

/**
 * As netverdict_view_verdict_batch, of the table as it is now.
 */
netverdict_status netverdict_reader_verdict_batch(struct netverdict_reader *reader,
                                                  const netverdict_question *questions,
                                                  size_t count,
                                                  netverdict_verdict *verdicts);

/**
 * Frees a reader and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake. The engine may be gone already.
 */
void netverdict_reader_free(struct netverdict_reader **reader);

/**
 * Answers a scenario as `netverdict-scenario` does: policies, identities,
 * endpoints and queries in, maps and verdicts out.
 */
netverdict_status netverdict_scenario_answer(netverdict_str scenario,
                                             netverdict_buffer **buffer,
                                             netverdict_error **error);

/**
 * Compiles the endpoints of a scenario that have a policy into a table:
 * subject i is the ith of them, and its identity finds it.
 */
netverdict_status netverdict_scenario_compile(netverdict_str scenario,
                                              netverdict_buffer **image,
                                              netverdict_error **error);

/**
 * Answers a question about layer 7 in the exchange format, as
 * `netverdict-scenario --l7` does: `kind` is "dns", "http", "sni", "fqdn" or
 * "proxy", and the answer is the question with its answers filled in.
 */
netverdict_status netverdict_scenario_layer7(netverdict_str kind,
                                             netverdict_str question,
                                             netverdict_buffer **buffer,
                                             netverdict_error **error);

/**
 * The engine's revision after the commit; 0 for NULL.
 */
uint64_t netverdict_update_revision(const struct netverdict_update *update);

/**
 * 1 when the table began anew and may have given subjects other numbers:
 * policy maps are to be emptied, the map updates hold every entry. Else 0.
 */
uint32_t netverdict_update_is_whole(const struct netverdict_update *update);

/**
 * 0 when readers of the engine stay with an older table, because some of them
 * have not renewed through several whole new images; a later commit brings them
 * up to date. Else 1.
 */
uint32_t netverdict_update_readers_follow(const struct netverdict_update *update);

/**
 * How many map updates there are; 0 for NULL.
 */
size_t netverdict_update_map_count(const struct netverdict_update *update);

/**
 * How many writes there are; 0 for NULL.
 */
size_t netverdict_update_write_count(const struct netverdict_update *update);

/**
 * One of the map updates, counted from 0; `map` has its struct_size set.
 */
netverdict_status netverdict_update_map(const struct netverdict_update *update,
                                        size_t index,
                                        struct netverdict_map_update *map,
                                        netverdict_error **error);

/**
 * One of the writes, counted from 0, in the order they have to happen;
 * `write` has its struct_size set.
 */
netverdict_status netverdict_update_write(const struct netverdict_update *update,
                                          size_t index,
                                          struct netverdict_write *write,
                                          netverdict_error **error);

/**
 * Frees an update and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake.
 */
void netverdict_update_free(struct netverdict_update **update);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NETVERDICT_H */
