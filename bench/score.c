/* score.c: do the pictures match their captions, and how good do they look?
 *
 *   limn-score MODEL DATA GALLERY ASK COUNT [STEPS CFG SHEET.png]
 *   limn-score models/emoji DATA style=noto style=noto,split=train 400
 *
 * Asks MODEL for pictures of COUNT captions among the rows ASK of DATA/metadata.jsonl (0: all), and looks for the nearest
 * neighbours of each among the rows GALLERY: mean squared distance of thumbnails, 16x16, colours multiplied by alpha.
 * Prints how many carry the caption that was asked for, as the nearest and among the five nearest; how clean flat areas are,
 * whether tokens leave seams, how near pictures are to their originals (measure.h).  SHEET: the first 64 pictures, each
 * beside its original.
 *
 *   limn-score words MODEL DATA GALLERY FIELD COUNT [STEPS CFG]     COUNT texts of the lists FIELD that one to three
 *   pictures carry: is one of these
 *                                                                   among the five nearest?
 *   limn-score varied MODEL DATA ASK COUNT [STEPS CFG]              how like each other pictures of four seeds are: mean
 *                                                                   SSIM of the six pairs
 *   limn-score sheet MODEL TEXTS.txt SHEET.png [STEPS CFG]          the picture of each line of a file (wordings.txt)
 *   limn-score autoencoder VAE DATA ASK COUNT [SIZE SHEET.png]      what comes back of COUNT pictures (SIZE 128): PSNR of
 *                                                                   colours times alpha and alpha, SSIM on white, and the
 *                                                                   above */
#include "base/number.h"
#include "file/bytes.h"
#include "measure.h"
#include "pipeline/generate.h"
#include "metric/metrics.h"
#include "words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { C = MEASURE_CHANNELS, TOP = 5, RARE = 3, SEEDS = 4, SHOWN = 64, SHEET_COLUMNS = 16, DEFAULT_SIZE = 128,
       TEXT_COLUMNS = 8 };

typedef struct scores {
    limn_ctx *ctx;
    limn_pipeline *pipeline;
    limn_generate_options options;
    limn_dataset *gallery, *asked;
    limn_shuffle order;        /* of what is asked */
    float *thumbs;             /* [gallery, MEASURE_THUMB] */
    uint8_t *right;            /* [gallery] */
    float *made, *original;    /* [size, size, 4] */
    int size, n_shown;
    limn_image sheet;
} scores;

/* What is summed over pictures. */
typedef struct looks {
    int64_t n;
    int token, latent;         /* pixels along a side; latent 1: there are none */
    measure_mean clean, clean_original;
    measure_steps at_tokens, at_tokens_original, at_latents, at_latents_original;
    double *ssim;              /* [n] */
} looks;

/* ---- how they look ---------------------------------------------------------------------------------------------------- */

static limn_status looks_add(scores *s, looks *l)
{
    measure_clean(s->original, s->made, s->size, &l->clean);
    measure_clean(s->original, s->original, s->size, &l->clean_original);
    measure_steps_add(s->made, s->size, l->token, &l->at_tokens);
    measure_steps_add(s->original, s->size, l->token, &l->at_tokens_original);
    measure_steps_add(s->made, s->size, l->latent, &l->at_latents);
    measure_steps_add(s->original, s->size, l->latent, &l->at_latents_original);
    return measure_ssim(s->ctx, s->size, s->made, s->original, &l->ssim[l->n++]);
}

static void looks_print(looks *l)
{
    printf("clean: mean Laplacian where the original is flat %.2f (originals %.2f)\n", measure_value(l->clean),
           measure_value(l->clean_original));
    double mine = measure_steps_ratio(&l->at_tokens), its = measure_steps_ratio(&l->at_tokens_original);
    printf("seams: at borders of %d pixels %.3f (steps %.3f, originals %.3f)\n", l->token, mine / its, mine, its);
    mine = measure_steps_ratio(&l->at_latents), its = measure_steps_ratio(&l->at_latents_original);
    if (l->latent > 1 && l->latent != l->token)
        printf("seams: at borders of %d pixels %.3f (steps %.3f, originals %.3f)\n", l->latent, mine / its, mine, its);
    printf("true: SSIM on white, median %.4f\n", measure_median(l->ssim, l->n));
}

static limn_status read_original(scores *s, int64_t i)
{
    limn_status status = limn_dataset_picture(s->ctx, s->asked, i, s->original);
    if (status == LIMN_OK) measure_from_values(s->original, s->size, s->original);
    return status;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------------- */

static limn_status draw(scores *s, const char *prompt, uint64_t seed, float *out, limn_image *keep)
{
    limn_image image = {0};
    s->options.prompt = prompt, s->options.seed = seed;
    limn_status status = limn_generate(s->pipeline, &s->options, &image);
    if (status != LIMN_OK) return status;
    measure_from_image(&image, out);
    if (keep) *keep = image;
    else limn_image_free(&image);
    return LIMN_OK;
}

static limn_status new_sheet(scores *s, int columns, int rows)
{
    limn_status status = limn_image_new(s->ctx, "the sheet", (uint32_t)columns * (uint32_t)s->size,
                                        (uint32_t)rows * (uint32_t)s->size, C, &s->sheet);
    if (status == LIMN_OK) memset(s->sheet.pixels, 0, (size_t)s->sheet.width * (size_t)s->sheet.height * C);
    return status;
}

/* Row y of the picture at a place of the sheet. */
static uint8_t *sheet_row(const scores *s, int row, int column, int y)
{
    return s->sheet.pixels + ((size_t)(row * s->size + y) * (size_t)s->sheet.width + (size_t)(column * s->size)) * C;
}

/* The picture and, right of it, its original. */
static void show(scores *s, const limn_image *made)
{
    if (!s->sheet.pixels || s->n_shown == SHOWN) return;
    int at = s->n_shown++, row = at / (SHEET_COLUMNS / 2), column = at % (SHEET_COLUMNS / 2) * 2;
    size_t bytes = (size_t)s->size * C;
    for (int y = 0; y < s->size; y++) {
        uint8_t *to = sheet_row(s, row, column, y), *q = to + bytes;
        memcpy(to, made->pixels + (size_t)y * bytes, bytes);
        const float *p = s->original + (size_t)y * bytes;
        for (size_t k = 0; k < bytes; k++) {
            float alpha = p[k / C * C + 3], value = k % C < 3 && alpha > 0 ? p[k] / alpha * 255 : p[k];
            q[k] = (uint8_t)(value + 0.5f);
        }
    }
}

/* The share of captions that come back, so far: on a line that is written again and again. */
static void tell(int64_t done, int64_t total, int64_t first, int64_t five)
{
    double percent = 100.0 / (double)done;
    fprintf(stderr, "\r%lld/%lld  nearest %.1f %%  among five %.1f %%", (long long)done, (long long)total,
            percent * (double)first, percent * (double)five);
    if (done == total) fputc('\n', stderr);
}

static int64_t place_of(scores *s)
{
    float mine[MEASURE_THUMB];
    measure_thumbnail(s->made, s->size, mine);
    return measure_place(limn_dataset_count(s->gallery), s->thumbs, s->right, mine);
}

static limn_status score_caption(scores *s, int64_t i, looks *l, int64_t *place)
{
    const char *caption = limn_dataset_caption(s->asked, i);
    limn_image image = {0};
    limn_status status = draw(s, caption, s->options.seed, s->made, &image);
    if (status == LIMN_OK) status = read_original(s, i);
    if (status == LIMN_OK) status = looks_add(s, l);
    for (int64_t k = 0; k < limn_dataset_count(s->gallery); k++)
        s->right[k] = strcmp(limn_dataset_caption(s->gallery, k), caption) == 0;
    if (status == LIMN_OK) *place = place_of(s), show(s, &image);
    limn_image_free(&image);
    return status;
}

/* Pixels along a side of a token and of a position of the latent. */
static void find_borders(const scores *s, looks *l)
{
    limn_interface net = limn_model_interface(limn_pipeline_settings(s->pipeline));
    l->latent = s->size / net.width;
    l->token = l->latent * net.token_side; /* 0: a network without tokens */
    if (l->token < 2) l->token = l->latent > 1 ? l->latent : MEASURE_SIDE;
}

static int64_t to_ask(const scores *s, int64_t count)
{
    int64_t n = limn_dataset_count(s->asked);
    return count && count < n ? count : n;
}

static limn_status score_captions(scores *s, int64_t count)
{
    int64_t total = to_ask(s, count), first = 0, five = 0, place = 0;
    looks l = {.ssim = malloc((size_t)total * sizeof *l.ssim)};
    limn_status status = l.ssim ? LIMN_OK : limn_fail_memory(s->ctx, (size_t)total * sizeof *l.ssim, "scores");
    find_borders(s, &l);
    for (int64_t k = 0; k < total && status == LIMN_OK; k++) {
        status = score_caption(s, limn_shuffle_at(&s->order, (uint64_t)k), &l, &place);
        if (status != LIMN_OK) break;
        first += place == 0, five += place < TOP;
        tell(k + 1, total, first, five);
    }
    if (status == LIMN_OK) {
        printf("%lld captions against %lld pictures: nearest %.1f %%, among the five nearest %.1f %%  (%d steps, guidance "
               "%g, seed %llu)\n",
               (long long)total, (long long)limn_dataset_count(s->gallery), 100.0 * (double)first / (double)total,
               100.0 * (double)five / (double)total, s->options.steps, s->options.guidance,
               (unsigned long long)s->options.seed);
        looks_print(&l);
    }
    free(l.ssim);
    return status;
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static limn_status score_words(scores *s, const char *folder, const char *field, int64_t count)
{
    words w;
    int64_t *pick = NULL, total = 0, first = 0, five = 0;
    limn_status status = words_read(s->ctx, folder, field, s->gallery, &w);
    if (status != LIMN_OK) return status;
    if (!(pick = malloc((size_t)(w.n + 1) * sizeof *pick)))
        status = limn_fail_memory(s->ctx, (size_t)w.n * sizeof *pick, "words");
    else if (!(total = words_pick(&w, RARE, count ? count : w.n, 1, pick)))
        status = limn_fail(s->ctx, LIMN_BAD_ARGUMENT, "no text of %s is carried by at most %d pictures", field, RARE);
    for (int64_t k = 0; k < total && status == LIMN_OK; k++) {
        const words_word *word = &w.word[pick[k]];
        memset(s->right, 0, (size_t)limn_dataset_count(s->gallery));
        for (int64_t i = 0; i < word->n; i++) s->right[w.carrier[word->first + i]] = 1;
        status = draw(s, word->text, s->options.seed, s->made, NULL);
        if (status != LIMN_OK) break;
        int64_t place = place_of(s);
        first += place == 0, five += place < TOP;
        tell(k + 1, total, first, five);
    }
    if (status == LIMN_OK)
        printf("words: of %lld texts of %s that at most %d pictures carry, one of these is the nearest for %.1f %%, among "
               "the five nearest for %.1f %%\n",
               (long long)total, field, RARE, 100.0 * (double)first / (double)total, 100.0 * (double)five / (double)total);
    free(pick);
    words_free(&w);
    return status;
}

/* ---- seeds ------------------------------------------------------------------------------------------------------------ */

/* Mean SSIM of all pairs.   x [SEEDS, size, size, 4] */
static limn_status likeness(scores *s, const float *x, double *out)
{
    size_t floats = (size_t)s->size * (size_t)s->size * C;
    limn_status status = LIMN_OK;
    *out = 0;
    for (size_t a = 0; a < SEEDS; a++)
        for (size_t b = a + 1; b < SEEDS && status == LIMN_OK; b++) {
            double ssim = 0;
            status = measure_ssim(s->ctx, s->size, x + a * floats, x + b * floats, &ssim);
            *out += ssim / (SEEDS * (SEEDS - 1) / 2);
        }
    return status;
}

static limn_status score_varied(scores *s, int64_t count)
{
    int64_t total = to_ask(s, count);
    uint64_t seed = s->options.seed;
    size_t floats = (size_t)s->size * (size_t)s->size * C;
    float *x = malloc(SEEDS * floats * sizeof *x);
    double *like = malloc((size_t)total * sizeof *like), sum = 0;
    limn_status status = x && like ? LIMN_OK : limn_fail_memory(s->ctx, SEEDS * floats * sizeof *x, "pictures");
    for (int64_t k = 0; k < total && status == LIMN_OK; k++) {
        const char *caption = limn_dataset_caption(s->asked, limn_shuffle_at(&s->order, (uint64_t)k));
        for (size_t i = 0; i < SEEDS && status == LIMN_OK; i++) status = draw(s, caption, seed + i, x + i * floats, NULL);
        if (status == LIMN_OK) status = likeness(s, x, &like[k]);
        if (status == LIMN_OK)
            sum += like[k],
                fprintf(stderr, "\r%lld/%lld  SSIM %.4f", (long long)k + 1, (long long)total, sum / (double)(k + 1));
    }
    if (status == LIMN_OK) {
        fputc('\n', stderr);
        printf("varied: %d seeds of %lld captions, mean SSIM of pairs %.4f, median %.4f\n", SEEDS, (long long)total,
               sum / (double)total, measure_median(like, total));
    }
    free(x);
    free(like);
    return status;
}

/* ---- texts ------------------------------------------------------------------------------------------------------------ */

/* Lines that are not empty, with ends for newlines.   out [n or NULL: only counted] */
static int64_t find_texts(char *bytes, const char **out)
{
    int64_t n = 0;
    for (char *at = bytes; *at; at += strspn(at, "\r\n")) {
        size_t length = strcspn(at, "\r\n");
        if (length && out) out[n] = at;
        n += length > 0, at += length;
        if (*at && out) *at++ = '\0';
    }
    return n;
}

static limn_status draw_texts(scores *s, int64_t n, const char **text)
{
    limn_status status = new_sheet(s, TEXT_COLUMNS, (int)((n + TEXT_COLUMNS - 1) / TEXT_COLUMNS));
    size_t bytes = (size_t)s->size * C;
    for (int64_t i = 0; i < n && status == LIMN_OK; i++) {
        limn_image image = {0};
        status = draw(s, text[i], s->options.seed, s->made, &image);
        for (int y = 0; y < s->size && status == LIMN_OK; y++)
            memcpy(sheet_row(s, (int)(i / TEXT_COLUMNS), (int)(i % TEXT_COLUMNS), y), image.pixels + (size_t)y * bytes,
                   bytes);
        limn_image_free(&image);
    }
    return status;
}

/* ---- the autoencoder -------------------------------------------------------------------------------------------------- */

/* Mean of colours times alpha and alpha alike: what is transparent has no colour. */
static double psnr(const scores *s)
{
    return limn_psnr_values((size_t)s->size * (size_t)s->size * C, s->made, s->original, 255);
}

static limn_status come_back(scores *s, limn_autoencoder *a, int64_t i)
{
    limn_image original = {0}, back = {0};
    limn_latent latent = {0};
    limn_status status = read_original(s, i);
    if (status == LIMN_OK) status = limn_image_read(s->ctx, limn_dataset_file(s->asked, i), C, &original);
    if (status == LIMN_OK && (original.width != s->size || original.height != s->size))
        status = limn_fail(s->ctx, LIMN_BAD_ARGUMENT, "%s: expected %d x %d pixels, found %d x %d",
                           limn_dataset_file(s->asked, i), s->size, s->size, original.width, original.height);
    if (status == LIMN_OK) status = limn_encode(a, &original, LIMN_PRECISION_AUTO, &latent);
    if (status == LIMN_OK) status = limn_decode(a, &latent, LIMN_PRECISION_AUTO, &back);
    if (status == LIMN_OK) measure_from_image(&back, s->made), show(s, &back);
    limn_latent_free(&latent);
    limn_image_free(&original);
    limn_image_free(&back);
    return status;
}

static limn_status score_autoencoder(scores *s, limn_autoencoder *a, int64_t count)
{
    int64_t total = to_ask(s, count);
    looks l = {.token = limn_autoencoder_describe(a).factor, .latent = 1, .ssim = malloc((size_t)total * sizeof *l.ssim)};
    double *db = malloc((size_t)total * sizeof *db), sum = 0;
    limn_status status = l.ssim && db ? LIMN_OK : limn_fail_memory(s->ctx, (size_t)total * sizeof *db, "scores");
    for (int64_t k = 0; k < total && status == LIMN_OK; k++) {
        status = come_back(s, a, limn_shuffle_at(&s->order, (uint64_t)k));
        if (status == LIMN_OK) status = looks_add(s, &l);
        if (status == LIMN_OK) sum += db[k] = psnr(s);
    }
    if (status == LIMN_OK) {
        double median = measure_median(db, total); /* and they are sorted */
        printf("%lld pictures: PSNR of colours times alpha and alpha: mean %.2f dB, median %.2f, a tenth is below %.2f, "
               "least %.2f\n",
               (long long)total, sum / (double)total, median, db[total / 10], db[0]);
        looks_print(&l);
    }
    free(l.ssim);
    free(db);
    return status;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static limn_status open_model(scores *s, const char *model)
{
    limn_status status = limn_pipeline_open(s->ctx, model, &s->pipeline);
    if (status == LIMN_OK) status = limn_pipeline_set_autoencoder(s->pipeline, NULL);
    if (status != LIMN_OK) return status;
    limn_pipeline_info info = limn_pipeline_describe(s->pipeline);
    s->size = info.width;
    return info.channels == C && s->size % MEASURE_SIDE == 0
               ? LIMN_OK
               : limn_fail(s->ctx, LIMN_BAD_ARGUMENT,
                           "limn-score expects a model of RGBA pictures whose size is a multiple of %d, found %dx%dx%d",
                           MEASURE_SIDE, s->size, s->size, info.channels);
}

static limn_status take_pictures(scores *s)
{
    size_t bytes = (size_t)s->size * (size_t)s->size * C * sizeof(float);
    if (!s->made) s->made = malloc(bytes), s->original = malloc(bytes);
    return s->made && s->original ? LIMN_OK : limn_fail_memory(s->ctx, bytes, "a picture");
}

static limn_status open_data(scores *s, const char *folder, const char *where, limn_dataset **out)
{
    limn_data_options data = {.folder = folder,
                              .where = where && *where ? where : NULL,
                              .size = s->size,
                              .channels = C,
                              .resize = LIMN_CROP_CENTRE};
    limn_status status = limn_dataset_open(s->ctx, &data, out);
    return status == LIMN_OK ? take_pictures(s) : status;
}

static limn_status open_asked(scores *s, const char *folder, const char *where)
{
    limn_status status = open_data(s, folder, where, &s->asked);
    return status == LIMN_OK ? limn_shuffle_new(s->ctx, LIMN_SHUFFLE_TABLE, limn_dataset_count(s->asked), 1, &s->order)
                             : status;
}

static limn_status open_gallery(scores *s, const char *folder, const char *where)
{
    limn_status status = open_data(s, folder, where, &s->gallery);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)limn_dataset_count(s->gallery);
    s->thumbs = malloc(n * MEASURE_THUMB * sizeof *s->thumbs), s->right = malloc(n);
    if (!s->thumbs || !s->right) return limn_fail_memory(s->ctx, n * MEASURE_THUMB * sizeof(float), "thumbnails");
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        status = limn_dataset_picture(s->ctx, s->gallery, (int64_t)i, s->original);
        measure_from_values(s->original, s->size, s->original);
        if (status == LIMN_OK) measure_thumbnail(s->original, s->size, s->thumbs + i * MEASURE_THUMB);
    }
    return status;
}

static limn_status run_captions(scores *s, int n, char **argv)
{
    limn_status status = open_model(s, argv[0]);
    if (status == LIMN_OK) status = open_gallery(s, argv[1], argv[2]);
    if (status == LIMN_OK) status = open_asked(s, argv[1], argv[3]);
    if (status == LIMN_OK && n > 7) status = new_sheet(s, SHEET_COLUMNS, SHOWN / SHEET_COLUMNS * 2);
    if (status == LIMN_OK) status = score_captions(s, atoll(argv[4]));
    return status == LIMN_OK && n > 7 ? limn_png_write(s->ctx, argv[7], &s->sheet, "generated, original, ...") : status;
}

static limn_status run_words(scores *s, int n, char **argv)
{
    (void)n;
    limn_status status = open_model(s, argv[0]);
    if (status == LIMN_OK) status = open_gallery(s, argv[1], argv[2]);
    return status == LIMN_OK ? score_words(s, argv[1], argv[3], atoll(argv[4])) : status;
}

static limn_status run_varied(scores *s, int n, char **argv)
{
    (void)n;
    limn_status status = open_model(s, argv[0]);
    if (status == LIMN_OK) status = open_asked(s, argv[1], argv[2]);
    return status == LIMN_OK ? score_varied(s, atoll(argv[3])) : status;
}

static limn_status run_sheet(scores *s, int argc, char **argv)
{
    unsigned char *bytes = NULL;
    const char **text = NULL;
    size_t size;
    int64_t n = 0;
    (void)argc;
    limn_status status = open_model(s, argv[0]);
    if (status == LIMN_OK) status = take_pictures(s);
    if (status == LIMN_OK) status = limn_file_read(s->ctx, argv[1], (size_t)1 << 20, &bytes, &size);
    if (status == LIMN_OK && !(n = find_texts((char *)bytes, NULL)))
        status = limn_fail(s->ctx, LIMN_BAD_FILE, "%s: expected a text on every line, found none", argv[1]);
    if (status == LIMN_OK && !(text = malloc((size_t)n * sizeof *text)))
        status = limn_fail_memory(s->ctx, (size_t)n * sizeof *text, "texts");
    if (status == LIMN_OK) find_texts((char *)bytes, text), status = draw_texts(s, n, text);
    free(text);
    free(bytes);
    return status == LIMN_OK ? limn_png_write(s->ctx, argv[2], &s->sheet, NULL) : status;
}

static limn_status run_autoencoder(scores *s, int n, char **argv)
{
    limn_autoencoder *a = NULL;
    s->size = n > 4 ? atoi(argv[4]) : DEFAULT_SIZE;
    limn_status status = limn_autoencoder_open(s->ctx, argv[0], &a);
    if (status == LIMN_OK && limn_autoencoder_describe(a).channels != C)
        status =
            limn_fail(s->ctx, LIMN_BAD_ARGUMENT, "limn-score expects an autoencoder of RGBA pictures, found %d channels",
                      limn_autoencoder_describe(a).channels);
    if (status == LIMN_OK && (s->size < MEASURE_SIDE || s->size > LIMN_MAX_SIDE / SHEET_COLUMNS))
        status = limn_fail(s->ctx, LIMN_BAD_ARGUMENT, "SIZE is %d to %d pixels, found \"%.100s\"", MEASURE_SIDE,
                           LIMN_MAX_SIDE / SHEET_COLUMNS, argv[4]);
    if (status == LIMN_OK) status = open_asked(s, argv[1], argv[2]);
    if (status == LIMN_OK && n > 5) status = new_sheet(s, SHEET_COLUMNS, SHOWN / SHEET_COLUMNS * 2);
    if (status == LIMN_OK) status = score_autoencoder(s, a, atoll(argv[3]));
    limn_autoencoder_free(a);
    return status == LIMN_OK && n > 5 ? limn_png_write(s->ctx, argv[5], &s->sheet, "what comes back, original, ...")
                                      : status;
}

static const struct {
    const char *name;
    limn_status (*run)(scores *s, int n, char **argv);
    int least, steps; /* arguments there must be; the place of STEPS among them, CFG is next; 0: none */
    const char *arguments;
} verbs[] = {
    {"words", run_words, 5, 5, "MODEL DATA GALLERY FIELD COUNT [STEPS CFG]"},
    {"varied", run_varied, 4, 4, "MODEL DATA ASK COUNT [STEPS CFG]"},
    {"sheet", run_sheet, 3, 3, "MODEL TEXTS.txt SHEET.png [STEPS CFG]"},
    {"autoencoder", run_autoencoder, 4, 0, "VAE DATA ASK COUNT [SIZE SHEET.png]"},
    {"", run_captions, 5, 5, "MODEL DATA GALLERY ASK COUNT [STEPS CFG SHEET.png]"},
};

/* Scores are taken beside a training, where threads that spin while they wait cost thirty times the time; libgomp is told so
 * before it begins or never. */
static void wait_without_spinning(char **argv)
{
    if (!getenv("OMP_WAIT_POLICY") && setenv("OMP_WAIT_POLICY", "passive", 0) == 0) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    wait_without_spinning(argv);
    size_t v = 0;
    while (*verbs[v].name && (argc < 2 || strcmp(argv[1], verbs[v].name) != 0)) v++;
    int named = *verbs[v].name ? 2 : 1, n = argc - named, steps = verbs[v].steps;
    if (n < verbs[v].least)
        return fprintf(stderr, "limn-score %s%s%s\n", verbs[v].name, named == 2 ? " " : "", verbs[v].arguments), 2;
    argv += named;
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return 1;
    scores s = {.ctx = ctx,
                .options = {.n = 1,
                            .steps = steps && n > steps ? atoi(argv[steps]) : 20,
                            .guidance = steps && n > steps + 1 ? limn_number_parse(argv[steps + 1], NULL) : 3,
                            .seed = 42}};
    limn_status status = verbs[v].run(&s, n, argv);
    if (status != LIMN_OK) fprintf(stderr, "limn-score: %s\n", limn_error_text(ctx));
    limn_image_free(&s.sheet);
    free(s.thumbs);
    free(s.right);
    free(s.made);
    free(s.original);
    limn_dataset_free(s.gallery);
    limn_dataset_free(s.asked);
    limn_shuffle_free(&s.order);
    limn_pipeline_free(s.pipeline);
    limn_ctx_free(ctx);
    return status == LIMN_OK ? 0 : 1;
}
