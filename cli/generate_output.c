/* generate_output.c: see generate_output.h. */
#include "generate_output.h"

#include "cli.h"
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

enum { NAME = 1024, LONGEST = 230 }; /* 255 bytes of a file's name, less a number's and those of the partial file */

/* ---- names ------------------------------------------------------------------------------------------------------------ */

/* "%d" or "%03d": its place, length and width; NULL: none. */
static const char *number_mark(const char *pattern, int *length, int *width)
{
    for (const char *at = strchr(pattern, '%'); at; at = strchr(at + 1, '%')) {
        const char *end = at + 1;
        for (*width = 0; *end >= '0' && *end <= '9' && *width < 10; end++) *width = *width * 10 + (*end - '0');
        *length = (int)(end - at) + 1;
        if (*end == 'd') return at;
    }
    return NULL;
}

static void file_name(char *name, const char *pattern, int i, int n)
{
    int length, width;
    const char *mark = number_mark(pattern, &length, &width), *slash = strrchr(pattern, '/'),
               *dot = strrchr(slash ? slash : pattern, '.');
    if (mark) snprintf(name, NAME, "%.*s%0*d%s", (int)(mark - pattern), pattern, width, i, mark + length);
    else if (n == 1) snprintf(name, NAME, "%s", pattern);
    else snprintf(name, NAME, "%.*s-%d%s", dot ? (int)(dot - pattern) : (int)strlen(pattern), pattern, i, dot ? dot : "");
}

static bool is_animation(const generate_output *out)
{
    return out->strip && limn_path_ends_in(out->pattern, ".apng");
}

static bool is_one_file(const generate_output *out, int n)
{
    return n == 1 || out->grid || out->strip;
}

limn_status generate_output_check(limn_ctx *ctx, const generate_output *out, int n_pictures)
{
    char shown[256];
    size_t n = strlen(out->pattern);
    const char *slash = strrchr(out->pattern, '/'), *file = slash ? slash + 1 : out->pattern, *dot = strrchr(file, '.');
    if (limn_path_is_stdout(out->pattern) && !is_one_file(out, n_pictures))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "--output: stdout takes one file, and there are %d pictures: add --grid, or name files",
                         n_pictures);
    if (limn_path_is_stdout(out->pattern)) return limn_target_folder_check(ctx, "--output", out->pattern);
    limn_escape(out->pattern, n, shown, sizeof shown);
    if (n > 900 || !file[0] || strlen(file) > LONGEST)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--output expects the name of a file, %d bytes at most, found \"%s\"",
                         LONGEST, shown);
    if (dot && !limn_path_ends_in(out->pattern, ".png") && !is_animation(out))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--output: only PNG is written, so the name must end in .png, found \"%s\"",
                         shown);
    if (limn_path_is_folder(out->pattern))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--output: %s is a folder, expected a file", shown);
    return limn_target_folder_check(ctx, "--output", out->pattern);
}

void generate_output_writes(const generate_output *out, int n, limn_job_files *files)
{
    char name[NAME];
    int n_files = is_one_file(out, n) ? 1 : n;
    for (int i = 0; i < n_files; i++) {
        file_name(name, out->pattern, out->begin + i, n_files);
        limn_job_writes(files, is_animation(out) ? out->pattern : name);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static void grid_size(const generate_output *out, int n, int *columns, int *rows)
{
    for (*columns = out->strip ? n : 1; *columns * *columns < n;) ++*columns;
    *rows = (n + *columns - 1) / *columns;
}

limn_status generate_output_check_grid(limn_ctx *ctx, const limn_pipeline *p, const generate_output *out,
                                       const limn_generate_options *o)
{
    limn_picture_sides sides = limn_generate_sides(p, o);
    double larger = o->hires > 1 ? o->hires : 1;
    int columns, rows;
    grid_size(out, o->n, &columns, &rows);
    limn_status status =
        limn_image_check(ctx, out->strip ? out->pattern : "--grid", (uint32_t)(columns * sides.width * larger),
                         (uint32_t)(rows * sides.height * larger), limn_pipeline_describe(p).channels);
    return status == LIMN_OK
               ? LIMN_OK
               : limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: ask for fewer than %d pictures", limn_error_text(ctx), o->n);
}

/* Pictures side by side, nearly as many rows as columns. */
static limn_status grid_of(limn_ctx *ctx, const generate_output *out, const limn_image *images, int n, limn_image *grid)
{
    int columns, rows, w = images[0].width, h = images[0].height, c = images[0].channels;
    grid_size(out, n, &columns, &rows);
    *grid = (limn_image){.width = columns * w, .height = rows * h, .channels = c};
    grid->pixels = calloc((size_t)grid->width * (size_t)grid->height, (size_t)c);
    if (!grid->pixels) return limn_fail_memory(ctx, (size_t)grid->width * (size_t)grid->height * (size_t)c, "a grid");
    for (int i = 0; i < n; i++)
        for (int y = 0; y < h; y++)
            memcpy(grid->pixels +
                       ((size_t)(i / columns * h + y) * (size_t)grid->width + (size_t)(i % columns * w)) * (size_t)c,
                   images[i].pixels + (size_t)y * (size_t)w * (size_t)c, (size_t)w * (size_t)c);
    return LIMN_OK;
}

static limn_status write_one(limn_ctx *ctx, const generate_output *out, const char *name, const limn_image *image,
                             char *text)
{
    if (!text && !out->bare) return limn_fail_memory(ctx, 1024, "a picture's text");
    limn_status status = limn_png_write(ctx, name, image, out->bare ? NULL : text);
    limn_free(text);
    if (status != LIMN_OK) return status;
    cli_tell_written(name);
    fflush(stdout);
    if (out->show && !cli_show(ctx, image, name)) fprintf(stderr, "limn: --show: there is no terminal to draw in\n");
    return LIMN_OK;
}

static limn_status write_animation(limn_ctx *ctx, const generate_output *out, const limn_generate_options *o,
                                   const limn_image *images)
{
    enum { MILLISECONDS = 120 };
    limn_status status = limn_apng_write(ctx, out->pattern, images, o->n, MILLISECONDS);
    if (status == LIMN_OK) cli_tell_written(out->pattern);
    return status;
}

/* What the file says of the model.  Other weights than those of the picture that is drawn again are told once. */
static const char *hash_of(limn_ctx *ctx, const generate_output *out)
{
    bool known = model_hash_known(out->hash) != NULL;
    const char *digits = model_hash_finish(ctx, out->hash);
    if (digits && !known) limn_again_check_hash(ctx, out->again, digits);
    return digits;
}

limn_status generate_output_write(limn_ctx *ctx, const generate_output *out, const limn_pipeline *p,
                                  const limn_generate_options *options, const limn_image *images)
{
    limn_image grid = {0};
    char name[NAME];
    limn_generate_options said = *options, *o = &said;
    limn_status status = LIMN_OK;
    said.model_hash = hash_of(ctx, out);
    generate_preview_leave(out->preview);
    if (is_animation(out)) return write_animation(ctx, out, o, images);
    if ((out->grid || out->strip) && o->n > 1) status = grid_of(ctx, out, images, o->n, &grid);
    int n = grid.pixels ? 1 : o->n;
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        file_name(name, out->pattern, out->begin + i, n);
        status = write_one(ctx, out, name, grid.pixels ? &grid : &images[i],
                           out->bare ? NULL : limn_generate_parameters(p, o, i));
    }
    limn_image_free(&grid);
    return status;
}
