/* describe_ranks.c: limn describe NET --ranks N: what each of N processes holds and sends, and how long that takes. */
#include "base/number.h"
#include "describe.h"

#include <string.h>

static const double gbit = 1e9;

/* ---- flags ------------------------------------------------------------------------------------------------------------ */

/* A number and one of the units, as "50us".  @return false after a message */
static bool read_unit(const char *flag, const char *text, const char *const unit[3], const double worth[3], double *out)
{
    if (!text) return true;
    char *end = NULL;
    double n = limn_number_parse(text, &end);
    for (int i = 0; i < 3; i++)
        if (end != text && n >= 0 && n <= 1e9 && strcmp(end, unit[i]) == 0) return *out = n * worth[i], true;
    fprintf(stderr, "limn: %s expects a number and %s, %s or %s behind it, found \"%.60s\"\n", flag, unit[0], unit[1],
            unit[2], text);
    return false;
}

static bool read_seconds(const char *flag, const char *text, double *out)
{
    return read_unit(flag, text, (const char *const[]){"us", "ms", "s"}, (const double[]){1e-6, 1e-3, 1}, out);
}

const char *cli_describe_ranks_first(const describe_ranks *f)
{
    return f->accumulate     ? "--accumulate"
           : f->inner_steps  ? "--inner-steps"
           : f->comm_dtype   ? "--comm-dtype"
           : f->shard_state  ? "--shard-state"
           : f->link         ? "--link"
           : f->latency      ? "--latency"
           : f->message      ? "--message"
           : f->step_seconds ? "--step-seconds"
                             : NULL;
}

bool cli_describe_ranks_read(const describe_ranks *f, limn_scaling_options *out)
{
    long ranks = 1, accumulate = 1, inner = 0;
    int sums = 0;
    if (!cli_integer("--ranks", f->ranks, 2, 65536, &ranks) ||
        !cli_integer("--accumulate", f->accumulate, 1, 65536, &accumulate) ||
        !cli_integer("--inner-steps", f->inner_steps, 0, 1000000000, &inner) ||
        !cli_choice("--comm-dtype", "f32, bf16", f->comm_dtype, &sums))
        return false;
    *out = limn_scaling_defaults((int)ranks);
    if (f->shard_state && inner) return fputs("limn: --shard-state and --inner-steps do not go together\n", stderr), false;
    out->accumulate = (int)accumulate, out->inner_steps = inner, out->sums_in_bf16 = sums == 1;
    out->shard_state = f->shard_state;
    out->bits_a_second = 0;
    return read_unit("--link", f->link, (const char *const[]){"mbit", "gbit", "tbit"}, (const double[]){1e6, 1e9, 1e12},
                     &out->bits_a_second) &&
           read_seconds("--latency", f->latency, &out->call_seconds) &&
           read_seconds("--message", f->message, &out->message_seconds) &&
           cli_real("--step-seconds", f->step_seconds, 1e-6, 1e6, &out->step_seconds);
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */

static const char *time_text(double seconds, char out[32])
{
    if (seconds < 1e-3)
        snprintf(out, 32, "%.0f us", seconds * 1e6);
    else if (seconds < 0.9995)
        snprintf(out, 32, "%.*f ms", seconds < 9.995e-3 ? 1 : 0, seconds * 1e3);
    else
        snprintf(out, 32, "%.*f s", seconds < 99.95 ? 2 : 0, seconds);
    return out;
}

static const char *link_text(double bits, char out[32])
{
    if (bits < gbit)
        snprintf(out, 32, "%.4g Mbit/s", bits * 1e-6);
    else
        snprintf(out, 32, "%.4g Gbit/s", bits * 1e-9);
    return out;
}

/* The links of the table: the one that was given, else three. */
static int links_of(const limn_scaling_options *o, double out[3])
{
    out[0] = o->bits_a_second > 0 ? o->bits_a_second : gbit;
    out[1] = 10 * gbit, out[2] = 100 * gbit;
    return o->bits_a_second > 0 ? 1 : 3;
}

/* A row: seconds that ranks wait for each other in a step, or what is left of their speed. */
static limn_status print_row(limn_ctx *ctx, const limn_cost *training, limn_scaling_options o, int ranks, int64_t inner)
{
    double link[3];
    int n = links_of(&o, link);
    bool shard_state = o.shard_state;
    limn_status status = LIMN_OK;
    o.ranks = ranks;
    printf("%-16d", ranks);
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < n && status == LIMN_OK; i++) {
            limn_scaling s;
            char text[32];
            o.bits_a_second = link[i], o.inner_steps = half ? inner : 0, o.shard_state = shard_state && !half;
            status = limn_scaling_of(ctx, training, &o, &s);
            if (o.step_seconds > 0)
                snprintf(text, sizeof text, "%.1f %%", 100 * s.efficiency);
            else
                time_text(s.comm_seconds, text);
            if (status == LIMN_OK) printf(" %12s", text);
        }
        if (half == 0) printf("   ");
    }
    printf("\n");
    return status;
}

static limn_status print_table(limn_ctx *ctx, const limn_cost *training, const limn_scaling_options *o)
{
    static const int others[] = {8, 64, 512};
    double link[3];
    int n = links_of(o, link);
    int64_t inner = o->inner_steps ? o->inner_steps : 100;
    char text[32];
    limn_status status = LIMN_OK;
    printf("\n%s\n%-16s %-*s   --inner-steps %lld\n%-16s",
           o->step_seconds > 0
               ? "expected: pictures a second of all ranks, of ranks times those of one alone"
               : "expected: what sums add to a step; --step-seconds S, what one process takes, makes it a share",
           "", n * 13 - 1, "all steps together", (long long)inner, "ranks");
    for (int half = 0; half < 2; half++, printf(half == 1 ? "   " : "\n"))
        for (int i = 0; i < n; i++) printf(" %12s", link_text(link[i], text));
    bool own = true;
    for (int i = 0; i < 3 && status == LIMN_OK; i++) {
        if (own && o->ranks <= others[i]) own = false, status = print_row(ctx, training, *o, o->ranks, inner);
        if (status == LIMN_OK && o->ranks != others[i]) status = print_row(ctx, training, *o, others[i], inner);
    }
    return status == LIMN_OK && own ? print_row(ctx, training, *o, o->ranks, inner) : status;
}

limn_status cli_describe_ranks_print(limn_ctx *ctx, const limn_cost *training, const limn_scaling_options *o)
{
    limn_scaling s;
    char text[3][32];
    limn_status status = limn_scaling_of(ctx, training, o, &s);
    if (status != LIMN_OK) return status;
    printf("\n%-16s each holds %s (one process %s) and sends %s a step, in %.4g calls of %d message%s\n", "by ranks",
           cli_bytes((double)s.rank_bytes, text[0]), cli_bytes((double)training->peak_bytes, text[1]),
           cli_bytes(s.sent_bytes, text[2]), s.calls, o->ranks - 1, o->ranks == 2 ? "" : "s");
    printf("%-16s %d ranks%s, a call takes %s, each message %s more\n", "", o->ranks,
           o->sums_in_bf16 ? ", sums sent in bf16" : "", time_text(o->call_seconds, text[0]),
           time_text(o->message_seconds, text[1]));
    return print_table(ctx, training, o);
}
