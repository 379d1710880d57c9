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
    "  --batch 32  --steps 1000  --minutes 0  --lr 5e-4  --warmup 100  --decay 0 (steps of falling rate at the end; 0: all)  --weight-decay 0.01  --clip 1  --ema 0.999  --drop 0.1\n"
    "  --save-every 500  --precision auto|f32|bf16  --threads 0  -s, --seed 42\n"
    "  --recompute PREFIX  save memory: parts named so (\"blocks.\") are computed a second time in the backward pass\n"
    "  --schedule flow|linear|scaled_linear|cosine   rectified flow (default), or the betas of DDPM, Stable Diffusion, Nichol & Dhariwal\n"
    "  --prediction flow|eps|v|x0  what the network outputs (default: flow for the flow schedule, else eps)\n"
    "  --weighting uniform|min-snr|velocity   --gamma 5 (min-snr)\n"
    "  --shift 1  --time-mean 0  --time-std 1  flow timesteps: logit-normal, 0 spread is uniform; a mean above 0 sees more noise\n"
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

/* Words of --schedule, --prediction, --weighting, --precision. */
typedef struct train_words {
    const char *schedule, *prediction, *weighting, *precision;
} train_words;

static bool wrong_word(const char *flag, const char *expected, const char *found)
{
    fprintf(stderr, "limn train: %s is one of %s, found \"%.100s\"\n", flag, expected, found);
    return false;
}

static bool read_words(const train_words *w, limn_train_options *o)
{
    if (w->schedule && !limn_schedule_find(w->schedule, &o->objective.schedule.kind))
        return wrong_word("--schedule", "flow, linear, scaled_linear, cosine", w->schedule);
    if (w->schedule && !strcmp(w->schedule, "scaled_linear")) o->objective.schedule.beta_start = 0.00085, o->objective.schedule.beta_end = 0.012;
    if (o->objective.schedule.kind != LIMN_SCHEDULE_FLOW) o->objective.prediction = LIMN_PREDICT_EPS;
    if (w->prediction && !limn_prediction_find(w->prediction, &o->objective.prediction))
        return wrong_word("--prediction", "flow, eps, v, x0", w->prediction);
    if (w->weighting && !limn_weighting_find(w->weighting, &o->objective.weighting))
        return wrong_word("--weighting", "uniform, min-snr, velocity", w->weighting);
    static const char *const precisions[] = {"auto", "f32", "bf16"};
    for (int i = 0; w->precision && i < 3; i++)
        if (!strcmp(w->precision, precisions[i])) {
            o->precision = (limn_precision)i;
            return true;
        }
    return !w->precision || wrong_word("--precision", "auto, f32, bf16", w->precision);
}

typedef struct train_number {
    const char *flag;
    double low, high;
    long *whole;
    double *real;
    const char *text;
} train_number;

static bool read_numbers(train_number *numbers, int n)
{
    for (int i = 0; i < n; i++) {
        train_number *x = &numbers[i];
        if (x->whole ? !cli_integer(x->flag, x->text, (long)x->low, (long)x->high, x->whole) : !cli_real(x->flag, x->text, x->low, x->high, x->real)) return false;
    }
    return true;
}

int cli_train(int argc, char **argv)
{
    limn_train_options o = limn_train_defaults();
    const char *net = NULL, *set = NULL;
    train_words words = {0};
    bool asked = false;
    long batch = o.batch, steps = o.steps, warmup = o.warmup, every = o.save_every, decay = 0, threads = 0, seed = 42;
    double minutes = 0;
    train_number numbers[] = {
        {"--batch", 1, 65536, &batch, NULL, NULL}, {"--steps", 1, 1e9, &steps, NULL, NULL}, {"--warmup", 0, 1e9, &warmup, NULL, NULL},
        {"--save-every", 1, 1e9, &every, NULL, NULL}, {"--threads", 0, 1024, &threads, NULL, NULL}, {"--seed", 0, 0x1p62, &seed, NULL, NULL},
        {"--decay", 0, 1e9, &decay, NULL, NULL}, {"--minutes", 0, 1e6, NULL, &minutes, NULL}, {"--lr", 0, 10, NULL, &o.lr, NULL}, {"--weight-decay", 0, 10, NULL, &o.weight_decay, NULL},
        {"--clip", 0, 1e6, NULL, &o.clip, NULL}, {"--ema", 0, 1, NULL, &o.ema, NULL}, {"--drop", 0, 1, NULL, &o.drop, NULL},
        {"--gamma", 0, 1e6, NULL, &o.objective.gamma, NULL}, {"--shift", 0.01, 100, NULL, &o.objective.schedule.shift, NULL},
        {"--time-mean", -20, 20, NULL, &o.objective.time_mean, NULL}, {"--time-std", 0, 20, NULL, &o.objective.time_std, NULL},
    };
    enum { N_NUMBERS = sizeof numbers / sizeof *numbers };
    cli_flag flags[N_NUMBERS + 16] = {
        {NULL, "--data", &o.data, NULL}, {NULL, "--where", &o.where, NULL}, {"-o", "--out", &o.out, NULL}, {NULL, "--set", &set, NULL},
        {NULL, "--merges", &o.merges, NULL}, {NULL, "--schedule", &words.schedule, NULL}, {NULL, "--prediction", &words.prediction, NULL},
        {NULL, "--weighting", &words.weighting, NULL}, {NULL, "--precision", &words.precision, NULL}, {NULL, "--flip", NULL, &o.flip},
        {NULL, "--recompute", &o.recompute, NULL},
        {NULL, "--resume", NULL, &o.resume}, {"-h", "--help", NULL, &asked},
    };
    int n_flags = 0;
    while (flags[n_flags].longer) n_flags++;
    for (int i = 0; i < N_NUMBERS; i++) {
        const char *f = numbers[i].flag, *shorter = !strcmp(f, "--batch") ? "-b" : !strcmp(f, "--threads") ? "-t" : !strcmp(f, "--seed") ? "-s" : NULL;
        flags[n_flags++] = (cli_flag){shorter, f, &numbers[i].text, NULL};
    }
    int n = cli_parse(argc, argv, flags, &net, 1);
    if (asked) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (!net || !o.data || !o.out) return fprintf(stderr, "limn train: expected NET, --data and --out; see limn train --help\n"), 2;
    if (!read_numbers(numbers, N_NUMBERS) || !read_words(&words, &o)) return 2;
    o.batch = (int)batch, o.steps = steps, o.warmup = warmup, o.decay = decay, o.save_every = every, o.seed = (uint64_t)seed, o.seconds = 60 * minutes;

    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return fprintf(stderr, "limn: out of memory\n"), 1;
    o.report = report, o.user = &o.batch;
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    limn_ctx_set_progress(ctx, go_on, NULL);
    limn_status status = limn_ctx_set_threads(ctx, (int)threads);
    if (status == LIMN_OK) status = limn_settings_find(ctx, net, &o.settings);
    if (status == LIMN_OK) status = cli_apply_sets(ctx, argc, argv, &o.settings);
    if (status == LIMN_OK) status = limn_train(ctx, &o);
    int code = status == LIMN_OK ? 0 : cli_fail(ctx, status);
    limn_ctx_free(ctx);
    return code;
}
