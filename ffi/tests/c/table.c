/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * libnetverdict_table alone, and beside it the lookup of netverdict_table.h:
 * both say the same of an image, for every subject, direction and peer asked.
 * In: the file of an image. C99, C++17.
 */
#include <netverdict_table.h>
#include <netverdict_view.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t PROTOCOLS[] = {0, 1, 6, 17, 58, 132, 255};
static const uint16_t PORTS[] = {0, 3, 22, 53, 80, 443, 5432, 8080, 65535};

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    uint8_t *bytes;
    size_t length;
    unsigned long asked = 0;
    netverdict_view *view = NULL;
    netverdict_error *error = NULL;
    struct nv_table table;
    uint32_t subject, identity;
    netverdict_image_info info;

    if (!file)
        return 1;
    bytes = (uint8_t *)malloc(1 << 24);
    if (!bytes)
        return 1;
    length = fread(bytes, 1, 1 << 24, file);
    fclose(file);
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    if (netverdict_image_read_info(bytes, length, &info, &error) != NETVERDICT_OK ||
        netverdict_view_borrow(bytes, length, &view, &error) != NETVERDICT_OK ||
        netverdict_table_open(&table, bytes, length) != 0) {
        fprintf(stderr, "%s\n", netverdict_error_message(error).data);
        return 1;
    }
    for (subject = 0; subject <= info.subjects; subject++)
        for (identity = 0; identity < 300; identity++) {
            size_t p, q;
            uint32_t peer = identity < 280 ? identity : 0x01000000u + identity - 280;
            for (p = 0; p < sizeof PROTOCOLS; p++)
                for (q = 0; q < sizeof PORTS / sizeof *PORTS; q++) {
                    netverdict_question question;
                    netverdict_verdict verdict;
                    struct nv_question header_question;
                    struct nv_answer answer;
                    int known;
                    memset(&question, 0, sizeof question);
                    memset(&header_question, 0, sizeof header_question);
                    header_question.subject = question.subject = subject;
                    header_question.identity = question.identity = peer;
                    header_question.protocol = question.protocol = PROTOCOLS[p];
                    header_question.port = question.port = PORTS[q];
                    header_question.direction = question.direction = (uint8_t)(asked & 1);
                    known = netverdict_table_verdict(&table, &header_question, &answer);
                    if (netverdict_view_verdict(view, &question, &verdict) != NETVERDICT_OK ||
                        (verdict.flags & NETVERDICT_VERDICT_NO_SUBJECT) != (known ? 0 : NETVERDICT_VERDICT_NO_SUBJECT) ||
                        (known && (verdict.code != answer.code || verdict.match_type != answer.match_type ||
                                   verdict.flags != answer.flags || verdict.auth_type != answer.auth_type ||
                                   verdict.auth_donor != answer.auth_donor || verdict.cookie != answer.cookie ||
                                   (verdict.proxy_port == 0) != (answer.proxy_port_be == 0)))) {
                        fprintf(stderr, "subject %u, peer %u, protocol %u, port %u\n", (unsigned)subject,
                                (unsigned)peer, PROTOCOLS[p], PORTS[q]);
                        return 1;
                    }
                    asked++;
                }
        }
    netverdict_view_free(&view);
    free(bytes);
    printf("%lu questions\n", asked);
    return 0;
}
