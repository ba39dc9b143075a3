/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Verdict tables of netverdict: statuses, errors, and views of images. Part of
 * libnetverdict and all of libnetverdict_table.
 *
 * Written by `cargo xtask header` from ffi/src; docs/c-abi.md has the rules.
 */

#ifndef NETVERDICT_VIEW_H
#define NETVERDICT_VIEW_H

#include <stddef.h>
#include <stdint.h>

/**
 * Number of the ABI; see docs/c-abi.md.
 */
#define NETVERDICT_ABI_VERSION 0

/**
 * Traffic to the subject.
 */
#define NETVERDICT_INGRESS 0

/**
 * Traffic from the subject.
 */
#define NETVERDICT_EGRESS 1

/**
 * Flag of a verdict: a rule denies.
 */
#define NETVERDICT_VERDICT_DENY 1

/**
 * Flag of a verdict: the table has no such subject. To it and from it nothing
 * passes.
 */
#define NETVERDICT_VERDICT_NO_SUBJECT 128

/**
 * Code of a verdict: the packet passes, be it by way of a proxy.
 */
#define NETVERDICT_CODE_PASS 0

/**
 * Code of a verdict: no rule allows it.
 */
#define NETVERDICT_CODE_POLICY (-133)

/**
 * Code of a verdict: a fragment whose port is unknown, and no rule allows it.
 */
#define NETVERDICT_CODE_FRAGMENT (-157)

/**
 * Code of a verdict: a rule denies it.
 */
#define NETVERDICT_CODE_DENY (-181)

/**
 * Code of a verdict: the peers have to authenticate first.
 */
#define NETVERDICT_CODE_AUTH_REQUIRED (-189)

/**
 * `auth_donor` of a verdict that inherited no authentication.
 */
#define NETVERDICT_NOT_INHERITED 255

/**
 * Bytes made for the caller: JSON, or an image.
 */
typedef struct netverdict_buffer netverdict_buffer;

/**
 * Why a call failed.
 */
typedef struct netverdict_error netverdict_error;

/**
 * The rules behind a verdict.
 */
typedef struct netverdict_origin netverdict_origin;

/**
 * A table that was checked and does not change. All functions on it may be
 * called from any number of threads.
 */
typedef struct netverdict_view netverdict_view;

/**
 * What became of a call: NETVERDICT_OK, or why it failed.
 */
typedef int32_t netverdict_status;

/**
 * Bytes that belong to a handle.
 */
typedef struct netverdict_bytes {
  /**
   * The first byte; never NULL when the library returns it.
   */
  const uint8_t *data;
  /**
   * How many bytes.
   */
  size_t len;
} netverdict_bytes;

/**
 * A text: UTF-8, `len` bytes. One that the library returns has a 0 behind it
 * and none within.
 */
typedef struct netverdict_str {
  /**
   * The first byte; may be NULL when len is 0.
   */
  const char *data;
  /**
   * How many bytes.
   */
  size_t len;
} netverdict_str;

/**
 * What an image says of itself.
 */
typedef struct netverdict_image_info {
  /**
   * sizeof(netverdict_image_info), set by the caller.
   */
  size_t struct_size;
  /**
   * Bytes of the image.
   */
  uint64_t length;
  /**
   * Revision of the policies it was made of.
   */
  uint64_t revision;
  /**
   * Content hash; valid in a frozen image.
   */
  uint64_t hash;
  /**
   * Format it was written in.
   */
  uint32_t format;
  /**
   * Format that a reader must know.
   */
  uint32_t oldest_reader;
  /**
   * Whose semantics: Cilium's version, major * 65536 + minor.
   */
  uint32_t semantics;
  /**
   * How many numbers of subjects there are; some may be nobody's.
   */
  uint32_t subjects;
  /**
   * How many identities.
   */
  uint32_t identities;
  /**
   * Not 0 when nothing will change any more and the hash is valid.
   */
  uint32_t frozen;
} netverdict_image_info;

/**
 * A packet without a connection yet: 16 bytes, for ever.
 */
typedef struct netverdict_question {
  /**
   * Whose policy: the number of a subject of the table.
   */
  uint32_t subject;
  /**
   * The other side's security identity.
   */
  uint32_t identity;
  /**
   * Destination port, host byte order; for ICMP and ICMPv6 the type.
   */
  uint16_t port;
  /**
   * IP protocol number.
   */
  uint8_t protocol;
  /**
   * NETVERDICT_INGRESS or NETVERDICT_EGRESS.
   */
  uint8_t direction;
  /**
   * Code of an ICMP message; only "fragmentation needed" (3, 4) matters.
   */
  uint8_t icmp_code;
  /**
   * Not 0 for a fragment whose first part was not seen: no port is known.
   */
  uint8_t untracked_fragment;
  /**
   * 0.
   */
  uint16_t reserved;
} netverdict_question;

/**
 * What becomes of a packet: 16 bytes, for ever.
 */
typedef struct netverdict_verdict {
  /**
   * The proxy's port, host byte order; 0 for none.
   */
  uint16_t proxy_port;
  /**
   * NETVERDICT_VERDICT_DENY, NETVERDICT_VERDICT_NO_SUBJECT.
   */
  uint8_t flags;
  /**
   * Authentication type in effect; 0 for none.
   */
  uint8_t auth_type;
  /**
   * 0 when the packet passes, else one of NETVERDICT_CODE_*: Cilium's drop
   * reason, negative.
   */
  int16_t code;
  /**
   * How much of the packet the deciding entry looks at: 0 there is none,
   * 1 L3-Only, 2 L3-L4, 3 L4-Only, 4 all, 5 L3-Proto, 6 Proto-Only.
   */
  uint8_t match_type;
  /**
   * Prefix length of the entry that authentication is inherited from, or
   * NETVERDICT_NOT_INHERITED.
   */
  uint8_t auth_donor;
  /**
   * The policy log cookie; 0 for none.
   */
  uint32_t cookie;
  /**
   * 0.
   */
  uint32_t reserved;
} netverdict_verdict;

/**
 * A rule behind a verdict. Its texts live as long as the origin they are of.
 */
typedef struct netverdict_rule {
  /**
   * sizeof(netverdict_rule), set by the caller.
   */
  size_t struct_size;
  /**
   * The policy it is of: "Kind/namespace/name".
   */
  struct netverdict_str rule;
  /**
   * Its place within the policy, as a path of fields; may be empty.
   */
  struct netverdict_str path;
  /**
   * The document it was read from; may be empty.
   */
  struct netverdict_str file;
  /**
   * Line there, counted from 1; 0 for none.
   */
  uint32_t line;
  /**
   * Column there, counted from 1; 0 for none.
   */
  uint32_t column;
  /**
   * Not 0 when the verdict has nothing but its authentication from it.
   */
  uint32_t authentication;
  /**
   * 0.
   */
  uint32_t reserved;
} netverdict_rule;

/**
 * Success.
 */
#define NETVERDICT_OK 0

/**
 * A pointer that must not be NULL is.
 */
#define NETVERDICT_NULL_ARGUMENT 1000

/**
 * A bug of netverdict: it panicked. The handle is poisoned now.
 */
#define NETVERDICT_PANIC 1001

/**
 * An earlier call panicked, and left the handle in no state to be used.
 */
#define NETVERDICT_POISONED 1002

/**
 * There is not enough memory.
 */
#define NETVERDICT_NO_MEMORY 1003

/**
 * A length or count is greater than anything that can be.
 */
#define NETVERDICT_TOO_LARGE 1004

/**
 * The struct_size of a struct is none that it ever had, or fields that this
 * version does not know are not 0.
 */
#define NETVERDICT_STRUCT_SIZE 1005

/**
 * An argument has no meaning: a direction above 1, a misaligned array, …
 */
#define NETVERDICT_BAD_ARGUMENT 1006

/**
 * There is nothing of that name or number.
 */
#define NETVERDICT_NOT_FOUND 1007

/**
 * As much is held as may be; nothing was taken.
 */
#define NETVERDICT_FULL 1008

/**
 * A text is not UTF-8, or contains a 0.
 */
#define NETVERDICT_NOT_UTF8 1100

/**
 * JSON that cannot be read, or has fields that do not exist.
 */
#define NETVERDICT_JSON 1101

/**
 * One end of a flow names nothing, or several things.
 */
#define NETVERDICT_PEER 1102

/**
 * An object made of arguments is refused, as it would be in a cluster.
 */
#define NETVERDICT_REFUSED 1103

/**
 * A policy does not fit into a table. The last good table stays in force, and
 * the next commit that succeeds makes a whole one.
 */
#define NETVERDICT_COMPILE 1200

/**
 * Rules contradict each other: there is no policy of them.
 */
#define NETVERDICT_NO_POLICY 1201

/**
 * Bytes that should be saved identities are not.
 */
#define NETVERDICT_IDENTITY_STATE 1202

/**
 * Fewer bytes than the table says it has.
 */
#define NETVERDICT_TABLE_SHORT 1300

/**
 * Bytes that are no table: the magic number is missing.
 */
#define NETVERDICT_TABLE_MAGIC 1301

/**
 * A table for later readers.
 */
#define NETVERDICT_TABLE_FORMAT 1302

/**
 * A damaged table: its content is not what its hash was computed of.
 */
#define NETVERDICT_TABLE_HASH 1303

/**
 * A damaged or malicious table: an offset or a number is out of its range.
 */
#define NETVERDICT_TABLE_DAMAGED 1304

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a status, like "NETVERDICT_OK"; "unknown" for a number that is
 * none. Never NULL, and valid for ever.
 */
const char *netverdict_status_name(netverdict_status status);

/**
 * NETVERDICT_ABI_VERSION of the library, to compare with that of the header.
 */
uint32_t netverdict_abi_version(void);

/**
 * The version of the library, like "0.1.0". Never NULL, and valid for ever.
 */
const char *netverdict_version(void);

/**
 * The bytes of a buffer, until it is freed. A 0 stands behind them, so that
 * JSON can be used as a C string. Empty for NULL.
 */
struct netverdict_bytes netverdict_buffer_bytes(const struct netverdict_buffer *buffer);

/**
 * Frees a buffer and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake.
 */
void netverdict_buffer_free(struct netverdict_buffer **buffer);

/**
 * Frees an error and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake.
 */
void netverdict_error_free(struct netverdict_error **error);

/**
 * The status of the call that failed; NETVERDICT_OK for NULL.
 */
netverdict_status netverdict_error_status(const struct netverdict_error *error);

/**
 * What went wrong, in words; empty for NULL.
 */
struct netverdict_str netverdict_error_message(const struct netverdict_error *error);

/**
 * The code of the diagnostic behind the failure, like "NV0620"
 * (docs/diagnostics.md); empty when there is none.
 */
struct netverdict_str netverdict_error_code(const struct netverdict_error *error);

/**
 * The name of the document that the failure is about; empty for none.
 */
struct netverdict_str netverdict_error_file(const struct netverdict_error *error);

/**
 * The line there, counted from 1; 0 for none.
 */
uint32_t netverdict_error_line(const struct netverdict_error *error);

/**
 * The column there, in characters counted from 1; 0 for none.
 */
uint32_t netverdict_error_column(const struct netverdict_error *error);

/**
 * Checks an image completely and copies it. Bytes behind the image's own
 * length are ignored. No bytes are harmful.
 */
netverdict_status netverdict_view_load(const uint8_t *bytes,
                                       size_t len,
                                       struct netverdict_view **view,
                                       struct netverdict_error **error);

/**
 * As netverdict_view_load without the copy: the bytes must stay where they
 * are and as they are until the view is freed, whoever else can reach them.
 */
netverdict_status netverdict_view_borrow(const uint8_t *bytes,
                                         size_t len,
                                         struct netverdict_view **view,
                                         struct netverdict_error **error);

/**
 * Frees a view and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake.
 */
void netverdict_view_free(struct netverdict_view **view);

/**
 * Reads what an image says of itself; its content is not checked. `info` has
 * its struct_size set.
 */
netverdict_status netverdict_image_read_info(const uint8_t *bytes,
                                             size_t len,
                                             struct netverdict_image_info *info,
                                             struct netverdict_error **error);

/**
 * The bytes of the image, until the view is freed. Empty for NULL.
 */
struct netverdict_bytes netverdict_view_image(const struct netverdict_view *view);

/**
 * The subject of an endpoint's number; NETVERDICT_NOT_FOUND when it has none.
 */
netverdict_status netverdict_view_subject_of_endpoint(const struct netverdict_view *view,
                                                      uint32_t endpoint,
                                                      uint32_t *subject);

/**
 * The subject of an identity; NETVERDICT_NOT_FOUND when it has none.
 */
netverdict_status netverdict_view_subject_of_identity(const struct netverdict_view *view,
                                                      uint32_t identity,
                                                      uint32_t *subject);

/**
 * What becomes of a packet. Neither allocates nor locks nor waits: may be
 * called in a signal handler. A table without the subject drops, with the flag
 * NETVERDICT_VERDICT_NO_SUBJECT.
 */
netverdict_status netverdict_view_verdict(const struct netverdict_view *view,
                                          const struct netverdict_question *question,
                                          struct netverdict_verdict *verdict);

/**
 * Answers `count` questions into as many verdicts; as netverdict_view_verdict.
 * When a question has no direction, NETVERDICT_BAD_ARGUMENT is returned, and
 * what stands in `verdicts` means nothing.
 */
netverdict_status netverdict_view_verdict_batch(const struct netverdict_view *view,
                                                const struct netverdict_question *questions,
                                                size_t count,
                                                struct netverdict_verdict *verdicts);

/**
 * Answers `count` questions about one subject and direction, given as columns:
 * identity, protocol and port of each. As netverdict_view_verdict.
 */
netverdict_status netverdict_view_verdict_columns(const struct netverdict_view *view,
                                                  uint32_t subject,
                                                  uint8_t direction,
                                                  const uint32_t *identities,
                                                  const uint8_t *protocols,
                                                  const uint16_t *ports,
                                                  size_t count,
                                                  struct netverdict_verdict *verdicts);

/**
 * What becomes of a packet, in a word: "allow", "redirect", "auth-required",
 * "deny" or "default-deny". Never NULL, and valid for ever.
 */
const char *netverdict_verdict_word(const struct netverdict_verdict *verdict);

/**
 * The rules behind the verdict about a question. Tables that `netverdict
 * compile` and netverdict_engine_compile make have them; an engine's own view,
 * which changes, does not. NETVERDICT_NOT_FOUND: the table has none, or no such
 * subject.
 */
netverdict_status netverdict_view_origin(const struct netverdict_view *view,
                                         const struct netverdict_question *question,
                                         struct netverdict_origin **origin,
                                         struct netverdict_error **error);

/**
 * How many rules there are; none when nothing but the lack of a rule decides. 0
 * for NULL.
 */
size_t netverdict_origin_count(const struct netverdict_origin *origin);

/**
 * One of the rules, counted from 0; `rule` has its struct_size set.
 */
netverdict_status netverdict_origin_get(const struct netverdict_origin *origin,
                                        size_t index,
                                        struct netverdict_rule *rule,
                                        struct netverdict_error **error);

/**
 * Frees an origin and sets the pointer to NULL. NULL, or a pointer to NULL, is
 * no mistake.
 */
void netverdict_origin_free(struct netverdict_origin **origin);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NETVERDICT_VIEW_H */

/* Structs of the hot path never change their sizes. */
typedef char netverdict_assert_question[sizeof(netverdict_question) == 16 ? 1 : -1];
typedef char netverdict_assert_verdict[sizeof(netverdict_verdict) == 16 ? 1 : -1];
