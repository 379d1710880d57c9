/* folder.c: folders without metadata.jsonl: texts beside pictures, class folders, plain pictures. */
#include "file/bytes.h"
#include "data/listing.h"
#include "data/rows.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_CAPTION_BYTES = 1 << 20 };

/* Text of a file, blanks at its ends cut; NULL: it is not there. */
static limn_status read_text(limn_ctx *ctx, limn_rows *rows, limn_finder *finder, const char *path, const char **out)
{
    unsigned char *bytes = NULL;
    size_t n, begin = 0;
    *out = NULL;
    limn_status status = limn_finder_find(ctx, finder, rows->arena, path, &path);
    if (status == LIMN_OK) status = limn_file_read(ctx, path, MAX_CAPTION_BYTES, &bytes, &n);
    if (status == LIMN_NOT_FOUND) return LIMN_OK;
    if (status == LIMN_OK) status = limn_text_begin(ctx, path, bytes, n, &begin);
    if (status == LIMN_OK) status = limn_text_check(ctx, path, (char *)bytes, n);
    if (status != LIMN_OK) return free(bytes), status;
    char *text = (char *)bytes + begin;
    text += strspn(text, " \t\r\n");
    for (n = strlen(text); n && strchr(" \t\r\n", text[n - 1]); n--) text[n - 1] = '\0';
    *out = limn_arena_strdup(rows->arena, text);
    free(bytes);
    return *out ? LIMN_OK : limn_fail_memory(ctx, n, path);
}

/* Text of NAME.txt, else of NAME.caption, beside the picture; `otherwise` when neither is there, or both are empty. */
static limn_status sidecar(limn_ctx *ctx, limn_rows *rows, limn_finder *finder, const char *picture, const char *otherwise,
                           const char **out)
{
    const char *slash = strrchr(picture, '/'), *name = slash ? slash + 1 : picture, *txt, *caption;
    int stem = (int)(name - picture) + (int)limn_stem(name);
    const char *a = limn_arena_printf(rows->arena, "%.*s.txt", stem, picture),
               *b = limn_arena_printf(rows->arena, "%.*s.caption", stem, picture);
    if (!a || !b) return limn_fail_memory(ctx, strlen(picture), picture);
    limn_status status = read_text(ctx, rows, finder, a, &txt);
    if (status == LIMN_OK) status = read_text(ctx, rows, finder, b, &caption);
    if (status != LIMN_OK) return status;
    bool has_txt = txt && *txt, has_caption = caption && *caption;
    rows->captions.txt += has_txt, rows->captions.caption += has_caption && !has_txt;
    rows->captions.differ += has_txt && has_caption && strcmp(txt, caption) != 0;
    rows->captions.classes += !txt && !caption && *otherwise;
    *out = has_txt ? txt : has_caption ? caption : txt || caption ? "" : otherwise;
    return LIMN_OK;
}

limn_status limn_rows_sidecars(limn_ctx *ctx, limn_rows *rows)
{
    limn_finder finder = {0};
    limn_status status = LIMN_OK;
    for (int64_t i = 0; i < rows->n && status == LIMN_OK; i++) {
        limn_row *row = &rows->row[i];
        if (row->caption[0]) continue;
        status = sidecar(ctx, rows, &finder, row->file, "", &row->caption);
        row->beside = status == LIMN_OK && row->caption[0];
    }
    limn_finder_free(&finder);
    return status;
}

/* A class "golden_retriever" is the caption "golden retriever". */
static char *caption_of_class(limn_rows *rows, const char *class)
{
    char *text = limn_arena_strdup(rows->arena, class);
    for (char *p = text; p && *p; p++)
        if (*p == '_') *p = ' ';
    return text;
}

static limn_status add_pictures(limn_ctx *ctx, const char *folder, const limn_names *pictures, const char *class,
                                limn_rows *rows)
{
    limn_status status = LIMN_OK;
    limn_finder finder = {0};
    const char *otherwise = class ? caption_of_class(rows, class) : "";
    if (!otherwise) return limn_fail_memory(ctx, strlen(class), folder);
    for (size_t i = 0; i < pictures->n && status == LIMN_OK; i++) {
        const char *caption, *path = limn_arena_printf(rows->arena, "%s/%s", folder, pictures->name[i]);
        status =
            path ? sidecar(ctx, rows, &finder, path, otherwise, &caption) : limn_fail_memory(ctx, strlen(folder), folder);
        if (status == LIMN_OK) status = limn_rows_add(ctx, rows, path, caption, class);
    }
    limn_finder_free(&finder);
    return status;
}

static limn_status add_folders(limn_ctx *ctx, const char *folder, const limn_names *folders, bool classes, limn_rows *rows)
{
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < folders->n && status == LIMN_OK; i++) {
        limn_names pictures = {0};
        const char *path = limn_arena_printf(rows->arena, "%s/%s", folder, folders->name[i]);
        const char *class = classes ? limn_arena_strdup(rows->arena, folders->name[i]) : NULL;
        if (!path || (classes && !class)) return limn_fail_memory(ctx, strlen(folder), folder);
        if (classes) status = limn_text_check(ctx, path, class, strlen(class));
        if (status == LIMN_OK) status = limn_names_list(ctx, path, false, &pictures, NULL);
        limn_names_tell(ctx, path, false, &pictures);
        if (status == LIMN_OK && pictures.n) status = add_pictures(ctx, path, &pictures, class, rows);
        limn_names_free(&pictures);
    }
    return status;
}

/* A folder of one picture-holding sub-folder ("images") is no set of classes. */
static limn_status count_filled(limn_ctx *ctx, const char *folder, const limn_names *folders, int *n)
{
    limn_status status = LIMN_OK;
    *n = 0;
    for (size_t i = 0; i < folders->n && *n < 2 && status == LIMN_OK; i++) {
        char path[4096];
        struct stat st;
        limn_names pictures = {0};
        snprintf(path, sizeof path, "%s/%s/metadata.jsonl", folder, folders->name[i]);
        if (stat(path, &st) == 0)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                             "%s holds folders with a metadata.jsonl of their own: give --data %s/%s", folder, folder,
                             folders->name[i]);
        *strrchr(path, '/') = '\0';
        status = limn_names_list(ctx, path, false, &pictures, NULL);
        *n += pictures.n > 0;
        limn_names_free(&pictures);
    }
    return status;
}

limn_status limn_rows_folder(limn_ctx *ctx, const char *folder, limn_rows *rows)
{
    limn_names pictures = {0}, folders = {0};
    int n_filled = 0;
    limn_status status = limn_names_list(ctx, folder, false, &pictures, &folders);
    limn_names_tell(ctx, folder, false, &pictures);
    if (status == LIMN_OK && !pictures.n) status = count_filled(ctx, folder, &folders, &n_filled);
    if (status == LIMN_OK) status = add_pictures(ctx, folder, &pictures, NULL, rows);
    if (status == LIMN_OK) status = add_folders(ctx, folder, &folders, n_filled >= 2, rows);
    limn_names_free(&pictures);
    limn_names_free(&folders);
    return status;
}
