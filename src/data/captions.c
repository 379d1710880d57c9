/* captions.c: which fields captions are in, which of several a sample has, and the line that says so before the first
 * step. */
#include "data/rows.h"
#include "base/number.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAW_FIELD = 3, DRAW_TEXT = 4 }; /* indices of LIMN_STREAM_AUGMENT: data.c has those before */

/* ---- fields ----------------------------------------------------------------------------------------------------------- */

/* "text:0.7" of n bytes; a name may hold a colon ("dc:title"): what follows the last one is a weight where it is a
 * number. */
static bool read_field(limn_arena *arena, const char *text, size_t n, const char **name, double *weight)
{
    char *copy = limn_arena_printf(arena, "%.*s", (int)n, text), *colon = copy ? strrchr(copy, ':') : NULL, *end = colon;
    double given = colon && colon[1] ? limn_number_parse(colon + 1, &end) : 1;
    *name = copy, *weight = 1;
    if (!colon || *end || end == colon) return copy && *copy;
    *colon = '\0', *weight = given;
    return *copy && isfinite(given) && given > 0;
}

int limn_caption_fields(limn_ctx *ctx, limn_arena *arena, const char *text, const char *name[LIMN_CAPTION_FIELDS],
                        double weight[LIMN_CAPTION_FIELDS])
{
    int n = 0;
    for (const char *p = text;; p++) {
        size_t length = strcspn(p, ",");
        bool fits = n < LIMN_CAPTION_FIELDS && read_field(arena, p, length, &name[n], &weight[n]);
        for (int i = 0; i < n && fits; i++) fits = strcmp(name[i], name[n]) != 0;
        if (!fits)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                             "--caption-field expects different fields with commas between, at most %d, each with a weight "
                             "above 0 or without, as in "
                             "text:0.7,keywords:0.3; found \"%.200s\"",
                             LIMN_CAPTION_FIELDS, text),
                   0;
        n++;
        if (!*(p += length)) return n;
    }
}

const char *limn_row_caption(const limn_rows *rows, int64_t i, uint64_t seed, uint64_t position)
{
    const limn_row *row = &rows->row[i];
    double sum = 0, at;
    int f = -1;
    if (!row->texts) return row->caption;
    for (int k = 0; k < rows->n_fields; k++) sum += row->texts[k].n ? rows->weight[k] : 0;
    at = sum * (double)limn_random_uniform(seed, LIMN_STREAM_AUGMENT, position, DRAW_FIELD);
    for (int k = 0; k < rows->n_fields && (f < 0 || at >= 0); k++)
        if (row->texts[k].n) f = k, at -= rows->weight[k];
    const limn_texts *texts = &row->texts[f];
    return texts->text[limn_random_below(seed, LIMN_STREAM_AUGMENT, position, DRAW_TEXT, (uint64_t)texts->n)];
}

/* ---- the line before the first step ----------------------------------------------------------------------------------- */

static void count(limn_text *line, int64_t n, const char *what)
{
    if (n) limn_text_printf(line, "%s%lld from %s", line->n ? ", " : "", (long long)n, what);
}

/* "40 from NAME.txt, 2 from NAME.caption" */
static void tell_sources(const limn_rows *rows, int64_t n_has, limn_text *line)
{
    const limn_caption_facts *f = &rows->captions;
    char field[300];
    snprintf(field, sizeof field, "the field%s \"%.250s\" of metadata.jsonl", f->field && strchr(f->field, ',') ? "s" : "",
             f->field ? f->field : "");
    int64_t beside = f->txt + f->caption + f->classes;
    if (f->field) count(line, n_has - beside, field);
    count(line, f->txt, "NAME.txt");
    count(line, f->caption, "NAME.caption");
    count(line, f->classes, "the names of their folders");
}

static void tell_drawn(const limn_rows *rows, limn_text *line)
{
    int64_t n = 0;
    for (int64_t i = 0; i < rows->n; i++) n += rows->row[i].texts != NULL;
    if (n) limn_text_printf(line, "; %lld have several, of which every sample draws one", (long long)n);
    if (rows->captions.skipped) limn_text_printf(line, "; %lld empty ones are skipped", (long long)rows->captions.skipped);
    if (rows->captions.differ)
        limn_text_printf(line, "; %lld have both NAME.txt and NAME.caption with different texts: NAME.txt is read",
                         (long long)rows->captions.differ);
}

/* What would be read. */
static void tell_remedy(const limn_rows *rows, limn_text *line)
{
    const limn_caption_facts *f = &rows->captions;
    limn_text_printf(line, "; a caption is NAME.txt or NAME.caption beside the picture, or the field \"text\" (else "
                           "\"caption\", \"prompt\") of metadata.jsonl");
    if (f->other) limn_text_printf(line, "; fields with text that are not read: %s (--caption-field)", f->other);
}

limn_status limn_captions_tell(limn_ctx *ctx, const char *folder, const limn_rows *rows, bool none_is_fine)
{
    const limn_caption_facts *f = &rows->captions;
    limn_text line = {0};
    int64_t n_has = 0;
    if (f->unclear)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "%s/metadata.jsonl has captions in several fields: choose with --caption-field one of %s, or "
                         "several as in caption:0.7,prompt:0.3",
                         folder, f->other);
    for (int64_t i = 0; i < rows->n; i++) n_has += rows->row[i].caption[0] != '\0';
    int64_t missing = rows->n - n_has;
    tell_sources(rows, n_has, &line);
    tell_drawn(rows, &line);
    if (missing)
        limn_text_printf(&line, "%s%lld of %lld pictures have no caption", line.n ? "; " : "", (long long)missing,
                         (long long)rows->n);
    if (missing) tell_remedy(rows, &line);
    else if (f->other && !f->asked) limn_text_printf(&line, "; not read: %s", f->other);
    limn_status status = line.failed ? limn_fail_memory(ctx, 1024, "a line about captions") : LIMN_OK;
    if (status == LIMN_OK && !n_has && !none_is_fine)
        status =
            limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %.1500s.  --no-captions trains on pictures alone", folder, line.bytes);
    else if (status == LIMN_OK && line.n)
        limn_log(ctx, missing || f->differ ? LIMN_LOG_WARN : LIMN_LOG_INFO, "captions: %s", line.bytes);
    limn_text_free(&line);
    return status;
}
