/* train.c: limn train NET --data FOLDER --out RUN */
#include "cli.h"
#include "ranks.h"
#include "train_flags.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "limn train NET --data FOLDER --out RUN [flags]\n"
    "\n"
    "  --data FOLDER     pictures (PNG, JPEG, WebP) with metadata.jsonl (file_name, text), with a .txt or .caption beside "
    "each, or in folders named\n"
    "                    by class; or MNIST as published (train-images-idx3-ubyte.gz); or \"shapes\": pictures made on the "
    "fly\n"
    "  --latents FOLDER  instead of --data: latents that limn encode made; limn generate turns what the network makes into "
    "pictures,\n"
    "                    with the autoencoder in RUN/vae, else the one that made the latents\n"
    "  --where F=V,...   only rows whose fields have these values (split=train,style=noto)\n"
    "  --caption-field text  --label-field label   other fields of metadata.jsonl; without the first \"text\", else "
    "\"caption\" or \"prompt\".\n"
    "                    Several captions a picture: \"text,keywords\" or \"text:0.7,keywords:0.3\" (weights; 1 without), "
    "and a field may be a list of\n"
    "                    texts: every sample draws a field, then one of its texts\n"
    "  --no-captions     train a network that reads text though no picture has a caption\n"
    "  --crop random|centre|squash   how pictures become squares (random)\n"
    "  -o, --out RUN     run folder: model.safetensors, checkpoint.safetensors, log.csv, TensorBoard events, samples\n"
    "  --set NAME=VALUE  a setting of the network (several: \"a=1 b=2\"); limn describe NET --settings lists them\n"
    "  --merges FILE     merges of CLIP's tokenizer; without it every byte is a token\n"
    "  --init FILE       start from these weights (safetensors, or .pt, .pth, .ckpt of torch.save()); of several sets in it "
    "the raw ones,\n"
    "                    --weights ema|raw|NAME another; NAME is what their tensors begin with\n"
    "  --resume  go on from RUN/checkpoint.safetensors; a new run there keeps those of an older one as\n"
    "            checkpoint.old.safetensors and log.old.csv\n"
    "\n"
    "  --steps 1000      optimizer steps   --minutes 0  stop and save after this time (0: never)\n"
    "  -b, --batch 32    pictures at once  --accumulate 1  so many batches make one step\n"
    "  --lr 5e-4  --warmup 100  --decay 0 (steps of falling rate at the end; 0: all)  --weight-decay 0.01\n"
    "  --clip 1 (largest norm of a gradient; 0: none)  --ema 0.999\n"
    "  --drop 0.1        share of captions replaced by \"\", of labels by \"none\": what guidance needs\n"
    "  --flip            mirror half of the pictures\n"
    "  --freeze PREFIX   parameters named so do not learn (with --init: \"text_encoder.\", or \"encoder.,quant_conv.\")\n"
    "  --recompute PREFIX  save memory: parts named so (\"blocks.\") are computed a second time in the backward pass\n"
    "  --precision auto|f32|bf16|exact  -t, --threads 0 (0: all cores)  -s, --seed 42\n"
    "\n"
    "  --schedule flow|linear|scaled_linear|cosine   rectified flow (default), or the betas of DDPM, Stable Diffusion, "
    "Nichol & Dhariwal\n"
    "  --prediction flow|eps|v|x0  what the network outputs (default: flow for the flow schedule, else eps)\n"
    "  --weighting uniform|min-snr|velocity   --gamma 5 (min-snr)\n"
    "  --shift 1  --time-mean 0  --time-std 1  flow timesteps: logit-normal, 0 spread is uniform; a mean above 0 sees more "
    "noise\n"
    "  --contrastive 0   weight of an InfoNCE term between text and picture; dropped captions take no part,\n"
    "                    and with --accumulate each part has negatives of its own\n"
    "  --kl 1e-6         autoencoders: weight of the KL term   --differences 0  weight of differences between neighbours "
    "(1: less grain)\n"
    "  --discriminator 0 weight of a patch discriminator (0: none), from step --discriminator-start 2000 on\n"
    "\n"
    "networks of classes (unet): RUN/model.safetensors is for limn segment\n"
    "  --data FOLDER     images/ and masks/ (or image/ and label/) with the same names, or nnU-Net's dataset.json, "
    "imagesTr/ and labelsTr/ (CASE_0000, a\n"
    "                    file a channel; version 1 and the Medical Segmentation Decathlon, too): PNG, JPEG, WebP, TIFF (8, "
    "16 bits, floats;\n"
    "                    pages are slices), NIfTI (.nii, .nii.gz; slices along the last axis)\n"
    "  --mask-values \"0,255\"  which values of the masks (whole numbers to 65535; of a palette its indices) are classes 0, "
    "1, ..; behind a semicolon\n"
    "                    those to ignore.  Without it 0,255 where masks hold nothing else, or 0, 1, 2 .. and 255 is "
    "ignored; what was\n"
    "                    understood is said before the first step.  half: more than half of white is class 1 (soft edges, "
    "JPEG)\n"
    "  --range auto      what becomes 0 and 1: minmax, percentiles (0.5 and 99.5 of each file), or A,B as 0,4095; auto: "
    "0,255 where\n"
    "                    all files hold bytes, else percentiles, of all files.  The model keeps it for limn segment\n"
    "  --hold-out \"24..29\" or --fold 0/5  pictures, whole volumes, that are not trained on; scored after the last step "
    "and every --sample-every (one is\n"
    "                    drawn): RUN/held_out.csv\n"
    "  --loss ce|bce|dice|dice-ce|focal (ce)   --class-weights \"1,2\"\n"
    "  --augment default|none|\"rotate=15 scale=0.15 elastic=10 grid=128 brightness=0.1 contrast=0.25 gamma=0.25 noise=0.03 "
    "flip=1 turn=1\"\n"
    "                    (the default; what is not named is off; grid: pixels between the nodes that elastic moves; "
    "mirror=1: left and right only)\n"
    "\n"
    "  --save-every 500  --log-every 20  --sample-every 0 (0: no samples)\n"
    "  --sample-prompts \"a cat|a dog\"  what to draw into RUN/samples; default: the first captions or classes of the data\n"
    "\n"
    "Interrupted (Ctrl-C, SIGTERM, SIGHUP; exit code 128 + n) or told that time is up (SIGUSR1; exit code 0) it finishes "
    "the step and saves; the same\n"
    "command with --resume (in place of --init) goes on with the same bits.  Ctrl-C again ends at once: the last checkpoint "
    "stays.\n"
    "Under mpirun (make mpi; docs/cluster.md) all processes are one training: mpirun -n 8 limn train .. makes the bits of "
    "--accumulate 8 in one;\n"
    "--inner-steps H lets each go H steps of its own between two of all (DiLoCo), for machines joined by a slow network; "
    "--comm-dtype bf16 sends half of the bytes;\n"
    "--shard-state divides moments and EMA among them: less memory, the same bits; "
    "--sync-norm: batch norm sees the pictures of all processes together.\n"
    "example: limn train mmdit-emoji --data shapes --set \"size=32 patch=4 depth=4\" --out runs/shapes --steps 2000\n";

/* ---- signals: SIGHUP, SIGINT, SIGTERM, SIGUSR1 finish the step, and save ---------------------------------------------- */

static volatile sig_atomic_t stopped; /* by this signal */
static bool training;                 /* there is something to save */

/* Only Ctrl-C that is pressed again ends at once: terminals, shells and timeout(1) send one signal twice by themselves. */
static void stop(int number)
{
    static const double again = 0.25;
    static volatile double pressed;
    double now = limn_seconds();
    if (number == SIGINT && pressed && now - pressed >= again) cli_end_by(number);
    if (number == SIGINT && !pressed) pressed = now;
    if (!stopped) stopped = number;
}

/* Before the first step there is nothing to save: signals end the program at once, but for SIGUSR1, which waits for that
 * step. */
static bool go_on(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)done, (void)total;
    if (training) return !stopped;
    training = strcmp(what, "start") == 0;
    if (training) cli_handle(SIGHUP, stop), cli_handle(SIGINT, stop), cli_handle(SIGTERM, stop);
    return true;
}

/* ---- what is told ----------------------------------------------------------------------------------------------------- */

/* A closed pipe or terminal, a full disk: told once, on stdout. */
static void check_heard(void)
{
    static bool told;
    if (told || !ferror(stderr)) return;
    told = true;
    dprintf(STDOUT_FILENO,
            "limn train: messages can no longer be written to stderr (%s); training goes on, and log.csv in its folder "
            "tells how far it is\n",
            strerror(errno));
}

static void report(void *user, const limn_train_report *r)
{
    double pictures = *(double *)user, rate = r->pictures_a_second;
    long left = rate > 0 ? (long)((double)(r->steps - r->step) * pictures / rate) : 0;
    bool terminal = isatty(STDERR_FILENO);
    fprintf(stderr, "%sstep %lld/%lld  loss %.4f  lr %.2g  gradient %.3f  %.1f images/s  %ld:%02ld:%02ld left%s",
            terminal ? "\r" : "", (long long)r->step, (long long)r->steps, r->loss, r->lr, r->gradient, rate, left / 3600,
            left / 60 % 60, left % 60, terminal ? "\033[K" : "\n");
    if (terminal && r->step == r->steps) fputc('\n', stderr);
    check_heard();
}

/* What the trainer tells, on lines of its own. */
static void tell(void *user, limn_log_level level, const char *text)
{
    (void)user;
    if (level == LIMN_LOG_DEBUG) return;
    fprintf(stderr, "%s%s%s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", level == LIMN_LOG_WARN ? "warning: " : "", text);
    check_heard();
}

/* Words of --schedule, --prediction, --weighting, --precision, --crop, --loss, --augment, --fold, --class-weights. */
typedef struct train_words {
    const char *schedule, *prediction, *weighting, *precision, *crop, *loss, *augment, *fold, *class_weights, *range, *comm;
} train_words;

static bool wrong_word(const char *flag, const char *expected, const char *found)
{
    fprintf(stderr, "limn train: %s is one of %s, found \"%.100s\"\n", flag, expected, found);
    return false;
}

static bool wrong_value(const char *flag, const char *expected, const char *found)
{
    fprintf(stderr, "limn train: %s expects %s, found \"%.100s\"\n", flag, expected, found);
    return false;
}

static bool read_words(const train_words *w, limn_train_options *o)
{
    if (w->schedule && !limn_schedule_find(w->schedule, &o->objective.schedule.kind))
        return wrong_word("--schedule", "flow, linear, scaled_linear, cosine", w->schedule);
    if (w->schedule && !strcmp(w->schedule, "scaled_linear"))
        o->objective.schedule.beta_start = 0.00085, o->objective.schedule.beta_end = 0.012;
    if (o->objective.schedule.kind != LIMN_SCHEDULE_FLOW) o->objective.prediction = LIMN_PREDICT_EPS;
    if (w->prediction && !limn_prediction_find(w->prediction, &o->objective.prediction))
        return wrong_word("--prediction", "flow, eps, v, x0", w->prediction);
    if (w->weighting && !limn_weighting_find(w->weighting, &o->objective.weighting))
        return wrong_word("--weighting", "uniform, min-snr, velocity", w->weighting);
    int crop = 0, sums = 0;
    if (!cli_precision(w->precision, &o->precision) || !cli_choice("--crop", "random, centre, squash", w->crop, &crop) ||
        !cli_choice("--comm-dtype", "f32, bf16", w->comm, &sums))
        return false;
    o->crop = (limn_data_resize)crop, o->sums_in_bf16 = sums != 0;
    return true;
}

/* "rotate=15 noise=0.1": what is not named is off */
static bool read_augment(const char *text, limn_augment *a)
{
    if (strcmp(text, "default") == 0) return true;
    double flip = 0, mirror = 0, turn = 0;
    *a = limn_augment_none();
    if (strcmp(text, "none") == 0) return true;
    struct {
        const char *name;
        double *to;
    } known[] = {{"rotate", &a->rotate},
                 {"scale", &a->scale},
                 {"elastic", &a->elastic},
                 {"brightness", &a->brightness},
                 {"contrast", &a->contrast},
                 {"gamma", &a->gamma},
                 {"noise", &a->noise},
                 {"grid", &a->elastic_grid},
                 {"flip", &flip},
                 {"mirror", &mirror},
                 {"turn", &turn}};
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, "="), found = 0;
        char *end = NULL;
        while (found < sizeof known / sizeof *known &&
               (strlen(known[found].name) != n || strncmp(known[found].name, at, n) != 0))
            found++;
        if (found < sizeof known / sizeof *known && at[n]) *known[found].to = limn_number_parse(at + n + 1, &end);
        if (!end || end == at + n + 1 || (*end && *end != ' '))
            return wrong_word("--augment",
                              "default, none, or name=number of rotate, scale, elastic, grid, brightness, contrast, gamma, "
                              "noise, flip, mirror, turn",
                              at);
        const char *expected = cli_not_float(at + n + 1, end, *known[found].to);
        if (expected) return wrong_value("--augment", expected, at);
        at = end;
    }
    bool switches = (flip == 0 || flip == 1) && (mirror == 0 || mirror == 1) && (turn == 0 || turn == 1);
    if (!switches) return wrong_value("--augment", "flip, mirror and turn of 0 or 1", text);
    a->flip_x = flip != 0 || mirror != 0, a->flip_y = flip != 0, a->turn = turn != 0;
    return true;
}

enum { MAX_CLASS_WEIGHTS = 256 };
#define LEAST_WEIGHT 1e-20
#define MOST_WEIGHT 1e20

/* "1,2.5" */
static bool read_class_weights(const char *text, double weights[MAX_CLASS_WEIGHTS], limn_train_options *o)
{
    int n = 0;
    for (const char *at = text; n < MAX_CLASS_WEIGHTS; at++) {
        char *end;
        weights[n++] = limn_number_parse(at, &end);
        if (end == at || (*end && *end != ',')) break;
        double w = weights[n - 1];
        if (!(w == 0 || (w >= LEAST_WEIGHT && w <= MOST_WEIGHT)) ||
            cli_not_float(at, end, w)) /* their sum over all pixels must fit, too */
            return wrong_value("--class-weights", "weights of 0, or 1e-20 to 1e+20", text);
        if (!*(at = end)) return o->segment.weight = weights, o->segment.n_weights = n, true;
    }
    return wrong_word("--class-weights", "numbers with commas between", text);
}

/* "0/5": digits alone, and not so many that an int would not hold them */
static bool is_fold(const char *text)
{
    size_t n = strspn(text, "0123456789"), m = text[n] == '/' ? strspn(text + n + 1, "0123456789") : 0;
    return n > 0 && n < 10 && m > 0 && m < 10 && !text[n + 1 + m];
}

static bool read_segment_words(const train_words *w, double weights[MAX_CLASS_WEIGHTS], limn_train_options *o)
{
    char rest;
    if (w->fold && !is_fold(w->fold)) return wrong_word("--fold", "part/parts, as 0/5", w->fold);
    if (w->loss && !limn_segment_kind_find(w->loss, &o->segment.kind))
        return wrong_word("--loss", "ce, bce, dice, dice-ce, focal", w->loss);
    if (w->fold && sscanf(w->fold, "%d/%d%c", &o->fold, &o->folds, &rest) != 2)
        return wrong_word("--fold", "part/parts, as 0/5", w->fold);
    if (w->range && !limn_range_parse(w->range, &o->range))
        return wrong_word("--range", "auto, minmax, percentiles, LOW,HIGH as 0,4095", w->range);
    if (w->class_weights && !read_class_weights(w->class_weights, weights, o)) return false;
    return !w->augment || read_augment(w->augment, &o->augment);
}

/* A flag whose value is a number. */
typedef struct train_number {
    const char *shorter, *flag;
    double low, high;
    long *whole;
    double *real;
    const char *text;
} train_number;

enum { MAX_SET = 64 };

/* Everything on the command line. */
typedef struct train_line {
    limn_train_options o;
    const char *net, *set, *latents, *weights;
    train_words words;
    double class_weights[MAX_CLASS_WEIGHTS];
    long adversary_start;
    long inner_steps;
    long batch, accumulate, steps, warmup, decay, save_every, log_every, sample_every, threads, seed;
    double minutes;
    const char *used[MAX_SET + 1]; /* names of the flags that were there; ends with NULL */
    bool asked;
} train_line;

/* ---- the command line ------------------------------------------------------------------------------------------------- */

enum { MOST_NUMBERS = 32, MOST_WORDS = 32 };

static int list_numbers(train_line *l, train_number out[MOST_NUMBERS])
{
    limn_train_options *o = &l->o;
    const train_number numbers[] = {
        {"-b", "--batch", 1, 65536, &l->batch, NULL, NULL},
        {NULL, "--accumulate", 1, 65536, &l->accumulate, NULL, NULL},
        {NULL, "--inner-steps", 0, 1e9, &l->inner_steps, NULL, NULL},
        {NULL, "--steps", 1, 1e9, &l->steps, NULL, NULL},
        {NULL, "--warmup", 0, 1e9, &l->warmup, NULL, NULL},
        {NULL, "--decay", 0, 1e9, &l->decay, NULL, NULL},
        {NULL, "--save-every", 1, 1e9, &l->save_every, NULL, NULL},
        {NULL, "--log-every", 1, 1e9, &l->log_every, NULL, NULL},
        {NULL, "--sample-every", 0, 1e9, &l->sample_every, NULL, NULL},
        {"-t", "--threads", 0, 1024, &l->threads, NULL, NULL},
        {"-s", "--seed", 0, 0x1p62, &l->seed, NULL, NULL},
        {NULL, "--minutes", 0, 1e6, NULL, &l->minutes, NULL},
        {NULL, "--lr", 0, 10, NULL, &o->lr, NULL},
        {NULL, "--weight-decay", 0, 10, NULL, &o->weight_decay, NULL},
        {NULL, "--clip", 0, 1e6, NULL, &o->clip, NULL},
        {NULL, "--ema", 0, 1, NULL, &o->ema, NULL},
        {NULL, "--drop", 0, 1, NULL, &o->drop, NULL},
        {NULL, "--contrastive", 0, 1e3, NULL, &o->contrastive, NULL},
        {NULL, "--kl", 0, 1e3, NULL, &o->kl, NULL},
        {NULL, "--differences", 0, 1e3, NULL, &o->differences, NULL},
        {NULL, "--discriminator", 0, 1e3, NULL, &o->adversary, NULL},
        {NULL, "--discriminator-start", 0, 1e9, &l->adversary_start, NULL, NULL},
        {NULL, "--gamma", 0, 1e6, NULL, &o->objective.gamma, NULL},
        {NULL, "--shift", 0.01, 100, NULL, &o->objective.schedule.shift, NULL},
        {NULL, "--time-mean", -20, 20, NULL, &o->objective.time_mean, NULL},
        {NULL, "--time-std", 0, 20, NULL, &o->objective.time_std, NULL},
    };
    _Static_assert(sizeof numbers / sizeof *numbers <= MOST_NUMBERS, "room");
    memcpy(out, numbers, sizeof numbers);
    return sizeof numbers / sizeof *numbers;
}

static int list_words(train_line *l, cli_flag out[MOST_WORDS])
{
    limn_train_options *o = &l->o;
    const cli_flag words[] = {
        {NULL, "--data", &o->data, NULL},
        {NULL, "--where", &o->where, NULL},
        {"-o", "--out", &o->out, NULL},
        {NULL, "--set", &l->set, NULL},
        {NULL, "--merges", &o->merges, NULL},
        {NULL, "--init", &o->init, NULL},
        {NULL, "--weights", &l->weights, NULL},
        {NULL, "--sample-prompts", &o->sample_prompts, NULL},
        {NULL, "--schedule", &l->words.schedule, NULL},
        {NULL, "--prediction", &l->words.prediction, NULL},
        {NULL, "--weighting", &l->words.weighting, NULL},
        {NULL, "--precision", &l->words.precision, NULL},
        {NULL, "--crop", &l->words.crop, NULL},
        {NULL, "--caption-field", &o->caption_field, NULL},
        {NULL, "--label-field", &o->label_field, NULL},
        {NULL, "--no-captions", NULL, &o->no_captions},
        {NULL, "--flip", NULL, &o->flip},
        {NULL, "--freeze", &o->freeze, NULL},
        {NULL, "--recompute", &o->recompute, NULL},
        {NULL, "--loss", &l->words.loss, NULL},
        {NULL, "--augment", &l->words.augment, NULL},
        {NULL, "--mask-values", &o->mask_values, NULL},
        {NULL, "--hold-out", &o->hold_out, NULL},
        {NULL, "--fold", &l->words.fold, NULL},
        {NULL, "--class-weights", &l->words.class_weights, NULL},
        {NULL, "--range", &l->words.range, NULL},
        {NULL, "--latents", &l->latents, NULL},
        {NULL, "--comm-dtype", &l->words.comm, NULL},
        {NULL, "--shard-state", NULL, &o->shard_state},
        {NULL, "--sync-norm", NULL, &o->sync_norm},
        {NULL, "--resume", NULL, &o->resume},
        {"-h", "--help", NULL, &l->asked},
    };
    _Static_assert(sizeof words / sizeof *words <= MOST_WORDS, "room");
    memcpy(out, words, sizeof words);
    return sizeof words / sizeof *words;
}

static bool read_numbers(train_number *numbers, int n)
{
    for (int i = 0; i < n; i++) {
        train_number *x = &numbers[i];
        if (x->whole ? !cli_integer(x->flag, x->text, (long)x->low, (long)x->high, x->whole)
                     : !cli_real(x->flag, x->text, x->low, x->high, x->real))
            return false;
    }
    return true;
}

static bool unusable(const char *sentence)
{
    fprintf(stderr, "limn train: %s\n", sentence);
    return false;
}

/* What a training needs, whatever the flags' values are. */
static bool check_places(train_line *l)
{
    limn_train_options *o = &l->o;
    if (l->latents && o->data)
        return unusable("--data gives pictures, --latents what was made of them: give one of them");
    if (l->latents) o->data = l->latents, o->latents = true;
    if (!l->net || !o->data || !o->out) return unusable("expected NET, --data and --out; see limn train --help");
    if (!strcmp(o->out, "-")) return unusable("--out is a folder of files, and - is stdout: ./- is a folder of that name");
    return true;
}

/* Flags that mean something beside others only. */
static bool check_pairs(const train_line *l)
{
    const limn_train_options *o = &l->o;
    if (l->weights && !o->init)
        return unusable("--weights says which weights --init takes of a checkpoint: give it as well");
    if (o->range.kind == LIMN_RANGE_GIVEN && !cli_interval("--range", o->range.low, o->range.high)) return false;
    if (o->sample_prompts && !l->sample_every)
        return unusable("--sample-prompts says what to draw, --sample-every when: give both");
    return true;
}

/* @return false after a message, or when help was asked for */
static bool read_line(int argc, char **argv, train_line *l)
{
    train_number numbers[MOST_NUMBERS];
    cli_flag flags[MOST_WORDS + MOST_NUMBERS + 1] = {{NULL, NULL, NULL, NULL}};
    int n_numbers = list_numbers(l, numbers), n_flags = list_words(l, flags);
    for (int i = 0; i < n_numbers; i++)
        flags[n_flags++] = (cli_flag){numbers[i].shorter, numbers[i].flag, &numbers[i].text, NULL};
    if (cli_parse(argc, argv, flags, &l->net, 1) < 0 || l->asked) return false;
    for (int i = 0, n = 0; i < n_flags && n < MAX_SET; i++)
        if (train_flag_is_set(&flags[i])) l->used[n++] = flags[i].longer;
    return check_places(l) && read_numbers(numbers, n_numbers) && read_words(&l->words, &l->o) &&
           read_segment_words(&l->words, l->class_weights, &l->o) && check_pairs(l);
}

/* Rank 0 alone tells how far it is; the others warn. */
static void tell_warnings(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN && training) fprintf(stderr, "warning: rank %d: %s\n", ((cli_ranks *)user)->rank, text);
}

static limn_status train(limn_ctx *ctx, int argc, char **argv, train_line *l, cli_ranks *ranks)
{
    limn_train_options *o = &l->o;
    limn_text network = {0};
    double pictures = (double)o->batch * o->accumulate * ranks->size;
    o->report = report, o->user = &pictures;
    cli_handle(SIGUSR1, stop);
    limn_ctx_set_log(ctx, ranks->rank == 0 ? tell : tell_warnings, ranks);
    limn_ctx_set_progress(ctx, go_on, NULL);
    limn_status status = limn_ctx_set_threads(ctx, (int)l->threads);
    if (status == LIMN_OK) status = limn_ctx_set_weights(ctx, l->weights);
    if (status == LIMN_OK) status = cli_network(ctx, argc, argv, l->net, &network);
    o->network = network.bytes;
    if (status == LIMN_OK) status = train_flags_check(ctx, o, l->used);
    if (ranks->comm) status = limn_comm_agree(ranks->comm, status);
    if (status == LIMN_OK) status = ranks->comm ? limn_train_on(ctx, o, ranks->comm) : limn_train(ctx, o);
    limn_text_free(&network);
    return status;
}

static int train_as_told(limn_ctx *ctx, int argc, char **argv, cli_ranks *ranks)
{
    train_line l = {.o = limn_train_defaults(), .seed = 42};
    limn_train_options *o = &l.o;
    l.batch = o->batch, l.accumulate = o->accumulate, l.steps = o->steps, l.warmup = o->warmup;
    l.adversary_start = o->adversary_start;
    l.save_every = o->save_every, l.log_every = o->log_every;
    bool right = read_line(argc, argv, &l);
    if (l.asked) return fputs(help, stdout), 0;
    int code = cli_ranks_agree(ranks, ctx, right ? 0 : 2);
    if (code) return code;
    o->batch = (int)l.batch, o->accumulate = (int)l.accumulate, o->inner_steps = l.inner_steps;
    o->steps = l.steps, o->warmup = l.warmup, o->decay = l.decay;
    o->adversary_start = l.adversary_start;
    o->save_every = l.save_every, o->log_every = l.log_every, o->sample_every = l.sample_every;
    o->seed = (uint64_t)l.seed, o->seconds = 60 * l.minutes;
    limn_status status = train(ctx, argc, argv, &l, ranks);
    if (status != LIMN_OK && isatty(STDERR_FILENO)) fputs("\r\033[K", stderr); /* over the line of progress */
    code = status == LIMN_OK ? 0 : ranks->rank == 0 ? cli_fail(ctx, status) : cli_code(status);
    bool told = stopped || ranks->size > 1; /* the rank that heard a signal has its exit code, the others end well */
    return told && (status == LIMN_OK || status == LIMN_CANCELLED) ? 0 : code;
}

int cli_train(int argc, char **argv)
{
    cli_ranks ranks;
    limn_ctx *ctx = cli_ctx_new();
    if (!ctx) return 1;
    int code = cli_ranks_begin(ctx, &ranks);
    if (code == 0) code = train_as_told(ctx, argc, argv, &ranks), cli_ranks_end(&ranks);
    cli_ctx_free(ctx);
    return code == 0 && stopped && stopped != SIGUSR1 ? cli_die(stopped) : code;
}
