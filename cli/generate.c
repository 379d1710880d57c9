/* generate.c: limn generate "words" -o picture.png */
#include "cli.h"
#include "pipeline/generate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "limn generate PROMPT [flags]\n"
    "\n"
    "  -p, --prompt TEXT           the prompt, if not given as a word\n"
    "  -n, --negative-prompt TEXT  what the picture should not be\n"
    "  -m, --model FOLDER          model.safetensors and merges.txt.gz (default models/emoji)\n"
    "  -o, --output FILE           PNG to write (default output.png); %d is the number of the picture\n"
    "      --count 1               pictures; several go into one grid with --grid\n"
    "      --grid                  all pictures in one file\n"
    "  -W, --width  -H, --height   must be the network's size\n"
    "      --steps 20  --cfg-scale 2  -s, --seed 42 (negative: by the clock)  --precision auto|f32|bf16  -t, --threads 0\n"
    "\n"
    "example: limn generate \"a cat with heart eyes\" -o cat.png\n";

typedef struct generate_flags {
    const char *prompt, *negative, *model, *output, *count, *width, *height, *steps, *guidance, *seed, *precision, *threads;
    bool grid, help, quiet;
} generate_flags;

static bool progress(void *user, const char *what, int64_t done, int64_t total)
{
    double *begin = user, rate = done ? (double)done / (limn_seconds() - *begin) : 0;
    if (done == 0) *begin = limn_seconds();
    fprintf(stderr, "\r%s %lld/%lld  %.1f steps/s\033[K%s", what, (long long)done, (long long)total, rate, done == total ? "\n" : "");
    return true;
}

static void warn(void *user, limn_log_level level, const char *text)
{
    (void)user;
    if (level == LIMN_LOG_WARN) fprintf(stderr, "limn: %s\n", text);
}

/* Pictures side by side in a nearly square grid. */
static limn_image grid_of(const limn_image *images, int n)
{
    int columns = 1, w = images[0].width, h = images[0].height, c = images[0].channels;
    while (columns * columns < n) columns++;
    int rows = (n + columns - 1) / columns;
    limn_image grid = {.width = columns * w, .height = rows * h, .channels = c};
    grid.pixels = calloc((size_t)grid.width * (size_t)grid.height, (size_t)c);
    for (int i = 0; grid.pixels && i < n; i++)
        for (int y = 0; y < h; y++)
            memcpy(grid.pixels + ((size_t)(i / columns * h + y) * (size_t)grid.width + (size_t)(i % columns * w)) * (size_t)c,
                   images[i].pixels + (size_t)y * (size_t)w * (size_t)c, (size_t)w * (size_t)c);
    return grid;
}

static void output_name(char *name, size_t size, const char *pattern, int i, int n)
{
    const char *mark = strstr(pattern, "%d"), *dot = strrchr(pattern, '.');
    if (mark) snprintf(name, size, "%.*s%d%s", (int)(mark - pattern), pattern, i, mark + 2);
    else if (n == 1) snprintf(name, size, "%s", pattern);
    else snprintf(name, size, "%.*s-%d%s", dot ? (int)(dot - pattern) : (int)strlen(pattern), pattern, i, dot ? dot : "");
}

static limn_status write_all(limn_ctx *ctx, const limn_pipeline *p, const generate_flags *f, const limn_generate_options *o, limn_image *images)
{
    limn_status status = LIMN_OK;
    const char *pattern = f->output ? f->output : "output.png";
    limn_image grid = {0};
    if (f->grid && o->n > 1) grid = grid_of(images, o->n);
    int n = grid.pixels ? 1 : o->n;
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        char name[1024];
        char *text = limn_generate_parameters(p, o, i);
        if (!text) status = limn_fail_memory(ctx, 1024, "a picture's text");
        output_name(name, sizeof name, pattern, i, n);
        if (status == LIMN_OK) status = limn_png_write(ctx, name, grid.pixels ? &grid : &images[i], text);
        if (status == LIMN_OK) printf("%s\n", name);
        free(text);
    }
    limn_image_free(&grid);
    return status;
}

static limn_status run(limn_ctx *ctx, const generate_flags *f, const limn_generate_options *o, long width, long height)
{
    limn_pipeline *p;
    limn_status status = limn_pipeline_open(ctx, f->model ? f->model : "models/emoji", &p);
    if (status != LIMN_OK) return status;
    int size = limn_settings_get(limn_pipeline_settings(p), "size");
    if ((width && width != size) || (height && height != size))
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "this model makes %d x %d pictures, asked for %ld x %ld", size, size, width ? width : size, height ? height : size);
    limn_image *images = calloc((size_t)o->n, sizeof *images);
    if (status == LIMN_OK && !images) status = limn_fail_memory(ctx, (size_t)o->n * sizeof *images, "pictures");
    if (status == LIMN_OK) status = limn_generate(p, o, images);
    if (status == LIMN_OK) status = write_all(ctx, p, f, o, images);
    for (int i = 0; images && i < o->n; i++) limn_image_free(&images[i]);
    free(images);
    limn_pipeline_free(p);
    return status;
}

int cli_generate(int argc, char **argv)
{
    generate_flags f = {0};
    const char *word = NULL;
    const cli_flag flags[] = {
        {"-p", "--prompt", &f.prompt, NULL}, {"-n", "--negative-prompt", &f.negative, NULL}, {"-m", "--model", &f.model, NULL}, {"-o", "--output", &f.output, NULL},
        {"-b", "--count", &f.count, NULL}, {NULL, "--grid", NULL, &f.grid}, {"-W", "--width", &f.width, NULL}, {"-H", "--height", &f.height, NULL},
        {NULL, "--steps", &f.steps, NULL}, {NULL, "--cfg-scale", &f.guidance, NULL}, {"-s", "--seed", &f.seed, NULL}, {NULL, "--precision", &f.precision, NULL},
        {"-t", "--threads", &f.threads, NULL}, {"-q", "--quiet", NULL, &f.quiet}, {"-h", "--help", NULL, &f.help}, {NULL, NULL, NULL, NULL},
    };
    int n = cli_parse(argc, argv, flags, &word, 1);
    if (f.help) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (!f.prompt) f.prompt = word;
    if (!f.prompt) return fprintf(stderr, "limn generate: expected a prompt, as in: limn generate \"a red apple\" -o apple.png\n"), 2;
    long count = 1, width = 0, height = 0, steps = 20, seed = 42, threads = 0;
    double guidance = 2;
    if (!cli_integer("--count", f.count, 1, 256, &count) || !cli_integer("--width", f.width, 1, 16384, &width) || !cli_integer("--height", f.height, 1, 16384, &height) ||
        !cli_integer("--steps", f.steps, 1, 1000, &steps) || !cli_integer("--seed", f.seed, -1, 0x7fffffffffffffff, &seed) ||
        !cli_integer("--threads", f.threads, 0, 1024, &threads) || !cli_real("--cfg-scale", f.guidance, 0, 100, &guidance))
        return 2;
    limn_generate_options o = {.prompt = f.prompt, .negative = f.negative, .n = (int)count, .steps = (int)steps, .guidance = guidance,
                               .seed = seed < 0 ? (uint64_t)(limn_seconds() * 1e6) : (uint64_t)seed};
    if (f.precision && strcmp(f.precision, "auto") != 0 && strcmp(f.precision, "f32") != 0 && strcmp(f.precision, "bf16") != 0)
        return fprintf(stderr, "limn generate: --precision is auto, f32 or bf16, found \"%.100s\"\n", f.precision), 2;
    if (f.precision) o.precision = f.precision[0] == 'f' ? LIMN_PRECISION_F32 : f.precision[0] == 'b' ? LIMN_PRECISION_BF16 : LIMN_PRECISION_AUTO;
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return fprintf(stderr, "limn: out of memory\n"), 1;
    double begin = limn_seconds();
    if (isatty(STDERR_FILENO) && !f.quiet) limn_ctx_set_progress(ctx, progress, &begin);
    limn_ctx_set_log(ctx, warn, NULL);
    limn_status status = limn_ctx_set_threads(ctx, (int)threads);
    if (status == LIMN_OK) status = run(ctx, &f, &o, width, height);
    int code = status == LIMN_OK ? 0 : cli_fail(ctx, status);
    limn_ctx_free(ctx);
    return code;
}
