/* facts.c: see facts.h. */
#include "train/facts.h"

#include "data/classes.h"

#include <stdlib.h>

static bool has_room(limn_run_facts *f)
{
    if (f->n < f->capacity) return true;
    int capacity = f->capacity ? 2 * f->capacity : 32;
    limn_run_fact *more = realloc(f->fact, (size_t)capacity * sizeof *more);
    if (more) f->fact = more, f->capacity = capacity;
    return more != NULL;
}

void limn_facts_add(limn_run_facts *f, const char *key, const char *fixed, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = limn_arena_printf_list(f->arena, format, args);
    va_end(args);
    f->failed = f->failed || !text || !has_room(f);
    if (!f->failed) f->fact[f->n++] = (limn_run_fact){key, fixed, text};
}

void limn_facts_add_line(limn_run_facts *f, const char *key, const char *fixed, const char *line)
{
    if (!line) {
        limn_facts_add(f, key, fixed, "%s", "");
        return;
    }
    limn_class_name_write(&f->lines, line);
    f->failed = f->failed || f->lines.failed;
    if (f->lines.bytes && f->n) f->fact[f->n - 1].value = f->lines.bytes;
}

void limn_facts_free(limn_run_facts *f)
{
    if (!f) return;
    limn_text_free(&f->lines);
    free(f->fact);
    limn_arena_free(f->arena);
    free(f);
}

static void record_data(const limn_data_fingerprint *p, limn_run_facts *f)
{
    struct {
        const char *key, *fixed, *value;
    } rows[] = {{LIMN_FACT_DATA "pictures", "the list of pictures in --data", p->pictures.names},
                {LIMN_FACT_DATA "masks", "the list of masks in --data", p->masks.names},
                {LIMN_FACT_DATA "picture_bytes", "the content of the pictures in --data", p->pictures.bytes},
                {LIMN_FACT_DATA "mask_bytes", "the content of the masks in --data", p->masks.bytes},
                {LIMN_FACT_DATA "captions", "the hash of the captions in --data", p->captions},
                {LIMN_FACT_DATA "labels", "the hash of the classes of the pictures in --data", p->labels}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value[0]) limn_facts_add(f, rows[i].key, rows[i].fixed, "%s", rows[i].value);
}

limn_run_facts *limn_facts_of(const limn_trainer *t)
{
    const limn_train_options *o = t->o;
    char settings[LIMN_SETTINGS_BYTES];
    limn_run_facts *f = calloc(1, sizeof *f);
    if (!f || !(f->arena = limn_arena_new())) return free(f), NULL;
    limn_facts_add(f, "format", NULL, "pt");
    limn_facts_add(f, "limn.settings", NULL, "%s", limn_settings_text(&t->settings, settings));
    limn_facts_add(f, "limn.step", NULL, "%lld", (long long)t->step);
    limn_facts_add(f, "limn.seed", "--seed", "%llu", (unsigned long long)o->seed);
    limn_facts_add(f, "limn.batch", "--batch times --accumulate", "%lld", (long long)limn_trainer_pictures(t));
    limn_facts_add(f, "limn.freeze", "--freeze", "%s", o->freeze ? o->freeze : "");
    limn_facts_add(f, "limn.lr", NULL, "%.9g", o->lr);
    limn_facts_add(f, "limn.steps", NULL, "%lld", (long long)o->steps);
    if (o->inner_steps) limn_facts_add(f, "limn.inner_steps", NULL, "%lld", (long long)o->inner_steps);
    if (t->net.n_running)
        limn_facts_add(f, "limn.norm_ranks", "the number of ranks of --sync-norm (1 without it)", "%d",
                       limn_trainer_norm_ranks(t));
    t->task->facts(t, f);
    record_data(&t->print, f);
    if (!f->failed) return f;
    limn_facts_free(f);
    return NULL;
}
