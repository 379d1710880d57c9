/* checkpoint.c: all state of a training in one file, the model that is used in another. */
#include "net/open.h"
#include "train/facts.h"
#include "train/trainer_parts.h"

#include "file/safetensors.h"
#include "file/weight_writer.h"
#include "graph/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- is it the same run? ---------------------------------------------------------------------------------------------- */

static limn_status check_settings(limn_trainer *t, const char *path, const limn_weight_file *st)
{
    const limn_settings *now = &t->settings;
    limn_settings then;
    limn_status status = limn_net_settings_of(t->ctx, path, st, &then);
    if (status != LIMN_OK) return status;
    if (then.family != now->family)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "%s trains %s, and this command %s", path, then.family->name,
                         now->family->name);
    for (int i = 0; now->family->settings[i].name; i++) {
        char a[LIMN_SETTING_BYTES], b[LIMN_SETTING_BYTES];
        if (!limn_setting_same(&then, now, i))
            return limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                             "%s was made with %s=%s, and this command says %s: resume with the same settings, or start "
                             "another run with --init",
                             path, now->family->settings[i].name, limn_setting_text(&then, i, a),
                             limn_setting_text(now, i, b));
    }
    return LIMN_OK;
}

/* Checkpoints of older versions lack some facts; these are not compared. */
static void tell_unknown(limn_trainer *t, const char *path, const limn_weight_file *st)
{
    if (t->print.pictures.bytes[0] && !limn_weight_file_metadata(st, "limn.data.picture_bytes"))
        limn_log(t->ctx, LIMN_LOG_INFO,
                 "%s is of an older version and does not say which pictures it was made with: whether --data holds the same "
                 "is not checked",
                 path);
}

static limn_status check_facts(limn_trainer *t, const char *path, const limn_weight_file *st)
{
    limn_run_facts *f = limn_facts_of(t);
    if (!f) return limn_fail_memory(t->ctx, sizeof *f, "resuming");
    limn_status status = LIMN_OK;
    for (int i = 0; i < f->n && status == LIMN_OK; i++) {
        const limn_run_fact *fact = &f->fact[i];
        const char *then = limn_weight_file_metadata(st, fact->key);
        char shown[256], now[256];
        if (then && fact->fixed && strcmp(then, fact->value) != 0)
            status = limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                               "%s was made where %s was \"%s\", and this command says \"%s\": resume with the same, or "
                               "start another run with --init",
                               path, fact->fixed, limn_escape(then, strlen(then), shown, sizeof shown),
                               limn_escape(fact->value, strlen(fact->value), now, sizeof now));
    }
    limn_facts_free(f);
    return status;
}

/* ---- saving ----------------------------------------------------------------------------------------------------------- */

typedef const char *metadata_pair[2];

/* States of all weights as one list of tensors.  One that is divided comes to rank 0 when its turn is, to where the gradient
 * lies otherwise: their prefixes are in the order of names, so that each comes once. */
typedef struct state_list {
    limn_trainer *t;
    limn_trainer_state state[LIMN_TRAINER_STATES];
    int n;
    int brought; /* the state that is there; 0: none yet */
} state_list;

static state_list states_of(limn_trainer *t)
{
    state_list s = {.t = t};
    s.n = limn_trainer_states(t, s.state);
    return s;
}

/* On every rank. */
static limn_status bring(state_list *s, int state)
{
    limn_trainer *t = s->t;
    limn_status status = LIMN_OK;
    while (s->brought < state && status == LIMN_OK)
        status = limn_tree_collect(&t->sums, s->state[++s->brought].data, limn_trainer_leads(t) ? t->grad : NULL);
    return status;
}

static limn_status read_state(void *user, size_t i, size_t first, size_t n, const void **bytes)
{
    state_list *s = user;
    limn_trainer *t = s->t;
    int state = (int)(i / (size_t)t->weights.n);
    size_t begin = t->weights.begin[i % (size_t)t->weights.n] + first;
    bool divided = state > 0 && limn_trainer_divided(t);
    (void)n;
    limn_status status = divided ? bring(s, state) : LIMN_OK;
    *bytes = (divided ? t->grad : s->state[state].data) + begin;
    return status;
}

static limn_tensor_out tensor_of(const char *name, const limn_node *node, limn_dtype dtype)
{
    limn_tensor_out out = {.name = name, .dtype = dtype, .rank = (int8_t)node->shape.rank};
    for (int k = 0; k < out.rank; k++) out.dim[k] = node->shape.dim[k];
    return out;
}

static limn_status save_state(state_list *s, size_t n_metadata, const metadata_pair *metadata)
{
    char path[1100];
    limn_trainer *t = s->t;
    size_t each = (size_t)t->weights.n, n = (size_t)s->n * each;
    limn_tensor_out *tensor = calloc(n, sizeof *tensor);
    limn_arena *arena = limn_arena_new(); /* of names */
    bool named = tensor && arena;
    for (size_t i = 0; i < n && named; i++) {
        const limn_node *node = t->weights.node[i % each];
        const char *name = limn_arena_printf(arena, "%s%s", s->state[i / each].prefix, node->name);
        named = name != NULL;
        if (named) tensor[i] = tensor_of(name, node, LIMN_F32);
    }
    limn_status status = named ? LIMN_OK : limn_fail_memory(t->ctx, n * sizeof *tensor, "saving");
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    const limn_weight_list list = {n, n_metadata, tensor, metadata, read_state, s};
    if (status == LIMN_OK) status = limn_safetensors_write_list(t->ctx, path, &list);
    limn_arena_free(arena);
    free(tensor);
    return status;
}

/* The EMA in bf16, a few elements at a time. */
typedef struct model_list {
    const limn_trainer *t;
    uint16_t *half; /* [LIMN_OUT_ELEMENTS] */
} model_list;

static limn_status read_model(void *user, size_t i, size_t first, size_t n, const void **bytes)
{
    model_list *m = user;
    limn_convert(m->t->shown + m->t->weights.begin[i] + first, LIMN_F32, m->half, LIMN_BF16, n);
    *bytes = m->half;
    return LIMN_OK;
}

/* The network alone: what else was trained along (the contrastive heads) stays in the checkpoint. */
static limn_status save_model(limn_trainer *t, size_t n_metadata, const metadata_pair *metadata)
{
    char path[1100];
    size_t n = (size_t)t->net.n_network;
    model_list m = {t, malloc(LIMN_OUT_ELEMENTS * sizeof *m.half)};
    limn_tensor_out *tensor = calloc(n, sizeof *tensor);
    limn_status status = m.half && tensor ? LIMN_OK : limn_fail_memory(t->ctx, n * sizeof *tensor, "saving");
    for (size_t i = 0; i < n && status == LIMN_OK; i++)
        tensor[i] = tensor_of(t->weights.node[i]->name, t->weights.node[i], LIMN_BF16);
    snprintf(path, sizeof path, "%s/model.safetensors", t->o->out);
    const limn_weight_list list = {n, n_metadata, tensor, metadata, read_model, &m};
    if (status == LIMN_OK) status = limn_safetensors_write_list(t->ctx, path, &list);
    free(m.half);
    free(tensor);
    return status;
}

/* ---- an older run in the folder --------------------------------------------------------------------------------------- */

bool limn_trainer_has_older(const limn_trainer *t)
{
    char path[1100];
    struct stat st;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    return !t->o->resume && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Steps of a checkpoint; -1: there is none. */
static int64_t steps_in(limn_ctx *ctx, const char *path)
{
    limn_weight_file *file;
    if (limn_weight_file_open(ctx, path, &file) != LIMN_OK) return -1;
    const char *step = limn_weight_file_metadata(file, "limn.step");
    int64_t n = step ? strtoll(step, NULL, 10) : -1;
    limn_weight_file_close(file);
    return n;
}

/* Before the first save of a new run: hours of work are not lost to a forgotten --resume, nor to a second one. */
static limn_status keep_older(limn_trainer *t)
{
    char path[1100], kept[1100];
    if (!limn_trainer_has_older(t)) return LIMN_OK;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    snprintf(kept, sizeof kept, "%s/checkpoint.old.safetensors", t->o->out);
    if (steps_in(t->ctx, kept) > steps_in(t->ctx, path)) {
        limn_log(t->ctx, LIMN_LOG_WARN, "of two older runs %s is kept, which has more steps", kept);
        return LIMN_OK;
    }
    if (rename(path, kept) != 0)
        return limn_fail(t->ctx, LIMN_IO, "%s: cannot be kept as %s: %s", path, kept, strerror(errno));
    limn_log(t->ctx, LIMN_LOG_INFO, "the checkpoint of the older run is now %s", kept);
    return LIMN_OK;
}

static limn_status save_files(limn_trainer *t, state_list *states)
{
    limn_run_facts *f = limn_facts_of(t);
    if (!f) return limn_fail_memory(t->ctx, sizeof *f, "saving");
    size_t bytes = (size_t)f->n * sizeof(metadata_pair);
    metadata_pair *metadata = malloc(bytes);
    for (int i = 0; metadata && i < f->n; i++) metadata[i][0] = f->fact[i].key, metadata[i][1] = f->fact[i].value;
    int n_model = 0;
    while (metadata && n_model < f->n && strncmp(metadata[n_model][0], LIMN_FACT_DATA, sizeof LIMN_FACT_DATA - 1) != 0)
        n_model++; /* they come last, and only resuming asks for them */
    limn_status status = metadata ? LIMN_OK : limn_fail_memory(t->ctx, bytes, "saving");
    if (status == LIMN_OK && !t->saved) status = keep_older(t);
    if (status == LIMN_OK) status = save_state(states, (size_t)f->n, (const metadata_pair *)metadata);
    t->saved = t->saved || status == LIMN_OK;
    if (status == LIMN_OK) status = save_model(t, (size_t)n_model, (const metadata_pair *)metadata); /* the EMA came last */
    free(metadata);
    limn_facts_free(f);
    return status;
}

limn_status limn_trainer_save(limn_trainer *t)
{
    state_list states = states_of(t);
    bool leads = limn_trainer_leads(t);
    if (!limn_trainer_divided(t)) return save_files(t, &states);
    if (leads) limn_shares_put_aside(&t->shares, t->grad);
    limn_status status = leads ? save_files(t, &states) : LIMN_OK;
    limn_status brought = bring(&states, states.n - 1); /* also where rank 0 could not write: nobody waits for it */
    if (leads) limn_shares_put_back(&t->shares, t->grad);
    return status == LIMN_OK ? brought : status;
}

/* ---- going on --------------------------------------------------------------------------------------------------------- */

limn_status limn_trainer_resume(limn_trainer *t)
{
    char path[1100];
    limn_weight_file *st;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    limn_status status = limn_weight_file_open(t->ctx, path, &st);
    if (status != LIMN_OK) return status;
    bool known;
    status = limn_weight_file_check(t->ctx, st, &known);
    if (!known) limn_log(t->ctx, LIMN_LOG_WARN, "%s carries no checksum: damage would not be seen", path);
    const char *step = limn_weight_file_metadata(st, "limn.step");
    t->step = step ? strtoll(step, NULL, 10) : -1;
    if (status == LIMN_OK && t->step < 0)
        status = limn_fail(t->ctx, LIMN_BAD_FILE, "%s: no limn.step in its metadata", path);
    if (status == LIMN_OK) status = check_settings(t, path, st);
    if (status == LIMN_OK) status = check_facts(t, path, st);
    if (status == LIMN_OK) tell_unknown(t, path, st);
    limn_trainer_state state[LIMN_TRAINER_STATES];
    int n_states = limn_trainer_states(t, state);
    if (limn_trainer_divided(t)) n_states = 1; /* the others come when there is room: limn_trainer_resume_state() */
    if (t->o->inner_steps && !limn_weight_file_metadata(st, "limn.inner_steps"))
        n_states--, limn_log(t->ctx, LIMN_LOG_INFO, "%s is of a run without --inner-steps: outer steps begin anew", path);
    for (int k = 0; k < n_states && status == LIMN_OK; k++)
        status = limn_weights_load(t->ctx, &t->weights, path, st, state[k].prefix, state[k].data);
    limn_weight_file_close(st);
    return status;
}

limn_status limn_trainer_resume_state(limn_trainer *t, const limn_trainer_state *state, float *whole)
{
    char path[1100];
    limn_weight_file *st;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    limn_status status = limn_weight_file_open(t->ctx, path, &st);
    if (status == LIMN_OK) status = limn_weights_load(t->ctx, &t->weights, path, st, state->prefix, whole);
    limn_weight_file_close(st);
    return status;
}

limn_status limn_trainer_init(limn_trainer *t)
{
    limn_weight_file *st;
    limn_status status = limn_net_open_start(t->ctx, t->o->init, t->net.g, &st);
    if (status != LIMN_OK) return limn_fail_in(t->ctx, status, "--init");
    limn_weights network = t->weights;
    network.n = t->net.n_network;
    status = limn_weights_load(t->ctx, &network, t->o->init, st, "", t->weights.value);
    limn_weight_file_close(st);
    return status == LIMN_OK ? LIMN_OK : limn_fail_in(t->ctx, status, "--init");
}
