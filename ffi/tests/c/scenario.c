/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Answers scenarios, one a line, as netverdict-scenario --lines does: by it
 * cargo xtask testdata --engine replays every case through the C ABI. C99, C++17.
 */
#define _POSIX_C_SOURCE 200809L
#include <netverdict.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    while ((length = getline(&line, &room, stdin)) >= 0) {
        netverdict_buffer *answer = NULL;
        netverdict_error *error = NULL;
        netverdict_str scenario;
        netverdict_bytes bytes;
        scenario.data = line;
        scenario.len = (size_t)length;
        if (netverdict_scenario_answer(scenario, &answer, &error) != NETVERDICT_OK) {
            fprintf(stderr, "%s\n", netverdict_error_message(error).data);
            netverdict_error_free(&error);
            free(line);
            return 2;
        }
        bytes = netverdict_buffer_bytes(answer);
        fwrite(bytes.data, 1, bytes.len, stdout);
        putchar('\n');
        netverdict_buffer_free(&answer);
    }
    free(line);
    return 0;
}
