/* Prompts with brackets: pieces, weights and chunks beside the rules of two published programs, stated once more in Python
 * (oracle/prompt_vectors.py), and beside what their documentation shows. */
#include "text/prompt.h"
#include "vectors/prompt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MERGES LIMN_SOURCE_DIR "/models/tokenizer/clip-8192.txt.gz"
#define COUNT(list) (sizeof(list) / sizeof *(list))

static limn_ctx *ctx;
static limn_clip_bpe *bpe;

static int begin(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    return ctx && limn_clip_bpe_open(ctx, MERGES, -1, &bpe) == LIMN_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    limn_clip_bpe_free(bpe);
    limn_ctx_free(ctx);
    return 0;
}

static void check_pieces(limn_prompt_style style, const prompt_vector *v, int n, const piece_vector *right)
{
    limn_prompt_text text;
    assert_int_equal(limn_prompt_weigh(ctx, style, v->text, (size_t)v->n_bytes, &text), LIMN_OK);
    bool same = text.n_pieces == (size_t)n;
    for (int i = 0; same && i < n; i++) {
        const limn_prompt_piece *p = &text.piece[i];
        same =
            p->is_break == (right[i].n_bytes < 0) &&
            (p->is_break || (p->n == (size_t)right[i].n_bytes && memcmp(text.bytes + p->begin, right[i].text, p->n) == 0 &&
                             fabs(p->weight - right[i].weight) <= 1e-12 * fabs(right[i].weight)));
    }
    if (!same) {
        for (size_t i = 0; i < text.n_pieces; i++)
            print_message("  found \"%.*s\" %g%s\n", (int)text.piece[i].n, text.bytes + text.piece[i].begin,
                          text.piece[i].weight, text.piece[i].is_break ? " break" : "");
        fail_msg("style %d: \"%s\"", style, v->text);
    }
    limn_prompt_text_free(&text);
}

static void brackets_weigh_as_in_both_programs(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(prompts); k++) {
        check_pieces(LIMN_PROMPT_WEBUI, &prompts[k], prompts[k].n_webui, prompts[k].webui);
        check_pieces(LIMN_PROMPT_COMFY, &prompts[k], prompts[k].n_comfy, prompts[k].comfy);
    }
}

static void the_documented_example_is_read_as_documented(void **state)
{
    (void)state;
    static const piece_vector right[] = {{"a ", 2, 1},        {"house", 5, 1.5730000000000004},
                                         {" ", 1, 1.1},       {"on", 2, 1},
                                         {" a ", 3, 1.1},     {"hill", 4, 0.55},
                                         {", sun, ", 7, 1.1}, {"sky", 3, 1.4641000000000006},
                                         {".", 1, 1.1}};
    prompt_vector v = {.text = "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky)))."};
    v.n_bytes = (int)strlen(v.text);
    check_pieces(LIMN_PROMPT_WEBUI, &v, COUNT(right), right);
    static const piece_vector literal[] = {{"(literal]", 9, 1}};
    v = (prompt_vector){.text = "\\(literal\\]", .n_bytes = 11};
    check_pieces(LIMN_PROMPT_WEBUI, &v, 1, literal);
}

static void check_chunks(const limn_prompt_words *with, limn_prompt_style style, const prompt_vector *v,
                         const chunk_vector *right)
{
    limn_prompt p;
    int stop = limn_clip_bpe_end(bpe);
    assert_int_equal(limn_prompt_read(ctx, bpe, with, style, v->text, (size_t)v->n_bytes, 77, stop, &p), LIMN_OK);
    if (p.n_chunks != right->n_chunks) fail_msg("\"%s\": %d chunks, expected %d", v->text, p.n_chunks, right->n_chunks);
    bool weighted = false;
    for (int k = 0, at = 0; k < p.n_chunks; at += right->length[k++]) {
        const int32_t *ids = p.ids + 77 * k;
        const float *weight = p.weight + 77 * k;
        assert_int_equal(ids[0], limn_clip_bpe_start(bpe));
        int first = 76;
        for (int i = 0; i < 76; i++) {
            bool inside = i < right->length[k];
            int id = inside ? right->ids[at + i] : stop;
            float w = inside ? right->weight[at + i] : 1;
            if (id == stop && i + 1 < first) first = i + 1;
            weighted |= w != 1;
            if (ids[i + 1] != id || fabsf(weight[i + 1] - w) > 1e-6f * fabsf(w))
                fail_msg("\"%s\": chunk %d, token %d: %d of weight %g, expected %d of %g", v->text, k, i, (int)ids[i + 1],
                         (double)weight[i + 1], id, (double)w);
        }
        assert_int_equal(p.end[k], first);
    }
    assert_int_equal(p.is_weighted, weighted);
    assert_false(p.was_cut);
    limn_prompt_free(&p);
}

static void long_prompts_are_parted_as_in_both_programs(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(prompts); k++) {
        check_chunks(NULL, LIMN_PROMPT_WEBUI, &prompts[k], &prompts[k].chunks[0]);
        check_chunks(NULL, LIMN_PROMPT_COMFY, &prompts[k], &prompts[k].chunks[1]);
    }
}

/* ---- words with vectors of their own ---------------------------------------------------------------------------------- */

enum { WORDS = COUNT(words), TOKENS = 16 };

typedef struct given_words {
    limn_prompt_word word[WORDS];
    int32_t ids[WORDS][TOKENS];
    char file[WORDS][32];
    limn_prompt_words all;
} given_words;

static void give_words(given_words *g)
{
    limn_clip_encoder *e = limn_clip_encoder_new(bpe);
    bool cut = false;
    for (size_t i = 0; i < WORDS; i++) {
        int n = limn_clip_tokens(e, words[i].name, strlen(words[i].name), TOKENS, g->ids[i], &cut);
        snprintf(g->file[i], sizeof g->file[i], "%s.pt", words[i].name);
        g->word[i] = (limn_prompt_word){.name = words[i].name, .file = g->file[i], .ids = g->ids[i], .n_ids = n,
                                        .first = words[i].first, .n = words[i].n};
    }
    assert_false(cut);
    limn_clip_encoder_free(e);
    limn_prompt_words_sort(g->word, WORDS);
    g->all = (limn_prompt_words){.folder = "FOLDER", .word = g->word, .n = WORDS};
}

static void vectors_stand_where_both_programs_put_them(void **state)
{
    (void)state;
    given_words g;
    give_words(&g);
    for (size_t k = 0; k < COUNT(embedded); k++) {
        check_chunks(&g.all, LIMN_PROMPT_WEBUI, &embedded[k], &embedded[k].chunks[0]);
        check_chunks(&g.all, LIMN_PROMPT_COMFY, &embedded[k], &embedded[k].chunks[1]);
    }
}

static void check_missing(const limn_prompt_words *with, const char *text, const char *says)
{
    limn_prompt p;
    assert_int_equal(limn_prompt_read(ctx, bpe, with, LIMN_PROMPT_COMFY, text, strlen(text), 77, 0, &p), LIMN_NOT_FOUND);
    if (!strstr(limn_error_text(ctx), says)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), says);
    assert_null(p.ids);
}

static void a_name_that_is_not_there_is_a_sentence(void **state)
{
    (void)state;
    given_words g;
    limn_prompt_words none = {0};
    give_words(&g);
    check_missing(&g.all, "a embedding:Glim", "FOLDER: no embedding \"Glim\" is there, as embedding:Glim asks for");
    check_missing(&g.all, "embedding:", "no embedding \"\"");
    check_missing(&g.all, "(embedding:glim:1.2:x)", "\"glim:1.2:x\"");
    check_missing(&none, "embedding:glim", "say in which folder such files are (--embd-dir)");
}

/* A text of diffusers: what a file calls its token stands anywhere, also inside of words; 77 ids, the rest is cut. */
static void a_plain_prompt_knows_tokens_by_their_characters(void **state)
{
    (void)state;
    static const limn_prompt_word cat[] = {{.name = "c", .file = "c.bin", .token = "<cat-toy>", .first = 60000, .n = 2},
                                           {.name = "d", .file = "d.bin", .token = "<cat", .first = 60010, .n = 1}};
    static const char text[] = "a <Cat-Toy>, b<cat>";
    limn_prompt_words all = {.word = cat, .n = 2};
    limn_prompt p, plain;
    assert_int_equal(limn_prompt_read(ctx, bpe, &all, LIMN_PROMPT_PLAIN, text, sizeof text - 1, 77, 0, &p), LIMN_OK);
    assert_int_equal(limn_prompt_read(ctx, bpe, NULL, LIMN_PROMPT_PLAIN, "a , b >", 7, 77, 0, &plain), LIMN_OK);
    const int32_t right[] = {plain.ids[0], plain.ids[1], 60000, 60001, plain.ids[2], plain.ids[3], 60010, plain.ids[4]};
    assert_memory_equal(p.ids, right, sizeof right);
    assert_int_equal(p.end[0], COUNT(right));
    limn_prompt_free(&p);
    limn_prompt_free(&plain);
}

static void a_plain_prompt_is_what_the_tokenizer_makes_of_it(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(prompts); k++) {
        limn_prompt p;
        int32_t ids[77];
        bool cut;
        int n;
        assert_int_equal(limn_prompt_read(ctx, bpe, NULL, LIMN_PROMPT_PLAIN, prompts[k].text, (size_t)prompts[k].n_bytes, 77,
                                          limn_clip_bpe_end(bpe), &p), LIMN_OK);
        assert_int_equal(limn_clip_bpe_encode(ctx, bpe, prompts[k].text, (size_t)prompts[k].n_bytes, 77, ids, &n, &cut),
                         LIMN_OK);
        assert_int_equal(p.n_chunks, 1);
        assert_memory_equal(p.ids, ids, sizeof ids);
        assert_int_equal(p.was_cut, cut);
        assert_false(p.is_weighted);
        limn_prompt_free(&p);
    }
}

static void what_pads_begins_behind_the_first_end(void **state)
{
    (void)state;
    limn_prompt p;
    int stop = limn_clip_bpe_end(bpe);
    assert_int_equal(limn_prompt_read(ctx, bpe, NULL, LIMN_PROMPT_WEBUI, "a house", 7, 8, 0, &p), LIMN_OK);
    assert_int_equal(limn_prompt_extend(ctx, bpe, 0, 3, &p), LIMN_OK);
    assert_int_equal(p.n_chunks, 3);
    assert_int_equal(p.end[0], 3);
    assert_int_equal(p.ids[3], stop);
    for (int i = 4; i < 8; i++) assert_int_equal(p.ids[i], 0);
    for (int k = 1; k < 3; k++) {
        assert_int_equal(p.ids[8 * k], limn_clip_bpe_start(bpe));
        assert_int_equal(p.ids[8 * k + 1], stop);
        assert_int_equal(p.ids[8 * k + 2], 0);
        assert_int_equal(p.end[k], 1);
        for (int i = 0; i < 8; i++) assert_true(p.weight[8 * k + i] == 1);
    }
    limn_prompt_free(&p);
}

static void weights_reach_the_features_as_in_both_programs(void **state)
{
    (void)state;
    float z[EMPHASIS_CONTEXT * EMPHASIS_WIDTH];
    const struct { limn_prompt_style style; const float *right; } rows[] = {
        {LIMN_PROMPT_WEBUI, emphasis_webui}, {LIMN_PROMPT_COMFY, emphasis_comfy}, {LIMN_PROMPT_PLAIN, emphasis_features}};
    for (size_t r = 0; r < COUNT(rows); r++) {
        memcpy(z, emphasis_features, sizeof z);
        limn_prompt_emphasize(rows[r].style, EMPHASIS_CONTEXT, EMPHASIS_WIDTH, emphasis_weight, emphasis_empty, z);
        for (size_t i = 0; i < COUNT(z); i++)
            assert_true(fabsf(z[i] - rows[r].right[i]) <= 2e-6f * (1 + fabsf(rows[r].right[i])));
    }
    float none[] = {0, 0}, two[] = {3, 5};
    limn_prompt_emphasize(LIMN_PROMPT_WEBUI, 2, 1, none, NULL, two);
    assert_true(two[0] == 0 && two[1] == 0);
}

static void nested_weights_stay_finite(void **state)
{
    (void)state;
    char text[4096];
    size_t n = 0;
    limn_prompt p;
    for (int i = 0; i < 250; i++) text[n++] = '(';
    text[n++] = 'a';
    for (int i = 0; i < 250; i++) n += (size_t)sprintf(text + n, ":99999)");
    assert_int_equal(limn_prompt_read(ctx, bpe, NULL, LIMN_PROMPT_WEBUI, text, n, 77, 0, &p), LIMN_OK);
    assert_true(p.weight[1] == 1e6f && p.end[0] == 2);
    limn_prompt_free(&p);
}

static void hostile_prompts_end_soon_and_stay_finite(void **state)
{
    (void)state;
    static const char *const parts[] = {"(", ")",      "((a",    "[",         "(a:9999)", "\\",  "(a:1e9)",
                                        ":", "BREAK ", "(BREAK", "\xff(\xc3", "a,",       "(()", "(a:1.1)"};
    size_t n = 200000;
    char *text = malloc(n + 16);
    assert_non_null(text);
    clock_t begin = clock();
    for (size_t k = 0; k < COUNT(parts); k++)
        for (int style = 0; style < 3; style++) {
            limn_prompt p;
            size_t at = 0;
            while (at < n) at += (size_t)sprintf(text + at, "%s", parts[k]);
            assert_int_equal(limn_prompt_read(ctx, bpe, NULL, (limn_prompt_style)style, text, at, 77, 0, &p), LIMN_OK);
            for (int i = 0; i < p.n_chunks * 77; i++) {
                assert_true(isfinite(p.weight[i]));
                assert_in_range(p.ids[i], 0, limn_clip_bpe_vocab(bpe) - 1);
            }
            limn_prompt_free(&p);
        }
    assert_true((clock() - begin) / CLOCKS_PER_SEC < 20);
    free(text);
}

static void a_chunk_needs_a_place_for_a_token(void **state)
{
    (void)state;
    limn_prompt p;
    assert_int_equal(limn_prompt_read(ctx, bpe, NULL, LIMN_PROMPT_WEBUI, "a", 1, 2, 0, &p), LIMN_BAD_ARGUMENT);
    assert_null(p.ids);
    for (int style = 0; style < 3; style++) { /* a word of several tokens where a chunk holds one */
        assert_int_equal(limn_prompt_read(ctx, bpe, NULL, (limn_prompt_style)style, "qzxjk, qzxjk", 12, 3, 0, &p), LIMN_OK);
        assert_true(style == LIMN_PROMPT_PLAIN ? p.was_cut : p.n_chunks > 2);
        limn_prompt_free(&p);
    }
    limn_prompt_style style;
    assert_true(limn_prompt_style_find("a1111", &style) && style == LIMN_PROMPT_WEBUI);
    assert_true(limn_prompt_style_find("comfy", &style) && style == LIMN_PROMPT_COMFY);
    assert_false(limn_prompt_style_find("webui2", &style));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_weigh_as_in_both_programs),
        cmocka_unit_test(the_documented_example_is_read_as_documented),
        cmocka_unit_test(long_prompts_are_parted_as_in_both_programs),
        cmocka_unit_test(vectors_stand_where_both_programs_put_them),
        cmocka_unit_test(a_name_that_is_not_there_is_a_sentence),
        cmocka_unit_test(a_plain_prompt_knows_tokens_by_their_characters),
        cmocka_unit_test(a_plain_prompt_is_what_the_tokenizer_makes_of_it),
        cmocka_unit_test(what_pads_begins_behind_the_first_end),
        cmocka_unit_test(weights_reach_the_features_as_in_both_programs),
        cmocka_unit_test(nested_weights_stay_finite),
        cmocka_unit_test(hostile_prompts_end_soon_and_stay_finite),
        cmocka_unit_test(a_chunk_needs_a_place_for_a_token),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
