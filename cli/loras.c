/* loras.c: every --lora FILE[:WEIGHT] of a command line. */
#include "cli.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

/* A number behind the last colon is the weight; the file's name ends before it. */
static bool read_one(char *text, limn_lora_file *out)
{
    char *colon = strrchr(text, ':'), *end = NULL;
    double weight = colon ? limn_number_parse(colon + 1, &end) : 1;
    bool number = colon && end != colon + 1 && !*end;
    if (number) *colon = '\0';
    *out = (limn_lora_file){.path = text, .weight = number ? weight : 1, .text_weight = number ? weight : 1};
    if (*text && (!number || (weight >= -100 && weight <= 100))) return true;
    fprintf(stderr, "limn: --lora expects FILE or FILE:WEIGHT with a weight from -100 to 100, found \"%.200s%s%s\"\n", text,
            number ? ":" : "", number ? colon + 1 : "");
    return false;
}

int cli_loras(int argc, char **argv, limn_lora_file out[CLI_MOST_LORAS])
{
    int n = 0;
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        bool joined = strncmp(argv[i], "--lora=", 7) == 0;
        if (!joined && (strcmp(argv[i], "--lora") != 0 || i + 1 == argc)) continue;
        if (n == CLI_MOST_LORAS) {
            fprintf(stderr, "limn: at most %d --lora change a model at once\n", CLI_MOST_LORAS);
            return -1;
        }
        if (!read_one(joined ? argv[i] + 7 : argv[++i], &out[n++])) return -1;
    }
    return n;
}
