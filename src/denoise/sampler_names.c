/* sampler_names.c: what people type for a sampler: our names, those that picture tools show or write, with or without the
 * name of the sigmas behind them. */
#include "base/number.h"
#include "denoise/sampler_rows.h"

#include <string.h>

enum { LONGEST = 64 };

/* Spellings that are none of a row's own two with other case, spaces, "_", "-", "++" for "pp" or a leading "k_". */
static const struct {
    const char *name, *row;
} others[] = {
    {"euler ancestral", "euler_a"},
    {"dpm 2 ancestral", "dpm2_a"},
    {"dpm2 ancestral", "dpm2_a"},
    {"dpm++ 2s ancestral", "dpm++2s_a"},
    {"dpm++ 2m sde gpu", "dpm++2m_sde"},
    {"dpm++ sde gpu", "dpm++sde"},
    {"uni pc bh2", "unipc"},
};

/* Lower case, "++" as "pp", without what separates words.  @return false when it is too long to be a name */
static bool squeeze(const char *name, char out[LONGEST])
{
    size_t n = 0;
    for (; *name; name++) {
        if (strchr(" _-", *name)) continue;
        if (n + 1 >= LONGEST) return false;
        out[n++] = *name == '+' ? 'p' : (char)limn_lower((unsigned char)*name);
    }
    out[n] = '\0';
    return true;
}

static bool same(const char *squeezed, const char *name)
{
    char other[LONGEST];
    return squeeze(name, other) && !strcmp(squeezed, other);
}

static const sampler_row *find(const char *squeezed)
{
    for (int i = 0; limn_sampler_row(i); i++)
        if (same(squeezed, limn_sampler_row(i)->name)) return limn_sampler_row(i);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (same(squeezed, others[i].name)) {
            char row[LONGEST];
            return squeeze(others[i].row, row) ? find(row) : NULL;
        }
    return squeezed[0] == 'k' && squeezed[1] ? find(squeezed + 1) : NULL; /* k_euler, of k-diffusion */
}

const sampler_row *limn_sampler_find(const char *name, limn_sigmas *sigmas)
{
    char squeezed[LONGEST], tail[LONGEST];
    *sigmas = LIMN_SIGMAS_SPACED;
    if (!squeeze(name, squeezed)) return NULL;
    const sampler_row *row = find(squeezed);
    size_t n = strlen(squeezed);
    for (int kind = LIMN_SIGMAS_SPACED + 1; kind < LIMN_N_SIGMAS && !row; kind++) {
        size_t n_tail = squeeze(limn_sigmas_shown((limn_sigmas)kind), tail) ? strlen(tail) : 0;
        if (!n_tail || n_tail >= n || strcmp(squeezed + n - n_tail, tail)) continue;
        squeezed[n - n_tail] = '\0';
        row = find(squeezed);
        if (row)
            *sigmas = (limn_sigmas)kind;
        else
            squeezed[n - n_tail] = tail[0]; /* as it was */
    }
    return row;
}
