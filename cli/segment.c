/* segment.c: limn segment IMAGE.. -o MASK: a class for every pixel. */
#include "base/json.h"
#include "cli.h"
#include "file/image.h"
#include "limn/segment.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "limn segment [-m MODEL] IMAGE -o MASK [flags]\n"
    "limn segment [-m MODEL] IMAGE|FOLDER... -o FOLDER [flags]\n"
    "\n"
    "The class of every pixel, by a network that limn train unet trained.  Pictures of any size (to 16384 a side, 64 "
    "million pixels), in tiles that\n"
    "overlap: PNG, JPEG, WebP, TIFF (16 bits and floats as well) and NIfTI volumes (.nii, .nii.gz), slice by slice along "
    "their last axis; the pages of a TIFF\n"
    "are slices.  A network of several channels reads CASE_0000.nii.gz with CASE_0001.nii.gz .. beside it\n"
    "(nnU-Net's names); in a folder the result is CASE.nii.gz.\n"
    "\n"
    "  -m, --model MODEL    a folder with model.safetensors, or a weight file (models/membrane: cells and their membranes "
    "in\n"
    "                       electron micrographs)\n"
    "  --weights ema|raw    of a checkpoint with several sets of weights: which (EMA where it has them)\n"
    "  -o, --output MASK    .png; .tif: all slices; .nii, .nii.gz: in the place of the volume it was made from.  One gray "
    "value a\n"
    "                       class: 0 and 255 for two classes, else (and in NIfTI) 0, 1, 2 ..; - is stdout (PNG), also for "
    "the\n"
    "                       next two\n"
    "  --values \"0,255\"     the value of each class, in the mask and in --truth; there, values behind a semicolon are "
    "ignored\n"
    "                       (0,1,2;255).  half: 0,255, where the truth's soft edges become black or white.  Without it a "
    "truth's\n"
    "                       0,255 are two classes, or 0, 1, 2 .. and 255 is ignored; what was taken is said\n"
    "  --probability P.png  how probable one class is, gray: --class N (1), a name or a number, says which, --bits 16 makes "
    "it finer\n"
    "  --overlay O.png      picture | classes, or with --truth picture | truth | classes: errors in red, orange and yellow; "
    "of a volume the middle\n"
    "                       of several pictures, or a folder of them, -o, --probability and --overlay are folders\n"
    "  --truth MASK         how good the result is, class by class; of several pictures a folder with masks of the same "
    "names.  Dice and IoU of all\n"
    "                       pixels together; Hausdorff 95 in pixels, the mean of the pictures or slices where a class is "
    "found and in the truth\n"
    "  --cell N             class N is cell, the rest membrane: Rand and warping errors as well\n"
    "  --json               the numbers for programs, of all pictures and of each\n"
    "  --range A,B          the values that are 0 and 1 to the network, or minmax: the least and the greatest, or "
    "percentiles: 0.5 and 99.5 of the file.\n"
    "                       Without it what the model was trained with; auto: 0,255 where values are stored as bytes, else "
    "percentiles\n"
    "  --tile N             pixels a side of a tile (as trained); larger ones are faster and need more memory\n"
    "  --overlap N          pixels that neighbours share (a quarter of a tile)\n"
    "  --views N            averages what is found in N views of each tile: 2: also mirrored, left and right; 4: all flips; "
    "8: turned as well.  Better, N\n"
    "                       times slower, no more memory; 2 for a model trained on mirror=1, 8 on flip=1 turn=1\n"
    "  --precision auto     auto, f32, bf16 or exact  -t, --threads 0 (0: all cores)      -q, --quiet\n"
    "\n"
    "examples:\n"
    "  limn segment micrograph.png -o membranes.png --overlay look.png\n"
    "  limn segment -m run test -o masks --probability maps --class 1\n"
    "  limn segment -m run a.png --truth a-mask.png --cell 1 --json\n"
    "  limn segment -m run brain.nii.gz -o brain-mask.nii.gz --range minmax\n";

typedef struct words {
    const char *model, *tile, *overlap, *range, *bits, *precision, *threads, *views, *weights;
    bool help;
} words;

typedef struct segment_job {
    limn_ctx *ctx;
    limn_segment_files_options o;
    limn_range range;
    json_t *each;    /* with --json: the numbers of each picture, in their order */
    bool quiet, json, each_failed;
} segment_job;

/* ---- what is said on the way ------------------------------------------------------------------------------------------ */

static void tell(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN) fprintf(stderr, "warning: %s\n", text);
    else if (level == LIMN_LOG_INFO && !((const segment_job *)user)->quiet) fprintf(stderr, "%s\n", text);
}

/* The flag whose result goes to stdout, or NULL. */
static const char *to_stdout(const limn_segment_files_options *o)
{
    return limn_path_is_stdout(o->mask)          ? "--output"
           : limn_path_is_stdout(o->probability) ? "--probability"
           : limn_path_is_stdout(o->overlay)     ? "--overlay"
                                                 : NULL;
}

/* Beside a picture on stdout names are no part of it. */
static void tell_written(void *user, const char *path)
{
    const segment_job *job = user;
    if (to_stdout(&job->o) && !limn_path_is_stdout(path)) fprintf(stderr, "%s\n", path);
    else if (!job->json) cli_tell_written(path);
}

static json_t *report_json(const limn_report *report)
{
    json_error_t error;
    char *text = limn_report_json(report);
    json_t *json = text ? limn_json_parse(text, strlen(text), &error) : NULL;
    limn_free(text);
    return json;
}

static void keep_numbers(void *user, const limn_segmented *picture)
{
    segment_job *job = user;
    json_t *path = json_string(picture->path), *entry = json_pack("{s:o}", "picture", path ? path : json_null()),
           *numbers = report_json(picture->report); /* null: no UTF-8 */
    bool kept = entry && numbers && json_object_update(entry, numbers) == 0 && json_array_append(job->each, entry) == 0;
    job->each_failed = job->each_failed || !kept;
    json_decref(entry), json_decref(numbers);
}

static limn_status print_report(const segment_job *job, const limn_report *report)
{
    json_t *json = job->json ? report_json(report) : NULL;
    bool whole = json && !job->each_failed && json_object_set(json, "each", job->each) == 0;
    char *text = whole ? limn_json_text(json, JSON_INDENT(2)) : job->json ? NULL : limn_report_text(report);
    bool named = job->o.mask || job->o.probability || job->o.overlay;
    if (text) printf(job->json ? "%s%s\n" : "%s%s", named && !job->json ? "\n" : "", text);
    limn_free(text);
    json_decref(json);
    return text ? LIMN_OK : limn_fail_memory(job->ctx, 4096, "a report");
}

/* Bars for tiles of a picture, slices of a volume. */
typedef struct progress {
    cli_progress bar;
    bool slices;
} progress;

static bool show(void *user, const char *what, int64_t done, int64_t total)
{
    progress *p = user;
    bool slice = strcmp(what, "slice") == 0;
    if (slice && done == 1) p->slices = true;
    bool shown = slice || (!p->slices && total > 1 && strcmp(what, "picture") != 0);
    if (shown) cli_progress_show(&p->bar, what, done < total ? done : total, total);
    if (slice && done == total) p->slices = false;
    return true;
}

/* ---- the work --------------------------------------------------------------------------------------------------------- */

static limn_status segment(segment_job *job, limn_segmentation *model)
{
    progress p = {.bar = cli_progress_begin(job->quiet, false)};
    limn_report *report = NULL;
    const char *flag = to_stdout(&job->o);
    if (flag && job->o.truth)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT,
                         "%s: a picture goes to stdout, where the numbers of --truth go: name a file for it", flag);
    if (job->json && !(job->each = json_array())) return limn_fail_memory(job->ctx, 4096, "a report");
    job->o.written = tell_written, job->o.user = job;
    if (job->json) job->o.segmented = keep_numbers;
    if (isatty(STDERR_FILENO) && !job->quiet) limn_ctx_set_progress(job->ctx, show, &p);
    limn_status status = limn_segment_files(model, &job->o, &report);
    if (report) status = print_report(job, report);
    limn_report_free(report);
    json_decref(job->each);
    return status;
}

static limn_status open_and_segment(segment_job *job, const limn_segmentation_options *o, const char *source)
{
    char installed[LIMN_PATH_BYTES];
    limn_segmentation *model = NULL;
    limn_status status = cli_model(job->ctx, source, "models/membrane", installed, &source);
    if (status == LIMN_OK) status = limn_segmentation_open(job->ctx, source, o, &model);
    if (status == LIMN_OK) status = segment(job, model);
    limn_segmentation_free(model);
    return status;
}

static int wrong(const char *sentence, const char *found)
{
    return fprintf(stderr, "limn segment: %s, found \"%.100s\"\n", sentence, found), 2;
}

static int read_words(segment_job *job, const words *w, limn_segmentation_options *o, long *threads)
{
    long tile = 0, overlap = 0, bits = 8, views = 1;
    limn_precision precision = LIMN_PRECISION_AUTO;
    if (!cli_precision(w->precision, &precision) || !cli_integer("--tile", w->tile, 1, LIMN_MAX_SIDE, &tile) ||
        !cli_integer("--overlap", w->overlap, 1, LIMN_MAX_SIDE, &overlap) || !cli_integer("--bits", w->bits, 8, 16, &bits) ||
        !cli_integer("--views", w->views, 1, 8, &views) || !cli_integer("--threads", w->threads, 0, 1024, threads))
        return 2;
    if (views & (views - 1)) return wrong("--views is 1, 2, 4 or 8", w->views);
    if (bits != 8 && bits != 16) return wrong("--bits is 8 or 16", w->bits);
    if (w->range) job->o.range = &job->range;
    if (w->range && !limn_range_parse(w->range, &job->range))
        return wrong(
            "--range is \"auto\", \"minmax\", \"percentiles\" or two numbers, the lesser first, as in --range 0,4095",
            w->range);
    if (job->o.cell && !job->o.truth)
        return fprintf(stderr, "limn segment: --cell compares with a truth: give --truth as well\n"), 2;
    if ((job->o.probability_class || w->bits) && !job->o.probability)
        return fprintf(stderr, "limn segment: %s is for --probability: give that as well\n",
                       job->o.probability_class ? "--class" : "--bits"),
               2;
    if (w->range && job->range.kind == LIMN_RANGE_GIVEN && !cli_interval("--range", job->range.low, job->range.high))
        return 2;
    if (job->o.values && !job->o.mask && !job->o.truth)
        return fprintf(stderr, "limn segment: --values is for the mask of -o and for --truth: give one of them\n"), 2;
    if (job->json && !job->o.truth)
        return fprintf(stderr, "limn segment: --json prints how good the result is: give --truth as well\n"), 2;
    job->o.wide = bits == 16;
    *o =
        (limn_segmentation_options){.tile = (int)tile, .overlap = (int)overlap, .views = (int)views, .precision = precision};
    return 0;
}

static int run_words(segment_job *job, const words *w)
{
    limn_segmentation_options o;
    long threads = 0;
    int code = read_words(job, w, &o, &threads);
    if (code) return code;
    job->ctx = cli_ctx_new();
    if (!job->ctx) return 1;
    limn_ctx_set_log(job->ctx, tell, job);
    limn_status status = limn_ctx_set_threads(job->ctx, (int)threads);
    if (status == LIMN_OK) status = limn_ctx_set_weights(job->ctx, w->weights);
    if (status == LIMN_OK) status = open_and_segment(job, &o, w->model);
    if (status != LIMN_OK) code = cli_fail(job->ctx, status);
    cli_ctx_free(job->ctx);
    return code;
}

int cli_segment(int argc, char **argv)
{
    segment_job job = {.o = limn_segment_files_defaults()};
    limn_segment_files_options *o = &job.o;
    words w = {0};
    const cli_flag flags[] = {
        {"-m", "--model", &w.model, NULL},
        {NULL, "--weights", &w.weights, NULL},
        {"-o", "--output", &o->mask, NULL},
        {NULL, "--values", &o->values, NULL},
        {NULL, "--probability", &o->probability, NULL},
        {NULL, "--class", &o->probability_class, NULL},
        {NULL, "--bits", &w.bits, NULL},
        {NULL, "--overlay", &o->overlay, NULL},
        {NULL, "--truth", &o->truth, NULL},
        {NULL, "--cell", &o->cell, NULL},
        {NULL, "--json", NULL, &job.json},
        {NULL, "--range", &w.range, NULL},
        {NULL, "--tile", &w.tile, NULL},
        {NULL, "--overlap", &w.overlap, NULL},
        {NULL, "--views", &w.views, NULL},
        {NULL, "--precision", &w.precision, NULL},
        {"-t", "--threads", &w.threads, NULL},
        {"-q", "--quiet", NULL, &job.quiet},
        {"-h", "--help", NULL, &w.help},
        {NULL, NULL, NULL, NULL},
    };
    const char **pictures = calloc((size_t)argc + 1, sizeof *pictures);
    if (!pictures) return fprintf(stderr, "limn: out of memory\n"), 1;
    int n = cli_parse(argc, argv, flags, pictures, argc), code = 0;
    o->pictures = pictures, o->n_pictures = n;
    o->mask = cli_output(o->mask), o->probability = cli_output(o->probability), o->overlay = cli_output(o->overlay);
    if (w.help) fputs(help, stdout);
    else if (n < 0) code = 2;
    else if (!n) code = (fprintf(stderr, "limn segment: expected a picture, as in: limn segment cell.png -o mask.png\n"), 2);
    else if (!o->mask && !o->probability && !o->overlay && !o->truth)
        code =
            (fprintf(stderr, "limn segment: expected -o with the mask to write, or --overlay, --probability, --truth\n"), 2);
    else code = run_words(&job, &w);
    free(pictures);
    return code;
}
