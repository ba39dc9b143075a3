/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Versions, errors, engines and documents: what each function is for, and what it says
 * to NULL, to sizes that cannot be, and to handles that are gone. C99, and C++17.
 */
#include "check.h"

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

int main(void)
{
    versions();
    errors();
    engines();
    documents();
    printf("%lu checks\n", check_count);
    return 0;
}
