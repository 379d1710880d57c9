/* generate_preview.c: see generate_preview.h. */
#include "generate_preview.h"

#include "cli.h"
#include "file/target.h"
#include "pipeline/pipeline.h"

#include <string.h>

/* Over the last one, unless something was said meanwhile. */
static void draw(generate_preview *p, const limn_image *image)
{
    if (p->progress->lines != p->lines) p->shown.rows = 0;
    cli_progress_clear(p->progress);
    cli_show_over(p->ctx, image, &p->shown);
    p->lines = p->progress->lines, p->drawn = limn_seconds();
}

/* One that fails is said once, and the pictures are made all the same. */
static bool show_step(void *user, limn_sampling *sampling)
{
    const double often = 0.1;
    generate_preview *p = user;
    limn_image image;
    bool writes = p->path && ++p->step % p->every == 0, draws = p->live && limn_seconds() - p->drawn >= often;
    if (p->failed || !(writes || draws)) return true;
    limn_status status = limn_sampling_preview(sampling, 0, &image);
    if (status == LIMN_OK && draws) draw(p, &image);
    if (status == LIMN_OK && writes) status = limn_png_write(p->ctx, p->path, &image, NULL);
    limn_image_free(&image);
    if (status == LIMN_OK || status == LIMN_CANCELLED) return status == LIMN_OK;
    char said[1100];
    snprintf(said, sizeof said, "%s: %s; there will be no more previews", p->path ? "--preview" : "--show",
             limn_error_text(p->ctx));
    cli_progress_tell(p->progress, LIMN_LOG_WARN, said);
    return p->failed = true;
}

void generate_preview_go_live(generate_preview *preview, const limn_pipeline *p, limn_generate_options *o)
{
    if (!cli_show_moves() || !(o->preview || limn_pipeline_previews_cheaply(p))) return;
    preview->live = preview->progress->passes = true;
    if (!o->preview) o->preview = LIMN_PREVIEW_AUTO;
    o->stepped = show_step, o->stepped_user = preview;
}

void generate_preview_leave(generate_preview *preview)
{
    if (!preview->live) return;
    cli_progress_clear(preview->progress);
    if (preview->progress->lines == preview->lines) cli_show_erase(&preview->shown);
}

/* "proj", "tae", "vae": by what; else a file. */
static limn_preview kind_of(const char *word)
{
    static const char *const words[] = {"none", "auto", "proj", "tae", "vae"}; /* in the order of limn_preview */
    for (int i = 0; i < 5; i++)
        if (strcmp(word, words[i]) == 0) return (limn_preview)i;
    return LIMN_PREVIEW_AUTO;
}

static bool is_file(const char *word)
{
    return kind_of(word) == LIMN_PREVIEW_AUTO && strcmp(word, "auto") != 0;
}

bool generate_preview_read(const generate_preview_words *w, const char *vae, generate_preview *out,
                           limn_generate_options *o)
{
    bool file = w->preview && is_file(w->preview);
    *out = (generate_preview){.every = 1};
    if (w->preview) o->preview = kind_of(w->preview);
    if (!cli_integer("--preview-interval", w->interval, 1, 1000000, &out->every)) return false;
    if (file && w->path) return cli_lacks("--preview and --preview-path both name a file: expected one");
    if (!o->preview && (w->path || w->interval))
        return cli_lacks("--preview-path and --preview-interval expect --preview too");
    if (w->tiny_only && !w->tiny) return cli_lacks("--taesd-preview-only expects --taesd, the autoencoder that it is about");
    if (w->tiny_only && !o->preview) return cli_lacks("--taesd-preview-only expects --preview too");
    if (w->tiny && vae && !w->tiny_only)
        return cli_lacks("--vae and --taesd both name what decodes: expected one, or --taesd-preview-only too");
    if (!o->preview) return true;
    out->path = file ? w->preview : w->path ? w->path : "preview.png";
    o->stepped = show_step, o->stepped_user = out;
    return true;
}

limn_status generate_preview_check(limn_ctx *ctx, generate_preview *preview)
{
    preview->ctx = ctx;
    return preview->path ? limn_target_check(ctx, "--preview", preview->path, ".png") : LIMN_OK;
}

const char *generate_preview_decoder(const generate_preview_words *w, const char *vae)
{
    return vae || w->tiny_only ? vae : w->tiny;
}

limn_status generate_preview_coders(limn_pipeline *p, const generate_preview_words *w)
{
    limn_status status = limn_pipeline_set_autoencoder(p, NULL);
    return status == LIMN_OK && w->tiny_only ? limn_pipeline_set_preview(p, w->tiny) : status;
}

void generate_preview_writes(const generate_preview *preview, limn_job_files *files)
{
    if (preview->path) limn_job_writes(files, preview->path);
}
