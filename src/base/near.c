/* near.c: "did you mean": the word nearest to a mistyped one. */
#include "base/base.h"

#include <string.h>

enum { LONGEST = 48 };

/* Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment); case plays no part.
 *   a [n], b [m], rows of the table three at a time */
static int distance(const char *a, size_t n, const char *b, size_t m)
{
    int table[3][LONGEST + 1];
    for (size_t j = 0; j <= m; j++) table[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *row = table[i % 3], *above = table[(i - 1) % 3], *before = table[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int x = limn_lower((unsigned char)a[i - 1]), y = limn_lower((unsigned char)b[j - 1]);
            int best = above[j - 1] + (x != y);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped =
                i > 1 && j > 1 && x == limn_lower((unsigned char)b[j - 2]) && limn_lower((unsigned char)a[i - 2]) == y;
            if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return table[n % 3][m];
}

limn_near limn_near_to(const char *word, size_t n)
{
    return (limn_near){.word = word, .n_word = n, .distance = n <= 3 ? 2 : n <= 6 ? 3 : 4};
}

void limn_near_try(limn_near *near, const char *candidate, size_t n)
{
    if (near->n_word > LONGEST || n > LONGEST || !near->n_word) return;
    int d = distance(near->word, near->n_word, candidate, n);
    if (d > 1 && near->n_word >= 3 && n > near->n_word && strncmp(near->word, candidate, near->n_word) == 0) d = 1;
    if (d >= near->distance) return;
    near->distance = d;
    near->best = candidate;
    near->n_best = n;
}

const char *limn_near_text(limn_near *near)
{
    near->text[0] = '\0';
    if (near->best) snprintf(near->text, sizeof near->text, "; did you mean %.*s?", (int)near->n_best, near->best);
    return near->text;
}
