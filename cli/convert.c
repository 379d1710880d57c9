/* convert.c: limn convert IN OUT: weights in another type, format or under other names. */
#include "cli.h"
#include "progress.h"

static const char help[] =
    "limn convert IN OUT [flags]\n"
    "\n"
    "Weights in another type, format, or under other names.  IN: a file (safetensors, an index of several, GGUF, or of\n"
    "torch.save()), or a folder of diffusers, whose networks become one file.  OUT: .safetensors, .sft or .gguf.\n"
    "\n"
    "  --type T        f32, f16, bf16; in GGUF also blocks: q8_0, q4_0, q4_1, q5_0, q5_1, iq4_nl, q2_k, q3_k, q4_k, q5_k,\n"
    "                  q6_k (each tensor its own).  Biases, norms, convolutions, embeddings, first and last layers stay\n"
    "                  out of blocks, all but vectors in 16 bits at most; a line says how many and why\n"
    "  --dialect D     whose names: original (of the published repositories and whole checkpoints), diffusers,\n"
    "                  diffusers-old (before 0.18), transformers-5 (diffusers, text encoders as transformers 5 has them)\n"
    "                  (names stay).  Tensors of no network are left out\n"
    "  --part P        one network alone, without what its names begin with: denoiser, text, vae\n"
    "  --format F      safetensors, gguf (as OUT ends)\n"
    "  --weights W     of several sets of weights: ema, raw, or what their names begin with (ema); with --dialect, --part\n"
    "  --threads N     (one for each core)\n"
    "  -q, --quiet     no progress\n"
    "\n"
    "examples:\n"
    "  limn convert sd15.safetensors sd15-q8_0.gguf --type q8_0\n"
    "  limn convert v1-5-pruned.ckpt sd15-f16.safetensors --type f16\n"
    "  limn convert stable-diffusion-v1-5/ sd15.safetensors --dialect original\n"
    "  limn convert sd15.safetensors unet/diffusion_pytorch_model.safetensors --part denoiser --dialect diffusers\n"
    "\n"
    "A piece of a tensor is in memory at a time.  What keeps its type keeps its bytes; metadata are kept.  OUT is written\n"
    "beside its place and renamed when it is whole; it cannot be IN.\n"
    "Exit code 2: a wrong flag, file or type.\n";

typedef struct words {
    const char *type, *dialect, *part, *format, *weights, *threads;
    bool quiet, help;
} words;

static int run(limn_ctx *ctx, const words *w, const char *in, const char *out)
{
    cli_progress progress = cli_progress_begin(w->quiet, false);
    long threads = 0;
    if (!cli_integer("--threads", w->threads, 1, 1024, &threads)) return 2;
    if (w->weights && !w->dialect && !w->part)
        return cli_lacks("--weights expects --dialect or --part: without them all sets of weights are written"), 2;
    limn_ctx_set_log(ctx, cli_progress_tell, &progress);
    if (!w->quiet) limn_ctx_set_progress(ctx, cli_progress_show, &progress);
    limn_status status = limn_ctx_set_threads(ctx, (int)threads);
    if (status == LIMN_OK && w->weights) status = limn_ctx_set_weights(ctx, w->weights);
    const limn_convert_options options = {w->type, w->dialect, w->part, w->format};
    if (status == LIMN_OK) status = limn_convert_file(ctx, in, out, &options);
    cli_progress_clear(&progress);
    if (status != LIMN_OK) return cli_fail(ctx, status);
    cli_tell_written(out);
    return 0;
}

int cli_convert(int argc, char **argv)
{
    words w = {.type = NULL};
    const char *path[2] = {NULL};
    const cli_flag flags[] = {{"-h", "--help", NULL, &w.help},         {NULL, "--type", &w.type, NULL},
                              {NULL, "--dialect", &w.dialect, NULL},   {NULL, "--part", &w.part, NULL},
                              {NULL, "--format", &w.format, NULL},     {NULL, "--weights", &w.weights, NULL},
                              {NULL, "--threads", &w.threads, NULL},   {"-q", "--quiet", NULL, &w.quiet},
                              {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, path, 2);
    if (w.help) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (n < 2)
        return fputs("limn convert: expected two files: limn convert in.safetensors out.gguf --type q8_0\n", stderr), 2;
    limn_ctx *ctx = cli_ctx_new();
    if (!ctx) return 1;
    int code = run(ctx, &w, path[0], cli_output(path[1]));
    cli_ctx_free(ctx);
    return code;
}
