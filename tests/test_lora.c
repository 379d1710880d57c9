/* test_lora.c: files of differences: their names in every program's spelling, what they make of weights beside LyCORIS and
 * PEFT, as a source around one that is kept in 16 bits, tags in prompts, and files that are wrong. */
#include "file/safetensors.h"
#include "formula.h"
#include "text/lora_tags.h"
#include "weights/lora.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vectors/lora.h"

enum { N_VECTORS = sizeof lora_vectors / sizeof *lora_vectors, MOST = 128 };

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static void names_of_every_program(void **state)
{
    (void)state;
    static const char block[] = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
    static const struct {
        const char *tensor;
        limn_lora_network network;
        limn_lora_role role;
        const char *flat;
    } want[] = {
        {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight", LIMN_LORA_DENOISER,
         LIMN_LORA_UP, block},
        {"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora.down.weight", LIMN_LORA_DENOISER,
         LIMN_LORA_DOWN, block},
        {"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight", LIMN_LORA_DENOISER,
         LIMN_LORA_UP, block},
        {"down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight", LIMN_LORA_DENOISER,
         LIMN_LORA_UP, block},
        {"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight", LIMN_LORA_DENOISER, LIMN_LORA_DOWN,
         block},
        {"base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_B.default.weight", LIMN_LORA_ANY,
         LIMN_LORA_UP, block},
        {"diffusion_model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.alpha", LIMN_LORA_DENOISER,
         LIMN_LORA_ALPHA, block},
        {"lycoris_mid_block_attentions_0_proj_in.lokr_w2_b", LIMN_LORA_DENOISER, LIMN_LORA_KRON_2B,
         "mid_block_attentions_0_proj_in"},
        {"unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight", LIMN_LORA_DENOISER,
         LIMN_LORA_DOWN, "mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0"},
        {"lora_te_text_model_encoder_layers_11_mlp_fc1.lora_down.weight", LIMN_LORA_TEXT, LIMN_LORA_DOWN,
         "encoder_layers_11_mlp_fc1"},
        {"lora_te1_text_model_encoder_layers_0_self_attn_q_proj.hada_t1", LIMN_LORA_TEXT, LIMN_LORA_HADA_T1,
         "encoder_layers_0_self_attn_q_proj"},
        {"text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora.up.weight", LIMN_LORA_TEXT, LIMN_LORA_UP,
         "encoder_layers_0_self_attn_out_proj"},
        {"text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight", LIMN_LORA_TEXT,
         LIMN_LORA_UP, "encoder_layers_0_self_attn_q_proj"},
        {"unet.input_blocks.1.1.transformer_blocks.0.attn1.to_q.lora_up.weight", LIMN_LORA_DENOISER, LIMN_LORA_UP,
         "input_blocks_1_1_transformer_blocks_0_attn1_to_q"},
        {"lora_unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.alpha", LIMN_LORA_DENOISER, LIMN_LORA_ALPHA,
         block},
        {"clip_l.text_model.encoder.layers.0.mlp.fc2.dora_scale", LIMN_LORA_TEXT, LIMN_LORA_MAGNITUDE,
         "encoder_layers_0_mlp_fc2"},
        {"lora_te.text_model.encoder.layers.0.mlp.fc2.lora_down.weight", LIMN_LORA_TEXT, LIMN_LORA_DOWN,
         "encoder_layers_0_mlp_fc2"},
        {"lora_te2.text_model.encoder.layers.0.mlp.fc2.lora_down.weight", LIMN_LORA_TEXT_2, LIMN_LORA_DOWN,
         "encoder_layers_0_mlp_fc2"},
        {"text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc2.lora_A.weight", LIMN_LORA_TEXT,
         LIMN_LORA_DOWN, "encoder_layers_0_mlp_fc2"},
        {"unet.base_model.model.transformer_blocks.0.attn1.to_q.lora_A.weight", LIMN_LORA_DENOISER, LIMN_LORA_DOWN,
         "transformer_blocks_0_attn1_to_q"},
        {"lora_transformer.transformer_blocks.0.attn1.to_q.lora_down.weight", LIMN_LORA_DENOISER, LIMN_LORA_DOWN,
         "transformer_blocks_0_attn1_to_q"},
        {"transformer.joint_blocks.0.x_block.attn.qkv.2.lora_up.weight", LIMN_LORA_DENOISER, LIMN_LORA_UP,
         "joint_blocks_0_x_block_attn_qkv_2"},
        {"t5.encoder.block.0.layer.0.SelfAttention.q.alpha", LIMN_LORA_TEXT_3, LIMN_LORA_ALPHA,
         "encoder_block_0_layer_0_SelfAttention_q"},
        {"text_encoder_2.encoder.layers.0.self_attn.k_proj.lora_magnitude_vector", LIMN_LORA_TEXT_2, LIMN_LORA_MAGNITUDE,
         "encoder_layers_0_self_attn_k_proj"},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        limn_lora_network network;
        limn_lora_role role;
        char flat[LIMN_LORA_NAME];
        assert_null(limn_lora_name(want[i].tensor, &network, &role, flat));
        assert_string_equal(flat, want[i].flat);
        assert_true(network == want[i].network && role == want[i].role);
    }
    char flat[LIMN_LORA_NAME];
    bool bias;
    assert_true(limn_lora_flat("text_model.encoder.layers.11.mlp.fc1.weight", flat, &bias) && !bias);
    assert_string_equal(flat, "encoder_layers_11_mlp_fc1");
    assert_true(limn_lora_flat("conv_in.bias", flat, &bias) && bias);
    assert_false(limn_lora_flat("pos_embed", flat, &bias));
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

typedef struct file {
    int n;
    char name[MOST][128];
    limn_named_view view[MOST];
} file;

static void add(file *f, limn_shape shape, const char *format, const char *module)
{
    limn_view *v = &f->view[f->n].view;
    snprintf(f->name[f->n], sizeof f->name[0], format, module);
    float *x = malloc((size_t)limn_shape_count(&shape) * sizeof *x + 1);
    formula_fill(f->name[f->n], limn_shape_count(&shape), 1, x);
    f->view[f->n].name = f->name[f->n];
    *v = (limn_view){LIMN_F32, shape, x};
    f->n++;
}

static void add_number(file *f, const char *format, const char *module, float number)
{
    add(f, (limn_shape){0}, format, module);
    *(float *)f->view[f->n - 1].view.data = number;
}

static limn_lora *written(limn_ctx *ctx, file *f, int n_metadata, const char *const (*metadata)[2])
{
    static const char path[] = "test_lora.safetensors";
    limn_lora *lora = NULL;
    assert_int_equal(limn_safetensors_write(ctx, path, f->n, f->view, n_metadata, metadata), LIMN_OK);
    limn_status status = limn_lora_open(ctx, path, &lora);
    assert_true(status == LIMN_OK || ((status == LIMN_BAD_FILE || status == LIMN_UNSUPPORTED) && !lora));
    unlink(path);
    for (int i = 0; i < f->n; i++) free(f->view[i].view.data);
    f->n = 0;
    return lora;
}

#define K "lora_unet_%s."

/* The tensors of a case, by its name. */
static void add_case(file *f, const struct lora_vectors *v)
{
    int64_t o = v->shape[0], i = v->shape[1], h = v->shape[2], w = v->shape[3], r = v->r;
    const char *m = v->module;
    bool dora = strncmp(m, "dora", 4) == 0, conv = v->rank == 4;
    if (!strcmp(m, "tucker")) {
        add(f, LIMN_SHAPE(r, i, 1, 1), K "lora_down.weight", m), add(f, LIMN_SHAPE(o, r, 1, 1), K "lora_up.weight", m);
        add(f, LIMN_SHAPE(r, r, h, w), K "lora_mid.weight", m);
    } else if (!strncmp(m, "loha", 4)) {
        add(f, LIMN_SHAPE(r, i), K "hada_w1_b", m), add(f, conv ? LIMN_SHAPE(r, o) : LIMN_SHAPE(o, r), K "hada_w1_a", m);
        add(f, LIMN_SHAPE(r, i), K "hada_w2_b", m), add(f, conv ? LIMN_SHAPE(r, o) : LIMN_SHAPE(o, r), K "hada_w2_a", m);
        if (conv) add(f, LIMN_SHAPE(r, r, h, w), K "hada_t1", m), add(f, LIMN_SHAPE(r, r, h, w), K "hada_t2", m);
    } else if (!strncmp(m, "lokr", 4)) {
        add(f, LIMN_SHAPE(2, 2), K "lokr_w1", m);
        if (!r) add(f, LIMN_SHAPE(o / 2, i / 2), K "lokr_w2", m);
        if (r) add(f, conv ? LIMN_SHAPE(r, o / 2) : LIMN_SHAPE(o / 2, r), K "lokr_w2_a", m);
        if (r) add(f, LIMN_SHAPE(r, i / 2), K "lokr_w2_b", m);
        if (conv) add(f, LIMN_SHAPE(r, r, h, w), K "lokr_t2", m);
    } else if (!strcmp(m, "whole"))
        add(f, LIMN_SHAPE(o, i), K "diff", m);
    else if (!strcmp(m, "norm"))
        add(f, LIMN_SHAPE(o), K "w_norm", m);
    else {
        add(f, conv ? LIMN_SHAPE(r, i, h, w) : LIMN_SHAPE(r, i), K "lora_down.weight", m);
        add(f, conv ? LIMN_SHAPE(o, r, 1, 1) : LIMN_SHAPE(o, r), K "lora_up.weight", m);
    }
    if (dora) add(f, !strcmp(m, "dora_in") ? LIMN_SHAPE(1, i) : LIMN_SHAPE(o, 1), K "dora_scale", m);
    add_number(f, K "alpha", m, 1.5f);
}

static limn_shape shape_of(const struct lora_vectors *v)
{
    limn_shape shape = {.rank = v->rank};
    for (int k = 0; k < v->rank; k++) shape.dim[k] = v->shape[k];
    return shape;
}

static void weights_are_those_of_lycoris_and_peft(void **state)
{
    limn_ctx *ctx = *state;
    file f = {0};
    for (int k = 0; k < N_VECTORS; k++) add_case(&f, &lora_vectors[k]);
    limn_lora *lora = written(ctx, &f, 0, NULL);
    assert_non_null(lora);
    assert_int_equal(limn_lora_count(lora), N_VECTORS);
    for (int k = 0; k < N_VECTORS; k++) {
        const struct lora_vectors *v = &lora_vectors[k];
        char name[64];
        limn_init init = {0};
        snprintf(name, sizeof name, "%s.weight", v->module);
        limn_wanted w = {.name = name, .shape = shape_of(v), .init = &init};
        int64_t n = limn_shape_count(&w.shape);
        float x[256];
        formula_fill(name, n, 1, x);
        const limn_lora_module *m = limn_lora_find(lora, LIMN_LORA_DENOISER, v->module);
        assert_non_null(m);
        assert_int_equal(limn_lora_apply(ctx, lora, m, 0.7, &w, false, x), LIMN_OK);
        for (int64_t i = 0; i < n; i++)
            if (!(fabs(x[i] - v->value[i]) <= 1e-6 * (1 + fabs(v->value[i]))))
                fail_msg("%s, number %d is %.9g, expected %.9g", v->module, (int)i, x[i], v->value[i]);
        w.shape.dim[0] += 4;
        assert_int_equal(limn_lora_apply(ctx, lora, m, 0.7, &w, false, NULL), LIMN_BAD_FILE);
        assert_non_null(strstr(limn_error_text(ctx), "which does not fit the network's"));
    }
    assert_null(limn_lora_find(lora, LIMN_LORA_TEXT, "linear"));
    limn_lora_free(lora);
}

static void swap_halves(double *x, int64_t n)
{
    for (int64_t i = 0; i < n / 2; i++) {
        double other = x[i];
        x[i] = x[n / 2 + i], x[n / 2 + i] = other;
    }
}

/* Of W with its halves in another order than the file has them; every kind of file, and a bias. */
static void halves_of_rows_may_be_in_another_order(void **state)
{
    limn_ctx *ctx = *state;
    static limn_lora_spelling s[N_VECTORS];
    file f = {0};
    for (int k = 0; k < N_VECTORS; k++) {
        add_case(&f, &lora_vectors[k]);
        snprintf(s[k].from, sizeof s[k].from, "%s", lora_vectors[k].module);
        snprintf(s[k].to, sizeof s[k].to, "other_%s", lora_vectors[k].module);
        s[k].swapped = true;
    }
    add(&f, LIMN_SHAPE(6), K "diff_b", "whole");
    limn_lora *lora = written(ctx, &f, 0, NULL);
    assert_non_null(lora);
    assert_int_equal(limn_lora_respell(ctx, lora, LIMN_LORA_DENOISER, N_VECTORS, s), LIMN_OK);
    for (int k = 0; k < N_VECTORS; k++) {
        const struct lora_vectors *v = &lora_vectors[k];
        char name[64], flat[64];
        limn_wanted w = {.name = name, .shape = shape_of(v)};
        int64_t n = limn_shape_count(&w.shape);
        double want[256];
        float x[256];
        if (v->shape[0] % 2) continue; /* of a norm */
        snprintf(name, sizeof name, "%s.weight", v->module);
        snprintf(flat, sizeof flat, "other_%s", v->module);
        formula_fill(name, n, 1, x);
        for (int64_t i = 0; i < n; i++) want[i] = x[i];
        swap_halves(want, n);
        for (int64_t i = 0; i < n; i++) x[i] = (float)want[i], want[i] = v->value[i];
        swap_halves(want, n);
        const limn_lora_module *m = limn_lora_find(lora, LIMN_LORA_DENOISER, flat);
        assert_non_null(m);
        assert_int_equal(limn_lora_apply(ctx, lora, m, 0.7, &w, false, x), LIMN_OK);
        for (int64_t i = 0; i < n; i++)
            if (!(fabs(x[i] - want[i]) <= 1e-6 * (1 + fabs(want[i]))))
                fail_msg("%s, number %d is %.9g, expected %.9g", v->module, (int)i, x[i], want[i]);
        if (strcmp(v->module, "whole")) continue;
        float bias[6] = {0}, diff[6];
        formula_fill("lora_unet_whole.diff_b", 6, 1, diff);
        w.shape = LIMN_SHAPE(6);
        assert_int_equal(limn_lora_apply(ctx, lora, m, 1, &w, true, bias), LIMN_OK);
        for (int i = 0; i < 6; i++) assert_true(bias[i] == diff[(i + 3) % 6]);
    }
    limn_lora_free(lora);
}

/* The first channels of a convolution that reads more than the module's. */
static void networks_for_inpainting_are_changed_where_they_are_alike(void **state)
{
    limn_ctx *ctx = *state;
    file f = {0};
    for (int k = 0; k < N_VECTORS; k++)
        if (!strcmp(lora_vectors[k].module, "conv")) add_case(&f, &lora_vectors[k]);
    limn_lora *lora = written(ctx, &f, 0, NULL);
    limn_init init = {0};
    limn_wanted few = {.name = "conv.weight", .shape = LIMN_SHAPE(4, 3, 3, 3), .init = &init},
                many = {.name = "conv.weight", .shape = LIMN_SHAPE(4, 5, 3, 3), .init = &init};
    float x[108] = {0}, y[180] = {0};
    const limn_lora_module *m = limn_lora_get(lora, 0);
    assert_int_equal(limn_lora_apply(ctx, lora, m, 1, &few, false, x), LIMN_OK);
    assert_int_equal(limn_lora_apply(ctx, lora, m, 1, &many, false, y), LIMN_OK);
    for (int o = 0; o < 4; o++)
        for (int i = 0; i < 45; i++) assert_true(y[o * 45 + i] == (i < 27 ? x[o * 27 + i] : 0));
    limn_lora_free(lora);
}

static void alpha_is_also_found_in_metadata(void **state)
{
    limn_ctx *ctx = *state;
    static const char *const metadata[][2] = {
        {"lora_adapter_metadata", "{\"unet.lora_alpha\": 8, \"unet.r\": 2, \"unet.use_rslora\": false}"}};
    file f = {0};
    add(&f, LIMN_SHAPE(2, 5), "unet.%s.lora_A.weight", "a"), add(&f, LIMN_SHAPE(6, 2), "unet.%s.lora_B.weight", "a");
    limn_lora *lora = written(ctx, &f, 1, metadata);
    assert_true(lora && limn_lora_get(lora, 0)->scale == 4);
    limn_lora_free(lora);
    add(&f, LIMN_SHAPE(2, 5), "unet.%s.lora_A.weight", "a"), add(&f, LIMN_SHAPE(6, 2), "unet.%s.lora_B.weight", "a");
    lora = written(ctx, &f, 0, NULL);
    assert_true(lora && limn_lora_get(lora, 0)->scale == 1);
    limn_lora_free(lora);
}

/* PEFT's alpha_pattern: the first that fits the end of a module's name, at a dot. */
static void alphas_of_modules_are_found_by_their_names(void **state)
{
    limn_ctx *ctx = *state;
    static const struct { const char *own; double scale[3]; } rows[] = { /* of attn.to_q, attn.not_to_q, up.0.attn.to_q */
        {"{}", {4, 4, 4}},
        {"{\"to_q\": 2}", {1, 4, 1}},
        {"{\"attn.to_q\": 2, \"to_q\": 6}", {1, 4, 1}},
        {"{\"up.0.attn.to_q\": 6, \"to_q\": 2}", {1, 4, 3}},
        {"{\"up\\\\.0\\\\.attn\\\\.to_q\": 6}", {4, 4, 3}},
        {"{\"^attn.to_q\": 2}", {1, 4, 4}},
        {"{\"^to_q\": 2}", {4, 4, 4}},
        {"{\"q\": 2}", {4, 4, 4}},
        {"{\"to_[qk]\": 2}", {0}},
        {"{\"to_q\": \"2\"}", {0}}};
    static const char *const names[] = {"attn.to_q", "attn.not_to_q", "up.0.attn.to_q"},
                            *const flat[] = {"attn_to_q", "attn_not_to_q", "up_0_attn_to_q"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"unet.lora_alpha\": 8, \"unet.alpha_pattern\": %s}", rows[i].own);
        const char *const metadata[][2] = {{"lora_adapter_metadata", text}};
        file f = {0};
        for (int k = 0; k < 3; k++) {
            add(&f, LIMN_SHAPE(2, 5), "unet.%s.lora_A.weight", names[k]);
            add(&f, LIMN_SHAPE(6, 2), "unet.%s.lora_B.weight", names[k]);
        }
        limn_lora *lora = written(ctx, &f, 1, metadata);
        if (rows[i].scale[0] == 0) {
            assert_null(lora);
            assert_non_null(strstr(limn_error_text(ctx), "its alpha_pattern says"));
            continue;
        }
        assert_non_null(lora);
        for (int k = 0; k < 3; k++) {
            const limn_lora_module *m = limn_lora_find(lora, LIMN_LORA_DENOISER, flat[k]);
            assert_non_null(m);
            if (m->scale != rows[i].scale[k]) fail_msg("%s: %s has %.17g", rows[i].own, names[k], m->scale);
        }
        limn_lora_free(lora);
    }
}

/* ---- a source --------------------------------------------------------------------------------------------------------- */

static limn_status base_find(limn_ctx *ctx, const limn_source *s, const limn_wanted *w, limn_found *out)
{
    (void)ctx, (void)s, (void)w;
    *out = (limn_found){.dtype = LIMN_Q8_0};
    return LIMN_OK;
}

static limn_status base_read(limn_ctx *ctx, const limn_source *s, const limn_wanted *w, limn_dtype dtype, void *to)
{
    float x[64];
    (void)ctx, (void)s;
    formula_fill(w->name, limn_shape_count(&w->shape), 1, x);
    limn_convert(x, LIMN_F32, to, dtype, (size_t)limn_shape_count(&w->shape));
    return LIMN_OK;
}

static void base_free(limn_source *s) { (void)s; }

static void a_source_is_changed_while_it_is_read(void **state)
{
    limn_ctx *ctx = *state;
    static limn_source base = {base_find, base_read, base_free};
    file f = {0};
    add_case(&f, &lora_vectors[0]);
    limn_lora_stack stack = {0};
    limn_lora *lora = written(ctx, &f, 0, NULL);
    limn_source *s;
    limn_found found;
    limn_init init = {0};
    limn_wanted w = {.name = "linear.weight", .shape = LIMN_SHAPE(6, 5), .init = &init}, other = w;
    other.name = "other.weight";
    float plain[30], x[30];
    assert_int_equal(limn_lora_source(ctx, &base, LIMN_LORA_DENOISER, &stack, &s), LIMN_OK);
    assert_true(s->find(ctx, s, &w, &found) == LIMN_OK && found.dtype == LIMN_Q8_0);
    assert_int_equal(s->read(ctx, s, &w, LIMN_F32, plain), LIMN_OK);
    stack.use[stack.n++] = (struct limn_lora_use){lora, 0.5, 9};
    stack.use[stack.n++] = (struct limn_lora_use){lora, 0.2, 9};
    assert_true(s->find(ctx, s, &w, &found) == LIMN_OK && found.dtype == LIMN_F16);
    assert_true(s->find(ctx, s, &other, &found) == LIMN_OK && found.dtype == LIMN_Q8_0);
    assert_int_equal(s->read(ctx, s, &w, LIMN_F32, x), LIMN_OK);
    for (int i = 0; i < 30; i++) assert_true(fabs(x[i] - lora_vectors[0].value[i]) <= 2e-6 && x[i] != plain[i]);
    uint16_t half[30];
    assert_int_equal(s->read(ctx, s, &w, LIMN_BF16, half), LIMN_OK);
    for (int i = 0; i < 30; i++) assert_int_equal(half[i], limn_f32_to_bf16(x[i]));
    limn_source_free(s);
    limn_lora_free(lora);
}

/* ---- what is wrong ---------------------------------------------------------------------------------------------------- */

static void refused(limn_ctx *ctx, file *f, const char *says)
{
    limn_lora *lora = written(ctx, f, 0, NULL);
    if (lora || !strstr(limn_error_text(ctx), says))
        print_message("expected \"%s\", found \"%s\"\n", says, limn_error_text(ctx));
    assert_null(lora);
    assert_non_null(strstr(limn_error_text(ctx), says));
}

static void files_that_are_wrong(void **state)
{
    limn_ctx *ctx = *state;
    file f = {0};
    add(&f, LIMN_SHAPE(2, 5), "%s.weight", "conv_in"), refused(ctx, &f, "no LoRA: of its 1 tensors none has a name of one");
    add(&f, LIMN_SHAPE(2, 5), K "lora_down.weight", "a"), refused(ctx, &f, "module \"a\" lacks a tensor");
    add(&f, LIMN_SHAPE(0, 5), K "lora_down.weight", "a"), add(&f, LIMN_SHAPE(6, 0), K "lora_up.weight", "a");
    refused(ctx, &f, "module \"a\" has a rank of 0");
    add(&f, LIMN_SHAPE(2, 5), K "lora_down.weight", "a"), add(&f, LIMN_SHAPE(6, 2), K "lora_up.weight", "a");
    add_number(&f, K "alpha", "a", 1e9f), refused(ctx, &f, "an alpha of more than 1000 times its rank");
    add(&f, LIMN_SHAPE(2, 5), K "lora_down.weight", "a"), add(&f, LIMN_SHAPE(6, 2), K "lora_up.weight", "a");
    add_number(&f, K "alpha", "a", NAN), refused(ctx, &f, "an alpha of more than");
    add(&f, LIMN_SHAPE(2, 5), K "lora_down.weight", "a"), add(&f, LIMN_SHAPE(6, 2), K "lora_up.weight", "a");
    add(&f, LIMN_SHAPE(2), K "alpha", "a"), refused(ctx, &f, "an alpha that is no single number");
    add(&f, LIMN_SHAPE(2, 5), K "lora_down.weight", "a"), add(&f, LIMN_SHAPE(2, 5), "unet.%s.lora_A.weight", "a");
    refused(ctx, &f, "comes twice, under two spellings");
    add(&f, LIMN_SHAPE(2, 5), K "oft_blocks", "a"), refused(ctx, &f, "is of OFT, which is not read");
    add(&f, LIMN_SHAPE(2, 5), K "a1.weight", "a"), refused(ctx, &f, "is of GLoRA, which is not read");
}

static void tags_of_prompts(void **state)
{
    limn_ctx *ctx = *state;
    static const char prompt[] =
        "a <lora:one> cat <lora:two:0.5><lyco:three:0.25:0.75> and <lora:four:unet=2:te=3> <b> <lora:";
    static const struct {
        const char *name;
        double denoiser, text;
    } want[] = {{"one", 1, 1}, {"two", 0.5, 0.5}, {"three", 0.75, 0.25}, {"four", 2, 3}};
    limn_lora_tag tag;
    bool found;
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(limn_lora_tag_next(ctx, prompt, &at, &tag, &found), LIMN_OK);
        assert_true(found && tag.denoiser == want[i].denoiser && tag.text == want[i].text);
        assert_string_equal(tag.name, want[i].name);
    }
    assert_true(limn_lora_tag_next(ctx, prompt, &at, &tag, &found) == LIMN_OK && !found);
    char *rest = limn_lora_tags_remove(prompt);
    assert_string_equal(rest, "a  cat  and  <b> <lora:");
    free(rest);
    static const char *const wrong[] = {"<lora:>",      "<lora:a:>",     "<lora:a:x>",    "<lora:a:0.8abc>",
                                        "<lora:a:nan>", "<lora:../a:1>", "<lora:/etc/a>", "<lora:a:1e9>"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        at = 0;
        assert_int_equal(limn_lora_tag_next(ctx, wrong[i], &at, &tag, &found), LIMN_BAD_ARGUMENT);
    }
}

static int setup(void **state) { return !(*state = limn_ctx_new()); }

static int teardown(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_every_program),
        cmocka_unit_test(weights_are_those_of_lycoris_and_peft),
        cmocka_unit_test(halves_of_rows_may_be_in_another_order),
        cmocka_unit_test(networks_for_inpainting_are_changed_where_they_are_alike),
        cmocka_unit_test(alpha_is_also_found_in_metadata),
        cmocka_unit_test(alphas_of_modules_are_found_by_their_names),
        cmocka_unit_test(a_source_is_changed_while_it_is_read),
        cmocka_unit_test(files_that_are_wrong),
        cmocka_unit_test(tags_of_prompts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
