/* recipe.c: see recipe.h. */
#include "pipeline/recipe.h"

#include "base/base.h"
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

/* ---- parts and wires -------------------------------------------------------------------------------------------------- */

limn_status limn_recipe_add(limn_ctx *ctx, limn_recipe *r, const char *name, limn_role role, limn_net *net,
                            limn_model_part door, const limn_port *port)
{
    if (r->n_parts == LIMN_RECIPE_PARTS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a recipe has at most %d parts, and %s is one more", LIMN_RECIPE_PARTS,
                         name);
    limn_recipe_part *part = &r->part[r->n_parts];
    *part = (limn_recipe_part){.role = role, .door = door};
    snprintf(part->name, sizeof part->name, "%s", name);
    limn_status status = port ? LIMN_OK : limn_ports_look(ctx, limn_net_settings(net), door, part->port);
    if (port) memcpy(part->port, port, sizeof part->port);
    if (status != LIMN_OK) return limn_fail_in(ctx, status, "%s", name);
    part->net = limn_net_share(net);
    r->n_parts++;
    return LIMN_OK;
}

limn_recipe_part *limn_recipe_find(const limn_recipe *r, limn_role role)
{
    for (int i = 0; i < r->n_parts; i++)
        if (r->part[i].role == role) return (limn_recipe_part *)(uintptr_t)&r->part[i];
    return NULL;
}

void limn_recipe_share(const limn_recipe *r, limn_recipe *out)
{
    *out = *r;
    for (int i = 0; i < r->n_parts; i++) {
        limn_recipe_part *part = &out->part[i];
        limn_net_share(part->net);
        part->job = (limn_job){0}, part->ids = NULL, part->chunks = (limn_recipe_chunks){0};
        memset(part->said, 0, sizeof part->said);
        part->shape = (limn_net_shape){0}, part->version = 0, part->changed = part->ran = false;
    }
    out->told = NULL;
    for (int i = 0; i < r->n_wires; i++) out->wire[i].seen = 0;
}

/* Nothing is known of what it read and said. */
static void forget(limn_recipe_part *part)
{
    free(part->ids);
    for (int i = 0; i < LIMN_PORTS; i++) free(part->said[i]), part->said[i] = NULL;
    part->ids = NULL, part->changed = true, part->ran = false;
}

static void drop(limn_recipe_part *part)
{
    limn_job_end(&part->job);
    limn_net_free(part->net);
    forget(part);
    free(part->chunks.weight);
}

void limn_recipe_free(limn_recipe *r)
{
    for (int i = 0; i < r->n_parts; i++) drop(&r->part[i]);
    free(r->told);
    *r = (limn_recipe){0};
}

void limn_recipe_drop_coders(limn_recipe *r)
{
    while (r->n_parts && r->part[r->n_parts - 1].role >= LIMN_ROLE_ENCODER) drop(&r->part[--r->n_parts]);
}

static limn_status no_part(limn_ctx *ctx, const limn_recipe *r, const char *wire, const char *name)
{
    char names[LIMN_RECIPE_PARTS * LIMN_PART_NAME] = "";
    for (int i = 0; i < r->n_parts; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s", r->part[i].name);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: there is no part \"%s\"; there are:%s", wire, name, names);
}

static int part_named(const limn_recipe *r, const char *name)
{
    for (int i = 0; i < r->n_parts; i++)
        if (strcmp(r->part[i].name, name) == 0) return i;
    return -1;
}

/* One side of a wire: its port, which must be an input or an output.  @return row, or -1 with the sentence */
static int port_named(limn_ctx *ctx, const limn_recipe_part *part, const char *wire, const char *name, bool input)
{
    char there[LIMN_PORTS_TEXT];
    int row = limn_port_find(name);
    if (row >= 0 && part->port[row].there && part->port[row].input == input) return row;
    bool other = row >= 0 && part->port[row].there;
    limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s.%s is %s of a %s; its ports: %s", wire, part->name, name,
              !other ? "no port" : input ? "an output, no input," : "an input, no output,",
              limn_net_settings(part->net)->family->name, limn_ports_text(part->port, there));
    return -1;
}

/* Tokens and channels of a row of the batch. */
static void extent(const limn_shape *s, int64_t *tokens, int64_t *channels)
{
    *tokens = s->rank == 3 ? s->dim[1] : 1;
    *channels = limn_shape_count(s) / s->dim[0] / *tokens;
}

static bool fits(const limn_wire *w, const limn_shape *from, const limn_shape *to)
{
    int64_t tokens, channels, most_tokens, most_channels;
    extent(from, &tokens, &channels);
    extent(to, &most_tokens, &most_channels);
    if (from->rank != to->rank) return false;
    if (w->placed && (w->token < 0 || w->channel < 0)) return false;
    if (w->placed) return w->token <= most_tokens - tokens && w->channel <= most_channels - channels;
    for (int i = 1; i < from->rank; i++)
        if (from->dim[i] != to->dim[i]) return false;
    return true;
}

/* Do two wires into one input write the same numbers? */
static bool overlap(const limn_recipe *r, const limn_wire *a, const limn_wire *b)
{
    int64_t a_tokens, a_channels, b_tokens, b_channels;
    if (a->to != b->to || a->in != b->in) return false;
    if (!a->placed || !b->placed) return true;
    extent(&r->part[a->from].port[a->out].shape, &a_tokens, &a_channels);
    extent(&r->part[b->from].port[b->out].shape, &b_tokens, &b_channels);
    return a->token < b->token + b_tokens && b->token < a->token + a_tokens && a->channel < b->channel + b_channels &&
           b->channel < a->channel + a_channels;
}

static limn_status add_wire(limn_ctx *ctx, limn_recipe *r, const char *text, limn_wire w)
{
    const limn_recipe_part *from = &r->part[w.from], *to = &r->part[w.to];
    const limn_shape *out = &from->port[w.out].shape, *in = &to->port[w.in].shape;
    char found[64], expected[64];
    if (!fits(&w, out, in))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s.%s is %s, and %s.%s expects %s (of a batch of 1)", text, from->name,
                         limn_port_rows[w.out].name, limn_shape_text(out, found), to->name, limn_port_rows[w.in].name,
                         limn_shape_text(in, expected));
    for (int i = 0; i < r->n_wires; i++)
        if (overlap(r, &r->wire[i], &w))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s.%s is fed by %s.%s already", text, to->name,
                             limn_port_rows[w.in].name, r->part[r->wire[i].from].name,
                             limn_port_rows[r->wire[i].out].name);
    if (r->n_wires == LIMN_RECIPE_WIRES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: a recipe has at most %d wires", text, LIMN_RECIPE_WIRES);
    r->wire[r->n_wires++] = w;
    return LIMN_OK;
}

/* "text -> denoiser" */
static limn_status join(limn_ctx *ctx, limn_recipe *r, const char *text, int from, int to)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < LIMN_PORTS && status == LIMN_OK; i++) {
        const limn_port *out = &r->part[from].port[i], *in = &r->part[to].port[i];
        if (limn_port_rows[i].joined && out->there && !out->input && in->there && in->input)
            status = add_wire(ctx, r, text, (limn_wire){.from = from, .to = to, .out = i, .in = i});
    }
    return status;
}

limn_status limn_recipe_wire(limn_ctx *ctx, limn_recipe *r, const char *text)
{
    char a[LIMN_PART_NAME], b[LIMN_PART_NAME], out[LIMN_PART_NAME], in[LIMN_PART_NAME], again[128];
    int first, second, n = sscanf(text, "%23[a-z0-9_].%23[a-z0-9_] -> %23[a-z0-9_].%23[a-z0-9_][%d,%d]", a, out, b, in,
                                  &first, &second);
    bool whole = n < 4 && sscanf(text, "%23[a-z0-9_] -> %23[a-z0-9_]", a, b) == 2;
    if (whole) snprintf(again, sizeof again, "%s -> %s", a, b);
    else if (n >= 4) {
        int end = snprintf(again, sizeof again, "%s.%s -> %s.%s", a, out, b, in);
        if (n == 5) snprintf(again + end, sizeof again - (size_t)end, "[%d]", first);
        if (n == 6) snprintf(again + end, sizeof again - (size_t)end, "[%d,%d]", first, second);
    }
    if ((!whole && n < 4) || strcmp(text, again) != 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a wire as \"text.features -> denoiser.features\", found \"%s\"",
                         text);
    int from = part_named(r, a), to = part_named(r, b);
    if (from < 0 || to < 0) return no_part(ctx, r, text, from < 0 ? a : b);
    if (whole) return join(ctx, r, text, from, to);
    limn_wire w = {.from = from, .to = to, .placed = n > 4};
    w.token = n == 6 ? first : 0, w.channel = n == 6 ? second : n == 5 ? first : 0;
    if ((w.out = port_named(ctx, &r->part[from], text, out, false)) < 0) return LIMN_BAD_ARGUMENT;
    if ((w.in = port_named(ctx, &r->part[to], text, in, true)) < 0) return LIMN_BAD_ARGUMENT;
    return add_wire(ctx, r, text, w);
}

/* Does `part` wait for itself?  on_way: the parts before it. */
static bool circular(const limn_recipe *r, int part, unsigned on_way)
{
    if (on_way & 1u << part) return true;
    for (int i = 0; i < r->n_wires; i++)
        if (r->wire[i].to == part && circular(r, r->wire[i].from, on_way | 1u << part)) return true;
    return false;
}

static bool is_fed(const limn_recipe *r, int part, int row)
{
    for (int i = 0; i < r->n_wires; i++)
        if (r->wire[i].to == part && r->wire[i].in == row) return true;
    return false;
}

limn_status limn_recipe_check(limn_ctx *ctx, const limn_recipe *r)
{
    char shape[64];
    for (int i = 0; i < r->n_parts; i++) {
        const limn_recipe_part *part = &r->part[i];
        if (circular(r, i, 0))
            return limn_fail(ctx, LIMN_UNSUPPORTED, "%s waits for what is made of its own output: the wires go in a circle",
                             part->name);
        for (int row = 0; row < LIMN_PORTS; row++) {
            const limn_port *port = &part->port[row];
            if (!port->there || !port->input || !limn_port_rows[row].joined || is_fed(r, i, row)) continue;
            return limn_fail(ctx, LIMN_UNSUPPORTED,
                             "a %s of these settings does not make pictures by itself: nothing feeds %s.%s %s "
                             "(text_encoder=none)",
                             limn_net_settings(part->net)->family->name, part->name, limn_port_rows[row].name,
                             limn_shape_text(&port->shape, shape));
        }
    }
    return LIMN_OK;
}

/* ---- planning --------------------------------------------------------------------------------------------------------- */

static bool is_wanted(const limn_recipe_part *part, const limn_recipe_shape *s)
{
    switch (part->role) {
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

static limn_net_shape shape_of(const limn_recipe_part *part, const limn_recipe_shape *s)
{
    limn_net_shape out = {.batch = 1, .part = part->door, .precision = s->precision};
    int factor = factor_of(part, s);
    limn_coder_sides sides = {s->height, s->width};
    if (factor) sides = limn_tiling_tile(&s->tiling, (limn_coder_sides){s->height * factor, s->width * factor}, factor);
    if (part->role == LIMN_ROLE_TEXT) out.batch = s->texts, out.text_skip = s->text_skip;
    else out.height = sides.height, out.width = sides.width;
    if (part->role == LIMN_ROLE_DENOISER) out.batch = s->rows, out.n_times = s->n_times, out.text_length = s->text_length;
    return out;
}

static bool is_large(const limn_recipe *r, size_t bytes)
{
    return bytes >= (r->least ? r->least : (size_t)64 << 20);
}

/* Encoders run before the denoiser, and give back what they took. */
static bool gives_back(const limn_recipe *r, const limn_recipe_part *part, const limn_net_size *size)
{
    bool early = part->role == LIMN_ROLE_TEXT || (part->role == LIMN_ROLE_ENCODER && !r->again);
    return early && is_large(r, size->weights + size->activations);
}

/* What each part takes. */
typedef struct plans {
    limn_net_size size[LIMN_RECIPE_PARTS];
    limn_strips strips;
} plans;

/* "decoder 120.0 MB in 9 tiles of 256 x 256, " */
static void name_part(const limn_recipe *r, const limn_recipe_shape *s, const limn_recipe_part *part, const plans *plan,
                      limn_text *text)
{
    const limn_net_size *size = &plan->size[part - r->part];
    int factor = factor_of(part, s);
    char tiles[64] = "";
    if (factor) limn_tiling_text(&s->tiling, (limn_coder_sides){s->height * factor, s->width * factor}, factor, tiles);
    if (part->role == LIMN_ROLE_DECODER && plan->strips.n) snprintf(tiles, sizeof tiles, " in strips");
    limn_text_printf(text, "%s %.1f MB%s%s, ", part->name, (double)(size->activations + size->weights) * 1e-6, tiles,
                     gives_back(r, part, size) ? " (then free)" : "");
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
                       const limn_net_size *size, bool goes_on, size_t around, times *t)
{
    size_t has = limn_net_bytes(part->net), a = size->activations, w = size->weights, lacks = w > has ? w - has : 0;
    size_t more = goes_on ? 0 : a;
    bool rests = s->in_turn && is_large(r, a);
    t->sum += w + a;
    if (gives_back(r, part, size)) {
        t->encode.all = larger(t->encode.all, s->buffers + around + w + a);
        t->encode.more = larger(t->encode.more, s->buffers + lacks + a);
        return;
    }
    add(&t->steps, w, lacks);
    add(&t->decode, w, lacks);
    if (!rests || part->role != LIMN_ROLE_DECODER) add(&t->steps, a, more);
    if (!rests || part->role != LIMN_ROLE_DENOISER) add(&t->decode, a, more);
}

static times count(limn_ctx *ctx, const limn_recipe *r, const limn_recipe_shape *s, const plans *plan)
{
    times t = {.steps = {s->buffers, s->buffers}, .decode = {s->buffers, s->buffers}, .sum = s->buffers};
    size_t has = 0;
    for (int i = 0; i < r->n_parts; i++) has += limn_net_bytes(r->part[i].net);
    for (int i = 0; i < r->n_parts; i++) {
        const limn_recipe_part *part = &r->part[i];
        limn_net_shape shape = shape_of(part, s);
        bool goes_on = part->ran && limn_job_serves(ctx, &part->job, part->net, &shape);
        if (is_wanted(part, s)) count_part(r, s, part, &plan->size[i], goes_on, has - limn_net_bytes(part->net), &t);
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

/* A decoder that does not fit goes in strips, where these do. */
static void try_strips(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, size_t have, const times *t, plans *plan)
{
    const limn_recipe_part *decoder = limn_recipe_find(r, LIMN_ROLE_DECODER);
    if (!decoder || !s->decodes || s->tiling.on) return;
    limn_net_size *size = &plan->size[decoder - r->part];
    limn_net_shape shape = shape_of(decoder, s);
    size_t left = room(ctx, t->decode, have, size->activations);
    bool in_steps = !s->in_turn || !is_large(r, size->activations);
    if (in_steps && room(ctx, t->steps, have, size->activations) < left)
        left = room(ctx, t->steps, have, size->activations);
    if (limn_strips_decide(ctx, decoder->net, &shape, left, &plan->strips) == LIMN_OK)
        size->activations = plan->strips.bytes;
    else plan->strips.n = 0;
}

/* What all parts take, and how much of it is not taken yet; named in `text`. */
static limn_status measure(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, size_t have, need *out,
                           limn_text *text, plans *plan)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_net_shape shape = shape_of(&r->part[i], s);
        if (is_wanted(&r->part[i], s)) status = limn_net_measure(ctx, r->part[i].net, &shape, &plan->size[i]);
    }
    if (status != LIMN_OK) return status;
    times t = count(ctx, r, s, plan);
    if (!fits_in(ctx, most_of(&t), have)) {
        try_strips(ctx, r, s, have, &t, plan);
        t = count(ctx, r, s, plan);
    }
    for (int i = 0; i < r->n_parts; i++)
        if (is_wanted(&r->part[i], s)) name_part(r, s, &r->part[i], plan, text);
    *out = most_of(&t);
    limn_text_printf(text, "pictures %.1f MB: %.1f MB %s", (double)s->buffers * 1e-6, (double)out->all * 1e-6,
                     out->all < t.sum ? "at most" : "together");
    return text->failed ? limn_fail_memory(ctx, text->n, "a sentence") : LIMN_OK;
}

static limn_status begin_part(limn_ctx *ctx, limn_recipe *r, int i, const limn_net_shape *shape)
{
    limn_recipe_part *part = &r->part[i];
    if (part->role == LIMN_ROLE_DECODER && r->strips.n) limn_job_end(&part->job);
    else if (limn_job_serves(ctx, &part->job, part->net, shape)) return LIMN_OK;
    if (part->role != LIMN_ROLE_TEXT || !limn_net_shape_same(&part->shape, shape)) forget(part);
    part->shape = *shape, part->ran = false;
    for (int w = 0; w < r->n_wires; w++)
        if (r->wire[w].to == i) r->wire[w].seen = 0;
    if (part->role == LIMN_ROLE_DECODER && r->strips.n) return LIMN_OK;
    return limn_job_open(ctx, part->net, shape, (size_t)1 << 62, &part->job);
}

/* Is there as much memory as all parts will take, named in `text`? */
static limn_status ask(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, limn_text *text, plans *plan)
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
    plans plan = {.strips = {0}};
    limn_status status = ask(ctx, r, s, &text, &plan);
    if (status == LIMN_OK) limn_log(ctx, LIMN_LOG_INFO, "memory of %s: %s", what, text.bytes);
    else limn_fail_in(ctx, status, "%s", what);
    limn_text_free(&text);
    return status;
}

bool limn_recipe_fits(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s)
{
    limn_text text = {0};
    plans plan = {.strips = {0}};
    bool fits = ask(ctx, r, s, &text, &plan) == LIMN_OK;
    limn_text_free(&text);
    return fits;
}

/* What jobs of another shape hold goes before it is counted: their activations, and weights of another precision, of which a
 * net keeps one. */
static void end_others(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s)
{
    for (int i = 0; i < r->n_parts; i++) {
        limn_recipe_part *part = &r->part[i];
        limn_net_shape shape = shape_of(part, s);
        if (is_wanted(part, s) && !limn_job_serves(ctx, &part->job, part->net, &shape)) limn_job_end(&part->job);
    }
}

/* Once, until it changes. */
static void tell(limn_ctx *ctx, limn_recipe *r, limn_text *text)
{
    if (!r->told || strcmp(r->told, text->bytes)) limn_log(ctx, LIMN_LOG_INFO, "memory: %s", text->bytes);
    free(r->told);
    r->told = text->bytes;
    *text = (limn_text){0};
}

limn_status limn_recipe_begin(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s)
{
    limn_text text = {0};
    plans plan = {.strips = {0}};
    end_others(ctx, r, s);
    limn_status status = ask(ctx, r, s, &text, &plan);
    if (status == LIMN_OK) tell(ctx, r, &text);
    r->strips = plan.strips;
    limn_text_free(&text);
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_net_shape shape = shape_of(&r->part[i], s);
        if (!is_wanted(&r->part[i], s)) continue;
        status = begin_part(ctx, r, i, &shape);
        r->part[i].size = plan.size[i], r->part[i].tiling = s->tiling;
    }
    return status;
}

void limn_recipe_rest(limn_recipe *r, limn_recipe_part *part)
{
    int i = (int)(part - r->part);
    if (!part->job.run) return;
    if (gives_back(r, part, &part->size)) {
        limn_job_end(&part->job);
        limn_net_give_back(part->net);
        part->ran = false;
    } else if (part->role != LIMN_ROLE_TEXT && part->role != LIMN_ROLE_ENCODER && is_large(r, part->size.activations)) {
        limn_job_rest(&part->job);
        forget(part);
        for (int w = 0; w < r->n_wires; w++)
            if (r->wire[w].to == i) r->wire[w].seen = 0;
    }
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

limn_status limn_recipe_write(limn_recipe_part *part, limn_port_name port, limn_dtype dtype, const void *data)
{
    const limn_node *node = limn_port_node(part->job.ports, port);
    if (!node) return LIMN_OK;
    part->changed = true;
    return limn_run_write(part->job.run, node, dtype, data);
}

/* Weights of tokens into features [rows, tokens, width]. */
static void emphasize(const limn_recipe_chunks *chunks, const limn_shape *shape, float *features)
{
    int64_t rows = shape->dim[0] - chunks->with_empty, tokens = shape->dim[1], width = shape->dim[2], row = tokens * width;
    if (!chunks->weight) return;
    for (int64_t i = 0; i < rows; i++)
        limn_prompt_emphasize(chunks->style, (int)tokens, (int)width, chunks->weight + i * tokens, features + rows * row,
                              features + i * row);
}

static bool is_taken(const limn_recipe *r, int part, int row)
{
    for (int i = 0; i < r->n_wires; i++)
        if (r->wire[i].from == part && r->wire[i].out == row) return true;
    return false;
}

/* What wires take of a part that ran: its own memory may go. */
static limn_status take_outputs(limn_ctx *ctx, limn_recipe *r, int i)
{
    limn_recipe_part *part = &r->part[i];
    limn_status status = LIMN_OK;
    for (int row = 0; row < LIMN_PORTS && status == LIMN_OK; row++) {
        const limn_node *node = limn_port_node(part->job.ports, row);
        if (!node || !is_taken(r, i, row)) continue;
        limn_shape shape = limn_node_shape(node);
        size_t bytes = sizeof(limn_said) + (size_t)limn_shape_count(&shape) * sizeof(float);
        free(part->said[row]);
        limn_said *said = part->said[row] = malloc(bytes);
        if (!said) return limn_fail_memory(ctx, bytes, part->name);
        said->shape = shape;
        status = limn_job_output(ctx, &part->job, node, part->name, said->values);
        if (status == LIMN_OK && shape.rank == 3) emphasize(&part->chunks, &shape, said->values);
    }
    return status;
}

/* The block of a wire: each row of the batch has that of its text, of vectors (pooled) that of the text's first chunk. */
static void bring(const limn_recipe *r, limn_wire *w, const limn_shape *to, float *values)
{
    const limn_recipe_part *from = &r->part[w->from];
    const limn_said *said = from->said[w->out];
    int64_t rows = to->dim[0], tokens, channels, wide_tokens, wide_channels;
    extent(&said->shape, &tokens, &channels);
    extent(to, &wide_tokens, &wide_channels);
    int64_t chunks = from->chunks.n ? from->chunks.n : 1, texts = (said->shape.dim[0] - from->chunks.with_empty) / chunks;
    for (int64_t b = 0; b < rows; b++)
        for (int64_t t = 0; t < (said->shape.rank == 3 ? chunks * tokens : 1); t++)
            memcpy(values + ((b * wide_tokens + w->token + t) * wide_channels + w->channel),
                   said->values + (b * texts / rows * chunks * tokens + t) * channels, (size_t)channels * sizeof *values);
    w->seen = from->version;
}

/* Has anything changed since it ran: what the job wrote, or what a wire brings?  No wires go in a circle. */
static bool is_stale(const limn_recipe *r, const limn_recipe_part *part)
{
    bool stale = part->changed;
    for (int i = 0; i < r->n_wires && !stale; i++) {
        const limn_recipe_part *from = &r->part[r->wire[i].from];
        if (&r->part[r->wire[i].to] == part) stale = r->wire[i].seen != from->version || is_stale(r, from);
    }
    return stale;
}

/* All that wires bring to one input; what none of them fills is 0. */
static limn_status feed(limn_ctx *ctx, limn_recipe *r, int to, int row)
{
    const limn_node *node = limn_port_node(r->part[to].job.ports, row);
    limn_shape shape = limn_node_shape(node);
    size_t n = (size_t)limn_shape_count(&shape);
    float *values = calloc(n, sizeof *values);
    if (!values) return limn_fail_memory(ctx, n * sizeof *values, limn_port_rows[row].name);
    for (int i = 0; i < r->n_wires; i++)
        if (r->wire[i].to == to && r->wire[i].in == row) bring(r, &r->wire[i], &shape, values);
    limn_status status = limn_recipe_write(&r->part[to], row, LIMN_F32, values);
    free(values);
    return status;
}

/* A part whose own inputs changed, or those of a part that feeds it, runs. */
static limn_status refresh(limn_ctx *ctx, limn_recipe *r, limn_recipe_part *part)
{
    return is_stale(r, part) ? limn_recipe_run(ctx, r, part) : LIMN_OK;
}

limn_status limn_recipe_run(limn_ctx *ctx, limn_recipe *r, limn_recipe_part *part)
{
    int to = (int)(part - r->part);
    limn_status status = LIMN_OK;
    for (int i = 0; i < r->n_wires && status == LIMN_OK; i++)
        if (r->wire[i].to == to) status = refresh(ctx, r, &r->part[r->wire[i].from]);
    for (int i = 0; i < r->n_wires && status == LIMN_OK; i++)
        if (r->wire[i].to == to && r->wire[i].seen != r->part[r->wire[i].from].version)
            status = feed(ctx, r, to, r->wire[i].in);
    if (status == LIMN_OK) status = limn_job_load(ctx, &part->job);
    if (status == LIMN_OK) status = limn_run_execute(part->job.run);
    if (status == LIMN_OK) status = take_outputs(ctx, r, to);
    if (status != LIMN_OK) return status;
    part->version++, part->changed = false, part->ran = true;
    if (part->role == LIMN_ROLE_TEXT) limn_recipe_rest(r, part);
    return LIMN_OK;
}

limn_status limn_recipe_code(limn_ctx *ctx, const limn_recipe *r, limn_recipe_part *part, limn_coder_sides latent,
                             const float *from, float *to, float *log_variance)
{
    if (part->role == LIMN_ROLE_DECODER && r->strips.n)
        return limn_strips_run(ctx, part->net, &part->shape, &r->strips, from, to);
    limn_status status = limn_job_code(ctx, &part->job, &part->tiling, latent, from, to, log_variance);
    part->ran = status == LIMN_OK;
    return status;
}

/* What one of them takes is free before the next one reads its weights. */
limn_status limn_recipe_load(limn_ctx *ctx, limn_recipe *r)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < r->n_parts; i++)
        if (r->part[i].role == LIMN_ROLE_ENCODER) limn_recipe_rest(r, &r->part[i]);
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_recipe_part *part = &r->part[i];
        if (part->role != LIMN_ROLE_TEXT || !part->job.run) continue;
        status = refresh(ctx, r, part);
        if (part->ran || status != LIMN_OK) continue;
        limn_recipe_rest(r, part); /* what it said of these texts is kept */
        limn_job_end(&part->job);
    }
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++)
        if (r->part[i].job.run && r->part[i].role != LIMN_ROLE_ENCODER) status = limn_job_load(ctx, &r->part[i].job);
    const limn_recipe_part *decoder = limn_recipe_find(r, LIMN_ROLE_DECODER);
    return status == LIMN_OK && r->strips.n ? limn_strips_load(ctx, decoder->net, &decoder->shape, &r->strips) : status;
}
