/* weight_sets.c: see weight_sets.h. */
#include "file/weight_sets.h"
#include "file/weight_file_parts.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 1024, TAILS = 8, MOST_CANDIDATES = 128 };

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static bool word_is(const char *word, size_t n, const char *const *words)
{
    for (; *words; words++)
        if (**words == *word && strncmp(word, *words, n) == 0 && !(*words)[n]) return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The last word that tells decides: in ema.online_model. the weights are those that are trained. */
limn_set_kind limn_set_kind_of(const char *prefix)
{
    static const char *const ema[] = {"ema", "EMA", "averaged", "average", "avg", "swa", "shadow", NULL};
    static const char *const online[] = {"online", NULL};
    limn_set_kind kind = LIMN_SET_RAW;
    if (!strncmp(prefix, "adam_m/", 7) || !strncmp(prefix, "adam_v/", 7)) return LIMN_SET_STATE;
    for (const char *word = prefix; *word;) {
        size_t n = 0;
        while (is_letter(word[n])) n++;
        if (word_is(word, n, ema)) kind = LIMN_SET_EMA;
        else if (word_is(word, n, online)) kind = LIMN_SET_ONLINE;
        word += n ? n : 1;
    }
    return kind;
}

static bool is_boundary(char c)
{
    return c == '.' || c == '/';
}

static bool begins_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool same_shape(const limn_entry *a, const limn_entry *b)
{
    return a->rank == b->rank && (!a->rank || memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0);
}

const limn_entry *limn_weight_file_find_under(const limn_weight_file *st, const char *prefix, const char *name)
{
    char full[NAME_BYTES];
    if (!*prefix) return limn_weight_file_find(st, name);
    size_t n = strlen(prefix), m = strlen(name);
    if (n >= sizeof full || m >= sizeof full - n) return NULL;
    memcpy(full, prefix, n);
    memcpy(full + n, name, m + 1);
    return limn_weight_file_find(st, full);
}

/* ---- where a name stands ---------------------------------------------------------------------------------------------- */

int limn_weight_prefixes(const limn_weight_file *st, const char *name, char out[LIMN_MAX_SETS][LIMN_PREFIX_BYTES])
{
    static const limn_set_kind order[] = {LIMN_SET_RAW, LIMN_SET_ONLINE, LIMN_SET_EMA};
    size_t n = strlen(name);
    int found = 0;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; i < st->n && found < LIMN_MAX_SETS; i++) {
            const char *whole = st->entries[i].name;
            size_t length = strlen(whole);
            if (length < n || length - n >= LIMN_PREFIX_BYTES || strcmp(whole + length - n, name) != 0) continue;
            if (length > n && !is_boundary(whole[length - n - 1])) continue;
            snprintf(out[found], LIMN_PREFIX_BYTES, "%.*s", (int)(length - n), whole);
            found += limn_set_kind_of(out[found]) == order[k];
        }
    return found;
}

/* Whole words that a and b end with. */
static int common_words(const char *a, const char *b)
{
    size_t i = strlen(a), j = strlen(b);
    int words = 0;
    while (i && j && a[i - 1] == b[j - 1]) {
        i--, j--;
        words += is_boundary(a[i]);
    }
    return words + ((!i || is_boundary(a[i - 1])) && (!j || is_boundary(b[j - 1])));
}

const limn_entry *limn_weight_file_near(const limn_weight_file *st, const char *name)
{
    const limn_entry *best = NULL;
    int most = strchr(name, '.') ? 1 : 0;
    for (size_t i = 0; i < st->n; i++) {
        int words = common_words(name, st->entries[i].name);
        if (words > most) most = words, best = &st->entries[i];
    }
    return best;
}

/* ---- sets of one network ---------------------------------------------------------------------------------------------- */

typedef struct candidate {
    limn_weight_set set;
    size_t n_other; /* tensors of a name of the network, of another shape */
} candidate;

static candidate *candidate_of(candidate *all, int *n, const char *name, size_t length)
{
    for (int k = 0; k < *n; k++)
        if (strlen(all[k].set.prefix) == length && strncmp(all[k].set.prefix, name, length) == 0) return &all[k];
    if (*n == MOST_CANDIDATES || length >= LIMN_PREFIX_BYTES) return NULL;
    candidate *c = &all[(*n)++];
    *c = (candidate){0};
    memcpy(c->set.prefix, name, length);
    c->set.kind = limn_set_kind_of(c->set.prefix);
    return c;
}

/* Count a tensor for the prefix before the longest end of its name that is one of the network's. */
static void count(const limn_weight_file *st, const char *base, const limn_entry *e, candidate *all, int *n)
{
    for (const char *end = e->name; *end; end += strcspn(end, "./"), end += *end != '\0') {
        const limn_entry *own = end == e->name && !*base ? NULL : limn_weight_file_find_under(st, base, end);
        if (!own || own == e) continue;
        candidate *c = candidate_of(all, n, e->name, (size_t)(end - e->name));
        if (c && same_shape(own, e)) c->set.n++;
        else if (c) c->n_other++;
        return;
    }
}

/* Tensors behind a prefix, without those of the n sets inside it. */
static bool belongs(const char *name, const char *prefix, int n, const limn_weight_set *sets)
{
    if (!begins_with(name, prefix)) return false;
    for (int k = 0; k < n; k++) {
        bool inside = strlen(sets[k].prefix) > strlen(prefix) && begins_with(sets[k].prefix, prefix);
        if (inside && begins_with(name, sets[k].prefix)) return false;
    }
    return true;
}

static size_t count_own(const limn_weight_file *st, const char *prefix, int n, const limn_weight_set *sets)
{
    size_t own = 0;
    for (size_t i = 0; i < st->n; i++) own += belongs(st->entries[i].name, prefix, n, sets);
    return own;
}

/* prefix + inside + name, the dots of the last two left out */
static const limn_entry *find_glued(const limn_weight_file *st, const limn_weight_set *set, const char *name)
{
    char full[NAME_BYTES];
    size_t n = (size_t)snprintf(full, sizeof full, "%s", set->prefix);
    const char *parts[] = {set->inside, name};
    for (int k = 0; k < 2; k++)
        for (const char *p = parts[k]; *p && n + 1 < sizeof full; p++)
            if (*p != '.') full[n++] = *p;
    full[n] = '\0';
    return limn_weight_file_find(st, full);
}

/* LitEma's names may begin with a part of what stands before the network's: model.diffusion_model. is diffusion_model. */
static void count_glued(const limn_weight_file *st, const char *base, limn_weight_set *set)
{
    const char *tail = base;
    size_t own = strlen(base);
    for (int k = 0; k < TAILS; k++) {
        limn_weight_set tried = {.glued = true, .kind = LIMN_SET_EMA};
        memcpy(tried.prefix, set->prefix, sizeof tried.prefix);
        snprintf(tried.inside, sizeof tried.inside, "%s", tail);
        for (size_t i = 0; i < st->n; i++) {
            const limn_entry *e = &st->entries[i];
            const limn_entry *found = begins_with(e->name, base) ? find_glued(st, &tried, e->name + own) : NULL;
            tried.n += found && found != e && same_shape(found, e);
        }
        if (tried.n > set->n) *set = tried;
        if (!*tail) return;
        tail += strcspn(tail, "./"), tail += *tail != '\0';
    }
}

/* Tensors without dots behind a word that says EMA, which no dotted name explains. */
static int add_glued(const limn_weight_file *st, const char *base, limn_weight_set out[LIMN_MAX_SETS], int n)
{
    char last[LIMN_PREFIX_BYTES] = "";
    int tried = 0;
    for (size_t i = 0; i < st->n && tried < TAILS && n < LIMN_MAX_SETS; i++) {
        const char *name = st->entries[i].name, *dot = strrchr(name, '.');
        size_t length = dot ? (size_t)(dot + 1 - name) : 0;
        if (!length || length >= sizeof last || !strncmp(base, name, length)) continue;
        if (strlen(last) == length && !strncmp(last, name, length)) continue;
        memcpy(last, name, length);
        last[length] = '\0';
        bool known = limn_set_kind_of(last) != LIMN_SET_EMA;
        for (int k = 1; k < n; k++) known = known || begins_with(last, out[k].prefix);
        if (known) continue;
        limn_weight_set set = {0};
        memcpy(set.prefix, last, sizeof last);
        count_glued(st, base, &set);
        tried++;
        if (set.n) out[n++] = set;
    }
    return n;
}

int limn_weight_sets(const limn_weight_file *st, const char *prefix, limn_weight_set out[LIMN_MAX_SETS])
{
    candidate *all = calloc(MOST_CANDIDATES, sizeof *all);
    int n_all = 0, n = 1;
    if (!all) return -1;
    out[0] = (limn_weight_set){.kind = limn_set_kind_of(prefix)};
    snprintf(out[0].prefix, sizeof out[0].prefix, "%s", prefix);
    for (size_t i = 0; i < st->n; i++) count(st, prefix, &st->entries[i], all, &n_all);
    for (int k = 0; k < n_all && n < LIMN_MAX_SETS; k++)
        if (all[k].set.n && !all[k].n_other && (all[k].set.kind == LIMN_SET_EMA || all[k].set.kind == LIMN_SET_STATE))
            out[n++] = all[k].set;
    n = add_glued(st, prefix, out, n);
    out[0].n = count_own(st, prefix, n, out);
    for (int k = 0; k < n_all && n < LIMN_MAX_SETS; k++) { /* without a word only a whole copy is one */
        bool inside = begins_with(all[k].set.prefix, prefix);
        bool whole = all[k].set.n == out[0].n - (inside && out[0].n > all[k].set.n ? all[k].set.n : 0) && !all[k].n_other;
        if (!whole || all[k].set.kind == LIMN_SET_EMA || all[k].set.kind == LIMN_SET_STATE) continue;
        if (inside) out[0].n -= all[k].set.n;
        out[n++] = all[k].set;
    }
    free(all);
    return n;
}

size_t limn_weight_nameless(const limn_weight_file *st, const char **first)
{
    size_t n = 0;
    *first = NULL;
    for (size_t i = 0; i < st->n; i++) {
        const char *name = st->entries[i].name, *dot = strrchr(name, '.');
        char prefix[LIMN_PREFIX_BYTES];
        if (!dot || !dot[1] || dot[1 + strspn(dot + 1, "0123456789")] || dot - name >= (ptrdiff_t)sizeof prefix) continue;
        snprintf(prefix, sizeof prefix, "%.*s", (int)(dot - name), name);
        if (limn_set_kind_of(prefix) != LIMN_SET_EMA) continue;
        if (!n++) *first = name;
    }
    return n;
}

/* ---- taking one ------------------------------------------------------------------------------------------------------- */

limn_status limn_weight_file_take(limn_ctx *ctx, limn_weight_file *whole, int n, const limn_weight_set *sets, int set,
                                  limn_weight_file **out)
{
    const limn_weight_set *base = &sets[0], *from = &sets[set];
    size_t skip = strlen(base->prefix);
    limn_weight_file *st = *out = malloc(sizeof *st);
    if (!st) return limn_fail_memory(ctx, sizeof *st, whole->parts[0].file);
    *st = *whole;
    st->n = 0, st->capacity = base->n + 1, st->by_name = NULL, st->whole = whole->whole;
    st->whole->holders++;
    st->entries = malloc(st->capacity * sizeof *st->entries);
    for (size_t i = 0; st->entries && i < whole->n && st->n < base->n; i++) {
        const limn_entry *e = &whole->entries[i], *other = NULL;
        if (!belongs(e->name, base->prefix, n, sets)) continue;
        const char *name = e->name + skip;
        if (set && from->glued) other = find_glued(whole, from, name);
        else if (set) other = limn_weight_file_find_under(whole, from->prefix, name);
        st->entries[st->n] = other && same_shape(other, e) ? *other : *e;
        st->entries[st->n++].name = name;
    }
    memcpy(st->prefix, from->prefix, sizeof st->prefix);
    limn_status status = st->entries ? limn_weight_file_index(ctx, st)
                                     : limn_fail_memory(ctx, st->capacity * sizeof *st->entries, whole->parts[0].file);
    if (status == LIMN_OK) return LIMN_OK;
    limn_weight_file_close(st);
    *out = NULL;
    return status;
}

const char *limn_weight_file_prefix(const limn_weight_file *st)
{
    return st->prefix;
}
