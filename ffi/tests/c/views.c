/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Updates, views and readers: what each function is for, and what it says
 * to NULL, to sizes that cannot be, and to handles that are gone. C99, and C++17.
 */
#include "check.h"

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

int main(void)
{
    updates();
    tables();
    printf("%lu checks\n", check_count);
    return 0;
}
