/* test_gguf_draws.c: a checkpoint of Stable Diffusion as GGUF: it draws the bytes that its numbers draw from a file of f32,
 * its blocks stay blocks in memory, and a LoRA changes it all the same. */
#include "make_gguf.h"
#include "make_published.h"
#include "pipeline/pipeline.h"

#include "limn/graph.h"

#include <sys/stat.h>

enum { WIDTH = 64, HEIGHT = 40, PIXELS = WIDTH * HEIGHT * 3 };
static const char quantised[] = "gguf-sd/v1.gguf", decoded[] = "gguf-sd/v1.safetensors";

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static bool is_matrix(const limn_named_view *v)
{
    return v->view.shape.rank == 2 && v->view.shape.dim[1] % 32 == 0 && !strstr(v->name, "embedding");
}

/* As ggml does it: the largest of 32 becomes 127. */
static void put_q8_0(gguf_bytes *g, const float *x)
{
    float most = 0, d;
    uint16_t half;
    for (int i = 0; i < 32; i++) most = fmaxf(most, fabsf(x[i]));
    d = most / 127;
    limn_convert(&d, LIMN_F32, &half, LIMN_F16, 1);
    gguf_whole(g, 2, half);
    for (int i = 0; i < 32; i++) gguf_whole(g, 1, (uint8_t)(int8_t)lrintf(d > 0 ? x[i] / d : 0));
}

static size_t bytes_of(const limn_named_view *v)
{
    size_t n = (size_t)limn_shape_count(&v->view.shape);
    return is_matrix(v) ? n / 32 * 34 : v->view.shape.rank > 1 ? 2 * n : 4 * n;
}

static void put_values(gguf_bytes *g, const limn_named_view *v)
{
    size_t n = (size_t)limn_shape_count(&v->view.shape);
    const float *x = v->view.data;
    if (is_matrix(v))
        for (size_t i = 0; i < n; i += 32) put_q8_0(g, x + i);
    else if (v->view.shape.rank > 1) {
        uint16_t *half = malloc(n * sizeof *half);
        limn_convert(x, LIMN_F32, half, LIMN_F16, n);
        gguf_put(g, half, n * sizeof *half);
        free(half);
    } else
        gguf_put(g, x, n * sizeof *x);
    gguf_pad(g, 32);
}

static void write_gguf(const char *path, size_t n, const limn_named_view *view)
{
    gguf_bytes head = {0}, data = {0};
    uint64_t offset = 0;
    gguf_head(&head, 3, n, 0);
    for (size_t i = 0; i < n; i++) {
        const limn_shape *s = &view[i].view.shape;
        uint64_t dim[8] = {0};
        for (int k = 0; k < s->rank; k++) dim[k] = (uint64_t)s->dim[s->rank - 1 - k];
        gguf_tensor(&head, view[i].name, (uint32_t)s->rank, dim, is_matrix(&view[i]) ? 8 : s->rank > 1 ? 1 : 0, offset);
        offset += (bytes_of(&view[i]) + 31) / 32 * 32;
        put_values(&data, &view[i]);
    }
    assert_int_equal(data.n, offset);
    gguf_pad(&head, 32);
    FILE *file = fopen(path, "wb");
    assert_true(file && fwrite(head.bytes, 1, head.n, file) == head.n && fwrite(data.bytes, 1, data.n, file) == data.n);
    assert_int_equal(fclose(file), 0);
    free(head.bytes);
    free(data.bytes);
}

/* The numbers of one file in f32 in another. */
static void write_decoded(limn_ctx *ctx)
{
    static limn_named_view view[SD_MOST];
    limn_weight_file *st;
    OK(limn_weight_file_open(ctx, quantised, &st));
    size_t n = limn_weight_file_count(st);
    for (size_t i = 0; i < n; i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        limn_shape shape = {.rank = e->rank};
        for (int k = 0; k < e->rank; k++) shape.dim[k] = e->dim[k];
        view[i] = (limn_named_view){e->name, {LIMN_F32, shape, malloc(limn_entry_count(e) * sizeof(float))}};
        OK(limn_weight_file_load(ctx, st, e, view[i].view.data, LIMN_F32));
    }
    OK(limn_safetensors_write(ctx, decoded, n, view, 0, NULL));
    sd_free(n, view);
    limn_weight_file_close(st);
}

static void write_both(limn_ctx *ctx)
{
    static const sd_tensor *all[SD_MOST];
    static limn_named_view view[SD_MOST + 2];
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, all);
    mkdir("gguf-sd", 0777);
    sd_views(n, all, NULL, view);
    write_gguf(quantised, n, view);
    sd_free(n, view);
    write_decoded(ctx);
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

static unsigned char *drawn(limn_ctx *ctx, limn_pipeline *p, limn_precision precision)
{
    limn_generate_options o = limn_generate_defaults();
    limn_image image;
    unsigned char *pixels = malloc(PIXELS);
    o.prompt = "a lighthouse at night", o.width = WIDTH, o.height = HEIGHT, o.steps = 3, o.guidance = 5;
    o.precision = precision;
    OK(limn_generate(p, &o, &image));
    memcpy(pixels, image.pixels, PIXELS);
    limn_image_free(&image);
    return pixels;
}

static void it_draws_what_its_numbers_draw(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_both(ctx);
    for (int k = 0; k < 2; k++) {
        limn_precision precision = k ? LIMN_PRECISION_AUTO : LIMN_PRECISION_F32;
        limn_pipeline *narrow, *wide;
        OK(limn_pipeline_open(ctx, quantised, &narrow));
        OK(limn_pipeline_open(ctx, decoded, &wide));
        unsigned char *a = drawn(ctx, narrow, precision), *b = drawn(ctx, wide, precision);
        int worst = 0;
        for (int i = 0; i < PIXELS; i++) worst = abs(a[i] - b[i]) > worst ? abs(a[i] - b[i]) : worst;
        assert_true(worst <= 1); /* f32: oneDNN adds up in another order than the tiles that widen */
        size_t few = limn_net_bytes(narrow->recipe.part[0].net), many = limn_net_bytes(wide->recipe.part[0].net);
        if (!k) assert_true(few * 10 < many * 6);
        free(a), free(b);
        limn_pipeline_free(narrow);
        limn_pipeline_free(wide);
    }
    limn_ctx_free(ctx);
}

static void a_lora_changes_it(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char module[] = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v";
    limn_pipeline *p;
    char name[2][120];
    limn_named_view view[2];
    write_both(ctx);
    OK(limn_pipeline_open(ctx, quantised, &p));
    unsigned char *plain = drawn(ctx, p, LIMN_PRECISION_F32);
    for (int k = 0; k < 2; k++) {
        float *x = malloc(64 * 4 * sizeof *x);
        snprintf(name[k], sizeof name[k], "%s.lora_%s.weight", module, k ? "up" : "down");
        formula_fill(name[k], 64 * 4, 1, x);
        view[k] = (limn_named_view){name[k], {LIMN_F32, k ? LIMN_SHAPE(64, 4) : LIMN_SHAPE(4, 64), x}};
    }
    limn_lora_file file = {"gguf-sd/lora.safetensors", 1, 1};
    OK(limn_safetensors_write(ctx, file.path, 2, view, 0, NULL));
    sd_free(2, view);
    OK(limn_pipeline_set_loras(p, 1, &file));
    unsigned char *changed = drawn(ctx, p, LIMN_PRECISION_F32);
    assert_memory_not_equal(plain, changed, PIXELS);
    free(plain), free(changed);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_draws_what_its_numbers_draw),
                                       cmocka_unit_test(a_lora_changes_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
