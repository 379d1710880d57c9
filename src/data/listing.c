/* listing.c: see listing.h. */
#include "data/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utf8proc.h>

void limn_names_free(limn_names *list)
{
    for (size_t i = 0; i < list->n; i++) free(list->name[i]);
    free(list->name);
    free(list->other);
    *list = (limn_names){0};
}

bool limn_names_add(limn_names *list, const char *name)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        char **more = realloc(list->name, capacity * sizeof *more);
        if (!more) return false;
        list->name = more, list->capacity = capacity;
    }
    return (list->name[list->n] = strdup(name)) && ++list->n;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void limn_names_sort(limn_names *names)
{
    if (names->n) qsort(names->name, names->n, sizeof *names->name, by_bytes);
}

size_t limn_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    return n > 4 && limn_same_word(name + n, strlen(name + n), ".gz", 3) && limn_same_word(name + n - 4, 4, ".nii", 4)
               ? n - 4
               : n;
}

static bool is_ascii(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name[i] & 0x80) return false;
    return true;
}

char *limn_name_composed(const char *name, size_t n)
{
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t got = UTF8PROC_ERROR_INVALIDUTF8;
    if (!is_ascii(name, n))
        got = utf8proc_map((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)n, &out, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (got >= 0 || got == UTF8PROC_ERROR_NOMEM) return (char *)out;
    return strndup(name, n);
}

bool limn_names_same(const char *a, size_t n, const char *b, size_t m)
{
    if (n == m && memcmp(a, b, n) == 0) return true;
    if (is_ascii(a, n) && is_ascii(b, m)) return false;
    char *x = limn_name_composed(a, n), *y = limn_name_composed(b, m);
    bool same = x && y && strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

/* ---- files by another spelling ---------------------------------------------------------------------------------------- */

void limn_finder_free(limn_finder *f)
{
    for (size_t i = 0; i < f->n; i++) free(f->entry[i].composed), free(f->entry[i].name);
    free(f->entry);
    free(f->folder);
    free(f->real);
    *f = (limn_finder){0};
}

static int by_composed(const void *a, const void *b)
{
    const limn_found_name *x = a, *y = b;
    int order = strcmp(x->composed, y->composed);
    return order ? order : strcmp(x->name, y->name);
}

bool limn_names_twins(const char *const *names, size_t n, const char **a, const char **b)
{
    size_t kept = 0;
    bool fits = true, found = false;
    limn_found_name *all = n ? calloc(n, sizeof *all) : NULL;
    for (size_t i = 0; all && fits && i < n; i++) {
        if (is_ascii(names[i], strlen(names[i]))) continue;
        all[kept] = (limn_found_name){limn_name_composed(names[i], strlen(names[i])), (char *)(uintptr_t)names[i]};
        fits = all[kept].composed != NULL;
        kept += fits;
    }
    if (kept) qsort(all, kept, sizeof *all, by_composed);
    for (size_t i = 1; fits && i < kept && !found; i++) {
        found = strcmp(all[i].composed, all[i - 1].composed) == 0 && strcmp(all[i].name, all[i - 1].name) != 0;
        if (found) *a = all[i - 1].name, *b = all[i].name;
    }
    for (size_t i = 0; i < kept; i++) free(all[i].composed);
    free(all);
    return found;
}

/* Names that are not ASCII: only these can be spelled in two ways. */
static bool list_folder(limn_finder *f)
{
    size_t capacity = 0;
    bool fits = true;
    DIR *d = opendir(f->real);
    for (struct dirent *e; d && fits && (e = readdir(d));) {
        if (is_ascii(e->d_name, strlen(e->d_name))) continue;
        if (f->n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            limn_found_name *more = realloc(f->entry, capacity * sizeof *more);
            if (!more) fits = false;
            else f->entry = more;
        }
        if (!fits) break;
        f->entry[f->n++] = (limn_found_name){limn_name_composed(e->d_name, strlen(e->d_name)), strdup(e->d_name)};
        fits = f->entry[f->n - 1].composed && f->entry[f->n - 1].name;
    }
    if (d) closedir(d);
    if (fits && f->n) qsort(f->entry, f->n, sizeof *f->entry, by_composed);
    return fits;
}

/* The folder of n bytes of path becomes the finder's; it may be spelled in another way itself. */
static limn_status enter(limn_ctx *ctx, limn_finder *f, limn_arena *arena, const char *path, size_t n)
{
    if (f->folder && strlen(f->folder) == n && memcmp(f->folder, path, n) == 0) return LIMN_OK;
    limn_finder_free(f);
    limn_finder above = {0};
    const char *real = NULL;
    f->folder = strndup(path, n);
    limn_status status = f->folder ? limn_finder_find(ctx, &above, arena, n ? f->folder : "/", &real) : LIMN_NO_MEMORY;
    if (status == LIMN_OK && !((f->real = strdup(real)) && list_folder(f)))
        status = limn_fail_memory(ctx, 4096, "names of files");
    limn_finder_free(&above);
    return status;
}

/* The first entry whose composed name is not before this one. */
static size_t first_from(const limn_finder *f, const char *composed)
{
    size_t low = 0, high = f->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(f->entry[middle].composed, composed) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

limn_status limn_finder_find(limn_ctx *ctx, limn_finder *f, limn_arena *arena, const char *path, const char **out)
{
    struct stat st;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *out = path;
    if (is_ascii(path, strlen(path)) || stat(path, &st) == 0) return LIMN_OK;
    limn_status status = enter(ctx, f, arena, slash ? path : ".", slash ? (size_t)(slash - path) : 1);
    char *composed = status == LIMN_OK ? limn_name_composed(name, strlen(name)) : NULL;
    if (!composed) return status == LIMN_OK ? limn_fail_memory(ctx, strlen(path), path) : status;
    size_t i = first_from(f, composed), n_same = 0;
    while (i + n_same < f->n && strcmp(f->entry[i + n_same].composed, composed) == 0) n_same++;
    free(composed);
    if (n_same > 1)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: the folder has two files of this name, with accents composed and apart: expected one", path);
    if (!n_same && !is_ascii(name, strlen(name))) return LIMN_OK;
    *out = limn_arena_printf(arena, "%s/%s", f->real,
                             n_same ? f->entry[i].name : name); /* an ASCII name in a folder of another spelling */
    return *out ? LIMN_OK : limn_fail_memory(ctx, strlen(path), path);
}

/* Endings of pictures: limn_image's, limn_raster's beside them, those of formats that nothing here reads. */
static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".nii", ".nii.gz", ".bmp", ".gif",
                                      ".jp2", ".jxl", ".heic", ".avif", ".pgm", ".ppm",  ".dcm", ".mha",    ".mhd", ".nrrd",
                                      ".img", ".mrc", ".czi",  ".nd2",  ".lif", ".lsm",  ".svs", ".npy"};
enum { N_IMAGES = 4, N_RASTERS = 8, N_ENDINGS = sizeof endings / sizeof *endings };

static bool ends_in(const char *name, size_t from, size_t to)
{
    const char *ending = name + limn_stem(name);
    for (size_t i = from; i < to; i++)
        if (limn_same_word(ending, strlen(ending), endings[i], strlen(endings[i]))) return true;
    return false;
}

/* The first by its bytes, in whatever order a folder has them. */
static bool note_other(limn_names *list, const char *name)
{
    list->n_other++;
    if (list->other && strcmp(list->other, name) <= 0) return true;
    free(list->other);
    return (list->other = strdup(name)) != NULL;
}

void limn_names_tell(limn_ctx *ctx, const char *folder, bool rasters, const limn_names *pictures)
{
    size_t n = pictures->n_other;
    if (n)
        limn_log(ctx, LIMN_LOG_WARN, "%s: %zu file%s left out, %s%s: pictures are read from PNG, JPEG%s", folder, n,
                 n == 1 ? " is" : "s are", n == 1 ? "" : "the first ", pictures->other,
                 rasters ? ", WebP, TIFF and NIfTI" : " and WebP");
}

bool limn_is_folder(const char *folder, const char *name)
{
    char path[4096];
    struct stat st;
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && stat(path, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

limn_status limn_names_list(limn_ctx *ctx, const char *folder, bool rasters, limn_names *pictures, limn_names *folders)
{
    DIR *d = opendir(folder);
    if (!d)
        return limn_fail(ctx, errno == ENOENT || errno == ENOTDIR ? LIMN_NOT_FOUND : LIMN_IO, "%s: %s", folder,
                         strerror(errno));
    bool fits = true;
    for (struct dirent *e; fits && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        size_t read = rasters ? N_RASTERS : N_IMAGES;
        if (ends_in(e->d_name, 0, read)) fits = limn_names_add(pictures, e->d_name);
        else if (ends_in(e->d_name, read, N_ENDINGS)) fits = note_other(pictures, e->d_name);
        else if (folders && limn_is_folder(folder, e->d_name)) fits = limn_names_add(folders, e->d_name);
    }
    closedir(d);
    if (!fits) return limn_fail_memory(ctx, 4096, folder);
    limn_names_sort(pictures);
    if (folders) limn_names_sort(folders);
    return LIMN_OK;
}

int limn_names_compare(const char *a, const char *b)
{
    while (*a && *b) {
        if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9') {
            a += strspn(a, "0"), b += strspn(b, "0");
            size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            int order = n != m ? (n > m) - (n < m) : strncmp(a, b, n);
            if (order) return order;
            a += n, b += m;
        } else if (*a != *b) return (unsigned char)*a - (unsigned char)*b;
        else a++, b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}
