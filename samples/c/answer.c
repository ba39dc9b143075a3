#include <netverdict.h>
#include <stdio.h>
#include <string.h>

static netverdict_str text(const char *s)
{
    netverdict_str str = {s, strlen(s)};
    return str;
}

int main(void)
{
    static char yaml[65536];
    const char *from[] = {"shop/api", "shop/web"};
    netverdict_engine *engine = NULL;
    netverdict_view *view = NULL;
    netverdict_error *error = NULL;
    netverdict_subject db = {sizeof db, 0, 0, 0, 0};
    int i, failed = 1;
    FILE *file = fopen("shop.yaml", "rb");

    if (!file || !fread(yaml, 1, sizeof yaml - 1, file))
        return 2;
    fclose(file);
    if (netverdict_engine_new(NULL, &engine, &error) ||
        netverdict_engine_apply(engine, text("shop.yaml"), text(yaml), NULL, &error) ||
        netverdict_engine_commit(engine, NULL, &error) ||
        netverdict_engine_subject(engine, text("shop/db"), &db, &error) ||
        netverdict_engine_view(engine, &view, &error))
        goto end;
    for (i = 0; i < 2; i++) {
        netverdict_question question = {0};
        netverdict_verdict verdict;

        question.subject = db.subject;
        question.direction = NETVERDICT_INGRESS;
        question.protocol = 6;
        question.port = 5432;
        /* A name becomes a number once; what follows is the lookup of a datapath. */
        if (netverdict_engine_identity(engine, text(from[i]), &question.identity, &error) ||
            netverdict_view_verdict(view, &question, &verdict))
            goto end;
        printf("%s -> shop/db 5432/TCP: %s\n", from[i], netverdict_verdict_word(&verdict));
    }
    failed = 0;
end:
    if (error)
        fprintf(stderr, "%s\n", netverdict_error_message(error).data);
    netverdict_error_free(&error);
    netverdict_view_free(&view);
    netverdict_engine_free(&engine);
    return failed;
}
