/* train.c: limn train NET --data FOLDER --out RUN */
#include "cli.h"
#include "train/trainer.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "limn train NET --data FOLDER --out RUN [flags]\n"
    "\n"
    "  --data FOLDER     folder with metadata.jsonl (file_name, text), or \"shapes\": pictures made on the fly\n"
    "  --where F=V,...   only rows whose fields have these values (split=train,style=noto)\n"
    "  --out RUN         run folder: model.safetensors, checkpoint.safetensors, log.csv\n"
    "  --set NAME=VALUE  a setting of the network (several: \"a=1 b=2\"); limn describe NET lists them\n"
    "  --merges FILE     merges of CLIP's tokenizer; without it every byte is a token\n"
    "  --objective flow|noise   rectified flow (default) or DDPM noise prediction\n"
    "  --batch 32  --steps 1000  --minutes 0  --lr 5e-4  --warmup 100  --weight-decay 0.01  --clip 1  --ema 0.999  --drop 0.1\n"
    "  --save-every 500  --precision auto|f32|bf16  --threads 0  -s, --seed 42\n"
    "  --flip            mirror half of the pictures\n"
    "  --resume          go on from RUN/checkpoint.safetensors\n"
    "\n"
    "example: limn train mmdit-emoji --data shapes --set \"size=32 patch=4 depth=4\" --out runs/shapes --steps 2000\n";

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static bool go_on(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)what, (void)done, (void)total;
    return !stopped;
}

static void report(void *user, int64_t step, int64_t steps, double loss, double lr, double norm, double rate)
{
    int batch = *(int *)user;
    double left = (double)(steps - step) * batch / rate;
    bool terminal = isatty(STDERR_FILENO);
    fprintf(stderr, "%sstep %lld/%lld  loss %.4f  lr %.2g  gradient %.3f  %.1f images/s  %02d:%02d left%s", terminal ? "\r" : "", (long long)step,
            (long long)steps, loss, lr, norm, rate, (int)(left / 60), (int)left % 60, terminal ? "\033[K" : "\n");
    if (terminal && step == steps) fputc('\n', stderr);
}

static limn_status set_all(limn_ctx *ctx, limn_settings *s, const char *text)
{
    char joined[2048], whole[1024];
    snprintf(joined, sizeof joined, "%s %s", limn_settings_text(s, whole), text);
    return limn_settings_parse(ctx, joined, s);
}

int cli_train(int argc, char **argv)
{
    limn_train_options o = limn_train_defaults();
    const char *net = NULL, *set = NULL, *objective = NULL, *batch = NULL, *steps = NULL, *minutes = NULL, *lr = NULL, *warmup = NULL, *decay = NULL,
               *clip = NULL, *ema = NULL, *drop = NULL, *every = NULL, *precision = NULL, *threads = NULL, *seed = NULL;
    bool asked = false;
    const cli_flag flags[] = {
        {NULL, "--data", &o.data, NULL}, {NULL, "--where", &o.where, NULL}, {"-o", "--out", &o.out, NULL}, {NULL, "--set", &set, NULL},
        {NULL, "--merges", &o.merges, NULL}, {NULL, "--objective", &objective, NULL}, {"-b", "--batch", &batch, NULL}, {NULL, "--steps", &steps, NULL},
        {NULL, "--minutes", &minutes, NULL}, {NULL, "--lr", &lr, NULL}, {NULL, "--warmup", &warmup, NULL}, {NULL, "--weight-decay", &decay, NULL},
        {NULL, "--clip", &clip, NULL}, {NULL, "--ema", &ema, NULL}, {NULL, "--drop", &drop, NULL}, {NULL, "--save-every", &every, NULL},
        {NULL, "--precision", &precision, NULL}, {"-t", "--threads", &threads, NULL}, {"-s", "--seed", &seed, NULL}, {NULL, "--flip", NULL, &o.flip},
        {NULL, "--resume", NULL, &o.resume}, {"-h", "--help", NULL, &asked}, {NULL, NULL, NULL, NULL},
    };
    int n = cli_parse(argc, argv, flags, &net, 1);
    if (asked) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (!net || !o.data || !o.out) return fprintf(stderr, "limn train: expected NET, --data and --out; see limn train --help\n"), 2;
    long b = o.batch, st = o.steps, w = o.warmup, e = o.save_every, th = 0, sd = 42;
    double mins = 0;
    if (!cli_integer("--batch", batch, 1, 65536, &b) || !cli_integer("--steps", steps, 1, 1000000000, &st) || !cli_integer("--warmup", warmup, 0, 1000000000, &w) ||
        !cli_integer("--save-every", every, 1, 1000000000, &e) || !cli_integer("--threads", threads, 0, 1024, &th) ||
        !cli_integer("--seed", seed, 0, 0x7fffffffffffffff, &sd) || !cli_real("--minutes", minutes, 0, 1e6, &mins) || !cli_real("--lr", lr, 0, 10, &o.lr) ||
        !cli_real("--weight-decay", decay, 0, 10, &o.weight_decay) || !cli_real("--clip", clip, 0, 1e6, &o.clip) || !cli_real("--ema", ema, 0, 1, &o.ema) ||
        !cli_real("--drop", drop, 0, 1, &o.drop))
        return 2;
    o.batch = (int)b, o.steps = st, o.warmup = w, o.save_every = e, o.seed = (uint64_t)sd, o.seconds = 60 * mins;
    if (objective && strcmp(objective, "flow") != 0 && strcmp(objective, "noise") != 0)
        return fprintf(stderr, "limn train: --objective is flow or noise, found \"%.100s\"\n", objective), 2;
    o.objective = objective && strcmp(objective, "noise") == 0 ? LIMN_NOISE : LIMN_FLOW;
    if (precision && strcmp(precision, "auto") != 0 && strcmp(precision, "f32") != 0 && strcmp(precision, "bf16") != 0)
        return fprintf(stderr, "limn train: --precision is auto, f32 or bf16, found \"%.100s\"\n", precision), 2;
    if (precision) o.precision = precision[0] == 'f' ? LIMN_PRECISION_F32 : precision[0] == 'b' ? LIMN_PRECISION_BF16 : LIMN_PRECISION_AUTO;

    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return fprintf(stderr, "limn: out of memory\n"), 1;
    int batch_size = o.batch;
    o.report = report, o.user = &batch_size;
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    limn_ctx_set_progress(ctx, go_on, NULL);
    limn_status status = limn_ctx_set_threads(ctx, (int)th);
    if (status == LIMN_OK) status = limn_settings_find(ctx, net, &o.settings);
    if (status == LIMN_OK && set) status = set_all(ctx, &o.settings, set);
    if (status == LIMN_OK) status = limn_train(ctx, &o);
    int code = status == LIMN_OK ? 0 : cli_fail(ctx, status);
    limn_ctx_free(ctx);
    return code;
}
