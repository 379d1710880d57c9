/* main.c: limn VERB ...; flags and numbers. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cli_fail(limn_ctx *ctx, limn_status status)
{
    fprintf(stderr, "limn: %s\n", limn_error_text(ctx));
    return status == LIMN_BAD_ARGUMENT || status == LIMN_NOT_FOUND || status == LIMN_BAD_FILE || status == LIMN_UNSUPPORTED || status == LIMN_NO_MEMORY ? 2 : 1;
}

static const cli_flag *find_flag(const cli_flag *flags, const char *name, size_t n)
{
    for (; flags->longer; flags++)
        if ((strlen(flags->longer) == n && strncmp(flags->longer, name, n) == 0) ||
            (flags->shorter && strlen(flags->shorter) == n && strncmp(flags->shorter, name, n) == 0))
            return flags;
    return NULL;
}

int cli_parse(int argc, char **argv, const cli_flag *flags, const char **words, int max_words)
{
    int n = 0;
    for (int i = 2; i < argc; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || !arg[1]) {
            if (n == max_words) {
                fprintf(stderr, "limn %s: \"%s\" is one word too many; see limn %s --help\n", argv[1], arg, argv[1]);
                return -1;
            }
            words[n++] = arg;
            continue;
        }
        const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
        const cli_flag *flag = find_flag(flags, arg, equals ? (size_t)(equals - arg) : strlen(arg));
        if (!flag) {
            fprintf(stderr, "limn %s: there is no flag %s; see limn %s --help\n", argv[1], arg, argv[1]);
            return -1;
        }
        if (flag->on) *flag->on = true;
        else if (equals) *flag->text = equals + 1;
        else if (i + 1 < argc) *flag->text = argv[++i];
        else {
            fprintf(stderr, "limn %s: %s expects a value\n", argv[1], arg);
            return -1;
        }
    }
    return n;
}

bool cli_integer(const char *flag, const char *text, long low, long high, long *out)
{
    char *end;
    if (!text) return true;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < low || value > high) {
        fprintf(stderr, "limn: %s expects a whole number from %ld to %ld, found \"%.100s\"\n", flag, low, high, text);
        return false;
    }
    *out = value;
    return true;
}

bool cli_real(const char *flag, const char *text, double low, double high, double *out)
{
    char *end;
    if (!text) return true;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high)) {
        fprintf(stderr, "limn: %s expects a number from %g to %g, found \"%.100s\"\n", flag, low, high, text);
        return false;
    }
    *out = value;
    return true;
}

static const char help[] =
    "limn: describe, train and run denoising networks\n"
    "\n"
    "  limn generate \"a cat with heart eyes\" -o cat.png     a picture from words\n"
    "  limn train mmdit-emoji --data FOLDER --out RUN        train on a folder of captioned pictures\n"
    "  limn describe mmdit --set attention=joint             a network as text\n"
    "  limn inspect FILE.safetensors                         what is in a weight file\n"
    "\n"
    "limn VERB --help tells the flags of a verb.\n";

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(int, char **); } verbs[] = {
        {"describe", cli_describe}, {"train", cli_train}, {"generate", cli_generate}, {"inspect", cli_inspect},
    };
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("limn %s\n", limn_version());
        return 0;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) return verbs[i].run(argc, argv);
    fprintf(stderr, "limn: there is no verb \"%.100s\"; there are describe, train, generate, inspect, help\n", argv[1]);
    return 2;
}
