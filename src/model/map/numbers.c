/* numbers.c: see numbers.h. */
#include "model/map/numbers.h"
#include "model/map/write.h"

#include <string.h>

const char *limn_numbers_name(const limn_numbers *q, const char *name, char out[LIMN_NUMBERS_NAME])
{
    char renamed[256];
    const limn_dialect *d = q->map->dialect;
    int block;
    const limn_map_row *row = limn_map_row_of(q->map, name, &block);
    if (d->rename) d->rename(q->map, name, renamed, sizeof renamed);
    if (row && row->source[0])
        limn_map_source_name(q->map, row->source[0], block, limn_map_suffix(name), out, LIMN_NUMBERS_NAME);
    else snprintf(out, LIMN_NUMBERS_NAME, "%s%s", q->map->prefix, d->rename ? renamed : name);
    return out;
}

const limn_entry *limn_numbers_find(const limn_numbers *q, const char *name)
{
    char full[LIMN_NUMBERS_NAME];
    return limn_weight_file_find(q->st, limn_numbers_name(q, name, full));
}

int64_t limn_numbers_dim(limn_numbers *q, const char *name, int rank, int k)
{
    char full[LIMN_NUMBERS_NAME];
    if (q->status != LIMN_OK) return 0;
    const limn_entry *e = limn_numbers_find(q, name);
    if (!e) {
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: looks like %s, but has no tensor \"%s%s\"", q->file,
                              q->map->dialect->title, limn_weight_file_prefix(q->st), limn_numbers_name(q, name, full));
        return 0;
    }
    if (e->rank == rank) return e->dim[k];
    q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: tensor \"%s%s\" has %d dimensions, expected %d", q->file,
                          limn_weight_file_prefix(q->st), e->name, e->rank, rank);
    return 0;
}

const void *limn_numbers_config(const limn_numbers *q)
{
    return limn_settings_config(&q->map->settings);
}

static void end(limn_numbers *q, limn_status status)
{
    q->status = status;
    if (status != LIMN_OK) limn_fail_in(q->ctx, q->status = LIMN_BAD_FILE, "%s (%s)", q->file, q->map->dialect->title);
}

void limn_numbers_set_real(limn_numbers *q, const double *field, double value)
{
    if (q->status == LIMN_OK) end(q, limn_settings_assign(q->ctx, &q->map->settings, field, value));
}

void limn_numbers_set(limn_numbers *q, const void *field, int64_t value)
{
    if (q->status == LIMN_OK) end(q, limn_settings_assign(q->ctx, &q->map->settings, field, (double)value));
}

void limn_numbers_set_list(limn_numbers *q, const int *field, int n, const int *values)
{
    if (q->status == LIMN_OK) end(q, limn_settings_assign_list(q->ctx, &q->map->settings, field, n, values));
}

int64_t limn_numbers_depth(const limn_numbers *q, const char *before, const char *after)
{
    int64_t n = 0;
    char name[256];
    do snprintf(name, sizeof name, "%s%lld%s", before, (long long)n, after);
    while (limn_numbers_find(q, name) && ++n < 4096);
    return n;
}

int64_t limn_numbers_whole(const limn_numbers *q, const char *key, int64_t otherwise)
{
    const json_t *value = q->config ? json_object_get(q->config, key) : NULL;
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

double limn_numbers_real(const limn_numbers *q, const char *key, double otherwise)
{
    const json_t *value = q->config ? json_object_get(q->config, key) : NULL;
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

void limn_numbers_must_agree(limn_numbers *q, const char *key, int64_t shown)
{
    int64_t said = limn_numbers_whole(q, key, shown);
    if (q->status == LIMN_OK && said != shown)
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: config.json beside it says %s %lld, and its tensors have %lld",
                              q->file, key, (long long)said, (long long)shown);
}

void limn_numbers_heads(limn_numbers *q, const int *field, int64_t heads, int64_t width)
{
    if (q->status != LIMN_OK) return;
    if (heads < 1 || width % heads)
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED,
                              "%s: %s of width %lld: the number of heads is not in the tensors, and no published rule "
                              "gives it; put a config.json with num_attention_heads beside the file",
                              q->file, q->map->dialect->title, (long long)width);
    else limn_numbers_set(q, field, heads);
}

int64_t limn_numbers_root(int64_t n)
{
    int64_t r = 0;
    while (r < 65536 && r * r < n) r++;
    return r * r == n ? r : 0;
}
