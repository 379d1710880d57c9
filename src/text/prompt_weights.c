/* prompt_weights.c: brackets of a prompt to pieces of text, each with a weight. */
#include "text/prompt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { DEEPEST = 256 };
static const double MOST = 1e6; /* a number beyond it is text: weights are near 1, and their products stay finite */

bool limn_prompt_style_find(const char *name, limn_prompt_style *out)
{
    static const char *const names[] = {
        [LIMN_PROMPT_PLAIN] = "plain", [LIMN_PROMPT_WEBUI] = "a1111", [LIMN_PROMPT_COMFY] = "comfy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return *out = (limn_prompt_style)i, true;
    return false;
}

typedef struct reader {
    const char *text;
    size_t n;              /* bytes of text */
    limn_prompt_text *out; /* bytes and pieces: one for each byte at most, and one */
    size_t n_bytes;        /* of out */
} reader;

/* Pieces of one weight that follow one another become one with merge_equal(). */
static void put(reader *r, const char *bytes, size_t n, double weight)
{
    r->out->piece[r->out->n_pieces++] = (limn_prompt_piece){.begin = r->n_bytes, .n = n, .weight = weight};
    memcpy(r->out->bytes + r->n_bytes, bytes, n);
    r->n_bytes += n;
}

/* Tokens are made of whole pieces: "(old)(er)" is one word. */
static void merge_equal(limn_prompt_text *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_pieces; i++) {
        limn_prompt_piece *last = n ? &t->piece[n - 1] : NULL, *next = &t->piece[i];
        if (last && !last->is_break && !next->is_break && last->weight == next->weight) last->n += next->n;
        else t->piece[n++] = *next;
    }
    if (!n) t->piece[n++] = (limn_prompt_piece){.weight = 1};
    t->n_pieces = n;
}

/* ---- webui ------------------------------------------------------------------------------------------------------------ */

/* [+-]?[.0-9]+ at text, which ends before `end`, to a number.  @return bytes taken; 0: there is none */
static size_t number_at(const char *text, const char *end, double *out)
{
    char digits[64], *stop;
    size_t n = text < end && (*text == '+' || *text == '-'), sign = n;
    while (text + n < end && n < sizeof digits - 1 && (text[n] == '.' || (text[n] >= '0' && text[n] <= '9'))) n++;
    if (n == sign || n == sizeof digits - 1) return 0;
    memcpy(digits, text, n);
    digits[n] = '\0';
    *out = limn_number_parse(digits, &stop);
    return *stop || !(fabs(*out) <= MOST) ? 0 : n;
}

static size_t spaces_at(const char *text, const char *end)
{
    size_t n = 0;
    while (text + n < end && (text[n] == ' ' || (text[n] >= '\t' && text[n] <= '\r'))) n++;
    return n;
}

/* ":1.2)" at text.  @return bytes taken; 0: it is something else */
static size_t weight_at(const char *text, const char *end, double *out)
{
    if (*text != ':') return 0;
    size_t n = 1 + spaces_at(text + 1, end), digits = number_at(text + n, end, out);
    if (!digits) return 0;
    n += digits;
    n += spaces_at(text + n, end);
    return text + n < end && text[n] == ')' ? n + 1 : 0;
}

/* A letter, a digit or _ in the character that begins at, or ends before, text + i. */
static bool is_word(int32_t point)
{
    utf8proc_category_t c = point < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(point);
    return point == '_' || (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) ||
           (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO);
}

static bool word_after(const char *text, size_t n, size_t i)
{
    int32_t point = -1;
    if (i < n) utf8proc_iterate((const uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &point);
    return is_word(point);
}

static bool word_before(const char *text, size_t i)
{
    size_t back = i ? 1 : 0;
    while (back && back < 4 && back < i && ((uint8_t)text[i - back] & 0xc0) == 0x80) back++;
    return back && word_after(text, i, i - back);
}

/* Text without brackets, parted at each BREAK that is a word of its own. */
static void put_text(reader *r, const char *text, size_t n)
{
    size_t begin = 0;
    for (size_t i = 0; i + 5 <= n; i++) {
        if (memcmp(text + i, "BREAK", 5) != 0 || word_before(text, i) || word_after(text, n, i + 5)) continue;
        put(r, text + begin, i - begin, 1);
        r->out->piece[r->out->n_pieces++] = (limn_prompt_piece){.begin = r->n_bytes, .is_break = true};
        begin = i + 5, i = begin - 1;
    }
    put(r, text + begin, n - begin, 1);
}

/* Brackets of one kind that are open: the pieces that they begin with. */
typedef struct open_brackets { size_t first[DEEPEST], n; } open_brackets;

static void close_bracket(reader *r, open_brackets *b, double weight)
{
    for (size_t i = b->first[--b->n]; i < r->out->n_pieces; i++) {
        double *w = &r->out->piece[i].weight;
        *w = fmax(-MOST, fmin(MOST, *w * weight));
    }
}

static size_t text_run(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && !strchr("\\()[]:", text[i] ? text[i] : 'x')) i++;
    return i;
}

static void read_webui(reader *r)
{
    open_brackets round = {.n = 0}, square = {.n = 0};
    const char *end = r->text + r->n;
    for (const char *p = r->text; p < end;) {
        double weight = 1;
        size_t run = text_run(p, (size_t)(end - p)), closing = weight_at(p, end, &weight);
        bool escapes = *p == '\\' && p + 1 < end && strchr("()[]\\", p[1]) && p[1];
        if (run) put_text(r, p, run);
        else if (escapes) put(r, p + 1, 1, 1);
        else if (*p == '(' && round.n < DEEPEST) round.first[round.n++] = r->out->n_pieces;
        else if (*p == '[' && square.n < DEEPEST) square.first[square.n++] = r->out->n_pieces;
        else if (closing && round.n) close_bracket(r, &round, weight);
        else if (*p == ')' && round.n) close_bracket(r, &round, 1.1);
        else if (*p == ']' && square.n) close_bracket(r, &square, 1 / 1.1);
        else if (*p != '\\') put(r, p, closing ? closing : 1, 1); /* a backslash alone is dropped */
        p += run ? run : escapes ? 2 : closing ? closing : 1;
    }
    while (round.n) close_bracket(r, &round, 1.1);
    while (square.n) close_bracket(r, &square, 1 / 1.1);
}

/* ---- comfy ------------------------------------------------------------------------------------------------------------ */

static bool is_escaped(const char *text, size_t i)
{
    return i && text[i - 1] == '\\';
}

/* "x:w" inside a bracket: where the last colon is, if a number stands behind it.  Python's float() also reads 1e3 and
 * spaces. */
static size_t comfy_number(const char *text, size_t n, double *weight)
{
    char digits[64], *stop;
    size_t colon = n, from, to = n;
    while (colon && text[colon - 1] != ':') colon--;
    if (colon < 2) return n; /* none, or nothing in front of it */
    from = colon + spaces_at(text + colon, text + n);
    while (to > from && spaces_at(text + to - 1, text + n)) to--;
    if (to == from || to - from >= sizeof digits || text[from] == 'n' || text[from] == 'i') return n;
    memcpy(digits, text + from, to - from);
    digits[to - from] = '\0';
    double value = limn_number_parse(digits, &stop);
    if (stop == digits || *stop || strpbrk(digits, "xXnN") || !(fabs(value) <= MOST)) return n;
    *weight = value;
    return colon - 1;
}

/* A backslash in front of a round bracket makes it text. */
static void put_unescaped(reader *r, const char *text, size_t n, double weight)
{
    size_t begin = r->n_bytes;
    put(r, "", 0, weight);
    for (size_t i = 0; i < n; i++)
        if (!(text[i] == '\\' && i + 1 < n && (text[i + 1] == '(' || text[i + 1] == ')')))
            r->out->bytes[r->n_bytes++] = text[i];
    r->out->piece[r->out->n_pieces - 1].n = r->n_bytes - begin;
}

/* Parts at the outermost brackets; what they hold is read in the same way.  A bracket without its other one is text. */
static void read_comfy(reader *r, const char *text, size_t n, double around, int depth)
{
    size_t begin = 0;
    int nested = 0;
    for (size_t i = 0; i <= n; i++) {
        bool bracket = i < n && (text[i] == '(' || text[i] == ')') && !is_escaped(text, i), ends = i == n;
        bool opens = bracket && text[i] == '(', outer = opens && nested == 0;
        if (bracket) nested += opens ? 1 : -1;
        bool closes = bracket && !opens && nested == 0;
        if (!outer && !closes && !ends) continue;
        size_t stop = closes ? i + 1 : i;
        if (stop >= begin + 2 && text[begin] == '(' && text[stop - 1] == ')' && !is_escaped(text, stop - 1) &&
            depth < DEEPEST) {
            double weight = around * 1.1;
            size_t inside = comfy_number(text + begin + 1, stop - begin - 2, &weight);
            read_comfy(r, text + begin + 1, inside, weight, depth + 1);
        } else if (stop > begin)
            put_unescaped(r, text + begin, stop - begin, around);
        begin = stop;
    }
}

/* ---- */

limn_status limn_prompt_weigh(limn_ctx *ctx, limn_prompt_style style, const char *text, size_t n, limn_prompt_text *out)
{
    size_t pieces = 2 * n + 2; /* each byte makes two at most: a break, and the text behind it */
    *out = (limn_prompt_text){.bytes = malloc(n + 1), .piece = malloc(pieces * sizeof *out->piece)};
    if (!out->bytes || !out->piece) {
        limn_prompt_text_free(out);
        return limn_fail_memory(ctx, n + 1 + pieces * sizeof *out->piece, "a prompt");
    }
    reader r = {.text = text, .n = n, .out = out};
    if (style == LIMN_PROMPT_WEBUI) read_webui(&r);
    else if (style == LIMN_PROMPT_COMFY) read_comfy(&r, text, n, 1, 0);
    else put(&r, text, n, 1);
    if (style != LIMN_PROMPT_COMFY) merge_equal(out); /* there each bracket begins a token */
    else if (!out->n_pieces) put(&r, "", 0, 1);
    return LIMN_OK;
}

void limn_prompt_text_free(limn_prompt_text *t)
{
    free(t->bytes);
    free(t->piece);
    *t = (limn_prompt_text){0};
}
