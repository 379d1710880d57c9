/* segment.c: limn segment IMAGE.. -o MASK: a class for every pixel. */
#include "segment_job.h"

#include "base/json.h"
#include "cli.h"
#include "file/image.h"
#include "generate_output.h"
#include "data/case.h"
#include "data/classes.h"
#include "data/listing.h"

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
    const char *model, *class, *cell, *tile, *overlap, *range, *bits, *precision, *threads, *views, *weights;
    bool help;
} words;

static void tell(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN) fprintf(stderr, "warning: %s\n", text);
    else if (level == LIMN_LOG_INFO && !((const segment_job *)user)->quiet) fprintf(stderr, "%s\n", text);
}

/* ---- one picture ------------------------------------------------------------------------------------------------------ */

/* Bytes read as 0 .. 255 go without saying, unless the model may have learned by another rule (models of older versions do
 * not tell: AUTO). */
static void tell_bytes(const segment_job *job, const segment_result *r, limn_range_kind learned)
{
    const limn_raster *image = &r->raster;
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->slices * (size_t)image->channels;
    bool alpha = !image->separate && image->channels % 2 == 0, unknown = !job->ranged && learned == LIMN_RANGE_AUTO;
    float least = 1, greatest = 0;
    for (size_t i = 0; i < n; i++) {
        if (alpha && i % (size_t)image->channels == (size_t)image->channels - 1) continue;
        least = image->values[i] < least ? image->values[i] : least,
        greatest = image->values[i] > greatest ? image->values[i] : greatest;
    }
    bool dark = greatest < 0.25f && least < greatest, whole = image->limit != 255;
    if (unknown && (dark || image->kind == LIMN_RASTER_NIFTI))
        limn_log(job->ctx, LIMN_LOG_WARN,
                 "%s: its values are bytes, %.0f to %.0f, and 0 is 0 and 255 is 1 to the network; a model that learned "
                 "other types of values by their "
                 "percentiles wants --range percentiles",
                 r->path, (double)least * 255, (double)greatest * 255);
    else if (whole || (job->ranged && learned == LIMN_RANGE_PERCENTILES))
        limn_log(job->ctx, LIMN_LOG_INFO,
                 "%s: 0 is 0 and 255 is 1 to the network (%s; its values are whole numbers %.0f to %.0f)", r->path,
                 whole ? "it learned bytes" : "auto: bytes", (double)least * 255, (double)greatest * 255);
}

static void tell_range(const segment_job *job, const segment_result *r, const limn_range *taken)
{
    char beside[96] = "";
    const limn_raster *image = &r->raster;
    limn_range_kind learned = limn_segmentation_range(job->segmentation).kind;
    const char *why = taken->kind == LIMN_RANGE_GIVEN    ? job->ranged ? "--range" : "as trained"
                      : taken->kind == LIMN_RANGE_MINMAX ? "least and greatest"
                                                         : "percentiles 0.5 and 99.5";
    if (taken->kind == LIMN_RANGE_BYTES) {
        tell_bytes(job, r, learned);
        return;
    }
    if (image->below || image->above)
        snprintf(beside, sizeof beside, "; %zu values are less and become 0, %zu are greater and become 1", image->below,
                 image->above);
    else if (taken->kind == LIMN_RANGE_PERCENTILES && learned == LIMN_RANGE_BYTES && !job->ranged)
        snprintf(beside, sizeof beside, "; the model learned bytes, 0 as 0 and 255 as 1");
    limn_log(job->ctx, LIMN_LOG_INFO, "%s: %.9g is 0 and %.9g is 1 to the network (%s%s)", r->path, taken->low, taken->high,
             why, beside);
}

/* What was taken as 0 and 1 is written to *taken. */
static limn_status read_picture(const segment_job *job, segment_result *r, limn_range *taken)
{
    *taken = job->ranged ? job->range : limn_segmentation_range(job->segmentation);
    int files = job->info.channels > 1 ? limn_case_files(r->path) : 1;
    if (files > 1 && files != job->info.channels)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s is the first of %d channels, the network reads %d", r->path, files,
                         job->info.channels);
    limn_status status = limn_case_read(job->ctx, r->path, files, taken, &r->raster);
    bool gray_or_rgb = job->info.channels == 1 || job->info.channels == 3;
    if (status == LIMN_OK && r->raster.channels != job->info.channels && (r->raster.separate || !gray_or_rgb))
        return limn_fail(
            job->ctx, LIMN_BAD_ARGUMENT,
            "%s has %d channel%s, the network reads %d: one file with all, or CASE_0000%s with CASE_0001%s .. beside it",
            r->path, r->raster.channels, r->raster.channels == 1 ? "" : "s", job->info.channels,
            r->path + limn_stem(r->path), r->path + limn_stem(r->path));
    return status;
}

/* Classes and the probabilities that somebody needs. */
static limn_status run(const segment_job *job, segment_result *r)
{
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    bool probability = job->probability != NULL, cell = job->report && job->cell >= 0;
    size_t need = n * (1 + sizeof(float) * ((size_t)probability + (size_t)cell)), has = limn_memory_available();
    if (has && need > has)
        return limn_fail(job->ctx, LIMN_NO_MEMORY, "%s: results need %zu bytes, %zu are available", r->path, need, has);
    limn_kept_class kept[2];
    int n_kept = 0;
    r->classes = malloc(n);
    if (probability) kept[n_kept++] = (limn_kept_class){job->kept_class, r->probability = malloc(n * sizeof(float))};
    if (cell) kept[n_kept++] = (limn_kept_class){job->cell, r->cell = malloc(n * sizeof(float))};
    if (!r->classes || (probability && !r->probability) || (cell && !r->cell))
        return limn_fail_memory(job->ctx, need, r->path);
    return limn_segment_raster(job->segmentation, &r->raster, r->classes, n_kept, kept);
}

/* Its report, which becomes a part of that of all. */
static limn_status score(const segment_job *job, const segment_result *r, limn_report *own)
{
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height;
    limn_status status = limn_report_begin(job->ctx, own, job->info.classes, job->info.class_name, job->cell);
    for (int z = 0; z < r->raster.slices && status == LIMN_OK; z++) {
        limn_label_pair maps = {.width = (uint32_t)r->raster.width,
                                .height = (uint32_t)r->raster.height,
                                .n_classes = job->info.classes,
                                .truth = r->truth + (size_t)z * n,
                                .prediction = r->classes + (size_t)z * n};
        status = limn_report_add(job->ctx, own, &maps, r->cell ? r->cell + (size_t)z * n : NULL);
    }
    if (status != LIMN_OK) return status;
    limn_report_merge(job->report, own);
    if (!job->each) return LIMN_OK;
    json_t *path = json_string(r->path), *entry = json_pack("{s:o}", "picture", path ? path : json_null()),
           *numbers = limn_report_json(own); /* null: no UTF-8 */
    bool kept = entry && numbers && json_object_update(entry, numbers) == 0 && json_array_append(job->each, entry) == 0;
    json_decref(entry), json_decref(numbers);
    return kept ? LIMN_OK : limn_fail_memory(job->ctx, 4096, "a report");
}

static limn_status score_picture(const segment_job *job, const segment_result *r)
{
    limn_report *own = malloc(sizeof *own);
    limn_status status = own ? score(job, r, own) : limn_fail_memory(job->ctx, sizeof *own, "a report");
    free(own);
    return status;
}

static limn_status segment_one(const segment_job *job, const char *path)
{
    segment_result r = {.path = path};
    limn_range taken;
    limn_status status = read_picture(job, &r, &taken);
    if (status == LIMN_OK) status = segment_targets_check(job, &r);
    if (status == LIMN_OK && job->report) status = segment_truth_read(job, &r);
    if (status == LIMN_OK) tell_range(job, &r, &taken);
    if (status == LIMN_OK) status = run(job, &r);
    if (status == LIMN_OK && job->report) status = score_picture(job, &r);
    if (status == LIMN_OK) status = segment_write(job, &r);
    limn_raster_free(&r.raster);
    free(r.classes);
    free(r.truth);
    free(r.probability);
    free(r.cell);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

static limn_status print_report(const segment_job *job)
{
    limn_text text = {0};
    limn_status status = LIMN_OK;
    if (job->json) {
        json_t *json = limn_report_json(job->report);
        bool whole = json && json_object_set(json, "each", job->each) == 0;
        char *bytes = whole ? limn_json_text(json, JSON_INDENT(2)) : NULL;
        if (bytes) printf("%s\n", bytes);
        else status = limn_fail_memory(job->ctx, 4096, "a report");
        free(bytes);
        json_decref(json);
        return status;
    }
    limn_report_text(job->report, &text);
    if (text.failed) status = limn_fail_memory(job->ctx, text.n, "a report");
    else printf("%s%s", job->output || job->probability || job->overlay ? "\n" : "", text.bytes);
    limn_text_free(&text);
    return status;
}

/* Bars for tiles of a picture, slices of a volume. */
typedef struct progress {
    generate_progress bar;
    bool slices;
} progress;

static bool show(void *user, const char *what, int64_t done, int64_t total)
{
    progress *p = user;
    bool slice = strcmp(what, "slice") == 0;
    if (slice && done == 1) p->slices = true;
    bool shown = slice || (!p->slices && total > 1);
    if (shown) generate_show_progress(&p->bar, what, done < total ? done : total, total);
    if (slice && done == total) p->slices = false;
    return true;
}

/* A class by its name or its number; *out stays where the flag was not given. */
static limn_status find_class(segment_job *job, const char *flag, const char *word, int *out)
{
    char shown[256];
    if (!word) return LIMN_OK;
    limn_class_word found =
        limn_class_find(job->info.class_name, job->info.class_name ? job->info.classes : 0, job->info.classes - 1, word);
    *out = found.class;
    limn_class_tell(job->ctx, flag, word, found);
    if (found.class >= 0) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: classes are 0 to %d%s, found %s", flag, job->info.classes - 1,
                     job->info.class_name ? ", or their names in training" : "",
                     limn_escape(word, strlen(word), shown, sizeof shown));
}

static limn_status segment_all(segment_job *job, size_t n, char *const *pictures)
{
    progress p = {.bar = {.begin = limn_seconds()}};
    limn_class_values *values;
    limn_status status = segment_paths_check(job, n, pictures);
    if (status != LIMN_OK) return status;
    status = find_class(job, "--class", job->class_word, &job->kept_class);
    if (status == LIMN_OK) status = find_class(job, "--cell", job->cell_word, &job->cell);
    if (status == LIMN_OK) status = segment_values(job, true, &values);
    if (status == LIMN_OK) free(values); /* only checked */
    if (status == LIMN_OK && job->truth) {
        job->report = calloc(1, sizeof *job->report);
        if (!job->report) return limn_fail_memory(job->ctx, sizeof *job->report, "a report");
        status = limn_report_begin(job->ctx, job->report, job->info.classes, job->info.class_name, job->cell);
        if (status == LIMN_OK && job->json && !(job->each = json_array()))
            status = limn_fail_memory(job->ctx, 4096, "a report");
    }
    if (isatty(STDERR_FILENO) && !job->quiet) limn_ctx_set_progress(job->ctx, show, &p);
    for (size_t i = 0; i < n && status == LIMN_OK; i++) status = segment_one(job, pictures[i]);
    return status == LIMN_OK && job->report ? print_report(job) : status;
}

static limn_status open_and_segment(segment_job *job, const limn_segmentation_options *o, const char *model, int n,
                                    const char *const *words)
{
    limn_names pictures = {0};
    char installed[LIMN_PATH_BYTES];
    limn_status status = cli_model(job->ctx, model, "models/membrane", installed, &model);
    if (status == LIMN_OK) status = limn_segmentation_open(job->ctx, model, o, &job->segmentation);
    if (status != LIMN_OK) return status;
    job->info = limn_segmentation_describe(job->segmentation);
    status = segment_pictures(job, n, words, &pictures);
    if (status == LIMN_OK && job->truth) status = segment_truths_open(job);
    if (status == LIMN_OK) status = segment_all(job, pictures.n, pictures.name);
    limn_names_free(&pictures);
    segment_truths_close(job);
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
    job->ranged = w->range != NULL;
    if (w->range && !limn_range_parse(w->range, &job->range))
        return wrong(
            "--range is \"auto\", \"minmax\", \"percentiles\" or two numbers, the lesser first, as in --range 0,4095",
            w->range);
    if (w->cell && !job->truth)
        return fprintf(stderr, "limn segment: --cell compares with a truth: give --truth as well\n"), 2;
    if ((w->class || w->bits) && !job->probability)
        return fprintf(stderr, "limn segment: %s is for --probability: give that as well\n",
                       w->class ? "--class" : "--bits"),
               2;
    if (job->ranged && job->range.kind == LIMN_RANGE_GIVEN && !cli_interval("--range", job->range.low, job->range.high))
        return 2;
    if (job->values && !job->output && !job->truth)
        return fprintf(stderr, "limn segment: --values is for the mask of -o and for --truth: give one of them\n"), 2;
    if (job->json && !job->truth)
        return fprintf(stderr, "limn segment: --json prints how good the result is: give --truth as well\n"), 2;
    job->class_word = w->class, job->cell_word = w->cell, job->kept_class = 1, job->cell = -1, job->wide = bits == 16;
    *o =
        (limn_segmentation_options){.tile = (int)tile, .overlap = (int)overlap, .views = (int)views, .precision = precision};
    return 0;
}

static int run_words(segment_job *job, const words *w, int n, const char *const *pictures)
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
    if (status == LIMN_OK) status = open_and_segment(job, &o, w->model, n, pictures);
    if (status != LIMN_OK) code = cli_fail(job->ctx, status);
    limn_segmentation_free(job->segmentation);
    free(job->report);
    json_decref(job->each);
    cli_ctx_free(job->ctx);
    return code;
}

int cli_segment(int argc, char **argv)
{
    segment_job job = {.cell = -1};
    words w = {0};
    const cli_flag flags[] = {
        {"-m", "--model", &w.model, NULL},
        {NULL, "--weights", &w.weights, NULL},
        {"-o", "--output", &job.output, NULL},
        {NULL, "--values", &job.values, NULL},
        {NULL, "--probability", &job.probability, NULL},
        {NULL, "--class", &w.class, NULL},
        {NULL, "--bits", &w.bits, NULL},
        {NULL, "--overlay", &job.overlay, NULL},
        {NULL, "--truth", &job.truth, NULL},
        {NULL, "--cell", &w.cell, NULL},
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
    job.output = cli_output(job.output), job.probability = cli_output(job.probability),
    job.overlay = cli_output(job.overlay);
    if (w.help) fputs(help, stdout);
    else if (n < 0) code = 2;
    else if (!n) code = (fprintf(stderr, "limn segment: expected a picture, as in: limn segment cell.png -o mask.png\n"), 2);
    else if (!job.output && !job.probability && !job.overlay && !job.truth)
        code =
            (fprintf(stderr, "limn segment: expected -o with the mask to write, or --overlay, --probability, --truth\n"), 2);
    else code = run_words(&job, &w, n, pictures);
    free(pictures);
    return code;
}
