/* shards.c: {"metadata": {...}, "weight_map": {"TENSOR": "model-00001-of-00002.safetensors", ...}}: the tensors of several
 * files. A file name is a plain name in the folder of the index.  It may be a link: download caches are made of links. */
#include "file/bytes.h"
#include "file/weight_file_parts.h"
#include "file/scan.h"

#include <stdlib.h>
#include <string.h>

typedef struct shards {
    limn_ctx *ctx;
    const char *path;
    limn_weight_file *st;
    limn_scan scan;
    size_t n, capacity;
    limn_pair *map;    /* tensor, file; by tensor */
} shards;

static limn_status bad(const shards *s, const char *what, const char *name)
{
    char shown[256];
    return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: %s \"%s\"", s->path, what,
                     limn_escape(name, strlen(name), shown, sizeof shown));
}

static limn_status not_json(const shards *s)
{
    return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: %s", s->path, s->scan.why);
}

static limn_status read_map(shards *s)
{
    limn_string name, file;
    if (s->map) return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: weight_map comes twice", s->path);
    if (!limn_scan_need(&s->scan, '{', "before the files of the tensors")) return not_json(s);
    do {
        if (!limn_scan_key(&s->scan, &name) || !limn_scan_string(&s->scan, &file)) return not_json(s);
        if (!file.n || strchr(file.text, '/') || file.text[0] == '.')
            return bad(s, "expected the plain name of a file in the same folder, found", file.text);
        if (s->n == s->capacity) {
            s->capacity = s->n + s->n / 2 + 64;
            limn_pair *grown = realloc(s->map, s->capacity * sizeof *grown);
            if (!grown) return limn_fail_memory(s->ctx, s->capacity * sizeof *grown, s->path);
            s->map = grown;
        }
        s->map[s->n++] = (limn_pair){name.text, file.text};
    } while (limn_scan_more(&s->scan, '}'));
    return *s->scan.why ? not_json(s) : LIMN_OK;
}

static limn_status read_index(shards *s)
{
    limn_string key;
    if (!limn_scan_need(&s->scan, '{', "at the beginning")) return not_json(s);
    do {
        if (!limn_scan_key(&s->scan, &key)) return not_json(s);
        limn_status status = LIMN_OK;
        if (strcmp(key.text, "weight_map") == 0) status = read_map(s);
        else if (!limn_scan_skip(&s->scan)) status = not_json(s);
        if (status != LIMN_OK) return status;
    } while (limn_scan_more(&s->scan, '}'));
    if (!limn_scan_end(&s->scan)) return not_json(s);
    return s->n ? LIMN_OK : limn_fail(s->ctx, LIMN_BAD_FILE, "%s: no weight_map", s->path);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const limn_pair *)a)->key, ((const limn_pair *)b)->key);
}

static int by_value(const void *a, const void *b)
{
    const limn_pair *x = a, *y = b;
    int order = strcmp(x->value, y->value);
    return order ? order : strcmp(x->key, y->key);
}

static limn_status open_shard(shards *s, const char *name)
{
    char path[LIMN_PATH_BYTES];
    const char *slash = strrchr(s->path, '/');
    int fd;
    size_t n;
    if (s->st->n_parts == LIMN_PARTS_CAP)
        return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: more than %d files", s->path, LIMN_PARTS_CAP);
    if (snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - s->path) + 1 : 0, s->path, name) >= (int)sizeof path)
        return bad(s, "too long is the name", name);
    limn_status status = limn_file_open(s->ctx, path, &fd, &n);
    return status == LIMN_OK ? limn_weight_file_add(s->ctx, s->st, path, fd, NULL, n) : status;
}

/* Files in the order of their names; the tensors promised for each must be in it. */
static limn_status open_all(shards *s)
{
    qsort(s->map, s->n, sizeof *s->map, by_key);
    for (size_t i = 1; i < s->n; i++)
        if (by_key(&s->map[i - 1], &s->map[i]) == 0) return bad(s, "twice in weight_map is", s->map[i].key);
    qsort(s->map, s->n, sizeof *s->map, by_value);
    for (size_t i = 0; i < s->n; i++) {
        limn_status status =
            i && strcmp(s->map[i].value, s->map[i - 1].value) == 0 ? LIMN_OK : open_shard(s, s->map[i].value);
        if (status != LIMN_OK) return status;
    }
    limn_status status = limn_weight_file_index(s->ctx, s->st);
    for (size_t i = 0, part = 0; i < s->n && status == LIMN_OK; i++) {
        part += i && strcmp(s->map[i].value, s->map[i - 1].value) != 0;
        const limn_entry *e = limn_weight_file_find(s->st, s->map[i].key);
        char name[256];
        if (!e || (size_t)e->part != part)
            status =
                limn_fail(s->ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" is not in %s", s->path,
                          limn_escape(s->map[i].key, strlen(s->map[i].key), name, sizeof name), s->st->parts[part].file);
    }
    return status;
}

limn_status limn_shards_open(limn_ctx *ctx, const char *path, limn_weight_file *st)
{
    unsigned char *bytes;
    size_t n;
    limn_status status = limn_file_read(ctx, path, LIMN_HEADER_CAP, &bytes, &n);
    if (status != LIMN_OK) return status;
    shards s = {.ctx = ctx, .path = path, .st = st, .scan = {.bytes = (char *)bytes, .n = n}};
    status = limn_text_begin(ctx, path, bytes, n, &s.scan.at);
    if (status == LIMN_OK) status = read_index(&s);
    if (status == LIMN_OK) status = open_all(&s);
    free(s.map);
    free(bytes);
    return status;
}
