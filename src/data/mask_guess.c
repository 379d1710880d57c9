/* mask_guess.c: what the values of a folder's masks mean where nobody said it, and what was understood, in words:
 * masks.h. */
#include "data/mask_parts.h"

#include <stdlib.h>
#include <string.h>

static uint32_t count_of(const limn_masks *m, const limn_mask_row *row, int value)
{
    return m->place[value] < 0 ? 0 : row->count[m->place[value]];
}

static int64_t pixels_of(const limn_mask_row *row)
{
    return (int64_t)row->width * row->height * row->slices;
}

/* ---- black and white -------------------------------------------------------------------------------------------------- */

enum { N_ONES = 3 };
static const int ones[N_ONES] = {255, 65535, 1}; /* what class 1 of two is called */

/* Masks by what they call class 1; the first of each. */
typedef struct callers {
    int64_t n[N_ONES];
    const char *first[N_ONES];
} callers;

/* Is each mask one of 0 and one of `ones`? */
static bool two_classes(const limn_masks *m, callers *c)
{
    *c = (callers){0};
    for (int i = 0; i < m->n_values; i++)
        if (m->value[i] > 1 && m->value[i] != 255 && m->value[i] != 65535) return false;
    for (int64_t i = 0; i < m->n; i++) {
        int called = 0;
        for (int k = 0; k < N_ONES; k++)
            if (count_of(m, &m->row[i], ones[k])) {
                if (!c->n[k]++) c->first[k] = m->row[i].mask;
                called++;
            }
        if (called > 1) return false;
    }
    return true;
}

static void take_ones(limn_ctx *ctx, limn_masks *m, const callers *c)
{
    limn_text all = {0};
    int kinds = 0;
    m->classes = 2, m->value_class[0] = 0, m->class_value[0] = 0, m->class_value[1] = 1;
    for (int k = N_ONES; k-- > 0;) {
        if (!c->n[k]) continue;
        m->value_class[ones[k]] = 1, m->class_value[1] = ones[k];
        limn_text_printf(&all, "%s%d in %lld (the first %s)", kinds++ ? ", " : "", ones[k], (long long)c->n[k], c->first[k]);
    }
    if (!kinds) m->value_class[1] = 1;
    if (kinds > 1)
        limn_log(ctx, LIMN_LOG_WARN, "class 1 is called differently in these %lld masks, and is taken as one: %s; if a "
                 "value is to be ignored, --mask-values says so", (long long)m->n,
                 all.bytes ? all.bytes : "");
    limn_text_free(&all);
}

/* ---- 255 behind the classes ------------------------------------------------------------------------------------------- */

/* 255 beside 0 .. K-1: what is not to be learned, where the same mask holds classes too; the other way to say "thing", where
 * masks hold nothing else. */
typedef struct whites {
    int64_t beside, alone, plain; /* masks with 255 and a class above 0; with 255 and 0 only; with a class above 0 only */
    const char *first_beside, *first_alone, *first_plain;
    double pixels, all;           /* of 255; of all masks */
} whites;

static whites find_whites(const limn_masks *m)
{
    whites w = {0};
    for (int64_t i = 0; i < m->n; i++) {
        const limn_mask_row *row = &m->row[i];
        bool other = false;
        for (int k = 0; k < m->n_values; k++) other = other || (row->count[k] && m->value[k] && m->value[k] != 255);
        uint32_t n = count_of(m, row, 255);
        w.pixels += n, w.all += (double)pixels_of(row);
        if (n && other && !w.beside++) w.first_beside = row->mask;
        if (n && !other && !w.alone++) w.first_alone = row->mask;
        if (!n && other && !w.plain++) w.first_plain = row->mask;
    }
    return w;
}

/* 255 is ignored only where that is what it must mean; what was guessed takes pixels away. */
static limn_status ignore_255(limn_ctx *ctx, limn_masks *m)
{
    whites w = find_whites(m);
    char alone[700] = "";
    const char *other = w.beside ? w.first_beside : w.first_plain ? w.first_plain : "none";
    if (w.alone > w.beside)
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%lld of %lld masks hold 0 and 255 only (the first %s), %lld classes above 0 "
            "(the "
            "first %s): is 255 a class there, or ignored?  --mask-values says it, as in 0,1;255, if all masks mean "
            "the same",
            (long long)w.alone, (long long)m->n, w.first_alone, (long long)(w.beside + w.plain), other);
    m->value_class[255] = LIMN_IGNORED;
    if (w.alone)
        snprintf(alone, sizeof alone, ", also in %lld masks that hold no class but 0 beside it, the first %s",
                 (long long)w.alone,
                 w.first_alone);
    limn_log(ctx, LIMN_LOG_INFO, "pixels of value 255 in %lld of %lld masks are ignored, %.2g %% of all, the first in %s%s; "
             "if they are a class, --mask-values says so",
             (long long)(w.beside + w.alone), (long long)m->n, 100 * w.pixels / w.all, w.first_beside, alone);
    return LIMN_OK;
}

/* ---- all values ------------------------------------------------------------------------------------------------------- */

/* Each value is its own class, but 255 behind 0 .. K-1 is ignored. */
static limn_status own_classes(limn_ctx *ctx, limn_masks *m, int classes)
{
    int last = 0, n = m->n_values, gap = 0;
    for (int i = 0; i < n; i++)
        if (m->value[i] > last) last = m->value[i];
    while (gap < 255 && m->place[gap] >= 0) gap++;
    bool black_white = n == 1 || (n == 2 && gap == 1);
    bool ignored = last == 255 && (classes ? !black_white : gap > 1 && gap == n - 1); /* 0 .. gap-1 and 255 */
    if (ignored) last = gap - 1, n--;
    if (!classes && n < last + 1 - last / 4)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s and the other masks have %d different values up to %d: say which are "
                         "classes, in their order (as 0,255)", m->row[0].mask, n, last);
    m->classes = classes ? classes : last + 1;
    if (m->classes > LIMN_MAX_CLASSES) m->classes = LIMN_MAX_CLASSES;
    for (int v = 0; v < LIMN_MASK_VALUES; v++) m->value_class[v] = (int16_t)(v < m->classes ? v : -1);
    for (int k = 0; k < m->classes; k++) m->class_value[k] = k;
    if (m->classes < 2)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s and all other masks hold the value 0 only: there is nothing to learn",
                         m->row[0].mask);
    return ignored ? ignore_255(ctx, m) : LIMN_OK;
}

limn_status limn_mask_values_guess(limn_ctx *ctx, limn_masks *m, int classes)
{
    callers c;
    bool two = classes <= 2 && two_classes(m, &c);
    if (!two || (!classes && m->n_values == 1 && m->value[0] == 0)) return own_classes(ctx, m, classes);
    return take_ones(ctx, m, &c), LIMN_OK;
}

/* ---- what was understood ---------------------------------------------------------------------------------------------- */

void limn_mask_tell_halved(limn_ctx *ctx, const limn_masks *m)
{
    int64_t soft = 0, faint = 0;
    double pixels = 0, all = 0;
    const char *first_soft = NULL, *first_faint = NULL;
    for (int64_t i = 0; i < m->n; i++) {
        const limn_mask_row *row = &m->row[i];
        pixels += (double)row->n_soft, all += (double)pixels_of(row);
        if (row->n_soft && !soft++) first_soft = row->mask;
        if (row->faint && !faint++) first_faint = row->mask;
    }
    if (soft)
        limn_log(ctx, LIMN_LOG_INFO, "%.0f of %.0f pixels in %lld of %lld masks lie between black and white (the first in "
                 "%s): more than half is class 1, the rest class 0", pixels, all,
                 (long long)soft, (long long)m->n, first_soft);
    if (faint)
        limn_log(ctx, LIMN_LOG_WARN, "in %lld of %lld masks nothing is more than half of white, and all becomes class 0, "
                 "the first %s: are its values those of classes?", (long long)faint,
                 (long long)m->n, first_faint);
}

/* Share of class 1 in a mask of two classes; -1: all of it is ignored. */
static double share(const limn_masks *m, const limn_mask_row *row)
{
    double n[2] = {0};
    for (int k = 0; k < m->n_values; k++) {
        int class = m->value_class[m->value[k]];
        if (class == 0 || class == 1) n[class] += row->count[k];
    }
    return n[0] + n[1] > 0 ? n[1] / (n[0] + n[1]) : -1;
}

/* Two classes: in most masks class 1 is well below half, or well above, in the others as far on the other side, and nothing
 * lies between. */
static void tell_inverted(limn_ctx *ctx, const limn_masks *m)
{
    enum { FEWEST = 4 };
    const double clear = 0.15;
    int64_t n[2] = {0};
    double sum[2] = {0};
    const char *first[2] = {0};
    for (int64_t i = 0; i < m->n; i++) {
        double s = share(m, &m->row[i]);
        int side = s > 0.5;
        if (s <= 0 || s >= 1) continue;
        if (s > 0.5 - clear && s < 0.5 + clear) return;
        if (!n[side]++) first[side] = m->row[i].mask;
        sum[side] += s;
    }
    int few = n[1] < n[0], many = !few;
    if (!n[few] || n[few] == n[many] || n[0] + n[1] < FEWEST) return;
    limn_log(ctx, LIMN_LOG_WARN, "class 1 is %.0f %% of %lld masks and %.0f %% of %lld (the first %s), nothing lies "
             "between: are those inverted?", 100 * sum[many] / (double)n[many],
             (long long)n[many], 100 * sum[few] / (double)n[few], (long long)n[few], first[few]);
}

/* Masks of one class: how many, and which class the first of them is. */
static int64_t single(const limn_masks *m, int class)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->n; i++) {
        int64_t own = 0, other = 0;
        for (int k = 0; k < m->n_values; k++) {
            int of = m->value_class[m->value[k]];
            if (of == class) own += m->row[i].count[k];
            else if (of != LIMN_IGNORED) other += m->row[i].count[k];
        }
        n += own > 0 && other == 0;
    }
    return n;
}

void limn_mask_tell_classes(limn_ctx *ctx, const limn_masks *m)
{
    enum { MOST = 12 };
    double all = (double)m->pixels[LIMN_IGNORED];
    int64_t empty = single(m, 0);
    limn_text text = {0};
    for (int k = 0; k < m->classes; k++) all += (double)m->pixels[k];
    for (int k = 0; k < m->classes && k < MOST; k++) limn_text_printf(&text, "%s%d (%s) %.2g %%", k ? ", " : "", k,
            m->class_name[k], 100 * (double)m->pixels[k] / all);
    if (m->classes > MOST) limn_text_printf(&text, " .. %d", m->classes - 1);
    if (m->pixels[LIMN_IGNORED]) limn_text_printf(&text, ", ignored %.2g %%", 100 * (double)m->pixels[LIMN_IGNORED] / all);
    if (empty) limn_text_printf(&text, "; %lld of %lld masks hold class 0 only", (long long)empty, (long long)m->n);
    if (text.bytes) limn_log(ctx, LIMN_LOG_INFO, "pixels of the classes: %s", text.bytes);
    limn_text_free(&text);
    if (m->classes == 2) tell_inverted(ctx, m);
}
