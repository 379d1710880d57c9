/* listing.c: see listing.h. */
#include "train/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

size_t limn_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    return n > 4 && limn_same_word(name + n, strlen(name + n), ".gz", 3) && limn_same_word(name + n - 4, 4, ".nii", 4) ? n - 4 : n;
}

int limn_stems_compare(const char *a, size_t n, const char *b, size_t m)
{
    int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

/* Endings of pictures: limn_image's, limn_raster's beside them, those of formats that nothing here reads. */
static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".nii", ".nii.gz", ".bmp", ".gif", ".jp2", ".jxl", ".heic", ".avif", ".pgm",
                                      ".ppm", ".dcm", ".mha", ".mhd", ".nrrd", ".img", ".mrc", ".czi", ".nd2", ".lif", ".lsm", ".svs", ".npy"};
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
        limn_log(ctx, LIMN_LOG_WARN, "%s: %zu file%s left out, %s%s: pictures are read from PNG, JPEG%s", folder, n, n == 1 ? " is" : "s are", n == 1 ? "" : "the first ",
                 pictures->other, rasters ? ", WebP, TIFF and NIfTI" : " and WebP");
}

bool limn_is_folder(const char *folder, const char *name)
{
    char path[4096];
    struct stat st;
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

limn_status limn_names_list(limn_ctx *ctx, const char *folder, bool rasters, limn_names *pictures, limn_names *folders)
{
    DIR *d = opendir(folder);
    if (!d) return limn_fail(ctx, errno == ENOENT || errno == ENOTDIR ? LIMN_NOT_FOUND : LIMN_IO, "%s: %s", folder, strerror(errno));
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
    if (pictures->n) qsort(pictures->name, pictures->n, sizeof *pictures->name, by_bytes);
    if (folders && folders->n) qsort(folders->name, folders->n, sizeof *folders->name, by_bytes);
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
