/* encode_folder.c: a folder of pictures to a folder of latents, which limn_train() reads. */
#include "limn/train.h"

#include "base/json.h"
#include "data/data.h"
#include "file/bytes.h"
#include "file/latent.h"
#include "pipeline/autoencoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FEW_BAD = 3, MAX_LINES = 1 << 30, DATA_BYTES = 1 };

typedef struct folder_job {
    limn_autoencoder *a;
    limn_ctx *ctx;
    const limn_encode_options *o;
    limn_dataset *data;
    limn_latents all;
    limn_latent latent;
    float *picture;
    uint8_t *done;    /* [count]: which pictures there are latents of */
    int64_t n_bad;
} folder_job;

/* The folder of every part of a path but the last. */
static limn_status make_folders(limn_ctx *ctx, char *path)
{
    for (char *slash = path; (slash = strchr(slash + 1, '/')); *slash = '/') {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) return limn_fail(ctx, LIMN_IO, "%s: %s", path, strerror(errno));
    }
    return LIMN_OK;
}

/* The picture's path inside its folder. */
static const char *name_of(const folder_job *j, int64_t i)
{
    const char *name = limn_dataset_file(j->data, i) + strlen(j->o->folder);
    while (*name == '/') name++;
    return name;
}

static limn_status write_latent(folder_job *j, int64_t i)
{
    char path[LIMN_PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s.safetensors", j->o->out, name_of(j, i)) >= (int)sizeof path)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT, "the path of the latent of %s is longer than %d bytes", name_of(j, i),
                         LIMN_PATH_BYTES);
    limn_status status = make_folders(j->ctx, path);
    return status == LIMN_OK ? limn_latent_write(j->ctx, path, &j->latent, j->a->text) : status;
}

static limn_status skip(folder_job *j)
{
    int64_t n = limn_dataset_count(j->data);
    j->n_bad++;
    if (j->n_bad == n || (j->n_bad > FEW_BAD && 100 * j->n_bad > n))
        return limn_fail_in(j->ctx, LIMN_BAD_FILE, "%lld of %lld pictures cannot be read; the last", (long long)j->n_bad,
                            (long long)n);
    limn_log(j->ctx, LIMN_LOG_WARN, "skipped: %s", limn_error_text(j->ctx));
    return LIMN_OK;
}

static limn_status encode_one(folder_job *j, int64_t i)
{
    limn_status status = limn_dataset_picture(j->ctx, j->data, i, j->picture);
    limn_dataset_warn(j->ctx, j->data);
    if (status == LIMN_NO_MEMORY) return status;
    if (status != LIMN_OK) return skip(j);
    status = limn_encode_values(j->a, 1, j->o->size, j->o->size, j->picture, j->o->precision, j->latent.values);
    if (status == LIMN_OK) status = write_latent(j, i);
    if (status != LIMN_OK) return status;
    limn_latents_add(&j->all, &j->latent);
    j->done[i] = 1;
    return LIMN_OK;
}

static limn_status encode_all(folder_job *j)
{
    int64_t n = limn_dataset_count(j->data);
    limn_status status = LIMN_OK;
    for (int64_t i = 0; i < n && status == LIMN_OK; i++) {
        if (!limn_progress(j->ctx, "picture", i, n))
            return limn_fail(j->ctx, LIMN_CANCELLED, "stopped after %lld of %lld pictures", (long long)i, (long long)n);
        status = encode_one(j, i);
    }
    if (status == LIMN_OK) limn_progress(j->ctx, "picture", n, n);
    return status;
}

/* ---- metadata.jsonl --------------------------------------------------------------------------------------------------- */

static limn_status put_row(folder_job *j, limn_writer *writer, json_t *row, int64_t i)
{
    char name[LIMN_PATH_BYTES];
    snprintf(name, sizeof name, "%s.safetensors", name_of(j, i));
    char *line = json_object_set_new(row, "file_name", json_string(name)) == 0 ? limn_json_text(row, JSON_COMPACT) : NULL;
    if (!line) return limn_fail_memory(j->ctx, sizeof name, "a row of metadata.jsonl");
    limn_file_write(writer, line, strlen(line));
    limn_file_write(writer, "\n", 1);
    free(line);
    return LIMN_OK;
}

/* A row as it was, with the caption that was beside the picture when it had none. */
static limn_status put_same_row(folder_job *j, limn_writer *writer, const char *line, size_t n, int64_t i)
{
    const char *field = limn_dataset_caption_field(j->data), *beside = limn_dataset_caption_beside(j->data, i);
    json_t *row = limn_json_parse(line, n, NULL);
    bool fits = row && (!beside || json_object_set_new(row, field ? field : "text", json_string(beside)) == 0);
    limn_status status = fits ? put_row(j, writer, row, i) : limn_fail_memory(j->ctx, n, "a row of metadata.jsonl");
    json_decref(row);
    return status;
}

/* The data set has the rows of the file in its order, less those that --where leaves out. */
static limn_status put_same_rows(folder_job *j, limn_writer *writer, const char *bytes, size_t begin, size_t n)
{
    int64_t i = 0, all = limn_dataset_count(j->data), line = 1;
    limn_status status = LIMN_OK;
    for (size_t at = begin, end; at < n && i < all && status == LIMN_OK; at = end + 1, line++) {
        const char *newline = memchr(bytes + at, '\n', n - at);
        end = newline ? (size_t)(newline - bytes) : n;
        if (limn_dataset_line(j->data, i) != line) continue;
        if (j->done[i]) status = put_same_row(j, writer, bytes + at, end - at, i);
        i++;
    }
    return status;
}

static limn_status put_new_rows(folder_job *j, limn_writer *writer)
{
    limn_status status = LIMN_OK;
    for (int64_t i = 0; i < limn_dataset_count(j->data) && status == LIMN_OK; i++) {
        if (!j->done[i]) continue;
        int label = limn_dataset_label(j->data, i);
        json_t *row = json_pack("{s:s}", "text", limn_dataset_caption(j->data, i));
        if (row && label >= 0) json_object_set_new(row, "label", json_string(limn_dataset_class(j->data, label)));
        status = row ? put_row(j, writer, row, i) : limn_fail_memory(j->ctx, 64, "a row of metadata.jsonl");
        json_decref(row);
    }
    return status;
}

static limn_status write_rows(folder_job *j)
{
    char path[LIMN_PATH_BYTES];
    unsigned char *bytes = NULL;
    size_t n, begin = 0;
    limn_writer writer;
    snprintf(path, sizeof path, "%s/metadata.jsonl", j->o->folder);
    limn_status status = limn_file_read(j->ctx, path, MAX_LINES, &bytes, &n);
    bool there = status == LIMN_OK;
    if (there) status = limn_text_begin(j->ctx, path, bytes, n, &begin);
    if (status != LIMN_OK && status != LIMN_NOT_FOUND) return free(bytes), status;
    snprintf(path, sizeof path, "%s/metadata.jsonl", j->o->out);
    status = limn_file_create(j->ctx, path, &writer);
    if (status == LIMN_OK) status = there ? put_same_rows(j, &writer, (char *)bytes, begin, n) : put_new_rows(j, &writer);
    if (status == LIMN_OK) status = limn_file_commit(&writer);
    else limn_file_discard(&writer);
    free(bytes);
    return status;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static limn_status check(const folder_job *j)
{
    const limn_encode_options *o = j->o;
    struct stat a, b;
    if (!o->folder || !o->out || !o->vae)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT, "encoding needs folder, out and vae; %s is not set",
                         !o->folder ? "folder" : !o->out ? "out" : "vae");
    if (o->crop != LIMN_CROP_CENTRE && o->crop != LIMN_SQUASH)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT, "pictures are encoded once: crop is CENTRE or SQUASH");
    if (!*o->out)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT, "the folder of the latents has no name"); /* they would go to / */
    if (strcmp(o->folder, "shapes") == 0)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT,
                         "shapes are drawn while a training runs; the folder of this name is ./shapes");
    if (o->size < j->a->factor || o->size % j->a->factor)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT, "pictures must have a multiple of %d pixels a side, found %d",
                         j->a->factor, o->size);
    if (stat(o->folder, &a) == 0 && stat(o->out, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return limn_fail(j->ctx, LIMN_BAD_ARGUMENT, "latents of %s must go to another folder", o->folder);
    return LIMN_OK;
}

static void add_path(const char *folder, const char *name, const char *ending, char path[LIMN_PATH_BYTES + 32])
{
    snprintf(path, LIMN_PATH_BYTES + 32, "%s/%s%s", folder, name, ending);
}

/* Before the first latent: none goes over what is read, nor over another. */
static limn_status check_files(const folder_job *j)
{
    char path[LIMN_PATH_BYTES + 32];
    limn_job_files files = {0};
    add_path(j->o->folder, "metadata", ".jsonl", path);
    limn_job_reads(&files, "the rows of the pictures", path);
    limn_autoencoder_reads(j->a, &files);
    for (int64_t i = 0; i < limn_dataset_count(j->data); i++) {
        limn_job_reads(&files, "the picture", limn_dataset_file(j->data, i));
        add_path(j->o->out, name_of(j, i), ".safetensors", path);
        limn_job_makes(&files, path, limn_dataset_file(j->data, i));
    }
    add_path(j->o->out, "latents", ".safetensors", path);
    limn_job_writes(&files, path);
    add_path(j->o->out, "metadata", ".jsonl", path);
    limn_job_writes(&files, path);
    return limn_job_files_check(j->ctx, &files);
}

static limn_status open_job(folder_job *j)
{
    const limn_encode_options *o = j->o;
    limn_autoencoder_info info = limn_autoencoder_describe(j->a);
    limn_data_options data = {.folder = o->folder,
                              .where = o->where,
                              .size = o->size,
                              .channels = info.channels,
                              .resize = o->crop,
                              .texts = true,
                              .memory = DATA_BYTES};
    limn_status status = limn_dataset_open(j->ctx, &data, &j->data);
    if (status == LIMN_OK) status = check_files(j);
    if (status == LIMN_OK) status = limn_coder_begin(j->a, &j->a->encoder, 1, o->size, o->size, o->precision);
    if (status == LIMN_OK)
        status = limn_latent_new(j->ctx, o->size / info.factor, o->size / info.factor, info.latent, &j->latent);
    if (status != LIMN_OK) return status;
    j->latent.image_height = j->latent.image_width = o->size;
    size_t bytes = limn_dataset_floats(j->data) * sizeof *j->picture;
    j->picture = malloc(bytes), j->done = calloc((size_t)limn_dataset_count(j->data), 1);
    return j->picture && j->done ? LIMN_OK : limn_fail_memory(j->ctx, bytes, "a picture");
}

static limn_status finish(folder_job *j)
{
    char path[LIMN_PATH_BYTES];
    char *real = realpath(j->o->vae, NULL); /* "." has a name, too */
    limn_path_last(real ? real : j->o->vae, j->all.vae, sizeof j->all.vae);
    free(real);
    limn_status status = limn_autoencoder_checksum(j->a, j->all.vae_crc);
    if (status != LIMN_OK) return status;
    snprintf(j->all.settings, sizeof j->all.settings, "%s", j->a->text);
    limn_latents_finish(&j->all);
    snprintf(path, sizeof path, "%s/latents.safetensors", j->o->out);
    status = limn_latents_write(j->ctx, path, &j->all);
    return status == LIMN_OK ? write_rows(j) : status;
}

limn_encode_options limn_encode_defaults(void)
{
    return (limn_encode_options){.crop = LIMN_CROP_CENTRE};
}

limn_status limn_encode_folder(limn_autoencoder *a, const limn_encode_options *o, int64_t *n)
{
    if (n) *n = 0;
    folder_job *j = calloc(1, sizeof *j);
    if (!j) return limn_fail_memory(a->ctx, sizeof *j, "encoding");
    j->a = a, j->ctx = a->ctx, j->o = o;
    limn_status status = check(j);
    if (status == LIMN_OK) status = open_job(j);
    if (status == LIMN_OK) status = encode_all(j);
    if (status == LIMN_OK) status = finish(j);
    if (status == LIMN_OK && n) *n = j->all.count;
    limn_dataset_free(j->data);
    limn_latent_free(&j->latent);
    free(j->picture);
    free(j->done);
    free(j);
    return status;
}
