/* flags.c: reading flags and numbers; exit codes. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int cli_code(limn_status status)
{
    return status == LIMN_BAD_ARGUMENT || status == LIMN_NOT_FOUND || status == LIMN_BAD_FILE ||
                   status == LIMN_UNSUPPORTED || status == LIMN_NO_MEMORY
               ? 2
               : 1;
}

int cli_fail(limn_ctx *ctx, limn_status status)
{
    fprintf(stderr, "limn: %s\n", limn_error_text(ctx));
    return cli_code(status);
}

static const cli_flag *find_flag(const cli_flag *flags, const char *name, size_t n)
{
    for (; flags->longer; flags++)
        if ((strlen(flags->longer) == n && strncmp(flags->longer, name, n) == 0) ||
            (flags->shorter && strlen(flags->shorter) == n && strncmp(flags->shorter, name, n) == 0))
            return flags;
    return NULL;
}

static int no_such_flag(const char *verb, const cli_flag *flags, const char *name, size_t n, cli_instead *instead)
{
    char shown[256];
    const char *other = instead ? instead(name, n) : NULL;
    if (other) return fprintf(stderr, "limn %s: there is no flag %.*s: %s\n", verb, (int)n, name, other), -1;
    limn_near near = limn_near_to(name, n);
    for (; flags->longer; flags++) limn_near_try(&near, flags->longer, strlen(flags->longer));
    fprintf(stderr, "limn %s: there is no flag %s%s", verb, limn_escape(name, n, shown, sizeof shown),
            limn_near_text(&near));
    if (memchr(name, ' ', n)) fprintf(stderr, "; words that begin with a dash go behind --\n");
    else fprintf(stderr, near.best ? "\n" : "; see limn %s --help\n", verb);
    return -1;
}

static bool is_number(const char *text)
{
    char *end;
    if (!text || !strchr("0123456789.", *text)) return false;
    limn_number_parse(text, &end);
    return end > text && !*end;
}

int cli_parse(int argc, char **argv, const cli_flag *flags, const char **words, int max_words)
{
    return cli_parse_with(argc, argv, flags, words, max_words, NULL);
}

int cli_parse_with(int argc, char **argv, const cli_flag *flags, const char **words, int max_words, cli_instead *instead)
{
    int n = 0;
    bool ended = false; /* by "--" */
    for (int i = 2; i < argc; i++) {
        const char *arg = argv[i];
        if (!ended && strcmp(arg, "--") == 0) {
            ended = true;
            continue;
        }
        if (ended || arg[0] != '-' || !arg[1]) { /* "-" is a word */
            if (n == max_words) {
                fprintf(stderr, "limn %s: \"%s\" is one word too many; see limn %s --help\n", argv[1], arg, argv[1]);
                return -1;
            }
            words[n++] = arg;
            continue;
        }
        const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
        const cli_flag *flag = find_flag(flags, arg, equals ? (size_t)(equals - arg) : strlen(arg));
        if (!flag) return no_such_flag(argv[1], flags, arg, equals ? (size_t)(equals - arg) : strlen(arg), instead);
        if (flag->on && !flag->text && equals) {
            fprintf(stderr, "limn %s: %s takes no value\n", argv[1], flag->longer);
            return -1;
        }
        if (flag->on) *flag->on = true;
        if (flag->on && !equals && !(flag->text && is_number(argv[i + 1]))) continue;
        if (equals) *flag->text = equals + 1;
        else if (i + 1 < argc) *flag->text = argv[++i];
        else {
            fprintf(stderr, "limn %s: %s expects a value\n", argv[1], arg);
            return -1;
        }
    }
    return n;
}

const char *cli_not_float(const char *text, const char *end, double value)
{
    const char *digit = text + (*text == '-' || *text == '+');
    bool decimal =
        (isdigit((unsigned char)digit[0]) || digit[0] == '.') && !(digit[0] == '0' && (digit[1] == 'x' || digit[1] == 'X'));
    if (!decimal) return "a number in decimal digits";
    size_t nonzero = strcspn(text, "123456789"), exponent = strcspn(text, "eE"), n = (size_t)(end - text);
    bool zero = nonzero >= (exponent < n ? exponent : n);
    bool holds = zero || (fabs(value) >= FLT_MIN && fabs(value) <= FLT_MAX);
    return holds ? NULL : "0 or a number from 1.2e-38 to 3.4e+38, which 32-bit floats hold";
}

bool cli_interval(const char *flag, double low, double high)
{
    if ((float)low < (float)high && isfinite((float)low) && isfinite((float)high)) return true;
    fprintf(stderr, "limn: %s expects two numbers that differ as 32-bit floats, found %.9g and %.9g\n", flag, low, high);
    return false;
}

bool cli_integer(const char *flag, const char *text, long low, long high, long *out)
{
    char *end;
    if (!text) return true;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || strchr(" \t\n\v\f\r", *text) || *end || errno || value < low || value > high) {
        fprintf(stderr, "limn: %s expects a whole number from %ld to %ld, found \"%.100s\"\n", flag, low, high, text);
        return false;
    }
    *out = value;
    return true;
}

bool cli_pair(const char *flag, const char *form, char between, const char *text, long low, long high, int *a, int *b)
{
    char first[16];
    long x = 0, y = 0;
    if (!text) return true;
    const char *at = strchr(text, between);
    size_t n = at ? (size_t)(at - text) : 0;
    bool two = n && n < sizeof first;
    if (!two && form) return fprintf(stderr, "limn: %s expects %s, found \"%.100s\"\n", flag, form, text), false;
    if (two) snprintf(first, sizeof first, "%.*s", (int)n, text);
    if (!cli_integer(flag, two ? first : text, low, high, &x) || !cli_integer(flag, two ? at + 1 : text, low, high, &y))
        return false;
    return *a = (int)x, *b = (int)y, true;
}

bool cli_lacks(const char *sentence)
{
    fprintf(stderr, "limn: %s\n", sentence);
    return false;
}

bool cli_real(const char *flag, const char *text, double low, double high, double *out)
{
    char *end;
    if (!text) return true;
    double value = limn_number_parse(text, &end);
    if (end == text || *end || !(value >= low && value <= high)) {
        fprintf(stderr, "limn: %s expects a number from %g to %g, found \"%.100s\"\n", flag, low, high, text);
        return false;
    }
    const char *expected = cli_not_float(text, end, value);
    if (expected) return fprintf(stderr, "limn: %s expects %s, found \"%.100s\"\n", flag, expected, text), false;
    *out = value;
    return true;
}

bool cli_choice(const char *flag, const char *words, const char *text, int *out)
{
    const char *w = words;
    for (int i = 0; text; i++) {
        size_t n = strcspn(w, ",");
        if (strlen(text) == n && strncmp(w, text, n) == 0) return *out = i, true;
        if (!w[n]) return fprintf(stderr, "limn: %s is one of %s, found \"%.100s\"\n", flag, words, text), false;
        w += n + 2;
    }
    return true;
}

bool cli_precision(const char *text, limn_precision *out)
{
    int i = *out;
    bool known = cli_choice("--precision", "auto, f32, bf16, exact", text, &i);
    *out = (limn_precision)i;
    return known;
}

bool cli_memory(const char *flag, const char *text, size_t *out)
{
    char *end = NULL;
    double n = text ? limn_number_parse(text, &end) : 0;
    if (!text) return true;
    double unit = *end == 'G' ? 1e9 : *end == 'M' ? 1e6 : 0;
    if (end == text || !unit || end[1] || !(n * unit >= 1e6 && n * unit <= 1e15)) {
        fprintf(stderr, "limn: %s expects megabytes or gigabytes, as in 1500M or 2G, found \"%.100s\"\n", flag, text);
        return false;
    }
    *out = (size_t)(n * unit);
    return true;
}

bool cli_tiling(const cli_tiling_words *w, limn_tiling *out)
{
    *out = (limn_tiling){.on = w->on, .overlap = 0.5};
    if (!w->on && (w->size || w->overlap))
        return cli_lacks("--vae-tile-size and --vae-tile-overlap expect --vae-tiling too");
    return cli_pair("--vae-tile-size", NULL, 'x', w->size, 4, 2048, &out->width, &out->height) &&
           cli_real("--vae-tile-overlap", w->overlap, 0, 0.5, &out->overlap);
}

limn_status cli_network(limn_ctx *ctx, int argc, char **argv, const char *net, limn_text *out)
{
    limn_text_printf(out, "%s", net);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--set=", 6) == 0) limn_text_printf(out, " %s", argv[i] + 6);
        else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) limn_text_printf(out, " %s", argv[++i]);
    }
    return out->failed ? limn_fail(ctx, LIMN_NO_MEMORY, "out of memory for a network") : LIMN_OK;
}
