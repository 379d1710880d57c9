/* recipe.c: see recipe.h. */
#include "pipeline/recipe_memory.h"

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

limn_recipe_part *limn_recipe_find_next(const limn_recipe *r, limn_role role, int before)
{
    for (int i = 0; i < r->n_parts; i++)
        if (r->part[i].role == role && before-- == 0) return (limn_recipe_part *)(uintptr_t)&r->part[i];
    return NULL;
}

limn_recipe_part *limn_recipe_find(const limn_recipe *r, limn_role role)
{
    return limn_recipe_find_next(r, role, 0);
}

void limn_recipe_share(const limn_recipe *r, limn_recipe *out)
{
    *out = *r;
    for (int i = 0; i < r->n_parts; i++) {
        limn_recipe_part *part = &out->part[i];
        limn_net_share(part->net);
        part->job = (limn_job){0}, part->ids = NULL, part->chunks = (limn_recipe_chunks){0}, part->strips.n = 0;
        memset(part->output, 0, sizeof part->output);
        part->shape = (limn_net_shape){0}, part->version = 0, part->changed = part->ran = false;
    }
    out->told = NULL;
    for (int i = 0; i < r->n_wires; i++) out->wire[i].seen = 0;
}

/* Nothing is known of what it read and said. */
static void forget(limn_recipe_part *part)
{
    free(part->ids);
    for (int i = 0; i < LIMN_PORTS; i++) free(part->output[i]), part->output[i] = NULL;
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

limn_status limn_recipe_twin(limn_ctx *ctx, limn_recipe *r, const char *name, limn_role role, const limn_recipe_part *of)
{
    int from = (int)(of - r->part), to = r->n_parts, wires = r->n_wires;
    limn_status status = limn_recipe_add(ctx, r, name, role, of->net, of->door, of->port);
    if (status == LIMN_OK) r->part[to].zero_inputs = r->part[from].zero_inputs;
    for (int i = 0; i < wires && status == LIMN_OK; i++) {
        limn_wire wire = r->wire[i];
        if (wire.to != from) continue;
        wire.to = to;
        status = add_wire(ctx, r, name, wire);
    }
    return status;
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
            if (part->zero_inputs >> row & 1) continue;
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

static limn_status begin_part(limn_ctx *ctx, limn_recipe *r, int i, const limn_net_shape *shape)
{
    limn_recipe_part *part = &r->part[i];
    if (part->strips.n) limn_job_end(&part->job);
    else if (limn_job_serves(ctx, &part->job, part->net, shape)) return LIMN_OK;
    if (part->role != LIMN_ROLE_TEXT || !limn_net_shape_same(&part->shape, shape)) forget(part);
    part->shape = *shape, part->ran = false;
    for (int w = 0; w < r->n_wires; w++)
        if (r->wire[w].to == i) r->wire[w].seen = 0;
    if (part->strips.n) return LIMN_OK;
    return limn_job_open(ctx, part->net, shape, (size_t)1 << 62, &part->job);
}

/* What jobs of another shape hold goes before it is counted: their activations, and weights of another precision, of which a
 * net keeps one. */
static void end_others(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s)
{
    for (int i = 0; i < r->n_parts; i++) {
        limn_recipe_part *part = &r->part[i];
        limn_net_shape shape = limn_recipe_shape_of(part, s);
        if (limn_recipe_wants(part, s) && !limn_job_serves(ctx, &part->job, part->net, &shape)) limn_job_end(&part->job);
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
    limn_recipe_sizes plan = {0};
    end_others(ctx, r, s);
    limn_status status = limn_recipe_ask(ctx, r, s, &text, &plan);
    if (status == LIMN_OK) tell(ctx, r, &text);
    limn_text_free(&text);
    for (int i = 0; i < r->n_parts; i++) r->part[i].strips = plan.strips[i];
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_net_shape shape = limn_recipe_shape_of(&r->part[i], s);
        if (!limn_recipe_wants(&r->part[i], s)) continue;
        status = begin_part(ctx, r, i, &shape);
        r->part[i].size = plan.size[i], r->part[i].tiling = s->tiling;
    }
    return status;
}

void limn_recipe_release(limn_recipe *r, limn_recipe_part *part)
{
    int i = (int)(part - r->part);
    if (!part->job.run && !part->strips.n) return;
    if (limn_recipe_is_transient(r, part, &part->size, &part->strips)) {
        limn_job_end(&part->job);
        limn_net_release(part->net);
        part->ran = false;
    } else if (part->job.run && part->role != LIMN_ROLE_TEXT && part->role != LIMN_ROLE_ENCODER &&
               limn_recipe_is_large(r, part->size.activations)) {
        limn_job_release(&part->job);
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

void limn_recipe_zero_texts(limn_recipe *r, limn_recipe_part *part, unsigned texts)
{
    if (part->zero_texts == texts) return;
    part->zero_texts = texts;
    for (int w = 0; w < r->n_wires; w++)
        if (&r->part[r->wire[w].from] == part) r->wire[w].seen = 0;
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
        size_t bytes = sizeof(limn_part_output) + (size_t)limn_shape_count(&shape) * sizeof(float);
        free(part->output[row]);
        limn_part_output *out = part->output[row] = malloc(bytes);
        if (!out) return limn_fail_memory(ctx, bytes, part->name);
        out->shape = shape;
        status = limn_job_output(ctx, &part->job, node, part->name, out->values);
        if (status == LIMN_OK && shape.rank == 3) emphasize(&part->chunks, &shape, out->values);
    }
    return status;
}

/* The block of a wire: each row of the batch has that of its text, of vectors (pooled) that of the text's first chunk. */
static void bring(const limn_recipe *r, limn_wire *w, const limn_shape *to, float *values)
{
    const limn_recipe_part *from = &r->part[w->from];
    const limn_part_output *out = from->output[w->out];
    int64_t rows = to->dim[0], tokens, channels, wide_tokens, wide_channels;
    extent(&out->shape, &tokens, &channels);
    extent(to, &wide_tokens, &wide_channels);
    int64_t chunks = from->chunks.n ? from->chunks.n : 1, texts = (out->shape.dim[0] - from->chunks.with_empty) / chunks;
    int64_t n = out->shape.rank == 3 ? chunks * tokens : 1;
    for (int64_t b = 0; b < rows; b++) {
        int64_t text = r->part[w->to].role == LIMN_ROLE_SKIPS ? 0 : b * texts / rows;
        for (int64_t t = 0; t < n && !(from->zero_texts >> text & 1); t++)
            memcpy(values + ((b * wide_tokens + w->token + t) * wide_channels + w->channel),
                   out->values + (text * chunks * tokens + t) * channels, (size_t)channels * sizeof *values);
    }
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
    bool text = part->role == LIMN_ROLE_TEXT;
    if (!is_stale(r, part)) return LIMN_OK;
    limn_status status = text ? limn_job_load(ctx, &part->job) : LIMN_OK;
    if (status != LIMN_OK) return status;
    if (text && !limn_progress(ctx, "text", 0, 1)) return limn_fail(ctx, LIMN_CANCELLED, "stopped before the text was read");
    status = limn_recipe_run(ctx, r, part);
    if (status == LIMN_OK && text && !limn_progress(ctx, "text", 1, 1))
        status = limn_fail(ctx, LIMN_CANCELLED, "stopped when the text was read");
    return status;
}

/* The parts that feed this one, where their inputs changed. */
static limn_status prepare(limn_ctx *ctx, limn_recipe *r, const limn_recipe_part *part)
{
    int to = (int)(part - r->part);
    limn_status status = LIMN_OK;
    for (int i = 0; i < r->n_wires && status == LIMN_OK; i++)
        if (r->wire[i].to == to) status = refresh(ctx, r, &r->part[r->wire[i].from]);
    return status;
}

limn_status limn_recipe_run(limn_ctx *ctx, limn_recipe *r, limn_recipe_part *part)
{
    int to = (int)(part - r->part);
    limn_status status = prepare(ctx, r, part);
    for (int row = 0; row < LIMN_PORTS && status == LIMN_OK; row++)
        if (part->zero_inputs >> row & 1 && !part->ran) status = feed(ctx, r, to, row);
    for (int i = 0; i < r->n_wires && status == LIMN_OK; i++)
        if (r->wire[i].to == to && r->wire[i].seen != r->part[r->wire[i].from].version)
            status = feed(ctx, r, to, r->wire[i].in);
    if (status == LIMN_OK) status = limn_job_load(ctx, &part->job);
    if (status == LIMN_OK) status = limn_run_execute(part->job.run);
    if (status == LIMN_OK) status = take_outputs(ctx, r, to);
    if (status != LIMN_OK) return status;
    part->version++, part->changed = false, part->ran = true;
    if (part->role == LIMN_ROLE_TEXT) limn_recipe_release(r, part);
    return LIMN_OK;
}

limn_status limn_recipe_code(limn_ctx *ctx, limn_recipe_part *part, limn_coder_sides latent, const float *from, float *to,
                             float *log_variance)
{
    if (part->strips.n) return limn_strips_run(ctx, part->net, &part->shape, &part->strips, from, to, log_variance);
    limn_status status = limn_job_code(ctx, &part->job, &part->tiling, latent, from, to, log_variance);
    part->ran = status == LIMN_OK;
    return status;
}

limn_status limn_recipe_load_part(limn_ctx *ctx, limn_recipe_part *part)
{
    return part->strips.n ? limn_strips_load(ctx, part->net, &part->shape, &part->strips) : limn_job_load(ctx, &part->job);
}

/* What one of them takes is free before the next one reads its weights. */
limn_status limn_recipe_load(limn_ctx *ctx, limn_recipe *r)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < r->n_parts; i++)
        if (r->part[i].role >= LIMN_ROLE_ENCODER) limn_recipe_release(r, &r->part[i]); /* a start has been coded with them */
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_recipe_part *part = &r->part[i];
        if (part->role != LIMN_ROLE_TEXT || !part->job.run) continue;
        status = refresh(ctx, r, part);
        if (part->ran || status != LIMN_OK) continue;
        limn_recipe_release(r, part); /* what it said of these texts is kept */
        limn_job_end(&part->job);
    }
    for (int i = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_recipe_part *part = &r->part[i];
        if ((part->job.run || part->strips.n) && part->role != LIMN_ROLE_ENCODER) status = limn_recipe_load_part(ctx, part);
    }
    return status;
}
