/* scaling.c: one training by many processes: what each holds and sends, and what a step takes (limn/network.h). */
#include "train/network.h"

#include "train/shares.h"

enum { F32_BYTES = 4, MOST_RANKS = 1 << 16, MOST_PARTS = 1 << 20 };

limn_scaling_options limn_scaling_defaults(int ranks)
{
    return (limn_scaling_options){.ranks = ranks, .bits_a_second = 10e9, .call_seconds = 100e-6, .message_seconds = 5e-6};
}

static limn_status check(limn_ctx *ctx, const limn_scaling_options *o)
{
    const struct {
        const char *name;
        double value, most;
    } ranges[] = {{"ranks", o->ranks, MOST_RANKS},
                  {"accumulate", o->accumulate, MOST_PARTS},
                  {"ranks x accumulate", (double)o->ranks * o->accumulate, MOST_PARTS},
                  {"inner_steps", (double)o->inner_steps, 1e15},
                  {"step_seconds", o->step_seconds, 1e15},
                  {"bits_a_second", o->bits_a_second, 1e18},
                  {"call_seconds", o->call_seconds, 1e6},
                  {"message_seconds", o->message_seconds, 1e6},
                  {"hidden", o->hidden, 1}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= 0 && ranges[i].value <= ranges[i].most))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is %.9g, expected 0 to %.9g", ranges[i].name, ranges[i].value,
                             ranges[i].most);
    if (o->shard_state && o->inner_steps)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "shard_state and inner_steps do not go together");
    return LIMN_OK;
}

/* Sums of earlier parts that wait, where most of them do. */
static size_t vectors_waiting(int ranks, int parts)
{
    int most = 0;
    for (int rank = 0, here; rank < ranks; rank++) {
        limn_tree_of((int64_t)rank * parts, parts, &here);
        if (here > most) most = here;
    }
    return (size_t)most;
}

static size_t rank_bytes(const limn_cost *training, int ranks, int parts, const limn_scaling_options *o)
{
    size_t n = training->gradient_bytes / F32_BYTES;
    size_t vectors = o->inner_steps ? vectors_waiting(1, parts) + 2 : vectors_waiting(ranks, parts);
    size_t moments = o->shard_state && ranks > 1 ? 4 * limn_tree_share_floats(ranks, n) : 3 * n;
    return training->peak_bytes + vectors * training->gradient_bytes + F32_BYTES * moments - 3 * F32_BYTES * n +
           limn_tree_sums_bytes(ranks, o->inner_steps ? 1 : parts, n, o->sums_in_bf16);
}

/* A step of all ranks together has one sum over the parts of all; an outer step has two, in which each rank has a part. */
static void count(size_t n, int ranks, int parts, const limn_scaling_options *o, limn_scaling *out)
{
    double sums = o->inner_steps ? 2 / (double)o->inner_steps : 1;
    int of = o->inner_steps ? 1 : parts;
    double losses = (ranks - 1) * (1.0 + parts) * (double)sizeof(double);
    bool divided = o->shard_state && ranks > 1;
    out->calls = sums * limn_tree_sums_calls(ranks, of, n) + (ranks > 1) + divided;
    out->messages = out->calls * (ranks - 1);
    out->sent_bytes = sums * limn_tree_sums_traffic(ranks, of, n, o->sums_in_bf16) + losses +
                      (divided ? limn_shares_traffic(ranks, n, o->sums_in_bf16) : 0);
}

static double at_most(double x, double most)
{
    return x < most ? x : most;
}

limn_status limn_scaling_of(limn_ctx *ctx, const limn_cost *training, const limn_scaling_options *o, limn_scaling *out)
{
    int ranks = o->ranks ? o->ranks : 1, parts = o->accumulate ? o->accumulate : 1;
    *out = (limn_scaling){0};
    limn_status status = check(ctx, o);
    if (status != LIMN_OK) return status;
    out->rank_bytes = rank_bytes(training, ranks, parts, o);
    count(training->gradient_bytes / F32_BYTES, ranks, parts, o, out);
    out->comm_seconds = out->calls * o->call_seconds + out->messages * o->message_seconds +
                        (o->bits_a_second > 0 ? 8 * out->sent_bytes / o->bits_a_second : 0);
    if (!(o->step_seconds > 0)) return LIMN_OK;
    double hidden = o->inner_steps ? 0 : o->hidden, backward = o->step_seconds * 2 / 3 / parts;
    out->hidden_seconds = at_most(hidden * out->comm_seconds, backward);
    out->step_seconds = o->step_seconds + out->comm_seconds - out->hidden_seconds;
    out->efficiency = o->step_seconds / out->step_seconds;
    return LIMN_OK;
}
