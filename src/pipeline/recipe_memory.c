/* recipe_memory.c: see recipe_memory.h. */
#include "pipeline/recipe_memory.h"

#include "base/base.h"
#include "pipeline/embeddings.h"

bool limn_recipe_wants(const limn_recipe_part *part, const limn_recipe_shape *s)
{
    switch (part->role) {
    case LIMN_ROLE_SKIPS: return s->left_out != 0;
    case LIMN_ROLE_ENCODER: return s->encodes;
    case LIMN_ROLE_DECODER: return s->decodes;
    case LIMN_ROLE_PREVIEW: return s->previews;
    default: return true;
    }
}

/* Pixels of a picture along a side of the denoiser's pixel; 0: the part is none that codes. */
static int factor_of(const limn_recipe_part *part, const limn_recipe_shape *s)
{
    return part->role < LIMN_ROLE_ENCODER ? 0 : part->role == LIMN_ROLE_PREVIEW ? s->preview_factor : s->factor;
}

limn_net_shape limn_recipe_shape_of(const limn_recipe_part *part, const limn_recipe_shape *s)
{
    limn_net_shape out = {.batch = 1, .part = part->door, .precision = s->precision};
    int factor = factor_of(part, s);
    limn_coder_sides sides = {s->height, s->width};
    if (factor) sides = limn_tiling_tile(&s->tiling, (limn_coder_sides){s->height * factor, s->width * factor}, factor);
    if (part->role == LIMN_ROLE_TEXT)
        out.batch = part->unigram ? s->whole_texts : s->texts,
        out.text_skip = part->raw && !s->text_skip ? 1 : part->unigram ? 0 : s->text_skip, out.text_raw = part->raw,
        out.text_pools = part->pools, out.vectors = limn_embeddings_any(part->embeddings);
    else out.height = sides.height, out.width = sides.width;
    if (part->role != LIMN_ROLE_DENOISER && part->role != LIMN_ROLE_SKIPS) return out;
    out.batch = s->rows, out.n_times = s->n_times, out.text_length = s->text_length;
    if (part->role == LIMN_ROLE_SKIPS) out.batch = s->pictures, out.left_out = s->left_out;
    return out;
}

bool limn_recipe_is_large(const limn_recipe *r, size_t bytes)
{
    return bytes >= (r->least ? r->least : (size_t)64 << 20);
}

bool limn_recipe_is_transient(const limn_recipe *r, const limn_recipe_part *part, const limn_net_size *size,
                              const limn_strips *strips)
{
    bool early = part->role == LIMN_ROLE_TEXT || (part->role == LIMN_ROLE_ENCODER && !r->again);
    return early && (strips->n || limn_recipe_is_large(r, size->weights + size->activations));
}

/* "decoder 120.0 MB in 9 tiles of 256 x 256, " */
static void name_part(const limn_recipe *r, const limn_recipe_shape *s, const limn_recipe_part *part,
                      const limn_recipe_sizes *plan, limn_text *text)
{
    const limn_net_size *size = &plan->size[part - r->part];
    int factor = factor_of(part, s);
    char tiles[64] = "";
    if (factor) limn_tiling_text(&s->tiling, (limn_coder_sides){s->height * factor, s->width * factor}, factor, tiles);
    if (plan->strips[part - r->part].n) snprintf(tiles, sizeof tiles, " in strips");
    limn_text_printf(text, "%s %.1f MB%s%s, ", part->name, (double)(size->activations + size->weights) * 1e-6, tiles,
                     limn_recipe_is_transient(r, part, size, &plan->strips[part - r->part]) ? " (then free)" : "");
}

typedef struct need { size_t all, more; } need; /* bytes; those that are not taken yet */

/* What there is at a time: while an encoder runs, while steps are made, while pictures are decoded. */
typedef struct times {
    need encode, steps, decode;
    size_t sum;
} times;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void add(need *n, size_t all, size_t more)
{
    n->all += all, n->more += more;
}

/* One part: others hold `around` bytes of weights now. */
static void count_part(const limn_recipe *r, const limn_recipe_shape *s, const limn_recipe_part *part,
                       const limn_recipe_sizes *plan, bool goes_on, size_t around, times *t)
{
    const limn_net_size *size = &plan->size[part - r->part];
    size_t has = limn_net_bytes(part->net), a = size->activations, w = size->weights, lacks = w > has ? w - has : 0;
    size_t more = goes_on ? 0 : a;
    bool rests = s->in_turn && limn_recipe_is_large(r, a);
    t->sum += w + a;
    if (limn_recipe_is_transient(r, part, size, &plan->strips[part - r->part])) {
        t->encode.all = larger(t->encode.all, s->buffers + around + w + a);
        t->encode.more = larger(t->encode.more, s->buffers + lacks + a);
        return;
    }
    add(&t->steps, w, lacks);
    add(&t->decode, w, lacks);
    if (!rests || part->role != LIMN_ROLE_DECODER) add(&t->steps, a, more);
    if (!rests || (part->role != LIMN_ROLE_DENOISER && part->role != LIMN_ROLE_SKIPS)) add(&t->decode, a, more);
}

/* only: one part alone; NULL: all */
static times count(limn_ctx *ctx, const limn_recipe *r, const limn_recipe_shape *s, const limn_recipe_sizes *plan,
                   const limn_recipe_part *only)
{
    times t = {.steps = {s->buffers, s->buffers}, .decode = {s->buffers, s->buffers}, .sum = s->buffers};
    size_t has = 0;
    for (int i = 0; i < r->n_parts; i++) has += limn_net_bytes(r->part[i].net);
    for (int i = 0; i < r->n_parts; i++) {
        const limn_recipe_part *part = &r->part[i];
        limn_net_shape shape = limn_recipe_shape_of(part, s);
        bool goes_on = part->ran && limn_job_serves(ctx, &part->job, part->net, &shape);
        if (limn_recipe_wants(part, s) && (!only || part == only))
            count_part(r, s, part, plan, goes_on, has - limn_net_bytes(part->net), &t);
    }
    return t;
}

static need most_of(const times *t)
{
    return (need){larger(t->encode.all, larger(t->steps.all, t->decode.all)),
                  larger(t->encode.more, larger(t->steps.more, t->decode.more))};
}

/* have: 0: not known */
static bool fits_in(const limn_ctx *ctx, need n, size_t have)
{
    return (!have || n.more <= have) && (!ctx->memory || n.all <= ctx->memory);
}

/* Bytes that are left for `takes` of them. */
static size_t room(const limn_ctx *ctx, need n, size_t have, size_t takes)
{
    size_t others = n.all - takes, more = n.more > takes ? n.more - takes : 0, left = (size_t)1 << 62;
    if (ctx->memory) left = ctx->memory > others ? ctx->memory - others : 0;
    if (have && left > (have > more ? have - more : 0)) left = have > more ? have - more : 0;
    return left;
}

/* Bytes that are left for the activations of a coder, at each of the times when it has some. */
static size_t room_for(limn_ctx *ctx, const limn_recipe *r, const limn_recipe_shape *s, size_t have,
                       const limn_recipe_part *part, const limn_recipe_sizes *plan)
{
    limn_recipe_sizes then = *plan;
    size_t takes = plan->size[part - r->part].activations;
    then.strips[part - r->part].n = 1;
    bool transient = limn_recipe_is_transient(r, part, &plan->size[part - r->part], &then.strips[part - r->part]);
    times t = count(ctx, r, s, &then, transient ? part : NULL);
    if (transient) return room(ctx, t.encode, have, takes);
    size_t left = room(ctx, t.decode, have, takes), steps = room(ctx, t.steps, have, takes);
    bool in_steps = part->role != LIMN_ROLE_DECODER || !s->in_turn || !limn_recipe_is_large(r, takes);
    return in_steps && steps < left ? steps : left;
}

/* A coder that does not fit goes in strips, where these do. */
static void try_strips(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, size_t have, limn_role role,
                       limn_recipe_sizes *plan)
{
    const limn_recipe_part *part = limn_recipe_find(r, role);
    if (!part || !limn_recipe_wants(part, s) || s->tiling.on) return;
    limn_net_size *size = &plan->size[part - r->part];
    limn_strips *strips = &plan->strips[part - r->part];
    limn_net_shape shape = limn_recipe_shape_of(part, s);
    size_t left = room_for(ctx, r, s, have, part, plan);
    if (left >= size->activations) return; /* it is not this one that does not fit */
    if (limn_strips_decide(ctx, part->net, &shape, left, strips) == LIMN_OK) size->activations = strips->bytes;
    else strips->n = 0;
}

/* What all parts take, and how much of it is not taken yet; named in `text`. */
static limn_status measure(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, size_t have, need *out,
                           limn_text *text, limn_recipe_sizes *plan)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_net_shape shape = limn_recipe_shape_of(&r->part[i], s);
        if (limn_recipe_wants(&r->part[i], s)) status = limn_net_measure(ctx, r->part[i].net, &shape, &plan->size[i]);
        if (r->part[i].role == LIMN_ROLE_SKIPS) plan->size[i].weights = 0; /* they are the denoiser's */
    }
    if (status != LIMN_OK) return status;
    times t = count(ctx, r, s, plan, NULL);
    if (!fits_in(ctx, most_of(&t), have)) {
        try_strips(ctx, r, s, have, LIMN_ROLE_ENCODER, plan);
        try_strips(ctx, r, s, have, LIMN_ROLE_DECODER, plan);
        t = count(ctx, r, s, plan, NULL);
    }
    for (int i = 0; i < r->n_parts; i++)
        if (limn_recipe_wants(&r->part[i], s)) name_part(r, s, &r->part[i], plan, text);
    *out = most_of(&t);
    limn_text_printf(text, "pictures %.1f MB: %.1f MB %s", (double)s->buffers * 1e-6, (double)out->all * 1e-6,
                     out->all < t.sum ? "at most" : "together");
    return text->failed ? limn_fail_memory(ctx, text->n, "a sentence") : LIMN_OK;
}

limn_status limn_recipe_ask(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, limn_text *text,
                            limn_recipe_sizes *plan)
{
    need n;
    size_t have = limn_memory_available();
    limn_status status = measure(ctx, r, s, have, &n, text, plan);
    if (status != LIMN_OK || fits_in(ctx, n, have)) return status;
    bool limited = ctx->memory && n.all > ctx->memory;
    return limn_fail(ctx, LIMN_NO_MEMORY, "%s, and %s %.1f MB: make fewer pictures at a time, or smaller ones", text->bytes,
                     limited ? "the limit is" : "the machine has", (double)(limited ? ctx->memory : have) * 1e-6);
}

limn_status limn_recipe_foresee(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, const char *what)
{
    limn_text text = {0};
    limn_recipe_sizes plan = {0};
    limn_status status = limn_recipe_ask(ctx, r, s, &text, &plan);
    if (status == LIMN_OK) limn_log(ctx, LIMN_LOG_INFO, "memory of %s: %s", what, text.bytes);
    else limn_fail_in(ctx, status, "%s", what);
    limn_text_free(&text);
    return status;
}

bool limn_recipe_fits(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s)
{
    limn_text text = {0};
    limn_recipe_sizes plan = {0};
    bool fits = limn_recipe_ask(ctx, r, s, &text, &plan) == LIMN_OK;
    limn_text_free(&text);
    return fits;
}
