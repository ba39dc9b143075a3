/*
 * Asks a table the same questions over and over, as examples/lookups.rs does.
 *
 * In: `policy` or `table`, a table, questions of eight bytes (identity, port,
 * protocol, direction, little-endian), how often to go through them. Out: the
 * sum of the verdicts' codes.
 */
#include "netverdict_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nv_u8 *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    nv_u8 *bytes;
    long end;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) <= 0) {
        perror(path);
        exit(3);
    }
    rewind(file);
    *length = (size_t)end;
    bytes = malloc(*length);
    if (bytes == NULL || fread(bytes, 1, *length, file) != *length) {
        perror(path);
        exit(3);
    }
    fclose(file);
    return bytes;
}

static void decode(const nv_u8 *from, struct nv_question *question)
{
    memset(question, 0, sizeof *question);
    question->identity = (nv_u32)from[0] | (nv_u32)from[1] << 8 | (nv_u32)from[2] << 16 |
                         (nv_u32)from[3] << 24;
    question->port = (nv_u16)(from[4] | from[5] << 8);
    question->protocol = from[6];
    question->direction = from[7] & 1;
}

#if defined(__GNUC__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE
#endif

/* Each way is a loop of its own, as in who uses it: else both share the
 * processor's registers. */
NOINLINE static long long ask_policy(const struct nv_table *table, const struct nv_policy *policy,
                            const struct nv_question *questions, size_t count)
{
    long long sum = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        struct nv_answer answer;
        netverdict_table_lookup(table, policy, questions[i].identity, questions[i].protocol,
                                questions[i].port, &answer);
        sum += answer.code;
    }
    return sum;
}

NOINLINE static long long ask_table(const struct nv_table *table, const struct nv_question *questions, size_t count)
{
    long long sum = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        struct nv_answer answer;
        netverdict_table_verdict(table, &questions[i], &answer);
        sum += answer.code;
    }
    return sum;
}

int main(int argc, char **argv)
{
    struct nv_table table;
    struct nv_policy policy;
    struct nv_question *questions;
    size_t length, bytes, count, i;
    nv_u8 *image, *raw;
    unsigned long times, t;
    long long sum = 0;
    if (argc != 5) {
        fputs("usage: lookups policy|table IMAGE QUESTIONS TIMES\n", stderr);
        return 1;
    }
    image = read_file(argv[2], &length);
    raw = read_file(argv[3], &bytes);
    times = strtoul(argv[4], NULL, 10);
    count = bytes / 8;
    questions = calloc(count, sizeof *questions);
    if (questions == NULL || netverdict_table_open(&table, image, length) != 0)
        return 4;
    for (i = 0; i < count; i++)
        decode(raw + i * 8, &questions[i]);
    if (!netverdict_table_policy(&table, 0, questions[0].direction, &policy))
        return 4;
    for (t = 0; t < times; t++)
        sum += argv[1][0] == 'p' ? ask_policy(&table, &policy, questions, count)
                                 : ask_table(&table, questions, count);
    printf("%lld\n", sum);
    free(questions);
    free(raw);
    free(image);
    return 0;
}
