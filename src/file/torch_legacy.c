/* torch_legacy.c: what torch.save() wrote before torch 1.6, and writes without _use_new_zipfile_serialization: pickles
 * behind each other, then the bytes of all storages.
 *
 *     0x1950a86a20f9469cfc6c | 1001 | {"little_endian": True ..} | the object | ["key" ..] | elements, bytes | ..
 *
 * A number of elements has 8 bytes, little-endian; the bytes of one element are what the object's persistent ids say.
 * torch/serialization.py, _legacy_save() and _legacy_load(). */
#include "file/torch_parts.h"
#include "file/torch_pickle.h"

#include <string.h>

enum { MAGIC_BYTES = 15, PROTOCOL = 1001, STORAGES_CAP = 1 << 16 };

/* ---- storages before their bytes -------------------------------------------------------------------------------------- */

static const char *key_of(const limn_pickle *p, limn_value key, char shown[256])
{
    return limn_escape((const char *)p->bytes + key.i, key.n, shown, 256);
}

static int compare(const limn_pickle *p, limn_value a, limn_value b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(p->bytes + a.i, p->bytes + b.i, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* told[told_by_key[*place]] has the key, or it belongs there.  @return whether one has it */
static bool find(const limn_pickle *p, limn_value key, size_t *place)
{
    size_t low = 0, high = p->n_told;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(p, p->told[p->told_by_key[middle]].key, key);
        if (!order) return *place = middle, true;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    *place = low;
    return false;
}

/* All that is said of one storage is the same.  view: it is a part of t.root.  *out: its number. */
static limn_status tell(limn_pickle *p, limn_pickle_told t, bool view, uint32_t *out)
{
    size_t place;
    char key[256];
    if (find(p, t.key, &place)) {
        const limn_pickle_told *seen = &p->told[*out = p->told_by_key[place]];
        bool same = seen->numel == t.numel && seen->type == t.type && seen->first == t.first &&
                    seen->root == (view ? t.root : *out);
        return same ? LIMN_OK : limn_pickle_bad(p, "storage \"%s\" is another here than before", key_of(p, t.key, key));
    }
    if (p->n_told == STORAGES_CAP) return limn_pickle_bad(p, "more than %d storages", STORAGES_CAP);
    limn_status status = limn_pickle_room(p, &p->told, p->n_told, 1, &p->told_capacity, sizeof t);
    if (status == LIMN_OK)
        status = limn_pickle_room(p, &p->told_by_key, p->n_told, 1, &p->told_by_key_capacity, sizeof *p->told_by_key);
    if (status != LIMN_OK) return status;
    memmove(p->told_by_key + place + 1, p->told_by_key + place, (p->n_told - place) * sizeof *p->told_by_key);
    p->told_by_key[place] = *out = (uint32_t)p->n_told;
    p->told[p->n_told] = t;
    if (!view) p->told[p->n_told].root = *out;
    p->n_told++;
    return LIMN_OK;
}

limn_status limn_torch_tell(limn_pickle *p, limn_value key, int type, int64_t numel, limn_value view, limn_value *out)
{
    uint32_t i;
    int64_t bytes;
    char shown[256];
    if (numel < 0 || __builtin_mul_overflow(numel, (int64_t)limn_torch_type_row(type)->bytes, &bytes))
        return limn_pickle_bad(p, "storage \"%s\" of %lld elements", key_of(p, key, shown), (long long)numel);
    limn_status status = tell(p, (limn_pickle_told){.key = key, .type = type, .numel = numel}, false, &i);
    if (status == LIMN_OK && view.kind != LIMN_PICKLE_OTHER) {
        const limn_value *v = view.kind == LIMN_PICKLE_TUPLE && view.n == 3 ? p->tuples + view.i : NULL;
        if (!v || v[0].kind != LIMN_PICKLE_STRING || v[1].kind != LIMN_PICKLE_INT || v[2].kind != LIMN_PICKLE_INT ||
            v[1].i < 0 || v[2].i < 0 || v[1].i > numel || v[2].i > numel - v[1].i)
            return limn_pickle_bad(p, "a view of storage \"%s\" other than (key, first element, elements) inside of its "
                                   "%lld", key_of(p, key, shown), (long long)numel);
        status = tell(p, (limn_pickle_told){.key = v[0], .type = type, .numel = v[2].i, .first = v[1].i, .root = i}, true,
                      &i);
    }
    if (status == LIMN_OK) *out = (limn_value){.kind = LIMN_PICKLE_STORAGE, .n = (uint32_t)type, .i = i};
    return status;
}

/* ---- and with them ---------------------------------------------------------------------------------------------------- */

/* {"protocol_version": 1001, "little_endian": True, "type_sizes": {..}} */
static limn_status check_system(limn_pickle *p, limn_value system)
{
    static const char word[] = "little_endian";
    uint32_t i = system.kind == LIMN_PICKLE_DICT ? p->containers[system.i].first : 0;
    for (; i; i = p->items[i - 1].next) {
        const limn_pickle_item *item = &p->items[i - 1];
        bool it = item->key.kind == LIMN_PICKLE_STRING && item->key.n == sizeof word - 1 &&
                  memcmp(p->bytes + item->key.i, word, sizeof word - 1) == 0;
        if (!it || item->value.kind != LIMN_PICKLE_BOOL) continue;
        return item->value.i ? LIMN_OK
                             : limn_pickle_bad(p, "its numbers are big-endian, Limn reads little-endian files only");
    }
    return limn_pickle_bad(p, "the third pickle does not say little_endian: no file of torch.save()");
}

/* The storage of a key: its elements, as many as were told, from byte *at on, which moves behind them. */
static limn_status place(limn_pickle *p, const limn_part *part, limn_zip *zip, limn_value key, size_t *at)
{
    unsigned char said[8];
    uint64_t numel = 0;
    size_t k;
    char shown[256];
    p->op = *at;
    if (key.kind != LIMN_PICKLE_STRING) return limn_pickle_bad(p, "a list of storages that are not called by strings");
    key_of(p, key, shown);
    if (!find(p, key, &k) || p->told[p->told_by_key[k]].root != p->told_by_key[k])
        return limn_pickle_bad(p, "storage \"%s\" is listed, and belongs to no tensor", shown);
    const limn_pickle_told *t = &p->told[p->told_by_key[k]];
    limn_zip_member *m = &zip->members[t->root];
    if (m->begin) return limn_pickle_bad(p, "storage \"%s\" is listed twice", shown);
    if (part->n_bytes - *at < sizeof said)
        return limn_pickle_bad(p, "8 bytes are needed for storage \"%s\" where %zu are left", shown, part->n_bytes - *at);
    limn_status status = limn_part_read(p->ctx, part, *at, sizeof said, said);
    if (status != LIMN_OK) return status;
    for (size_t i = 0; i < sizeof said; i++) numel |= (uint64_t)said[i] << 8 * i;
    if (numel != (uint64_t)t->numel)
        return limn_pickle_bad(p, "storage \"%s\" of %llu elements, its tensors speak of %lld", shown,
                               (unsigned long long)numel, (long long)t->numel);
    *at += sizeof said;
    m->begin = *at, m->size = m->stored = (size_t)t->numel * (size_t)limn_torch_type_row(t->type)->bytes;
    if (m->size > part->n_bytes - *at)
        return limn_pickle_bad(p, "storage \"%s\" has %zu bytes where %zu are left", shown, m->size, part->n_bytes - *at);
    *at += m->size;
    return LIMN_OK;
}

/* Views lie in their roots; all have a name, and no checksum. */
static limn_status finish(limn_pickle *p, limn_torch *torch)
{
    char shown[256];
    for (size_t i = 0; i < p->n_told; i++) {
        const limn_pickle_told *t = &p->told[i];
        limn_zip_member *m = &torch->zip.members[i];
        size_t width = (size_t)limn_torch_type_row(t->type)->bytes;
        char *name = limn_arena_alloc(torch->arena, t->key.n + 1u);
        if (!torch->zip.members[t->root].begin)
            return limn_pickle_bad(p, "storage \"%s\" is not among those listed", key_of(p, p->told[t->root].key, shown));
        if (!name) return limn_fail_memory(p->ctx, t->key.n, p->file);
        memcpy(name, p->bytes + t->key.i, t->key.n);
        name[t->key.n] = '\0';
        m->name = name, m->checked = true;
        if (t->root == i) continue;
        m->begin = torch->zip.members[t->root].begin + (size_t)t->first * width;
        m->size = m->stored = (size_t)t->numel * width;
    }
    return LIMN_OK;
}

static limn_status place_all(limn_pickle *p, const limn_part *part, limn_torch *torch, limn_value keys)
{
    size_t at = p->at, none = 0;
    if (keys.kind != LIMN_PICKLE_LIST) return limn_pickle_bad(p, "no list of storages behind the object");
    limn_status status = limn_pickle_room(p, &torch->zip.members, 0, p->n_told, &none, sizeof *torch->zip.members);
    if (status != LIMN_OK) return status;
    torch->zip.n = p->n_told;
    if (p->n_told) memset(torch->zip.members, 0, p->n_told * sizeof *torch->zip.members);
    for (uint32_t i = p->containers[keys.i].first; i && status == LIMN_OK; i = p->items[i - 1].next)
        status = place(p, part, &torch->zip, p->items[i - 1].value, &at);
    p->op = at;
    if (status == LIMN_OK) status = finish(p, torch);
    return status == LIMN_OK && at != part->n_bytes
               ? limn_pickle_bad(p, "%zu bytes follow its storages", part->n_bytes - at)
               : status;
}

limn_status limn_torch_legacy_run(limn_pickle *p, const limn_part *part, limn_torch *torch, limn_value *root)
{
    limn_value version, system, keys;
    p->ran_out = p->n < MAGIC_BYTES;
    if (p->ran_out || p->bytes[MAGIC_BYTES - 1] != '.') return limn_pickle_bad(p, "the magic number does not end");
    p->at = MAGIC_BYTES;
    p->keeps_all = true;
    limn_status status = limn_pickle_next(p, &version);
    if (status == LIMN_OK && (version.kind != LIMN_PICKLE_INT || version.i != PROTOCOL))
        status = limn_pickle_bad(p, "expected the number %d of its format behind the magic one", PROTOCOL);
    if (status == LIMN_OK) status = limn_pickle_next(p, &system);
    if (status == LIMN_OK) status = check_system(p, system);
    p->keeps_all = false;
    if (status == LIMN_OK) status = limn_pickle_next(p, root);
    p->keeps_all = true;
    if (status == LIMN_OK) status = limn_pickle_next(p, &keys);
    return status == LIMN_OK ? place_all(p, part, torch, keys) : status;
}
