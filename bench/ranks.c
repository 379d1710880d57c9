/* ranks.c: what sums over processes cost a training step, and what the model of docs/scaling.md says of it.
 *
 *   mpirun -n 2 build/limn-ranks NET BATCH [flags]     one training by two processes; alone it is a training by one
 *   mpirun -n 2 build/limn-ranks "unet levels=5" 1 --steps 5
 *
 *   --steps 8            that are timed, after one that is not
 *   --accumulate 1, --inner-steps 0, --comm-dtype f32, --precision f32, --threads 1     as limn train has them
 *   --delay MICROSECONDS added to every call of a rank to the others: a network with latency
 *   --alone MILLISECONDS what a step of one process takes: then the line says what was expected, too, with
 *   --link GBITS --latency MICROSECONDS --message MICROSECONDS     of the network (any rate, 100, 5)
 *
 * It is limn_train_on() on shapes, segmentation networks on one picture and its mask, in a folder that it removes.  Rank 0
 * prints a line of JSON: medians of the steps (with inner steps means of so many), "comm_ms" of rank 0 inside calls to the
 * others, which is also the wait for a slower rank, "least_comm_ms" of the rank that waited least. */
#include "base/number.h"
#include "comm/comm.h"
#include "limn/network.h"
#include "limn/train.h"
#include "measure.h"

#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH = 512, MOST_SAMPLES = 1000, MOST_RANKS = 4096 };

/* ---- a group with latency --------------------------------------------------------------------------------------------- */

typedef struct delayed {
    limn_comm comm; /* first */
    limn_comm *inner;
    double seconds;
} delayed;

static limn_comm *after_delay(limn_comm *comm)
{
    delayed *d = (delayed *)comm;
    nanosleep(&(struct timespec){.tv_sec = (time_t)d->seconds, .tv_nsec = (long)(fmod(d->seconds, 1) * 1e9)}, NULL);
    return d->inner;
}

static limn_status gather(limn_comm *comm, size_t bytes, const void *mine, void *all)
{
    return limn_comm_gather(after_delay(comm), bytes, mine, all);
}

static limn_status exchange(limn_comm *comm, size_t bytes, const void *out, void *in)
{
    return limn_comm_exchange(after_delay(comm), bytes, out, in);
}

static limn_status broadcast(limn_comm *comm, int root, size_t bytes, void *data)
{
    return limn_comm_broadcast(after_delay(comm), root, bytes, data);
}

static void at_step(limn_comm *comm, int64_t step)
{
    limn_comm_at_step(((delayed *)comm)->inner, step);
}

static void close_both(limn_comm *comm)
{
    limn_comm_close(((delayed *)comm)->inner);
    free(comm);
}

static const limn_comm_engine with_delay = {
    .gather = gather, .exchange = exchange, .broadcast = broadcast, .at_step = at_step, .close = close_both};

/* Takes *comm over.  Sleeps are then as long as they are told, not 50 us more. */
static limn_status delay(limn_comm **comm, double seconds)
{
    if (seconds == 0) return LIMN_OK;
    delayed *d = malloc(sizeof *d);
    if (!d) return limn_fail_memory((*comm)->ctx, sizeof *d, "a group of ranks");
    *d = (delayed){.comm = **comm, .inner = *comm, .seconds = seconds};
    d->comm.engine = &with_delay;
    prctl(PR_SET_TIMERSLACK, 1);
    return *comm = &d->comm, LIMN_OK;
}

/* The group that mpirun began, by the plugin beside this program, or one process. */
static limn_status join(limn_ctx *ctx, limn_comm **out)
{
    char path[PATH];
    const char *size = getenv("OMPI_COMM_WORLD_SIZE"), name[] = "limn-mpi.so";
    *out = NULL;
    if (!size || strcmp(size, "1") == 0) return limn_comm_open(ctx, out);
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof name);
    while (n > 0 && path[n - 1] != '/') n--;
    if (n <= 0) return limn_fail(ctx, LIMN_NOT_FOUND, "where this program lies is not known, or too deep");
    memcpy(path + n, name, sizeof name);
    return limn_comm_load(ctx, path, 45, out);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

typedef struct bench {
    limn_ctx *ctx;
    limn_comm *comm;
    limn_train_options o;
    limn_scaling_options scaling; /* of the line that is printed; step_seconds 0: nothing is expected */
    double delay;
    int samples, n, each; /* wanted, there; steps in one */
    char folder[PATH];
    limn_comm_traffic before, sent; /* at the last sample; of the timed steps */
    double at;
    double step[MOST_SAMPLES], comm_seconds[MOST_SAMPLES], work[MOST_SAMPLES]; /* seconds of a step */
} bench;

static bool after_step(void *user, const char *what, int64_t done, int64_t total)
{
    bench *b = user;
    (void)total;
    if (strcmp(what, "step") != 0 || done % b->each != 0) return true;
    double now = limn_seconds(), each = b->each;
    limn_comm_traffic t = b->comm->traffic;
    if (done > b->each && b->n < b->samples) {
        b->step[b->n] = (now - b->at) / each;
        b->comm_seconds[b->n] = (t.seconds - b->before.seconds) / each;
        b->work[b->n] = b->step[b->n] - b->comm_seconds[b->n];
        b->n++;
        b->sent.bytes += t.bytes - b->before.bytes, b->sent.calls += t.calls - b->before.calls;
    }
    b->at = now, b->before = t;
    return true;
}

/* The rank that waits least is the one that the others wait for: its calls are the network's time. */
static limn_status least_of_all(bench *b, double mine, double *least)
{
    double all[MOST_RANKS];
    if (b->comm->size > MOST_RANKS) return limn_fail(b->ctx, LIMN_BAD_ARGUMENT, "at most %d ranks", MOST_RANKS);
    limn_status status = limn_comm_gather(b->comm, sizeof mine, &mine, all);
    *least = mine;
    for (int i = 0; i < b->comm->size && status == LIMN_OK; i++) *least = all[i] < *least ? all[i] : *least;
    return status;
}

/* ---- data ------------------------------------------------------------------------------------------------------------- */

/* One picture with its mask, as large as the network's. */
static limn_status put_pictures(bench *b, int size)
{
    limn_image image = {.width = size, .height = size, .channels = 1};
    limn_status status = LIMN_OK;
    image.pixels = malloc((size_t)size * (size_t)size);
    if (!image.pixels) return limn_fail_memory(b->ctx, (size_t)size * (size_t)size, "a picture");
    for (int mask = 0; mask < 2 && status == LIMN_OK; mask++) {
        char path[PATH + 32];
        for (int i = 0; i < size * size; i++) {
            int in = (i / size / 24 + i % size / 40) % 2;
            image.pixels[i] = (uint8_t)(mask ? 255 * in : 60 + 90 * in + i * 37 % 50);
        }
        snprintf(path, sizeof path, "%s/%s", b->folder, mask ? "masks" : "images");
        if (mkdir(path, 0777) != 0) status = limn_fail(b->ctx, LIMN_IO, "%s cannot be made", path);
        snprintf(path, sizeof path, "%s/%s/a.png", b->folder, mask ? "masks" : "images");
        if (status == LIMN_OK) status = limn_png_write(b->ctx, path, &image, NULL);
    }
    free(image.pixels);
    return status;
}

static int size_of(const limn_network *network)
{
    limn_network_setting row;
    for (int i = 0; limn_network_setting_at(network, i, &row); i++)
        if (!strcmp(row.name, "size")) return atoi(row.value);
    return 64;
}

static limn_status make_folder(bench *b)
{
    limn_network *network;
    const char *tmp = getenv("TMPDIR");
    snprintf(b->folder, sizeof b->folder, "%.300s/limn-ranks-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(b->folder)) {
        *b->folder = 0;
        return limn_fail(b->ctx, LIMN_IO, "no folder can be made in %.300s", tmp && *tmp ? tmp : "/tmp");
    }
    limn_status status = limn_network_new(b->ctx, b->o.network, &network);
    if (status != LIMN_OK) return status;
    if (limn_network_describe(network).kind == LIMN_SEGMENTS)
        b->o.data = b->folder, status = put_pictures(b, size_of(network));
    limn_network_free(network);
    return status;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* ---- the line --------------------------------------------------------------------------------------------------------- */

static limn_status print_expected(bench *b)
{
    limn_network *network;
    limn_cost cost;
    limn_scaling s;
    limn_cost_options of = {.batch = b->o.batch, .precision = b->o.precision};
    limn_scaling_options *o = &b->scaling;
    limn_status status = limn_network_new(b->ctx, b->o.network, &network);
    o->ranks = b->comm->size, o->accumulate = b->o.accumulate, o->inner_steps = b->o.inner_steps;
    o->sums_in_bf16 = b->o.sums_in_bf16, o->call_seconds += b->delay;
    if (status == LIMN_OK) status = limn_cost_training(network, &of, &cost, NULL);
    if (status == LIMN_OK) status = limn_scaling_of(b->ctx, &cost, o, &s);
    limn_network_free(network);
    if (status != LIMN_OK || o->step_seconds == 0) return status;
    printf(", \"alone_ms\": %.3f, \"efficiency\": %.3f, \"expected_ms\": %.3f, \"expected_comm_ms\": %.3f, "
           "\"expected_efficiency\": %.3f, \"expected_sent_bytes\": %.0f",
           o->step_seconds * 1e3, o->step_seconds / measure_median(b->step, b->n), s.step_seconds * 1e3,
           s.comm_seconds * 1e3,
           s.efficiency, s.sent_bytes);
    return status;
}

static limn_status print_line(bench *b, double least)
{
    double steps = (double)b->n * b->each, seconds = measure_median(b->step, b->n);
    double pictures = (double)b->o.batch * b->o.accumulate * b->comm->size;
    printf("{\"who\": \"limn\", \"mode\": \"ranks\", \"net\": \"%s\", \"batch\": %d, \"accumulate\": %d, \"inner_steps\": "
           "%lld, "
           "\"comm_dtype\": \"%s\", \"ranks\": %d, \"threads\": %d, \"delay_us\": %.0f, \"steps\": %.0f, \"ms\": %.3f, "
           "\"comm_ms\": %.3f, \"least_comm_ms\": %.3f, \"work_ms\": %.3f, \"sent_bytes\": %.0f, \"calls\": %.2f, "
           "\"images_per_s\": %.2f",
           b->o.network, b->o.batch, b->o.accumulate, (long long)b->o.inner_steps, b->o.sums_in_bf16 ? "bf16" : "f32",
           b->comm->size, limn_ctx_threads(b->ctx), b->delay * 1e6, steps, seconds * 1e3,
           measure_median(b->comm_seconds, b->n) * 1e3, least * 1e3, measure_median(b->work, b->n) * 1e3,
           b->sent.bytes / steps,
           (double)b->sent.calls / steps, pictures / seconds);
    limn_status status = print_expected(b);
    printf("}\n");
    return status;
}

static limn_status run(bench *b)
{
    char out[PATH + 8];
    double least = 0;
    limn_status status = limn_comm_agree(b->comm, make_folder(b));
    snprintf(out, sizeof out, "%s/run", b->folder);
    b->o.out = out;
    limn_ctx_set_progress(b->ctx, after_step, b);
    if (status == LIMN_OK) status = limn_train_on(b->ctx, &b->o, b->comm);
    if (status == LIMN_OK) status = least_of_all(b, measure_median(b->comm_seconds, b->n), &least);
    if (status == LIMN_OK && b->comm->rank == 0) status = print_line(b, least);
    if (*b->folder) nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

/* ---- the command line ------------------------------------------------------------------------------------------------- */

typedef struct flags {
    double steps, accumulate, inner_steps, threads, delay, alone, link, latency, message;
    const char *sums, *precision;
} flags;

static bool read_number(const char *text, double least, double most, double *out)
{
    char *end;
    double x = limn_number_parse(text, &end);
    return end != text && !*end && x >= least && x <= most ? *out = x, true : false;
}

/* @return false: there is no such flag, or it takes no such value */
static bool read_flag(const char *name, const char *text, flags *f)
{
    const struct {
        const char *name;
        double *value, least, most;
    } rows[] = {{"--steps", &f->steps, 1, MOST_SAMPLES},
                {"--accumulate", &f->accumulate, 1, 1024},
                {"--inner-steps", &f->inner_steps, 0, 1e6},
                {"--threads", &f->threads, 1, 1024},
                {"--delay", &f->delay, 0, 1e7},
                {"--alone", &f->alone, 0, 1e9},
                {"--link", &f->link, 0, 1e6},
                {"--latency", &f->latency, 0, 1e9},
                {"--message", &f->message, 0, 1e9}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(name, rows[i].name)) return read_number(text, rows[i].least, rows[i].most, rows[i].value);
    if (!strcmp(name, "--comm-dtype")) return f->sums = text, !strcmp(text, "f32") || !strcmp(text, "bf16");
    return !strcmp(name, "--precision") && (f->precision = text, !strcmp(text, "f32") || !strcmp(text, "bf16"));
}

/* As many timed steps as were asked for, in whole rounds of inner steps, behind a round that is not timed, and before the
 * last step, of which progress is not told. */
static void set_options(bench *b, const flags *f)
{
    b->each = f->inner_steps >= 1 ? (int)f->inner_steps : 1;
    b->samples = ((int)f->steps + b->each - 1) / b->each;
    b->o.data = "shapes", b->o.no_captions = true, b->o.augment = limn_augment_none();
    b->o.accumulate = (int)f->accumulate, b->o.inner_steps = (int64_t)f->inner_steps;
    b->o.sums_in_bf16 = !strcmp(f->sums, "bf16");
    b->o.precision = !strcmp(f->precision, "bf16") ? LIMN_PRECISION_BF16 : LIMN_PRECISION_F32;
    b->o.steps = (int64_t)(b->samples + 1) * b->each + 1, b->o.save_every = b->o.log_every = b->o.steps;
    b->delay = f->delay * 1e-6;
    b->scaling = (limn_scaling_options){.step_seconds = f->alone * 1e-3,
                                        .bits_a_second = f->link * 1e9,
                                        .call_seconds = f->latency * 1e-6,
                                        .message_seconds = f->message * 1e-6};
}

int main(int argc, char **argv)
{
    flags f = {.steps = 8, .accumulate = 1, .threads = 1, .latency = 100, .message = 5, .sums = "f32", .precision = "f32"};
    double batch = 0;
    bool right = argc >= 3 && argc % 2 == 1 && read_number(argv[2], 1, 65536, &batch);
    for (int i = 3; i + 1 < argc && right; i += 2)
        if (!(right = read_flag(argv[i], argv[i + 1], &f)))
            fprintf(stderr, "limn-ranks: no flag %s %s\n", argv[i], argv[i + 1]);
    if (!right)
        return fprintf(stderr, "[mpirun -n N] limn-ranks NET BATCH [--steps 8] ..; bench/ranks.c has all flags\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return 1;
    bench b = {.ctx = ctx, .o = limn_train_defaults()};
    b.o.network = argv[1], b.o.batch = (int)batch;
    set_options(&b, &f);
    limn_ctx_set_threads(ctx, (int)f.threads);
    limn_status status = join(ctx, &b.comm);
    if (status == LIMN_OK) status = delay(&b.comm, b.delay);
    if (status == LIMN_OK) status = run(&b);
    if (status != LIMN_OK) fprintf(stderr, "limn-ranks: %s\n", limn_error_text(ctx));
    limn_comm_close(b.comm);
    limn_ctx_free(ctx);
    return status == LIMN_OK ? 0 : 1;
}
