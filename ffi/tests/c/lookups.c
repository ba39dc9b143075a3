/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Asks a view the same questions over and over, as table/examples/lookups.rs
 * does.
 *
 * In: `view` or `view-batch`, a table, questions of eight bytes (identity, port,
 * protocol, direction, little-endian), how often to go through them. Out: the
 * sum of the verdicts' codes, and the time for each in the fastest round, in
 * nanoseconds.
 */
#define _POSIX_C_SOURCE 200809L
#include <netverdict_view.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint8_t *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long end;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) <= 0) {
        perror(path);
        exit(3);
    }
    rewind(file);
    *length = (size_t)end;
    bytes = (uint8_t *)malloc(*length);
    if (bytes == NULL || fread(bytes, 1, *length, file) != *length) {
        perror(path);
        exit(3);
    }
    fclose(file);
    return bytes;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    netverdict_view *view = NULL;
    netverdict_question *questions;
    netverdict_verdict *verdicts;
    size_t length, bytes, count, i;
    uint8_t *image, *raw;
    unsigned long times, t;
    long long sum = 0;
    double start, least = 1e18;
    if (argc != 5) {
        fputs("usage: lookups view|view-batch IMAGE QUESTIONS TIMES\n", stderr);
        return 1;
    }
    image = read_file(argv[2], &length);
    raw = read_file(argv[3], &bytes);
    times = strtoul(argv[4], NULL, 10);
    count = bytes / 8;
    questions = (netverdict_question *)calloc(count, sizeof *questions);
    verdicts = (netverdict_verdict *)calloc(count, sizeof *verdicts);
    if (questions == NULL || verdicts == NULL ||
        netverdict_view_borrow(image, length, &view, NULL) != NETVERDICT_OK)
        return 4;
    for (i = 0; i < count; i++) {
        const uint8_t *from = raw + i * 8;
        questions[i].identity =
            (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
        questions[i].port = (uint16_t)(from[4] | from[5] << 8);
        questions[i].protocol = from[6];
        questions[i].direction = from[7] & 1;
    }
    for (t = 0; t < times; t++) {
        start = now();
        if (strcmp(argv[1], "view-batch") == 0) {
            if (netverdict_view_verdict_batch(view, questions, count, verdicts) != NETVERDICT_OK)
                return 5;
            sum += verdicts[t % count].code;
        } else {
            for (i = 0; i < count; i++) {
                netverdict_verdict verdict;
                if (netverdict_view_verdict(view, &questions[i], &verdict) != NETVERDICT_OK)
                    return 5;
                sum += verdict.code;
            }
        }
        if (now() - start < least)
            least = now() - start;
    }
    printf("%lld\n%.1f ns\n", sum, least / (double)count);
    netverdict_view_free(&view);
    free(verdicts);
    free(questions);
    free(raw);
    free(image);
    return 0;
}
