/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Readers in threads of their own while the engine changes, and several
 * threads that ask one engine at a time when it does not. C99, C++17; POSIX
 * threads.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

enum { THREADS = 3, COMMITS = 40, QUESTIONS = 64 };

/* The policy allows web to reach db on one of two ports, in turns. */
static const char *const EITHER[2] = {
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop},\n"
    " spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 1000}]}]}}",
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop},\n"
    " spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 2000}]}]}}"};

struct follower {
    netverdict_reader *reader;
    uint32_t subject;
    uint32_t identity;
    unsigned long asked;
    unsigned long wrong;
    int *over;
};

static int is_over(int *over)
{
    return __atomic_load_n(over, __ATOMIC_ACQUIRE);
}

static void *follow(void *argument)
{
    struct follower *f = (struct follower *)argument;
    netverdict_question questions[QUESTIONS];
    netverdict_verdict verdicts[QUESTIONS];
    int i;

    memset(questions, 0, sizeof questions);
    for (i = 0; i < QUESTIONS; i++) {
        questions[i].subject = f->subject;
        questions[i].identity = f->identity;
        questions[i].protocol = 6;
        questions[i].port = (uint16_t)(i % 2 ? 2000 : 1000);
    }
    do {
        if (netverdict_reader_verdict_batch(f->reader, questions, QUESTIONS, verdicts) != NETVERDICT_OK)
            f->wrong++;
        for (i = 0; i < QUESTIONS; i++)
            if (verdicts[i].code != 0 && verdicts[i].code != NETVERDICT_CODE_POLICY)
                f->wrong++;
        /* One at a time: each is that of some commit. */
        if (netverdict_reader_verdict(f->reader, questions, verdicts) != NETVERDICT_OK || verdicts[0].flags != 0)
            f->wrong++;
        if (netverdict_reader_renew(f->reader) != NETVERDICT_OK)
            f->wrong++;
        f->asked += QUESTIONS;
    } while (!is_over(f->over));
    return NULL;
}

struct asker {
    const netverdict_engine *engine;
    const netverdict_view *view;
    netverdict_question question;
    unsigned long wrong;
};

static void *ask(void *argument)
{
    struct asker *a = (struct asker *)argument;
    int i;
    for (i = 0; i < 20; i++) {
        netverdict_buffer *json = NULL;
        netverdict_policy *policy = NULL;
        netverdict_verdict verdict;
        if (netverdict_engine_explain(a->engine,
                text("{\"from\":\"shop/web\",\"to\":\"shop/db\",\"port\":\"1000/TCP\"}"), &json, NULL) != NETVERDICT_OK ||
            !has(&json, "\"verdict\":\"default-deny\""))
            a->wrong++;
        if (netverdict_engine_policy(a->engine, text("shop/db"), &policy, NULL) != NETVERDICT_OK)
            a->wrong++;
        netverdict_policy_free(&policy);
        if (netverdict_view_verdict(a->view, &a->question, &verdict) != NETVERDICT_OK ||
            verdict.code != NETVERDICT_CODE_POLICY)
            a->wrong++;
    }
    return NULL;
}

int main(void)
{
    netverdict_engine *engine = NULL;
    netverdict_view *view = NULL;
    netverdict_subject subject;
    pthread_t threads[THREADS];
    struct follower followers[THREADS];
    struct asker askers[THREADS];
    uint32_t web = 0;
    unsigned long asked = 0;
    int over = 0, i;

    DONE(netverdict_engine_new(NULL, &engine, error));
    DONE(netverdict_engine_apply(engine, text("shop.yaml"), text(SHOP), NULL, error));
    DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(EITHER[0]), NULL, error));
    DONE(netverdict_engine_commit(engine, NULL, error));
    DONE(netverdict_engine_identity(engine, text("shop/web"), &web, error));
    memset(&subject, 0, sizeof subject);
    subject.struct_size = sizeof subject;
    DONE(netverdict_engine_subject(engine, text("shop/db"), &subject, error));

    memset(followers, 0, sizeof followers);
    for (i = 0; i < THREADS; i++) {
        followers[i].subject = subject.subject;
        followers[i].identity = web;
        followers[i].over = &over;
        DONE(netverdict_engine_reader(engine, &followers[i].reader, error));
        CHECK(pthread_create(&threads[i], NULL, follow, &followers[i]) == 0);
    }
    for (i = 1; i < COMMITS; i++) {
        netverdict_update *update = NULL;
        DONE(netverdict_engine_apply(engine, text("policy.yaml"), text(EITHER[i % 2]), NULL, error));
        DONE(netverdict_engine_commit(engine, &update, error));
        netverdict_update_free(&update);
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(followers[i].wrong == 0);
        asked += followers[i].asked;
    }
    CHECK(asked >= QUESTIONS * THREADS);

    DONE(netverdict_engine_view(engine, &view, error));
    memset(askers, 0, sizeof askers);
    for (i = 0; i < THREADS; i++) {
        askers[i].engine = engine;
        askers[i].view = view;
        askers[i].question.subject = subject.subject;
        askers[i].question.identity = web;
        askers[i].question.protocol = 6;
        askers[i].question.port = 1000;
        CHECK(pthread_create(&threads[i], NULL, ask, &askers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(askers[i].wrong == 0);
    }
    netverdict_view_free(&view);
    netverdict_engine_free(&engine);
    for (i = 0; i < THREADS; i++)
        netverdict_reader_free(&followers[i].reader);
    printf("%lu checks\n", check_count);
    return 0;
}
