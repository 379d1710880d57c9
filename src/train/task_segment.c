/* task_segment.c: a segmentation network learns from pictures and masks; what is held out says how good it is. */
#include "train/trainer_parts.h"

#include "file/image.h"
#include "graph/node.h"
#include "metric/report.h"
#include "net/segmenter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct segmenting {
    limn_segment_loss loss;
    limn_masks *masks, *held;      /* held NULL: nothing is held out */
    limn_segmenter *segmenter;     /* of the EMA weights; NULL: nothing to show */
    char *score_head;              /* columns of held_out.csv */
    int width, height, out_w, out_h, channels;
    limn_mask_crops crops;
    limn_loader *loader;
    uint8_t *labels, *cut;         /* [batch, height, width]; [batch, out_h, out_w] */
} segmenting;

static limn_status check(const limn_trainer *t)
{
    const limn_train_options *o = t->o;
    limn_status status = limn_augment_check(t->ctx, &o->augment);
    if (status == LIMN_OK && (unsigned)o->range.kind > LIMN_RANGE_BYTES)
        status = limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "range: there is no kind %d", (int)o->range.kind);
    if (status == LIMN_OK && o->range.kind == LIMN_RANGE_GIVEN && !(o->range.low < o->range.high))
        status = limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                           "--range: expected two numbers, the second above the first, found %.9g and %.9g", o->range.low,
                           o->range.high);
    if (status != LIMN_OK) return status;
    limn_segment_loss loss = o->segment;
    loss.classes = limn_model_interface(&t->settings).classes;
    return limn_segment_loss_check(t->ctx, &loss);
}

/* ---- data ------------------------------------------------------------------------------------------------------------- */

static limn_status open_masks(limn_trainer *t, segmenting *s)
{
    const limn_train_options *o = t->o;
    int classes = s->loss.classes == 1 ? 2 : s->loss.classes;
    limn_mask_options m = {.folder = o->data,
                           .values = o->mask_values,
                           .classes = classes,
                           .channels = s->channels,
                           .range = o->range,
                           .fold = o->fold,
                           .folds = o->folds,
                           .hold_out = o->hold_out};
    limn_status status = limn_masks_open(t->ctx, &m, &s->masks, &s->held);
    if (status == LIMN_OK) status = limn_masks_fingerprint(t->ctx, s->masks, s->held, t->o->data, &t->print);
    if (status != LIMN_OK) return status;
    if (limn_masks_classes(s->masks) > classes)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "%s has %d classes and the network knows %d: --set classes=%d",
                         t->o->data, limn_masks_classes(s->masks), classes, limn_masks_classes(s->masks));
    return LIMN_OK;
}

static limn_status name_scores(limn_trainer *t, segmenting *s)
{
    limn_text head = {0};
    limn_text_printf(&head, "step,pixel_error,dice,iou,foreground_dice,foreground_iou");
    for (int k = 0; k < (s->loss.classes == 1 ? 2 : s->loss.classes); k++) limn_text_printf(&head, ",dice_%d", k);
    limn_text_printf(&head, "\n");
    t->score_head = s->score_head = head.bytes;
    return head.failed ? limn_fail_memory(t->ctx, head.n, "names of scores") : LIMN_OK;
}

static limn_status plan_segmenter(limn_trainer *t, segmenting *s)
{
    limn_segmenter_options o = {.precision = t->o->precision};
    limn_source *ema;
    limn_net *net = NULL;
    if (!s->held && !t->o->sample_every) return LIMN_OK;
    if (!s->held)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                         "--sample-every scores pictures that are held out: give --hold-out or --fold as well");
    limn_status status = name_scores(t, s); /* on every rank: all know when something is scored */
    if (status != LIMN_OK || !limn_trainer_leads(t)) return status;
    status = limn_weights_source(t->ctx, &t->weights, &t->shown, &ema);
    if (status == LIMN_OK) status = limn_net_new(t->ctx, &t->settings, ema, NULL, &net);
    if (status == LIMN_OK) status = limn_segmenter_new(t->ctx, net, &o, &s->segmenter);
    if (!s->segmenter) limn_net_free(net);
    return status;
}

static limn_status open(limn_trainer *t)
{
    segmenting *s = t->state = calloc(1, sizeof *s);
    if (!s) return limn_fail_memory(t->ctx, sizeof *s, "a task");
    limn_shape x = limn_node_shape(t->net.ports.image), y = limn_node_shape(t->net.ports.output);
    s->loss = t->o->segment;
    s->loss.classes = (int)y.dim[3];
    s->height = (int)x.dim[1], s->width = (int)x.dim[2], s->channels = (int)x.dim[3], s->out_h = (int)y.dim[1],
    s->out_w = (int)y.dim[2];
    size_t n = (size_t)t->o->batch * (size_t)s->width * (size_t)s->height;
    s->labels = malloc(n);
    s->cut = malloc(n);
    if (!s->labels || !s->cut) return limn_fail_memory(t->ctx, 2 * n, "a batch");
    limn_status status = open_masks(t, s);
    return status == LIMN_OK ? plan_segmenter(t, s) : status;
}

static limn_status start(limn_trainer *t)
{
    segmenting *s = t->state;
    s->crops = (limn_mask_crops){s->masks, &t->o->augment, s->width, s->height};
    limn_samples_of samples = limn_masks_samples(&s->crops);
    limn_loader_options loader = limn_trainer_loader(t);
    return limn_loader_new(t->ctx, &samples, &loader, &s->loader);
}

/* The middle of labels [h,w], as large as the network's result. */
static void cut_labels(const segmenting *s, const uint8_t *labels, uint8_t *to)
{
    int left = (s->width - s->out_w) / 2, top = (s->height - s->out_h) / 2;
    for (int y = 0; y < s->out_h; y++)
        memcpy(to + (size_t)y * (size_t)s->out_w, labels + (size_t)(top + y) * (size_t)s->width + left, (size_t)s->out_w);
}

static limn_status fill(limn_trainer *t, int part)
{
    (void)part; /* the loader counts */
    segmenting *s = t->state;
    float *x = limn_stage(t, t->net.ports.image);
    size_t pixels = (size_t)s->width * (size_t)s->height, result = (size_t)s->out_w * (size_t)s->out_h;
    limn_status status = limn_segment_constants(t->run, &s->loss, &t->net.segment);
    if (status == LIMN_OK) status = limn_loader_next(s->loader, (void *const[]){x, s->labels});
    for (int b = 0; b < t->o->batch && status == LIMN_OK; b++)
        cut_labels(s, s->labels + (size_t)b * pixels, s->cut + (size_t)b * result);
    if (status != LIMN_OK) return status;
    limn_segment_targets(&s->loss, (size_t)t->o->batch * result, s->cut, limn_stage(t, t->net.segment.target));
    return LIMN_OK;
}

/* ---- what it is, what it shows ---------------------------------------------------------------------------------------- */

static void record_weights(const limn_segment_loss *loss, limn_run_facts *f)
{
    limn_text text = {0};
    for (int k = 0; loss->weight && k < loss->n_weights; k++)
        limn_text_printf(&text, "%s%.9g", k ? "," : "", loss->weight[k]);
    limn_facts_add(f, "limn.class_weights", "--class-weights", "%s", text.bytes ? text.bytes : "");
    limn_text_free(&text);
}

static void facts(const limn_trainer *t, limn_run_facts *f)
{
    const limn_train_options *o = t->o;
    const segmenting *s = t->state;
    char range[64], rule[64];
    limn_range taken = limn_masks_range(s->masks);
    limn_facts_add(f, "limn.loss", "--loss", "%s", limn_segment_kind_name(s->loss.kind));
    record_weights(&s->loss, f);
    limn_facts_add(f, "limn.mask_values", "--mask-values", "%s", o->mask_values ? o->mask_values : "");
    limn_facts_add(f, "limn.n_pictures", "the number of pictures in --data", "%lld", (long long)limn_masks_count(s->masks));
    limn_facts_add(f, "limn.range", "--range", "%s", limn_range_text(&o->range, range));
    if (o->range.kind == LIMN_RANGE_AUTO) /* what auto meant, which limn segment goes by */
        limn_facts_add(f, "limn.range_rule", "what the types of the pictures' values make of --range auto", "%s",
                     limn_range_text(&taken, rule));
    limn_facts_add(f, "limn.hold_out", "--hold-out", "%s", o->hold_out ? o->hold_out : "");
    limn_facts_add(f, "limn.fold", "--fold", "%d/%d", o->fold, o->folds);
    limn_facts_add(f, "limn.augment", "--augment", "%d %d %d %.9g %.9g %.9g %.9g %.9g %.9g %.9g %.9g", o->augment.flip_x,
                 o->augment.flip_y, o->augment.turn, o->augment.rotate, o->augment.scale, o->augment.elastic,
                 o->augment.elastic_grid, o->augment.brightness, o->augment.contrast, o->augment.gamma, o->augment.noise);
    limn_facts_add_line(f, "limn.classes", NULL, NULL);
    for (int i = 0; i < limn_masks_classes(s->masks); i++)
        limn_facts_add_line(f, "limn.classes", NULL, limn_masks_class(s->masks, i));
}

static limn_status save_picture(limn_trainer *t, const limn_raster *shown, const uint8_t *truth, const uint8_t *found)
{
    limn_image image = {0}, picture = {0};
    limn_status status = limn_raster_image(t->ctx, "a held-out picture", shown, 0, &image);
    if (status == LIMN_OK) status = limn_report_picture(t->ctx, &image, truth, found, &picture);
    if (status == LIMN_OK) status = limn_trainer_log_picture(t, &picture);
    limn_image_free(&image);
    limn_image_free(&picture);
    return status;
}

/* One held-out slice: its classes into the report, the middle one into a file. */
static limn_status score_one(limn_trainer *t, int64_t i, limn_report *report)
{
    segmenting *s = t->state;
    limn_raster image;
    uint8_t *truth;
    limn_status status = limn_masks_load(t->ctx, s->held, i, &image, &truth);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)image.width * (size_t)image.height, k = (size_t)limn_segmenter_classes(s->segmenter);
    float *p = malloc(n * k * sizeof *p);
    uint8_t *found = malloc(n);
    if (!p || !found) status = limn_fail_memory(t->ctx, n * (k + 1) * sizeof *p, "a held-out picture");
    if (status == LIMN_OK) status = limn_segmenter_run(t->ctx, s->segmenter, image.width, image.height, image.values, p);
    if (status == LIMN_OK) {
        limn_segmenter_classify(n, (int)k, p, found);
        limn_label_pair maps = {.width = (uint32_t)image.width,
                                .height = (uint32_t)image.height,
                                .n_classes = (int)k,
                                .truth = truth,
                                .prediction = found};
        status = limn_report_add(t->ctx, report, &maps, NULL);
    }
    if (status == LIMN_OK && i == limn_masks_count(s->held) / 2) status = save_picture(t, &image, truth, found);
    limn_raster_free(&image);
    free(truth);
    free(p);
    free(found);
    return status;
}

/* "2 pictures", "44 slices of 4 volumes" */
static const char *amount(const limn_masks *m, char text[64])
{
    long long cases = limn_masks_cases(m), slices = limn_masks_count(m);
    if (slices > cases) snprintf(text, 64, "%lld slices of %lld volume%s", slices, cases, cases == 1 ? "" : "s");
    else snprintf(text, 64, "%lld picture%s", cases, cases == 1 ? "" : "s");
    return text;
}

/* To the log a line, and one for each sign of failure; to held_out.csv a row. */
static void tell_scores(limn_trainer *t, const limn_report *report)
{
    enum { MEANS = 5 };
    limn_report_scores s = limn_report_score(report);
    double score[MEANS + LIMN_MAX_CLASSES] = {s.pixel_error, s.dice, s.iou, s.foreground_dice, s.foreground_iou};
    const segmenting *task = t->state;
    char held[64];
    limn_text notes = {0};
    for (int k = 0; k < report->n_classes; k++) score[MEANS + k] = limn_report_class(report, k).dice;
    limn_log(t->ctx, LIMN_LOG_INFO,
             "step %lld: %s held out: pixel error %.4f, Dice %.4f, IoU %.4f; without class 0: Dice %.4f, IoU %.4f",
             (long long)t->step, amount(task->held, held), s.pixel_error, s.dice, s.iou, s.foreground_dice,
             s.foreground_iou);
    limn_report_notes(report, &notes);
    for (char *line = notes.bytes; line && *line; line += strcspn(line, "\n") + 1)
        limn_log(t->ctx, LIMN_LOG_WARN, "%.*s", (int)strcspn(line, "\n"), line);
    limn_text_free(&notes);
    limn_trainer_log_scores(t, MEANS + report->n_classes, score);
}

static limn_status show(limn_trainer *t)
{
    segmenting *s = t->state;
    limn_status status = limn_segmenter_refresh(t->ctx, s->segmenter); /* the EMA moved on */
    limn_report *report = NULL;
    if (status == LIMN_OK) status = limn_report_new(t->ctx, limn_segmenter_classes(s->segmenter), NULL, -1, &report);
    for (int64_t i = 0; i < limn_masks_count(s->held) && status == LIMN_OK; i++) status = score_one(t, i, report);
    if (status == LIMN_OK) tell_scores(t, report);
    limn_report_free(report);
    return status;
}

static void tell(const limn_trainer *t, char text[256])
{
    const segmenting *s = t->state;
    char learned[64];
    int n = snprintf(text, 256, "%s with masks of %d classes, %dx%dx%d at a time", amount(s->masks, learned),
                     limn_masks_classes(s->masks), s->width, s->height, s->channels);
    if (s->held && n < 256) snprintf(text + n, (size_t)(256 - n), ", %lld held out", (long long)limn_masks_cases(s->held));
}

static size_t bytes(const limn_trainer *t)
{
    const segmenting *s = t->state;
    return s->segmenter ? limn_segmenter_bytes(s->segmenter) : 0;
}

static void close(limn_trainer *t)
{
    segmenting *s = t->state;
    if (!s) return;
    limn_loader_free(s->loader);
    limn_segmenter_free(s->segmenter);
    limn_masks_free(s->held);
    limn_masks_free(s->masks);
    free(s->score_head);
    free(s->labels);
    free(s->cut);
    free(s);
}

const limn_task limn_task_segment = {.check = check,
                                     .open = open,
                                     .start = start,
                                     .fill = fill,
                                     .facts = facts,
                                     .show = show,
                                     .tell = tell,
                                     .bytes = bytes,
                                     .close = close};
