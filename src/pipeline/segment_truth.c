/* segment_truth.c: the masks that results are compared with; see segment_job.h. */
#include "pipeline/segment_job.h"

#include "data/case.h"
#include "data/mask_parts.h"
#include "file/target.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- which mask ------------------------------------------------------------------------------------------------------- */

limn_status limn_segment_truths_open(limn_segment_job *job)
{
    if (!limn_path_is_folder(job->o->truth)) return LIMN_OK;
    limn_status status = limn_names_list(job->ctx, job->o->truth, true, &job->truth_names, NULL);
    return status == LIMN_OK ? limn_stems_new(job->ctx, job->truth_names.name, NULL, job->truth_names.n,
                                              &job->truths) : status;
}

void limn_segment_truths_close(limn_segment_job *job)
{
    limn_stems_free(&job->truths);
    limn_names_free(&job->truth_names);
}

limn_status limn_segment_truth_path(const limn_segment_job *job, const char *picture, char *out)
{
    int n;
    const char *name = limn_segment_stem(picture, &n);
    if (!limn_path_is_folder(job->o->truth)) {
        if (job->many) return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--truth: %s is no folder, which several pictures need",
                                        job->o->truth);
        snprintf(out, LIMN_SEGMENT_PATH, "%s", job->o->truth);
        return LIMN_OK;
    }
    size_t of_case = limn_case_stem(name), all = 0;
    size_t lengths[2] = {(size_t)n, strncmp(name + of_case, "_0000",
                                            5) == 0 ? of_case : 0}; /* nnU-Net's masks are named by case */
    limn_stem_entry *found[2] = {NULL, NULL};
    for (int k = 0; k < 2 && lengths[k]; k++) {
        limn_stem_entry *these;
        size_t n_these = limn_stems_find(&job->truths, name, lengths[k], &these);
        if (n_these == SIZE_MAX) return limn_fail_memory(job->ctx, lengths[k], "the name of a truth");
        for (size_t i = 0; i < n_these && all < 2; i++) found[all++] = these + i;
    }
    if (!all) {
        limn_raster_kind kind;
        bool slices;
        limn_raster_look(job->ctx, picture, &kind, &slices);
        return limn_fail(job->ctx, LIMN_NOT_FOUND, "--truth: %s holds no mask named %.*s%s for %s", job->o->truth, n, name,
                         limn_segment_ending(kind, slices), picture);
    }
    if (all > 1)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--truth: %s/%s and %s/%s are masks for one picture, %s: expected one "
                         "of them", job->o->truth, found[0]->name, job->o->truth,
                         found[1]->name, picture);
    if (found[0]->taken_by && strcmp(found[0]->taken_by, picture) != 0)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--truth: %s and %s are pictures for one mask, %s/%s: expected one of "
                         "them", found[0]->taken_by, picture, job->o->truth,
                         found[0]->name);
    found[0]->taken_by = picture;
    if (snprintf(out, LIMN_SEGMENT_PATH, "%s/%s", job->o->truth, found[0]->name) >= LIMN_SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--truth: the path of the mask for %s is too long", picture);
    return LIMN_OK;
}

/* ---- its values ------------------------------------------------------------------------------------------------------- */

/* A mask and its classes [S,H,W], as the option `values` says or as they are; both the caller's (free()) in any case. */
static limn_status read_classes(limn_ctx *ctx, const char *path, const char *option, int n_classes, limn_label_map *mask,
                                uint8_t **classes)
{
    limn_class_values *values = NULL;
    *classes = NULL;
    limn_status status = limn_mask_read(ctx, path, mask);
    if (status == LIMN_OK) status = limn_class_values_new(ctx, option, n_classes, true, &values);
    if (status == LIMN_OK && values->halved) status = limn_mask_halve(ctx, path, mask);
    size_t n = status == LIMN_OK ? (size_t)mask->width * (size_t)mask->height * (size_t)mask->slices : 0;
    if (status == LIMN_OK && !(*classes = malloc(n))) status = limn_fail_memory(ctx, n, path);
    if (status == LIMN_OK)
        status = limn_class_values_apply(ctx, path, values, n_classes, mask->width, n, mask->value, *classes);
    free(values);
    return status;
}

static void tell_near(limn_ctx *ctx, const char *path, const limn_label_map *mask)
{
    if (!mask->near.n) return;
    limn_log(ctx, LIMN_LOG_INFO,
             "%s: %zu values are not quite whole numbers, the first %.9g: taken as the number they are within 1e-4 of", path,
             mask->near.n, (double)mask->near.first);
}

limn_status limn_segment_truth_read(const limn_segment_job *job, limn_segment_result *r)
{
    char path[LIMN_SEGMENT_PATH];
    limn_label_map mask = {0};
    limn_status status = limn_segment_truth_path(job, r->path, path);
    if (status == LIMN_OK) status = read_classes(job->ctx, path, job->o->values, job->info.classes, &mask, &r->truth);
    if (status == LIMN_OK) {
        tell_near(job->ctx, path, &mask);
        status = limn_mask_fits(job->ctx, path, &mask, "picture", r->path, &r->raster);
    }
    free(mask.value);
    return status;
}

/* ---- into a report ---------------------------------------------------------------------------------------------------- */

limn_status limn_segment_add(limn_ctx *ctx, limn_report *report, const limn_raster *size, const uint8_t *truth,
                             const uint8_t *classes, const float *p_cell)
{
    size_t n = (size_t)size->width * (size_t)size->height;
    limn_status status = LIMN_OK;
    for (int z = 0; z < size->slices && status == LIMN_OK; z++) {
        limn_label_pair maps = {.width = (uint32_t)size->width,
                                .height = (uint32_t)size->height,
                                .n_classes = report->n_classes,
                                .truth = truth + (size_t)z * n,
                                .prediction = classes + (size_t)z * n};
        status = limn_report_add(ctx, report, &maps, p_cell ? p_cell + (size_t)z * n : NULL);
    }
    return status;
}

/* Both as they are in their files, into a report of their own. */
static limn_status add_pair(limn_ctx *ctx, limn_report *own, const char *path, const char *truth_path, const char *values)
{
    limn_label_map mask = {0}, truth = {0};
    uint8_t *classes = NULL, *true_classes = NULL;
    limn_status status = read_classes(ctx, path, values, own->n_classes, &mask, &classes);
    if (status == LIMN_OK) status = read_classes(ctx, truth_path, values, own->n_classes, &truth, &true_classes);
    if (status == LIMN_OK) status = limn_mask_fits(ctx, truth_path, &truth, "mask", path, &mask.file);
    if (status == LIMN_OK) {
        tell_near(ctx, path, &mask), tell_near(ctx, truth_path, &truth);
        size_t n = (size_t)mask.width * (size_t)mask.height * (size_t)mask.slices;
        if (memchr(classes, LIMN_IGNORED, n))
            status = limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a class for every pixel, found a value that is ignored",
                               path);
    }
    if (status == LIMN_OK) status = limn_segment_add(ctx, own, &mask.file, true_classes, classes, NULL);
    free(mask.value), free(truth.value);
    free(classes), free(true_classes);
    return status;
}

limn_status limn_report_add_files(limn_ctx *ctx, limn_report *report, const char *mask, const char *truth,
                                  const char *values)
{
    limn_report *own;
    limn_status status = limn_report_new(ctx, report->n_classes, report->names, report->cell, &own);
    if (status == LIMN_OK) status = add_pair(ctx, own, mask, truth, values);
    if (status == LIMN_OK) limn_report_merge(report, own);
    limn_report_free(own);
    return status;
}

/* ---- all of them together --------------------------------------------------------------------------------------------- */

/* What truths hold beside 0: white (255, 65535) and nothing else; other classes and nothing else; 255 and other classes,
 * where it is ignored. */
typedef enum truth_kind { WHITE, OTHERS, BOTH, N_KINDS } truth_kind;

typedef struct truth_kinds {
    size_t n[N_KINDS], n_soft, n_faint;
    char first[N_KINDS][LIMN_SEGMENT_PATH], first_soft[LIMN_SEGMENT_PATH], first_faint[LIMN_SEGMENT_PATH];
    double white, soft, all; /* pixels */
} truth_kinds;

static void note(size_t *n, char first[LIMN_SEGMENT_PATH], const char *path)
{
    if (!(*n)++) snprintf(first, LIMN_SEGMENT_PATH, "%s", path);
}

static limn_status note_kind(const limn_segment_job *job, const char *picture, truth_kinds *kinds)
{
    char path[LIMN_SEGMENT_PATH];
    limn_label_map mask = {0};
    uint8_t *classes = NULL;
    limn_status status = limn_segment_truth_path(job, picture, path);
    if (status == LIMN_OK) status = read_classes(job->ctx, path, job->o->values, job->info.classes, &mask, &classes);
    size_t n = (size_t)mask.width * (size_t)mask.height * (size_t)mask.slices, white = 0, others = 0;
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        bool is_white = mask.value[i] == 255 || mask.value[i] == 65535;
        white += is_white, others += mask.value[i] && !is_white;
    }
    if (status == LIMN_OK && white + others) {
        truth_kind kind = others ? white ? BOTH : OTHERS : WHITE;
        note(&kinds->n[kind], kinds->first[kind], path);
    }
    if (status == LIMN_OK && mask.n_soft) note(&kinds->n_soft, kinds->first_soft, path);
    if (status == LIMN_OK && mask.faint) note(&kinds->n_faint, kinds->first_faint, path);
    kinds->white += (double)white, kinds->soft += (double)mask.n_soft, kinds->all += (double)n;
    free(mask.value);
    free(classes);
    return status;
}

static limn_status judge(const limn_segment_job *job, const truth_kinds *k, size_t n)
{
    size_t white = k->n[WHITE], others = k->n[OTHERS], both = k->n[BOTH];
    bool two = job->info.classes == 2;
    if (k->n_soft)
        limn_log(job->ctx, LIMN_LOG_INFO, "truth: %.0f of %.0f pixels in %zu of %zu masks lie between black and white (the "
                 "first in %s): more than half is class 1, the rest class 0",
                 k->soft, k->all, k->n_soft, n, k->first_soft);
    if (k->n_faint)
        limn_log(job->ctx, LIMN_LOG_WARN, "truth: in %zu of %zu masks nothing is more than half of white, and all is class "
                 "0, the first %s", k->n_faint, n, k->first_faint);
    if (job->o->values) return LIMN_OK;
    if (white && (both ? two || white > both : !two)) {
        const char *and = both ? ", and in other masks 255 stands beside classes, the first " : "";
        return limn_fail(job->ctx, LIMN_BAD_FILE, "%s holds 0 and 255 only%s%s: say with --values which values are the %d "
                         "classes "
                         "and which are ignored", k->first[WHITE], and, both ? k->first[BOTH] : "", job->info.classes);
    }
    if (both)
        limn_log(job->ctx, LIMN_LOG_WARN, "truth: pixels of value 255 in %zu of %zu masks are ignored, %.2g %% of all, the "
                 "first in %s; if they are a class, --values says so",
                 both + white, n, 100 * k->white / k->all, k->first[BOTH]);
    else if (white && others)
        limn_log(job->ctx, LIMN_LOG_WARN, "truth: class 1 is 255 in %zu of %zu masks (the first %s) and 1 in %zu (the first "
                 "%s): taken as one", white, n, k->first[WHITE], others,
                 k->first[OTHERS]);
    return LIMN_OK;
}

limn_status limn_segment_truths_check(const limn_segment_job *job)
{
    truth_kinds *kinds = calloc(1, sizeof *kinds);
    limn_status status = kinds ? LIMN_OK : limn_fail_memory(job->ctx, sizeof *kinds, "kinds of truth");
    for (size_t i = 0; i < job->pictures.n && status == LIMN_OK; i++) {
        status = limn_cancelled(job->ctx);
        if (status == LIMN_OK) status = note_kind(job, job->pictures.name[i], kinds);
    }
    if (status == LIMN_OK) status = judge(job, kinds, job->pictures.n);
    free(kinds);
    return status;
}
