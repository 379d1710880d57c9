/* beside.c: see beside.h. */
#include "pipeline/beside.h"

#include "file/weight_file.h"
#include "model/map/map.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH = 1100, NAMED = 8 };

static const struct kind {
    const char *title, *flag, *family, *needs, *unit, *where;
    const char *folders[5]; /* from that of the file; the first NULL ends them */
} kinds[] = {
    [LIMN_BESIDE_TEXT_ENCODER] = {"text encoder", "--clip_l", "clip-text", "a text encoder that makes features of",
                                  "numbers", "its folder, ../text_encoders, ../clip or ../text_encoder",
                                  {"", "../text_encoders/", "../clip/", "../text_encoder/"}},
    [LIMN_BESIDE_CLIP_G] = {"second text encoder", "--clip_g", "clip-text", "a text encoder that makes features of",
                            "numbers", "its folder, ../text_encoders, ../clip or ../text_encoder_2",
                            {"", "../text_encoders/", "../clip/", "../text_encoder_2/"}},
    [LIMN_BESIDE_T5] = {"text encoder", "--t5xxl", "t5-text", "a T5 that makes features of", "numbers",
                        "its folder, ../text_encoders, ../clip, ../text_encoder or ../text_encoder_3",
                        {"", "../text_encoders/", "../clip/", "../text_encoder/", "../text_encoder_3/"}},
    [LIMN_BESIDE_AUTOENCODER] = {"autoencoder", "--vae", "vae", "an autoencoder of latents of", "channels",
                                 "its folder or ../vae", {"", "../vae/"}},
};

typedef struct search {
    limn_ctx *ctx;
    const struct kind *kind;
    int width;
    int n;                                    /* that fit */
    struct { dev_t device; ino_t number; } seen[NAMED]; /* one file may have two names, and a folder too */
    char *path[NAMED];
} search;

static bool holds_a_denoiser(limn_ctx *ctx, const char *path, const limn_weight_file *st)
{
    limn_map map;
    for (int i = 0; limn_families[i]; i++)
        if (limn_families[i]->kind == LIMN_DENOISES &&
            limn_map_detect_among(ctx, path, st, limn_families[i]->name, &map) != LIMN_NOT_FOUND)
            return true;
    return false;
}

/* What cannot be opened is no part. */
static bool fits(const search *s, const char *path)
{
    limn_weight_file *st;
    limn_map map;
    if (limn_weight_file_open(s->ctx, path, &st) != LIMN_OK) return false;
    bool good = limn_map_detect_among(s->ctx, path, st, s->kind->family, &map) == LIMN_OK;
    if (good) {
        limn_interface net = limn_model_interface(&map.settings);
        good = s->width == (map.settings.family->kind == LIMN_ENCODES_TEXT ? net.text_width : net.latent) &&
               !holds_a_denoiser(s->ctx, path, st);
    }
    limn_weight_file_close(st);
    return good;
}

static limn_status try_file(search *s, const char *path)
{
    struct stat there;
    if (!path[limn_weight_stem(path)] || stat(path, &there) || !S_ISREG(there.st_mode)) return LIMN_OK;
    int known = s->n < NAMED ? s->n : NAMED;
    for (int i = 0; i < known; i++)
        if (s->seen[i].device == there.st_dev && s->seen[i].number == there.st_ino) return LIMN_OK;
    if (!fits(s, path)) return LIMN_OK;
    if (s->n++ >= NAMED) return LIMN_OK;
    s->seen[s->n - 1].device = there.st_dev, s->seen[s->n - 1].number = there.st_ino;
    return (s->path[s->n - 1] = strdup(path)) ? LIMN_OK : limn_fail_memory(s->ctx, strlen(path), "a path");
}

/* A folder that is not there has none. */
static limn_status try_folder(search *s, const char *folder)
{
    char path[PATH];
    limn_status status = LIMN_OK;
    DIR *dir = opendir(*folder ? folder : ".");
    for (struct dirent *e; dir && status == LIMN_OK && (e = readdir(dir));)
        if (e->d_name[0] != '.' && snprintf(path, sizeof path, "%s%s", folder, e->d_name) < (int)sizeof path)
            status = try_file(s, path);
    if (dir) closedir(dir);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static limn_status none(const search *s, const char *file)
{
    return limn_fail(s->ctx, LIMN_NOT_FOUND, "%s needs %s %d %s, and no file in %s is one: name it (%s)", file,
                     s->kind->needs, s->width, s->kind->unit, s->kind->where, s->kind->flag);
}

static limn_status several(search *s, const char *file)
{
    limn_text names = {0};
    int named = s->n < NAMED ? s->n : NAMED;
    qsort(s->path, (size_t)named, sizeof *s->path, by_name);
    for (int i = 0; i < named; i++) {
        char shown[256];
        limn_text_printf(&names, "%s%s", i ? ", " : "", limn_escape(s->path[i], strlen(s->path[i]), shown, sizeof shown));
    }
    if (s->n > named) limn_text_printf(&names, " and %d more", s->n - named);
    limn_fail(s->ctx, LIMN_BAD_ARGUMENT, "%s needs one %s, and %d files beside it fit: %s; say which (%s)", file,
              s->kind->title, s->n, names.bytes ? names.bytes : "", s->kind->flag);
    limn_text_free(&names);
    return LIMN_BAD_ARGUMENT;
}

limn_status limn_beside_find(limn_ctx *ctx, const char *file, limn_beside what, int width, char *out)
{
    search s = {.ctx = ctx, .kind = &kinds[what], .width = width};
    const char *slash = strrchr(file, '/');
    char folder[PATH];
    limn_status status = LIMN_OK;
    for (int i = 0; i < 5 && s.kind->folders[i] && status == LIMN_OK; i++)
        if (snprintf(folder, sizeof folder, "%.*s%s", slash ? (int)(slash - file) + 1 : 0, file, s.kind->folders[i]) <
            (int)sizeof folder)
            status = try_folder(&s, folder);
    if (status == LIMN_OK && s.n != 1) status = s.n ? several(&s, file) : none(&s, file);
    if (status == LIMN_OK) {
        snprintf(out, PATH, "%s", s.path[0]);
        limn_log(ctx, LIMN_LOG_INFO, "%s taken: %s, the only one beside %s that fits (%s names another)", s.kind->title, out,
                 file, s.kind->flag);
    }
    for (int i = 0; i < s.n && i < NAMED; i++) free(s.path[i]);
    return status;
}
